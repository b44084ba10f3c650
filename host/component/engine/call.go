package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/lathhost/lath/host/component/trap"
)

// Func is an exported function with a call engine of its own: a stack that
// grows as needed and is kept between calls. It is neither re-entrant nor may
// two goroutines use it: who needs that takes another one by [Func.Clone].
type Func struct {
	fn   api.Function
	m    *Module
	name string
}

// Call calls the function. stack holds the parameters and then the results, so
// it must be as long as the longer of the two. ctx is passed on to the host
// functions that the guest calls, unchanged.
//
// The error is always a [*trap.Error]: the one that a host function panicked
// with, or one for what the guest did. Its stack is told by the Symbols of a
// ctx that is a [Context]; see [Mark].
func (f *Func) Call(ctx context.Context, stack []uint64) error {
	if err := f.fn.CallWithStack(ctx, stack); err != nil {
		return f.failed(ctx, err)
	}
	return nil
}

// failed makes an error of wazero a trap.
func (f *Func) failed(ctx context.Context, err error) error {
	var symbols Symbols
	if c, ok := ctx.(Context); ok {
		symbols = c.callContext().Symbols
	}
	return f.m.meter.explain(asTrap(symbols, err))
}

// Clone returns another call engine for the same function.
func (f *Func) Clone() *Func { return f.m.Func(f.name) }

// Slots returns how long the stack of a call must be.
func (f *Func) Slots() int {
	d := f.fn.Definition()
	return max(slots(d.ParamTypes()), slots(d.ResultTypes()))
}

func slots(types []api.ValueType) int {
	n := len(types)
	for _, t := range types {
		if t == valueTypeV128 {
			n++
		}
	}
	return n
}

// traps maps the texts of wazero's traps to codes. They are part of no API:
// TestTrapCodes holds them in place.
var traps = map[string]trap.Code{
	"unreachable":                 trap.Unreachable,
	"out of bounds memory access": trap.MemoryOutOfBounds,
	"invalid table access":        trap.TableOutOfBounds,
	"indirect call type mismatch": trap.IndirectCall,
	"integer overflow":            trap.IntegerOverflow,
	"integer divide by zero":      trap.DivideByZero,
	"stack overflow":              trap.StackOverflow,
}

// instantiateError converts an error of an instantiation without start
// function. Data that does not fit memory is the one trap that there can be.
func instantiateError(err error) error {
	if strings.HasSuffix(err.Error(), "out of bounds memory access") {
		return &trap.Error{Code: trap.MemoryOutOfBounds, Msg: err.Error()}
	}
	return fmt.Errorf("instantiate core module: %w", err)
}
