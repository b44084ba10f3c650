package engine_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/trap"
)

// recursions are guests whose export "f" calls itself for ever, in all the ways
// that need much stack for little code.
func recursions() map[string]*guest {
	all := map[string]*guest{}
	self := func(g *guest) int { return len(g.imports) + len(g.funcs) }
	add := func(name string, locals []byte, code func(g *guest, self int) []byte) {
		g := &guest{pages: 1}
		g.fn("f", nil, nil, locals, code(g, self(g)))
		all[name] = g
	}
	add("plain", nil, func(_ *guest, self int) []byte { return op(opCall, self) })
	add("values over a call", nil, func(_ *guest, self int) []byte {
		const n = 5000 // kept, and stored as one sum
		load := append(constant(0), opI32Load, 2, 0)
		return slices.Concat(constant(0), repeat(n, func(int) []byte { return load }), op(opCall, self),
			repeat(n-1, func(int) []byte { return []byte{opI32Add} }), store)
	})
	add("vectors over a call", nil, func(_ *guest, self int) []byte {
		const n = 1000
		load := append(constant(0), 0xfd, 0, 4, 0)
		return slices.Concat(constant(0), repeat(n, func(int) []byte { return load }), op(opCall, self),
			repeat(n-1, func(int) []byte { return []byte{0xfd, 0xae, 1} }), []byte{0xfd, 11, 4, 0}) // i32x4.add, v128.store
	})
	add("indirect", nil, func(g *guest, _ int) []byte {
		g.tables = [][]byte{{0x70, 0, 1}}
		g.elems = [][]byte{{0, 0x41, 0, opEnd, 1, 0}}
		return append(constant(0), opCallIndirect, 0, 0)
	})
	add("tail calls that are none", nil, func(g *guest, self int) []byte {
		params := bytes.Repeat([]byte{i64}, 20)
		push := repeat(len(params), func(int) []byte { return []byte{0x42, 1} })
		g.fn("", params, nil, nil, push, op(opReturnCall, 0))
		g.exports = append(g.exports, append(text("g"), 0, 0))
		return append(push, op(opCall, 0)...)
	})
	add("locals over a call", append(append([]byte{1}, leb(2000)...), i32), func(_ *guest, self int) []byte {
		set := repeat(2000, func(i int) []byte { return append(append(constant(4*i), opI32Load, 2, 0), op(opLocalSet, i)...) })
		return slices.Concat(set, op(opCall, self), storeLocals(2000))
	})
	locals := append(append([]byte{1}, leb(200)...), i32)
	inc := func(i int) []byte {
		return slices.Concat(op(opLocalGet, i), constant(i+1), []byte{opI32Add}, op(opLocalSet, i))
	}
	add("loops of locals", locals, func(_ *guest, self int) []byte {
		const depth = 50
		return slices.Concat(bytes.Repeat([]byte{opLoop, void}, depth), repeat(200, inc), op(opCall, self),
			repeat(depth, func(i int) []byte { return append(op(opLocalGet, i), opBrIf, 0, opEnd) }))
	})
	add("blocks of locals", locals, func(_ *guest, self int) []byte {
		const depth = 200
		return slices.Concat(bytes.Repeat([]byte{opBlock, void}, depth),
			repeat(depth, func(i int) []byte { return slices.Concat(inc(i), op(opLocalGet, i), op(opBrIf, i)) }),
			bytes.Repeat(append(op(opCall, self), opEnd), depth), storeLocals(200))
	})
	many := make([]byte, 500)
	for i := range many {
		many[i] = i64
	}
	wide := &guest{}
	wide.fn("f", nil, nil, nil, op(opCall, 1), op(opCall, 1), op(opCall, 0), op(opCall, 2), op(opCall, 2))
	wide.fn("", nil, many, nil, repeat(len(many), func(int) []byte { return []byte{0x42, 1} }))
	wide.fn("", many, nil, nil)
	all["calls of many values"] = wide
	return all
}

// store stores what is on the stack at the address under it.
var store = []byte{0x36, 2, 0}

func storeLocals(n int) []byte {
	return repeat(n, func(i int) []byte { return slices.Concat(constant(0), op(opLocalGet, i), store) })
}

func TestEndlessRecursionTakesLittleStack(t *testing.T) {
	t.Parallel()
	for name, g := range recursions() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, engine.Config{})
			f := w.must(g.encode(), core.Plan{}).Func("f")
			requireTrap(t, trap.StackOverflow, f.Call(engine.NewContext(context.Background()), nil))
			require.Less(t, engine.StackSize(f), 4*core.MaxStack, "the engine would allow 100 MB")
			t.Logf("%d KB", engine.StackSize(f)>>10)
		})
	}
}

// What calls of one store that wait for each other take is bounded together, in
// whatever modules they are.
func TestStackIsSharedByAStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	meter, err := w.engine.NewMeter()
	require.NoError(t, err)
	t.Cleanup(meter.Close)

	var m [2]*engine.Module
	var engines []*engine.Func
	host, err := w.engine.NewHostModule(t.Context(), []engine.HostFunc{{Call: func(ctx context.Context, _ []uint64) {
		f := m[len(engines)%2].Func("f")
		engines = append(engines, f)
		if err := f.Call(ctx, nil); err != nil {
			panic(trap.As(err))
		}
	}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, host.Close(context.Background())) })
	w.byName["host"] = host
	for i := range m {
		g := &guest{}
		g.importFn("host", "0", nil, nil)
		// Down a hundred calls, then through the host into the other module.
		g.fn("f", nil, nil, nil, constant(100), op(opCall, 2))
		g.fn("", []byte{i32}, nil, nil, op(opLocalGet, 0), []byte{opI32Eqz, opIf, void}, op(opCall, 0), []byte{opElse},
			op(opLocalGet, 0), constant(1), []byte{opI32Sub}, op(opCall, 2), []byte{opEnd})
		ctx := engine.NewContext(t.Context())
		ctx.Meter = meter
		m[i], err = w.load(ctx, g.encode(), core.Plan{})
		require.NoError(t, err)
	}
	requireTrap(t, trap.StackOverflow, m[0].Func("f").Call(engine.NewContext(t.Context()), nil))
	total := 0
	for _, f := range engines {
		total += engine.StackSize(f)
	}
	require.Greater(t, len(engines), 10)
	require.Less(t, len(engines), 100)
	require.Less(t, total, 8<<20)
	meter.Unwind()
	require.Equal(t, core.MaxStack, meter.StackLeft())
}

func TestStackIsGivenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, engine.Config{})
	w.byName["host"] = hostModule(t, w)
	m := w.must(testdata(t, "bench"), core.Plan{})
	for range 3 {
		_, err := call(t.Context(), m, "fib", 15)
		require.NoError(t, err)
		require.Equal(t, core.MaxStack, m.Meter().StackLeft())
	}
}

// A function with all ways out must give back what it took by each of them.
func TestStackIsGivenBackOnAllWaysOut(t *testing.T) {
	t.Parallel()
	g := &guest{pages: 1, tags: [][]byte{{0, 0}}}
	g.sig(nil, nil) // the tag's type
	g.tables = [][]byte{{0x70, 0, 2}}
	throws := int(g.fn("", []byte{i32}, nil, nil, op(opLocalGet, 0), []byte{opIf, void}, op(opLocalGet, 0), constant(1), []byte{opI32Sub},
		op(opCall, 0), []byte{opElse, 0x08, 0, opEnd})) // throw, deep down
	leaf := int(g.fn("", nil, []byte{i32}, nil, constant(7)))
	g.elems = [][]byte{{0, 0x41, 0, opEnd, 1, byte(leaf)}}
	value := g.sig(nil, []byte{i32})
	indirect := append(constant(0), opCallIndirect, byte(value), 0)
	calls := slices.Concat(indirect, []byte{opDrop})
	g.fn("end", nil, []byte{i32}, nil, calls, constant(1))
	g.fn("return", nil, []byte{i32}, nil, calls, constant(1), []byte{opReturn})
	g.fn("return in blocks", nil, []byte{i32}, nil, []byte{opBlock, void, opLoop, void}, calls, constant(1), []byte{opReturn, opEnd, opEnd}, constant(2))
	g.fn("branch", nil, []byte{i32}, nil, []byte{opBlock, void}, calls, constant(1), []byte{opBr, 1, opEnd}, constant(2))
	g.fn("branch if", nil, []byte{i32}, nil, calls, constant(1), constant(1), []byte{opBrIf, 0})
	g.fn("branch table", nil, []byte{i32}, nil, calls, []byte{opBlock, i32}, constant(1), constant(1), []byte{0x0e, 1, 0, 1, opEnd})
	g.fn("tail call", nil, []byte{i32}, nil, calls, op(opReturnCall, leaf))
	g.fn("indirect tail call", nil, []byte{i32}, nil, calls, constant(0), []byte{0x13, byte(value), 0})
	two := g.fn("", nil, []byte{i32, i64}, nil, calls, constant(1), []byte{0x42, 1, opReturn})
	g.fn("two results", nil, []byte{i32}, nil, op(opCall, int(two)), []byte{opDrop})
	g.fn("catch", nil, []byte{i32}, nil, calls, []byte{opBlock, void, 0x1f, void, 1, 2, 0}, constant(50), op(opCall, throws), []byte{opEnd, opEnd}, constant(1))
	g.fn("catch at the end", nil, nil, nil, calls, []byte{0x1f, void, 1, 2, 0}, constant(50), op(opCall, throws), []byte{opEnd})
	g.fn("catch in a loop", nil, nil, []byte{1, 1, i32},
		[]byte{opLoop, void}, op(opLocalGet, 0), constant(1), []byte{opI32Add}, op(opLocalTee, 0), constant(100), []byte{0x48, opIf, void}, // lt_s
		[]byte{0x1f, void, 1, 2, 1}, constant(50), op(opCall, throws), []byte{opEnd, opEnd, opEnd})

	w := newWorld(t, engine.Config{})
	m := w.must(g.encode(), core.Plan{})
	for _, name := range []string{
		"end", "return", "return in blocks", "branch", "branch if", "branch table", "tail call", "indirect tail call",
		"two results", "catch", "catch at the end", "catch in a loop",
	} {
		for range 3 {
			stack, err := call(t.Context(), m, name)
			require.NoError(t, err, name)
			if len(stack) > 0 {
				require.Contains(t, []uint64{1, 7}, stack[0], name)
			}
			require.Equal(t, core.MaxStack, m.Meter().StackLeft(), name)
			require.Equal(t, core.MaxClones, m.Meter().ClonesLeft(), name)
		}
	}
}

// Every open try_table holds a copy of the whole stack.
func TestOpenTriesAreBounded(t *testing.T) {
	t.Parallel()
	g := &guest{tags: [][]byte{{0, 0}}}
	g.sig(nil, nil)
	g.fn("f", nil, nil, nil, []byte{opBlock, void, 0x1f, void, 1, 2, 0}, op(opCall, 0), []byte{opEnd, opEnd})
	w := newWorld(t, engine.Config{})
	f := w.must(g.encode(), core.Plan{}).Func("f")
	got := requireTrap(t, trap.StackOverflow, f.Call(engine.NewContext(t.Context()), nil))
	require.Contains(t, got.Msg, "try", "long before the stack itself is used up")
}
