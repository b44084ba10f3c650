package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

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
// with, or one for what the guest did.
func (f *Func) Call(ctx context.Context, stack []uint64) error {
	if err := f.fn.CallWithStack(ctx, stack); err != nil {
		return f.m.meter.explain(asTrap(err))
	}
	return nil
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

// The parts of wazero's error texts.
const (
	wasmPrefix  = "wasm error: "
	stackMarker = "\nwasm stack trace:\n\t"
	recovered   = " (recovered by wazero)"
)

// asTrap converts an error of wazero.
func asTrap(err error) *trap.Error {
	msg, stack := err.Error(), ""
	if i := strings.LastIndex(msg, stackMarker); i >= 0 {
		msg, stack = msg[:i], msg[i+len(stackMarker):]
	}
	if t := trap.As(err); t != nil {
		c := *t // it may be shared
		c.Stack = joinStacks(c.Stack, stack)
		return &c
	}
	if _, ok := errors.AsType[*sys.ExitError](err); ok {
		return &trap.Error{Code: trap.Poisoned, Msg: "the instance is closed"}
	}
	if text, ok := strings.CutPrefix(msg, wasmPrefix); ok || traps[msg] != "" {
		code, known := traps[text]
		if !known {
			return &trap.Error{Code: trap.Other, Msg: text, Stack: stack}
		}
		return &trap.Error{Code: code, Stack: stack}
	}
	return &trap.Error{Code: trap.Host, Msg: strings.TrimSuffix(msg, recovered), Stack: stack, Err: err}
}

// maxStack bounds the text of a chain of stacks.
const maxStack = 16 << 10

func joinStacks(inner, outer string) string {
	switch {
	case outer == "" || len(inner)+len(outer) > maxStack:
		return inner
	case inner == "":
		return outer
	}
	return inner + "\n\t" + outer
}

// instantiateError converts an error of an instantiation without start
// function. Data that does not fit memory is the one trap that there can be.
func instantiateError(err error) error {
	if strings.HasSuffix(err.Error(), "out of bounds memory access") {
		return &trap.Error{Code: trap.MemoryOutOfBounds, Msg: err.Error()}
	}
	return fmt.Errorf("instantiate core module: %w", err)
}
