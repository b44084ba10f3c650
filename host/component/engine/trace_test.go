package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/trap"
)

// symbols hides the function hidden and doubles all others.
type symbols struct{ hidden uint32 }

func (s symbols) Frames(dst trap.Stack, module, function, offset uint32) trap.Stack {
	if function == s.hidden {
		return dst
	}
	f := trap.Frame{Module: fmt.Sprint(module), Index: function, Offset: offset}
	inlined := f
	inlined.Inlined = true
	return append(dst, inlined, f)
}

func TestSymbolsNameTheFrames(t *testing.T) {
	t.Parallel()
	for _, interpreter := range []bool{false, true} {
		w := newWorld(t, engine.Config{Interpreter: interpreter})
		w.byName["host"] = hostModule(t, w)
		m := w.must(testdata(t, "host"), core.Plan{})
		ctx := &hostCtx{do: func(uint64) uint64 {
			inner := engine.NewContext(context.Background())
			inner.Symbols = symbols{hidden: funcCall}
			_, err := call(inner, m, "divide")
			panic(trap.As(err))
		}}
		ctx.Symbols = symbols{hidden: funcDivide}
		_, err := call(ctx, m, "call", 0)
		require.Equal(t, trap.Stack{
			{Module: "1", Index: funcDivide, Inlined: true}, {Module: "1", Index: funcDivide},
			{Module: "1", Index: funcCall, Inlined: true}, {Module: "1", Index: funcCall},
		}, requireTrap(t, trap.DivideByZero, err).Stack)
	}
}

func TestOffsetsAreThoseOfTheCodeSection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct{ name, cache string }{{"not kept", ""}, {"compiled", dir}, {"from the cache", dir}} {
		t.Run(c.name, func(t *testing.T) { // which closes the engine, and so has kept what is kept
			w := newWorld(t, engine.Config{CacheDir: c.cache})
			w.byName["host"] = hostModule(t, w)
			src := mustSource(t, "host", core.Plan{NoChecks: true, KeepOffsets: true})
			src.Number = 9
			r, err := core.Rewrite(src.Module, src.Plan)
			require.NoError(t, err)
			m, err := w.instantiate(engine.NewContext(t.Context()), src)
			require.NoError(t, err)
			ctx := engine.NewContext(t.Context())
			ctx.Symbols = symbols{}
			_, err = call(ctx, m, "divide")
			stack := requireTrap(t, trap.DivideByZero, err).Stack
			require.Len(t, stack, 2)
			require.Equal(t, "9", stack[1].Module)
			code := codeSection(t, r.Bytes)
			const divide = 0x6d
			require.Equal(t, byte(divide), code[stack[1].Offset])
		})
	}
}

// codeSection returns the payload of a module's code section.
func codeSection(t *testing.T, wasm []byte) []byte {
	for b := wasm[8:]; len(b) > 0; {
		id, size, shift := b[0], 0, 0
		for b = b[1:]; ; b = b[1:] {
			size |= int(b[0]&0x7f) << shift
			shift += 7
			if b[0] < 0x80 {
				b = b[1:]
				break
			}
		}
		if id == 10 {
			return b[:size]
		}
		b = b[size:]
	}
	t.Fatal("no code section")
	return nil
}
