// Package typestest implements the contract example:types/values in Go, for
// tests of generated code.
package typestest

import (
	"context"
	"errors"
	"slices"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/example/types"
)

// Echo returns what it gets, like the guest examples/types.
type Echo struct{}

var _ types.Values = Echo{}

// EchoBool implements types.Values.
func (Echo) EchoBool(_ context.Context, v bool) (bool, error) {
	return v, nil
}

// EchoU8 implements types.Values.
func (Echo) EchoU8(_ context.Context, v uint8) (uint8, error) {
	return v, nil
}

// EchoU16 implements types.Values.
func (Echo) EchoU16(_ context.Context, v uint16) (uint16, error) {
	return v, nil
}

// EchoU32 implements types.Values.
func (Echo) EchoU32(_ context.Context, v uint32) (uint32, error) {
	return v, nil
}

// EchoU64 implements types.Values.
func (Echo) EchoU64(_ context.Context, v uint64) (uint64, error) {
	return v, nil
}

// EchoS8 implements types.Values.
func (Echo) EchoS8(_ context.Context, v int8) (int8, error) {
	return v, nil
}

// EchoS16 implements types.Values.
func (Echo) EchoS16(_ context.Context, v int16) (int16, error) {
	return v, nil
}

// EchoS32 implements types.Values.
func (Echo) EchoS32(_ context.Context, v int32) (int32, error) {
	return v, nil
}

// EchoS64 implements types.Values.
func (Echo) EchoS64(_ context.Context, v int64) (int64, error) {
	return v, nil
}

// EchoF32 implements types.Values.
func (Echo) EchoF32(_ context.Context, v float32) (float32, error) {
	return v, nil
}

// EchoF64 implements types.Values.
func (Echo) EchoF64(_ context.Context, v float64) (float64, error) {
	return v, nil
}

// EchoChar implements types.Values.
func (Echo) EchoChar(_ context.Context, v rune) (rune, error) {
	return v, nil
}

// EchoWrapper implements types.Values.
func (Echo) EchoWrapper(_ context.Context, v types.Wrapper) (types.Wrapper, error) {
	return v, nil
}

// EchoColor implements types.Values.
func (Echo) EchoColor(_ context.Context, v types.Color) (types.Color, error) {
	return v, nil
}

// EchoAccess implements types.Values.
func (Echo) EchoAccess(_ context.Context, v types.Access) (types.Access, error) {
	return v, nil
}

// EchoWide implements types.Values.
func (Echo) EchoWide(_ context.Context, v types.Wide) (types.Wide, error) {
	return v, nil
}

// EchoOutcome implements types.Values.
func (Echo) EchoOutcome(_ context.Context, v wit.Result[struct{}, struct{}]) error {
	if v.IsErr {
		return errors.New("failed")
	}
	return nil
}

// EchoString implements types.Values.
func (Echo) EchoString(_ context.Context, v string) (string, error) {
	return v, nil
}

// EchoBytes implements types.Values.
func (Echo) EchoBytes(_ context.Context, v []byte) ([]byte, error) {
	return slices.Clone(v), nil
}

// EchoBools implements types.Values.
func (Echo) EchoBools(_ context.Context, v []bool) ([]bool, error) {
	return v, nil
}

// EchoU16s implements types.Values.
func (Echo) EchoU16s(_ context.Context, v []uint16) ([]uint16, error) {
	return v, nil
}

// EchoS64s implements types.Values.
func (Echo) EchoS64s(_ context.Context, v []int64) ([]int64, error) {
	return v, nil
}

// EchoF64s implements types.Values.
func (Echo) EchoF64s(_ context.Context, v []float64) ([]float64, error) {
	return v, nil
}

// EchoChars implements types.Values.
func (Echo) EchoChars(_ context.Context, v []rune) ([]rune, error) {
	return v, nil
}

// EchoStrings implements types.Values.
func (Echo) EchoStrings(_ context.Context, v []string) ([]string, error) {
	return v, nil
}

// EchoPeople implements types.Values.
func (Echo) EchoPeople(_ context.Context, v []types.Person) ([]types.Person, error) {
	return v, nil
}

// EchoShapes implements types.Values.
func (Echo) EchoShapes(_ context.Context, v []types.Shape) ([]types.Shape, error) {
	return v, nil
}

// EchoNested implements types.Values.
func (Echo) EchoNested(_ context.Context, v [][]wit.Option[uint16]) ([][]wit.Option[uint16], error) {
	return v, nil
}

// EchoPoint implements types.Values.
func (Echo) EchoPoint(_ context.Context, v types.Point) (types.Point, error) {
	return v, nil
}

// EchoPerson implements types.Values.
func (Echo) EchoPerson(_ context.Context, v types.Person) (types.Person, error) {
	return v, nil
}

// EchoTuple implements types.Values.
func (Echo) EchoTuple(_ context.Context, v types.TupleU8StringF64) (types.TupleU8StringF64, error) {
	return v, nil
}

// EchoShape implements types.Values.
func (Echo) EchoShape(_ context.Context, v types.Shape) (types.Shape, error) {
	return v, nil
}

// EchoOption implements types.Values.
func (Echo) EchoOption(_ context.Context, v wit.Option[string]) (wit.Option[string], error) {
	return v, nil
}

// EchoOptionOption implements types.Values.
func (Echo) EchoOptionOption(_ context.Context, v wit.Option[wit.Option[uint32]]) (wit.Option[wit.Option[uint32]], error) {
	return v, nil
}

// EchoResult implements types.Values.
func (Echo) EchoResult(_ context.Context, v wit.Result[uint32, string]) (uint32, error) {
	if v.IsErr {
		return 0, errors.New(v.Err)
	}
	return v.Value, nil
}

// EchoResultErr implements types.Values.
func (Echo) EchoResultErr(_ context.Context, v wit.Result[struct{}, types.Color]) error {
	if v.IsErr {
		return v.Err
	}
	return nil
}

// EchoResultFloats implements types.Values.
func (Echo) EchoResultFloats(_ context.Context, v wit.Result[float64, float32]) (float64, error) {
	if v.IsErr {
		return 0, types.EchoResultFloatsError{Value: v.Err}
	}
	return v.Value, nil
}

// EchoMany implements types.Values.
func (Echo) EchoMany(_ context.Context, v types.Many) (types.Many, error) {
	v.N = slices.Clone(v.N)
	return v, nil
}

// Spread implements types.Values.
func (Echo) Spread(_ context.Context, a uint8, b uint16, c uint32, d uint64, e int8, f int16, g int32, h int64,
	i float32, j float64, k rune, l bool, m string, n []byte, o types.Color, p types.Access,
) (types.Many, error) {
	return types.Many{
		A: a, B: b, C: c, D: d, E: e, F: f, G: g, H: h,
		I: i, J: j, K: k, L: l, M: m, N: slices.Clone(n), O: o, P: p,
	}, nil
}

// SumSixteen implements types.Values.
func (Echo) SumSixteen(_ context.Context, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o uint8, p uint64) (uint64, error) {
	sum := p
	for _, x := range []uint8{a, b, c, d, e, f, g, h, i, j, k, l, m, n, o} {
		sum += uint64(x)
	}
	return sum, nil
}

// Sum implements types.Values.
func (Echo) Sum(_ context.Context, v []uint64) (uint64, error) {
	var sum uint64
	for _, x := range v {
		sum += x
	}
	return sum, nil
}

// Fill implements types.Values. It returns at most 64 KiB.
func (Echo) Fill(_ context.Context, n uint32, value uint8) ([]byte, error) {
	return slices.Repeat([]byte{value}, int(min(n, 1<<16))), nil
}

// Nothing implements types.Values.
func (Echo) Nothing(context.Context) error { return nil }
