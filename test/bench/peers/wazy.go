//go:build wazy

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/samyfodil/wazy"
	"github.com/samyfodil/wazy/component"
)

func wazys() []runtimeUnderTest {
	return []runtimeUnderTest{{"wazy", "checkout", wazyOps}}
}

// wazyOps are what wazy does with components. It has no pool of instances:
// what comes nearest is to end one and make another, from memory and code that
// its cache has kept.
func wazyOps(ctx context.Context, guests string) (map[string]func() (operation, error), error) {
	plain, limited := wazy.NewRuntimeConfig(), wazy.NewRuntimeConfig().WithCloseOnContextDone(true)
	return map[string]func() (operation, error){
		"a fresh instance of a C component":    func() (operation, error) { return wazyInstances(ctx, guests) },
		"guest → host, 100 B string":           func() (operation, error) { return wazyHostTexts(ctx, guests) },
		"1 KB in, 1 KB out":                    func() (operation, error) { return wazyRequests(ctx, guests, plain) },
		"1 KB in, 1 KB out, interruptible":     func() (operation, error) { return wazyRequests(ctx, guests, limited) },
		"1 KB in, 1 KB out, instance per call": func() (operation, error) { return wazyFreshRequests(ctx, guests) },
		"loop":                                 func() (operation, error) { return wazyLoop(ctx, guests, plain) },
		"loop, interruptible":                  func() (operation, error) { return wazyLoop(ctx, guests, limited) },
	}, nil
}

// wazyMaker makes instances of a component whose code is compiled once.
func wazyMaker(ctx context.Context, guests, name string, cfg wazy.RuntimeConfig, opts ...component.Option) (func() (*component.Instance, error), error) {
	wasm, err := guest(guests, name)
	if err != nil {
		return nil, err
	}
	r := wazy.NewRuntimeWithConfig(ctx, cfg)
	opts = append(opts, component.WithCompileCache(component.NewCompileCache()))
	return func() (*component.Instance, error) { return component.Instantiate(ctx, r, wasm, opts...) }, nil
}

func wazyInstances(ctx context.Context, guests string) (operation, error) {
	make, err := wazyMaker(ctx, guests, "types", wazy.NewRuntimeConfig())
	return func(n int) error {
		for range n {
			i, err := make()
			if err != nil {
				return err
			}
			if err := i.Close(ctx); err != nil {
				return err
			}
		}
		return nil
	}, err
}

// wazyHostTexts has the guest call example:types/values.
func wazyHostTexts(ctx context.Context, guests string) (operation, error) {
	echo := func(_ context.Context, args []component.Value) ([]component.Value, error) { return args[:1], nil }
	u32, text := component.PrimitiveDesc{Prim: "u32"}, component.PrimitiveDesc{Prim: "string"}
	never := func(context.Context, []component.Value) ([]component.Value, error) { return nil, errors.ErrUnsupported }
	tbl := component.NewTypeTable()
	p := component.Prim
	mix := tbl.Record("a", p("u8"), "b", p("u16"), "c", p("u32"), "d", p("u64"), "e", p("s64"), "f", p("f32"), "g", p("f64"), "h", p("bool"), "i", p("char"), "j", p("string"))
	make, err := wazyMaker(ctx, guests, "caller-component", wazy.NewRuntimeConfig(),
		component.WithImport("example:types/values", "echo-u32", echo, []component.TypeDesc{u32}, []component.TypeDesc{u32}),
		component.WithImport("example:types/values", "echo-string", echo, []component.TypeDesc{text}, []component.TypeDesc{text}),
		component.WithImport("bench:guest/data", "take-number", never, []component.TypeDesc{u32}, []component.TypeDesc{u32}),
		component.WithImport("bench:guest/data", "take-text", never, []component.TypeDesc{text}, []component.TypeDesc{u32}),
		component.WithImportCustom("bench:guest/data", "take-record", never, tbl.Func([]component.TypeRef{mix}, p("u32")), tbl.Resolver()),
		component.WithImportCustom("bench:guest/data", "take-records", never, tbl.Func([]component.TypeRef{tbl.List(mix)}, p("u32")), tbl.Resolver()))
	if err != nil {
		return nil, err
	}
	i, err := make()
	if err != nil {
		return nil, err
	}
	const size = 100
	return func(n int) error {
		got, err := i.Call(ctx, "host-texts", uint32(n), uint32(size))
		if err != nil || len(got) != 1 || got[0] != uint32(n*size) {
			return fmt.Errorf("%w: %v, %w", errWrong, got, err)
		}
		return nil
	}, nil
}

// wazyRequests are calls of an instance that stays: that is what wazy's own
// HTTP handler does.
func wazyRequests(ctx context.Context, guests string, cfg wazy.RuntimeConfig) (operation, error) {
	make, err := wazyMaker(ctx, guests, "types", cfg)
	if err != nil {
		return nil, err
	}
	i, err := make()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	return func(n int) error {
		_ = cancel // never called: a context that can be done is part of a request
		for range n {
			if err := wazyRequest(ctx, i); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func wazyFreshRequests(ctx context.Context, guests string) (operation, error) {
	make, err := wazyMaker(ctx, guests, "types", wazy.NewRuntimeConfig())
	return func(n int) error {
		for range n {
			i, err := make()
			if err != nil {
				return err
			}
			if err := errors.Join(wazyRequest(ctx, i), i.Close(ctx)); err != nil {
				return err
			}
		}
		return nil
	}, err
}

// body is what a request carries, and its response.
var body = bytes.Repeat([]byte("x"), 1024)

func wazyRequest(ctx context.Context, i *component.Instance) error {
	got, err := i.CallExport(ctx, "example:types/values", "echo-bytes", body)
	if err != nil || len(got) != 1 {
		return fmt.Errorf("%w: %d results, %w", errWrong, len(got), err)
	}
	if b, ok := got[0].([]byte); !ok || !bytes.Equal(b, body) {
		return fmt.Errorf("%w: %T", errWrong, got[0])
	}
	return nil
}

func wazyLoop(ctx context.Context, guests string, cfg wazy.RuntimeConfig) (operation, error) {
	wasm, err := guest(guests, "callee")
	if err != nil {
		return nil, err
	}
	r := wazy.NewRuntimeWithConfig(ctx, cfg)
	code, err := r.CompileModule(ctx, wasm)
	if err != nil {
		return nil, err
	}
	m, err := r.InstantiateModule(ctx, code, wazy.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		return nil, err
	}
	f := m.ExportedFunction("spin")
	ctx, cancel := context.WithCancel(ctx)
	return func(n int) error {
		_ = cancel // never called: a context that can be done is what costs
		stack := []uint64{uint64(n)}
		if err := f.CallWithStack(ctx, stack); err != nil || stack[0] != uint64(n) {
			return fmt.Errorf("%w: %d, %w", errWrong, stack[0], err)
		}
		return nil
	}, nil
}
