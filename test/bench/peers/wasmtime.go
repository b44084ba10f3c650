//go:build cgo

package main

// #include <stdlib.h>
// #include "peer.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	"github.com/bytecodealliance/wasmtime-go/v37"
)

func wasmtimes() []runtimeUnderTest {
	return []runtimeUnderTest{{"wasmtime", version("github.com/bytecodealliance/wasmtime-go/v37"), wasmtimeOps}}
}

// keptResident is what its documentation suggests to try: the first bytes of a
// memory that are reset by copying.
const keptResident = 1 << 20

// firstPage is where the guests' data begins, which is what reset brings back.
const firstPage = 1 << 16

// allocators are wasmtime's modes.
var allocators = []struct {
	name string
	mode C.int
	keep C.size_t
}{
	{"on demand", C.on_demand, 0},
	{"pooling", C.pooling, 0},
	{"pooling, keep-resident 1 MB", C.pooling, keptResident},
}

func wasmtimeOps(_ context.Context, guests string) (map[string]func() (operation, error), error) {
	ops := map[string]func() (operation, error){}
	for _, a := range allocators {
		for _, name := range []string{"callee", "big"} {
			ops["instantiate "+name+", "+a.name] = func() (operation, error) { return wasmtimeInstances(guests, name, a.mode, a.keep, 0) }
		}
		for _, pages := range []int{16, 256} {
			ops[fmt.Sprintf("reset of %d pages, %s", pages, a.name)] = func() (operation, error) {
				return wasmtimeInstances(guests, "big", a.mode, a.keep, pages)
			}
		}
	}
	ops["host → guest, u32, from C"] = func() (operation, error) { return wasmtimeCalls(guests) }
	ops["guest → host, u32, to C"] = func() (operation, error) { return wasmtimeHostCalls(guests) }
	ops["loop"] = func() (operation, error) { return wasmtimeLoop(guests) }
	ops["host → guest, u32, from Go"] = func() (operation, error) { return cgoCalls(guests) }
	ops["guest → host, u32, to Go"] = func() (operation, error) { return cgoHostCalls(guests) }
	return ops, nil
}

func wasmtimePeer(guests, name string, mode C.int, keep C.size_t) (*C.peer, error) {
	wasm, err := guest(guests, name)
	if err != nil {
		return nil, err
	}
	p := C.peer_new((*C.uint8_t)(unsafe.Pointer(&wasm[0])), C.size_t(len(wasm)), mode, keep)
	return p, fromC(C.peer_error(p))
}

func fromC(msg *C.char) error {
	if msg == nil {
		return nil
	}
	return errors.New(C.GoString(msg))
}

func wasmtimeInstances(guests, name string, mode C.int, keep C.size_t, pages int) (operation, error) {
	p, err := wasmtimePeer(guests, name, mode, keep)
	return func(n int) error {
		return fromC(C.peer_instances(p, C.uint64_t(n), firstPage, C.uint32_t(pages)))
	}, err
}

func wasmtimeKept(guests, name string) (*C.peer, error) {
	p, err := wasmtimePeer(guests, name, C.on_demand, 0)
	if err != nil {
		return nil, err
	}
	return p, fromC(C.peer_keep(p))
}

func wasmtimeCalls(guests string) (operation, error) {
	p, err := wasmtimeKept(guests, "callee")
	return func(n int) error { return fromC(C.peer_calls(p, C.uint64_t(n))) }, err
}

func wasmtimeHostCalls(guests string) (operation, error) {
	p, err := wasmtimeKept(guests, "caller")
	return func(n int) error { return sum(n, callByName(p, "host-numbers")) }, err
}

func wasmtimeLoop(guests string) (operation, error) {
	p, err := wasmtimeKept(guests, "callee")
	spin := callByName(p, "spin")
	return func(n int) error {
		stack := []uint64{uint64(n)}
		if err := spin(stack); err != nil || stack[0] != uint64(n) {
			return fmt.Errorf("%w: %d, %w", errWrong, stack[0], err)
		}
		return nil
	}, err
}

func callByName(p *C.peer, name string) func(stack []uint64) error {
	c := C.CString(name) // for as long as the program
	return func(stack []uint64) error {
		var result C.uint32_t
		err := fromC(C.peer_call(p, c, C.uint32_t(stack[0]), &result))
		stack[0] = uint64(result)
		return err
	}
}

// cgoInstance is one of wasmtime's own Go module, for what a call costs there.
func cgoInstance(guests, name string) (*wasmtime.Store, *wasmtime.Instance, error) {
	wasm, err := guest(guests, name)
	if err != nil {
		return nil, nil, err
	}
	engine := wasmtime.NewEngine()
	module, err := wasmtime.NewModule(engine, wasm)
	if err != nil {
		return nil, nil, err
	}
	store := wasmtime.NewStore(engine)
	var imports []wasmtime.AsExtern
	for _, imp := range module.Imports() {
		t := imp.Type().FuncType()
		results := len(t.Results())
		imports = append(imports, wasmtime.NewFunc(store, t, func(_ *wasmtime.Caller, args []wasmtime.Val) ([]wasmtime.Val, *wasmtime.Trap) {
			return args[:results], nil
		}))
	}
	instance, err := wasmtime.NewInstance(store, module, imports)
	return store, instance, err
}

func cgoCalls(guests string) (operation, error) {
	store, instance, err := cgoInstance(guests, "callee")
	if err != nil {
		return nil, err
	}
	f := instance.GetFunc(store, "bench:guest/data#take-number")
	return func(n int) error {
		for i := range n {
			if v, err := f.Call(store, int32(i)); err != nil || v != int32(i) {
				return fmt.Errorf("%w: %v, %w", errWrong, v, err)
			}
		}
		return nil
	}, nil
}

func cgoHostCalls(guests string) (operation, error) {
	store, instance, err := cgoInstance(guests, "caller")
	if err != nil {
		return nil, err
	}
	f := instance.GetFunc(store, "host-numbers")
	return func(n int) error {
		return sum(n, func(stack []uint64) error {
			v, err := f.Call(store, int32(stack[0]))
			if i, ok := v.(int32); ok {
				stack[0] = uint64(uint32(i))
			}
			return err
		})
	}, nil
}
