package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/test/bench/guests"
	"github.com/lathhost/lath/wit"
)

// handwritten is caller and callee without components: on the same engine, with
// host functions that know the types by heart. It checks what the canonical ABI
// demands, and asks the callee for memory as that does. What a call from
// component to component costs can be compared to it.
type handwritten struct {
	caller, callee                   *instance
	realloc, number, text, one, many *engine.Func
	run                              map[string]*engine.Func // of caller
	cc                               *engine.CallContext
	stack                            [11]uint64 // of callee's functions
	request                          [4]uint64  // of realloc
}

var errABI = errors.New("the guest broke the canonical ABI")

// handwritten makes the two, and what is between them.
func (b *bed) handwritten(ctx context.Context) (*handwritten, error) {
	h := &handwritten{cc: engine.NewContext(context.Background()), run: map[string]*engine.Func{}}
	wasm, err := callee(false)
	if err != nil {
		return nil, err
	}
	m, err := b.module(ctx, wasm, core.Plan{})
	if err != nil {
		return nil, err
	}
	if h.callee, err = b.keep(ctx, m); err != nil {
		return nil, err
	}
	h.realloc, h.number, h.text = h.callee.Func("cabi_realloc"), h.callee.Func("bench:guest/data#take-number"), h.callee.Func("bench:guest/data#take-text")
	h.one, h.many = h.callee.Func("bench:guest/data#take-record"), h.callee.Func("bench:guest/data#take-records")
	if m, err = b.handwrittenCaller(ctx, h); err != nil {
		return nil, err
	}
	if h.caller, err = b.keep(ctx, m); err != nil {
		return nil, err
	}
	for _, fn := range []string{"numbers", "texts", "one-record", "records"} {
		h.run[fn] = h.caller.Func(fn)
	}
	return h, nil
}

// handwrittenCaller compiles caller with h's functions for its imports.
func (b *bed) handwrittenCaller(ctx context.Context, h *handwritten) (*module, error) {
	wasm, err := guests.Component("caller")
	if err != nil {
		return nil, err
	}
	if wasm, err = guests.Core(wasm); err != nil {
		return nil, err
	}
	e, err := b.coreEngine(ctx)
	if err != nil {
		return nil, err
	}
	parsed, err := core.Parse(wasm, core.Limits{})
	if err != nil {
		return nil, err
	}
	calls := map[string]func([]uint64) error{
		"take-number": h.takeNumber, "take-text": h.takeText, "take-record": h.takeRecord, "take-records": h.takeRecords,
	}
	var plan core.Plan
	var funcs []engine.HostFunc
	for k, imp := range parsed.Imports {
		call := calls[imp.Field]
		plan.Imports = append(plan.Imports, core.Name{Module: "host", Field: fmt.Sprint(k)})
		t := parsed.FuncType(uint32(k))
		funcs = append(funcs, engine.HostFunc{Params: coreTypes(t.Params), Results: coreTypes(t.Results), Call: func(_ context.Context, stack []uint64) {
			if err := call(stack); err != nil {
				panic(err) // stops the guest
			}
		}})
	}
	host, err := e.NewHostModule(ctx, funcs)
	if err != nil {
		return nil, err
	}
	b.later(func() error { return host.Close(context.Background()) })
	m, err := b.module(ctx, wasm, plan)
	if err == nil {
		m.hosts["host"] = host
	}
	return m, err
}

// coreTypes are the engine's names for a module's types.
func coreTypes(types []core.ValType) []wit.CoreType {
	var out []wit.CoreType
	for _, t := range types {
		out = append(out, map[core.ValType]wit.CoreType{0x7f: wit.CoreI32, 0x7e: wit.CoreI64, 0x7d: wit.CoreF32, 0x7c: wit.CoreF64}[t])
	}
	return out
}

// times has the caller make n calls.
func (h *handwritten) times(fn string, sum func(n uint64) uint64, args ...uint64) func(context.Context, int) error {
	f := h.run[fn]
	return func(_ context.Context, n int) error {
		var stack [2]uint64
		stack[0] = uint64(n)
		copy(stack[1:], args)
		if err := f.Call(h.cc, stack[:]); err != nil {
			return err
		}
		if got := uint32(stack[0]); got != uint32(sum(uint64(n))) {
			return fmt.Errorf("%w: %s added up to %d", errWrong, fn, got)
		}
		return nil
	}
}

func (h *handwritten) takeNumber(stack []uint64) error { return h.number.Call(h.cc, stack) }

// alloc asks the callee for memory, and checks what it gives.
func (h *handwritten) alloc(size, align uint32) (at uint32, to []byte, err error) {
	h.request = [4]uint64{0, 0, uint64(align), uint64(size)}
	if err := h.realloc.Call(h.cc, h.request[:]); err != nil {
		return 0, nil, err
	}
	at = uint32(h.request[0])
	to, err = slice(h.callee.mem.Bytes(), at, size)
	if at&(align-1) != 0 {
		err = errABI
	}
	return at, to, err
}

func slice(mem []byte, at, size uint32) ([]byte, error) {
	if uint64(at)+uint64(size) > uint64(len(mem)) {
		return nil, errABI
	}
	return mem[at:][:size], nil
}

// string copies a string and returns its place.
func (h *handwritten) string(at, size uint32) (uint32, error) {
	from, err := slice(h.caller.mem.Bytes(), at, size)
	if err != nil || !utf8.Valid(from) {
		return 0, errABI
	}
	place, to, err := h.alloc(size, 1)
	copy(to, from)
	return place, err
}

func (h *handwritten) takeText(stack []uint64) error {
	at, err := h.string(uint32(stack[0]), uint32(stack[1]))
	if err != nil {
		return err
	}
	stack[0] = uint64(at)
	return h.text.Call(h.cc, stack)
}

// checked is what a bool and a char must be.
func checked(b, c uint32) (bit uint32, err error) {
	if b != 0 {
		bit = 1
	}
	if c >= 0x110000 || c >= 0xd800 && c < 0xe000 {
		err = errABI
	}
	return bit, err
}

func (h *handwritten) takeRecord(stack []uint64) error {
	to := h.stack[:]
	bit, err := checked(uint32(stack[7]), uint32(stack[8]))
	if err != nil {
		return err
	}
	at, err := h.string(uint32(stack[9]), uint32(stack[10]))
	if err != nil {
		return err
	}
	to[0], to[1] = uint64(uint8(stack[0])), uint64(uint16(stack[1]))
	copy(to[2:7], stack[2:7])
	to[7], to[8], to[9], to[10] = uint64(bit), stack[8], uint64(at), stack[10]
	if err := h.one.Call(h.cc, to); err != nil {
		return err
	}
	stack[0] = to[0]
	return nil
}

// mixSize is that of a record in a list.
const mixSize = 56

func (h *handwritten) takeRecords(stack []uint64) error {
	count := uint32(stack[1])
	if count > 1<<20 {
		return errABI
	}
	from, err := slice(h.caller.mem.Bytes(), uint32(stack[0]), count*mixSize)
	if err != nil {
		return err
	}
	list, to, err := h.alloc(count*mixSize, 8)
	if err != nil {
		return err
	}
	for ; len(from) > 0; from, to = from[mixSize:], to[mixSize:] {
		bit, err := checked(uint32(from[40]), binary.LittleEndian.Uint32(from[44:]))
		if err != nil {
			return err
		}
		at, err := h.string(binary.LittleEndian.Uint32(from[48:]), binary.LittleEndian.Uint32(from[52:]))
		if err != nil {
			return err
		}
		copy(to[:40], from[:40]) // what needs no check, and what is between
		to[40] = byte(bit)
		copy(to[44:48], from[44:48])
		binary.LittleEndian.PutUint32(to[48:], at)
		copy(to[52:56], from[52:56])
	}
	stack[0] = uint64(list)
	return h.many.Call(h.cc, stack[:2])
}
