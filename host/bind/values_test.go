package bind_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	typesbind "github.com/lathhost/lath/host/bind/example/types"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/example/types"
	"github.com/lathhost/lath/wit/example/types/typestest"
)

var relays = []string{"relay", "relay-utf16", "relay-latin1"}

// TestValues has a guest hand every value type on to Go code and back, in each
// string encoding.
func TestValues(t *testing.T) {
	t.Parallel()
	for _, relay := range relays {
		t.Run(relay, func(t *testing.T) {
			t.Parallel()
			tm := link(t, "../../examples/types/"+relay+".wasm", typesbind.Values(typestest.Echo{}))
			for _, c := range typestest.Calls() {
				got, err := call(t, tm, "example:types/values."+c.Func+"("+c.Args+")")
				require.NoError(t, err, c)
				require.Equal(t, c.Result, got, c)
			}
			big, err := call(t, tm, "example:types/values.fill(65536, 1)")
			require.NoError(t, err, "a result for which guest memory may have to grow")
			require.Len(t, big, 3*65536)
		})
	}
}

// strange returns what its contract does not have.
type strange struct {
	typestest.Echo
	err error
}

func (s strange) EchoColor(context.Context, types.Color) (types.Color, error) { return 3, s.err }
func (s strange) EchoChar(context.Context, rune) (rune, error)                { return 0xdfff, s.err }
func (s strange) EchoShape(context.Context, types.Shape) (types.Shape, error) {
	return types.Shape{Tag: 6}, s.err
}

func (s strange) EchoAccess(context.Context, types.Access) (types.Access, error) {
	return 0xff, s.err
}
func (s strange) EchoChars(context.Context, []rune) ([]rune, error) { return []rune{-1}, s.err }
func (s strange) Nothing(context.Context) error                     { return s.err }
func (s strange) EchoResult(context.Context, wit.Result[uint32, string]) (uint32, error) {
	return 7, s.err
}

func (s strange) EchoResultErr(context.Context, wit.Result[struct{}, types.Color]) error {
	return s.err
}

// TestStrangeValues checks that a value which its type does not have stops the
// guest as a failure of the host, and never reaches it.
func TestStrangeValues(t *testing.T) {
	t.Parallel()
	tm := link(t, "../../examples/types/relay.wasm", typesbind.Values(strange{}))
	for expr, want := range map[string]string{
		"echo-color(red)":     "returned case 3 of 3",
		"echo-char('a')":      "returned char 0xdfff",
		"echo-shape(nothing)": "returned case 6 of 6",
		"echo-chars([])":      "returned char -0x1",
	} {
		_, err := call(t, tm, "example:types/values."+expr)
		require.ErrorIs(t, err, &trap.Error{Code: trap.Host}, expr)
		require.ErrorContains(t, err, want, expr)
	}
	got, err := call(t, tm, "example:types/values.echo-access({})")
	require.NoError(t, err)
	require.Equal(t, "{read, write, execute}", got, "flags that do not exist are dropped")
}

// TestStrangeErrors checks the failure rule on the guest's side: an error
// becomes a value where its text has room, and else stops the guest with a trap
// that names the import and keeps the cause.
func TestStrangeErrors(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost")
	tm := link(t, "../../examples/types/relay.wasm", typesbind.Values(strange{err: lost}))
	got, err := call(t, tm, "example:types/values.echo-result(ok(1))")
	require.NoError(t, err)
	require.Equal(t, `err("connection lost")`, got)
	for _, expr := range []string{"nothing()", "echo-color(red)", "echo-result-err(ok)"} {
		_, err := call(t, tm, "example:types/values."+expr)
		require.ErrorIs(t, err, lost, expr)
		require.ErrorIs(t, err, &trap.Error{Code: trap.Import}, expr)
	}
	wrapped := link(t, "../../examples/types/relay.wasm", typesbind.Values(strange{err: errors.Join(lost, types.ColorGreen)}))
	got, err = call(t, wrapped, "example:types/values.echo-result-err(ok)")
	require.NoError(t, err)
	require.Equal(t, "err(green)", got)
}

// BenchmarkGlue measures calls of a guest that calls the host: encoded
// parameters into the guest, from it into Go, and back.
func BenchmarkGlue(b *testing.B) {
	ctx := context.Background()
	tm := link(b, "../../examples/types/relay.wasm", typesbind.Values(typestest.Echo{}))
	i, err := tm.Take(ctx)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, i.Close()) })
	for _, c := range []struct {
		fn     string
		params []byte
	}{
		{"nothing", nil},
		{"echo-u32", []byte{1}},
		{"echo-point", []byte{1, 2}},
		{"echo-string", []byte("\x0ea short string")},
		{"echo-bytes", []byte("\x0ea short string")},
	} {
		b.Run(c.fn, func(b *testing.B) {
			b.ReportAllocs()
			e := tm.Export("example:types/values", c.fn)
			var dst []byte
			for b.Loop() {
				if dst, err = i.Call(ctx, e, c.params, dst[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
