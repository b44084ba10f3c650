package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// HostFunc is a function that guests can import.
type HostFunc struct {
	Params, Results []wit.CoreType
	// Call finds its parameters in stack and leaves its results there, one
	// value per slot; 32-bit values are in the lower half. ctx is the very
	// value that the guest was called with. A panic with a [*trap.Error] stops
	// the guest with it; any other panic stops it with code [trap.Host].
	Call func(ctx context.Context, stack []uint64)
}

// HostModule is host functions that can be imported, named "0", "1" and so on.
// It holds no state of its own: one serves all instances.
type HostModule struct {
	code wazero.CompiledModule
	inst api.Module
}

// hostModuleName is what stack traces call host functions' module.
const hostModuleName = "host"

// NewHostModule makes a module of host functions. Close it after every
// instance that imports it.
func (e *Engine) NewHostModule(ctx context.Context, funcs []HostFunc) (*HostModule, error) {
	b := e.runtime.NewHostModuleBuilder(hostModuleName)
	for i, f := range funcs {
		b = b.NewFunctionBuilder().
			WithGoModuleFunction(goFunc(f.Call), coreTypes(f.Params), coreTypes(f.Results)).
			Export(strconv.Itoa(i))
	}
	code, err := b.Compile(ctx)
	if err != nil {
		return nil, fmt.Errorf("compile host module: %w", err)
	}
	inst, err := e.runtime.InstantiateModule(ctx, code, anonymous)
	if err != nil {
		_ = code.Close(ctx) // the first error counts
		return nil, fmt.Errorf("instantiate host module: %w", err)
	}
	return &HostModule{code: code, inst: inst}, nil
}

// Close releases the module.
func (h *HostModule) Close(ctx context.Context) error {
	if err := h.inst.Close(ctx); err != nil {
		return fmt.Errorf("close host module: %w", err)
	}
	return h.code.Close(ctx)
}

func (h *HostModule) instance() api.Module {
	if h == nil {
		return nil
	}
	return h.inst
}

// anonymous keeps an instance out of wazero's map of names, and keeps functions
// from being run because they are called _start. Only wazero's own WASI, which is
// not used, would ask for random bytes or the time; but for what it is not given
// here wazero makes something for every instance. A random source alone costs
// more than the rest of an instantiation.
var anonymous = wazero.NewModuleConfig().WithName("").WithStartFunctions().
	WithRandSource(noRandom{}).WithSysWalltime().WithSysNanotime()

// noRandom is a random source that has nothing.
type noRandom struct{}

// Read implements io.Reader.
func (noRandom) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

func coreTypes(types []wit.CoreType) []api.ValueType {
	out := make([]api.ValueType, len(types))
	for i, t := range types {
		out[i] = [...]api.ValueType{
			wit.CoreI32: api.ValueTypeI32, wit.CoreI64: api.ValueTypeI64,
			wit.CoreF32: api.ValueTypeF32, wit.CoreF64: api.ValueTypeF64,
		}[t&3]
	}
	return out
}

// goFunc is a host function as wazero calls it.
type goFunc func(context.Context, []uint64)

// Call implements [api.GoModuleFunction].
func (call goFunc) Call(ctx context.Context, _ api.Module, stack []uint64) {
	panics := true
	defer func() {
		if !panics { // to ask for a panic costs more than the rest of this
			return
		}
		if r := recover(); r != nil {
			panic(Recovered(r))
		}
	}()
	call(ctx, stack)
	panics = false
}

// Recovered returns the trap that a host function's panic means. Call it in the
// deferred function that recovered, while the stack that led there is known.
func Recovered(r any) *trap.Error {
	switch r := r.(type) {
	case error:
		if t := trap.As(r); t != nil {
			return t
		}
		return &trap.Error{Code: trap.Host, Msg: r.Error(), Err: r, GoStack: string(debug.Stack())}
	default:
		return &trap.Error{Code: trap.Host, Msg: fmt.Sprint(r), GoStack: string(debug.Stack())}
	}
}
