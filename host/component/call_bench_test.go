package component_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/wit"
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

// BenchmarkForward is a call from one component to another, from memory to
// memory, through an instance of each that is kept.
func BenchmarkForward(b *testing.B) {
	rt := newRuntime(b)
	target := linkTo(b, compile(b, rt, "../../examples/types/types.wasm"), component.LinkConfig{Name: "types"})
	kept, err := target.Take(b.Context())
	require.NoError(b, err)
	defer kept.Close()
	relay := linkTo(b, compile(b, rt, "../../examples/types/relay.wasm"),
		component.LinkConfig{Name: "relay", Import: forwardToKept(kept, target)})
	i, err := relay.Take(b.Context())
	require.NoError(b, err)
	defer i.Close()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	for name, c := range calls {
		b.Run(name, func(b *testing.B) {
			e := relay.Export("example:types/values", c.fn)
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				if out, err = i.Call(ctx, e, c.params, out[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
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
