package component_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// BenchmarkCall is a call into a guest, for profiles; test/bench compares such
// calls to what they could cost at least.
func BenchmarkCall(b *testing.B) {
	rt := newRuntime(b)
	tm := linkTo(b, compile(b, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types"})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for name, c := range calls {
		e := tm.Export("example:types/values", c.fn)
		b.Run(name+"/kept", func(b *testing.B) {
			i, err := tm.Take(ctx)
			require.NoError(b, err)
			defer i.Close()
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				if out, err = i.Call(ctx, e, c.params, out[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/fresh", func(b *testing.B) {
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				var err error
				if out, err = tm.Call(ctx, e, c.params, out[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// calls are values, with their wire encoding, that an export echoes.
var calls = map[string]struct {
	fn     string
	params []byte
}{
	"u32":    {"echo-u32", []byte{42}},
	"string": {"echo-string", append([]byte{100}, make([]byte, 100)...)},
}

// BenchmarkTake makes and ends an instance.
func BenchmarkTake(b *testing.B) {
	rt := newRuntime(b)
	tm := linkTo(b, compile(b, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types"})
	b.ReportAllocs()
	for b.Loop() {
		i, err := tm.Take(b.Context())
		require.NoError(b, err)
		require.NoError(b, i.Close())
	}
}

// BenchmarkBetween is a call from one component to another, from memory to
// memory: of one store, and of two that are linked. The guest calls in a loop,
// so that the call which starts it does not count.
func BenchmarkBetween(b *testing.B) {
	rt := newRuntime(b)
	composed := linkTo(b, compile(b, rt, "testdata/composed.wasm"), component.LinkConfig{Name: "composed"})
	echo := linkTo(b, compile(b, rt, "testdata/echo.wasm"), component.LinkConfig{Name: "echo"})
	kept, err := echo.Take(b.Context())
	require.NoError(b, err)
	defer kept.Close()
	caller := linkTo(b, compile(b, rt, "testdata/caller.wasm"),
		component.LinkConfig{Name: "caller", Import: forwardToKept(kept, echo)})
	for name, tm := range map[string]*component.Template{"composed": composed, "linked": caller} {
		i, err := tm.Take(b.Context())
		require.NoError(b, err)
		defer i.Close()
		for _, c := range []struct {
			fn   string
			size uint64
		}{{"nothing", 0}, {"number", 0}, {"take", 100}, {"text", 100}, {"take", 100_000}, {"text", 100_000}} {
			sub, sized := name+"/"+c.fn, c.size > 0
			if sized {
				sub += fmt.Sprintf("-%d", c.size)
			}
			b.Run(sub, func(b *testing.B) {
				b.ReportAllocs()
				params := wire.AppendULEB(nil, uint64(b.N))
				if sized {
					params = wire.AppendULEB(params, c.size)
				}
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				b.ResetTimer()
				if _, err := i.Call(ctx, tm.Export("", c.fn), params, nil); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// keptFunc answers imports on one instance.
type keptFunc struct {
	inst   *component.Instance
	export *component.Export
}

func (k keptFunc) Call(c *component.ImportCall) error {
	return c.Forward(c.Context(), k.inst, k.export)
}

func forwardToKept(i *component.Instance, tm *component.Template) func(string, *wit.Func) (component.Callee, error) {
	return func(iface string, fn *wit.Func) (component.Callee, error) {
		return keptFunc{i, tm.Export(iface, fn.Name)}, nil
	}
}
