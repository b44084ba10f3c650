package main

import (
	"context"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// wazeroOps are what wazero does as it is, with the fastest calls that it has.
func wazeroOps(ctx context.Context, guests string) (map[string]func() (operation, error), error) {
	ops := map[string]func() (operation, error){}
	for _, name := range []string{"callee", "big"} {
		ops["instantiate "+name] = func() (operation, error) { return wazeroInstantiate(ctx, guests, name) }
	}
	ops["host → guest, u32"] = func() (operation, error) { return wazeroCall(ctx, guests) }
	ops["guest → host, u32"] = func() (operation, error) { return wazeroHostCall(ctx, guests) }
	ops["loop"] = func() (operation, error) { return wazeroLoop(ctx, guests, wazero.NewRuntimeConfig()) }
	ops["loop, interruptible"] = func() (operation, error) {
		return wazeroLoop(ctx, guests, wazero.NewRuntimeConfig().WithCloseOnContextDone(true))
	}
	return ops, nil
}

// anonymous instances may be many; none starts by itself.
var anonymous = wazero.NewModuleConfig().WithName("").WithStartFunctions()

func wazeroModule(ctx context.Context, guests, name string, cfg wazero.RuntimeConfig) (wazero.Runtime, wazero.CompiledModule, error) {
	wasm, err := guest(guests, name)
	if err != nil {
		return nil, nil, err
	}
	r := wazero.NewRuntimeWithConfig(ctx, cfg)
	code, err := r.CompileModule(ctx, wasm)
	return r, code, err
}

func wazeroInstantiate(ctx context.Context, guests, name string) (operation, error) {
	r, code, err := wazeroModule(ctx, guests, name, wazero.NewRuntimeConfig())
	if err != nil {
		return nil, err
	}
	return func(n int) error {
		for range n {
			m, err := r.InstantiateModule(ctx, code, anonymous)
			if err != nil {
				return err
			}
			if err := m.Close(ctx); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func wazeroCall(ctx context.Context, guests string) (operation, error) {
	r, code, err := wazeroModule(ctx, guests, "callee", wazero.NewRuntimeConfig())
	if err != nil {
		return nil, err
	}
	m, err := r.InstantiateModule(ctx, code, anonymous)
	if err != nil {
		return nil, err
	}
	f, stack := m.ExportedFunction("bench:guest/data#take-number"), make([]uint64, 1)
	return func(n int) error {
		for i := range n {
			stack[0] = uint64(uint32(i))
			if err := f.CallWithStack(ctx, stack); err != nil || stack[0] != uint64(uint32(i)) {
				return fmt.Errorf("%w: %d, %w", errWrong, stack[0], err)
			}
		}
		return nil
	}, nil
}

func wazeroHostCall(ctx context.Context, guests string) (operation, error) {
	r, code, err := wazeroModule(ctx, guests, "caller", wazero.NewRuntimeConfig())
	if err != nil {
		return nil, err
	}
	hosts := map[string]wazero.HostModuleBuilder{}
	for _, f := range code.ImportedFunctions() {
		module, name, _ := f.Import()
		if hosts[module] == nil {
			hosts[module] = r.NewHostModuleBuilder(module)
		}
		hosts[module].NewFunctionBuilder().
			WithGoFunction(api.GoFunc(func(context.Context, []uint64) {}), f.ParamTypes(), f.ResultTypes()).Export(name) // echoes a u32
	}
	for _, h := range hosts {
		if _, err := h.Instantiate(ctx); err != nil {
			return nil, err
		}
	}
	m, err := r.InstantiateModule(ctx, code, anonymous)
	if err != nil {
		return nil, err
	}
	f := m.ExportedFunction("host-numbers")
	return func(n int) error { return sum(n, func(stack []uint64) error { return f.CallWithStack(ctx, stack) }) }, nil
}

// sum has a guest make n calls that echo the numbers from n to 1, and add them.
func sum(n int, call func(stack []uint64) error) error {
	stack := []uint64{uint64(n)}
	want := uint32(uint64(n) * uint64(n+1) / 2)
	if err := call(stack); err != nil || uint32(stack[0]) != want {
		return fmt.Errorf("%w: %d, not %d: %w", errWrong, uint32(stack[0]), want, err)
	}
	return nil
}

func wazeroLoop(ctx context.Context, guests string, cfg wazero.RuntimeConfig) (operation, error) {
	r, code, err := wazeroModule(ctx, guests, "callee", cfg)
	if err != nil {
		return nil, err
	}
	m, err := r.InstantiateModule(ctx, code, anonymous)
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
