package component

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
)

// TestResetIsAFreshInstance lets guests do random work and compares what a reset
// leaves to a fresh instance: all memories, globals and tables of all core
// instances, handles, and the host's objects.
func TestResetIsAFreshInstance(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"../../examples/types/types.wasm", "../../examples/types/types-utf16.wasm",
		"../../examples/types/types-latin1.wasm", "testdata/state.wasm", "testdata/wild.wasm"} {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			tm := linked(t, path, PoolConfig{})
			want, dirty := stateOf(pristineInstance(t, tm)), pristineInstance(t, tm)
			r := rand.New(rand.NewPCG(7, 7))
			for round := range 40 {
				if !randomWork(r, dirty) { // it trapped, and is never kept
					require.NoError(t, dirty.Close())
					dirty = pristineInstance(t, tm)
				}
				require.Empty(t, dirty.park())
				_, err := dirty.reset([]int{0, 5, 4096}[round%3])
				require.NoError(t, err)
				require.NoError(t, dirty.renew(during(round)))
				want.require(t, dirty)
				requireOpened(t, dirty, round)
				if round%10 == 0 {
					requireTables(t, dirty)
				}
			}
		})
	}
}

// TestPooledInstancesAreFresh is the same for many callers of one pool.
func TestPooledInstancesAreFresh(t *testing.T) {
	t.Parallel()
	for _, cfg := range []PoolConfig{{}, {Min: 2, Max: 3, KeepPages: 8}, {Max: 1}} {
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			t.Parallel()
			tm := linked(t, "testdata/wild.wasm", cfg)
			want := stateOf(pristineInstance(t, tm))
			t.Run("callers", func(t *testing.T) {
				for caller := range 4 {
					t.Run("", func(t *testing.T) {
						t.Parallel()
						r := rand.New(rand.NewPCG(1, uint64(caller)))
						for round := range 25 {
							call := caller*1000 + round
							i, err := tm.Take(during(call))
							require.NoError(t, err)
							want.require(t, i)
							requireOpened(t, i, call)
							_ = randomWork(r, i)
							require.NoError(t, i.Release())
						}
					})
				}
			})
			require.NotZero(t, tm.Pool().Resets)
			require.Empty(t, tm.Unpoolable())
		})
	}
}

// opened is a host object that tells during which call it was opened.
type opened struct {
	call   int
	budget *HostBudget
	ends   func()
}

func (o *opened) Drop() {
	o.budget.Give(100)
	o.ends()
}

func (o *opened) Renewal() func(context.Context) (Resource, error) {
	ends := o.ends
	return func(ctx context.Context) (Resource, error) { return open(ctx, ends) }
}

type (
	callKey    struct{}
	refusedKey struct{} // refuses to open anything
)

var errRefused = errors.New("not during this call")

func during(call int) context.Context {
	return context.WithValue(context.Background(), callKey{}, call)
}

// open charges the call's budget, which a reset must find empty again.
func open(ctx context.Context, ends func()) (*opened, error) {
	if refused, _ := ctx.Value(refusedKey{}).(bool); refused {
		return nil, errRefused
	}
	call, _ := ctx.Value(callKey{}).(int)
	budget := HostBudgetOf(ctx)
	if err := budget.Take(100); err != nil {
		return nil, err
	}
	return &opened{call, budget, ends}, nil
}

// thingHost is what testdata/wild.wat imports.
func thingHost(ends func()) HostInterface {
	res := &wit.Resource{Name: "thing"}
	return HostInterface{Name: "test:host/things", Resources: []*wit.Resource{res}, Funcs: []HostFunc{
		{Type: &wit.Func{Name: "make", Result: wit.NewOwn(res)}, Call: func(inv *Invocation, stack []uint64) {
			o, err := open(inv.Context(), ends)
			inv.check(err)
			stack[0] = uint64(inv.LowerOwn(res, o))
		}},
		{Type: &wit.Func{Name: "number", Params: []wit.Param{{Name: "t", Type: wit.NewBorrow(res)}}, Result: wit.Primitive(wit.KindU32)},
			Call: func(inv *Invocation, stack []uint64) {
				o, ok := inv.LiftBorrow(res, uint32(stack[0])).(*opened)
				if !ok {
					inv.Trap(trap.New(trap.Host, "no thing"))
				}
				stack[0] = uint64(uint32(o.call))
			}},
	}}
}

func newRuntime(t testing.TB, cfg Config) *Runtime {
	t.Helper()
	rt, err := New(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Zero(t, rt.budget.Stats().Used, "linear memory is left")
		require.Zero(t, rt.budget.Stats().Reserved, "mappings are left")
		require.Zero(t, rt.MemoryIdle())
		require.NoError(t, rt.Close(context.Background()))
	})
	return rt
}

func linked(t testing.TB, path string, pool PoolConfig) *Template {
	t.Helper()
	return linkedTo(t, newRuntime(t, Config{}), path, pool)
}

func linkedTo(t testing.TB, rt *Runtime, path string, pool PoolConfig) *Template {
	t.Helper()
	wasm, err := os.ReadFile(path)
	require.NoError(t, err)
	c, err := rt.Compile(wasm)
	require.NoError(t, err)
	tm, err := c.Link(context.Background(), LinkConfig{Name: path, Pool: pool, Host: []HostInterface{thingHost(func() {})}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tm.Close(context.Background())) })
	return tm
}

func wildBytes(t testing.TB) []byte {
	t.Helper()
	wasm, err := os.ReadFile("testdata/wild.wasm")
	require.NoError(t, err)
	return wasm
}

func pristineInstance(t testing.TB, tm *Template) *Instance {
	t.Helper()
	i, err := tm.newInstance(context.Background(), true)
	require.NoError(t, err)
	require.Empty(t, i.unpoolable)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	return i
}

// randomWork makes a few calls with the wildest of arguments, and scribbles over
// memory as a guest may. It reports whether the instance lives.
func randomWork(r *rand.Rand, i *Instance) bool {
	for range 1 + r.IntN(6) {
		expr := strings.NewReplacer("$small", fmt.Sprint(r.IntN(100)), "$address", fmt.Sprint(r.IntN(350_000)), "$big", fmt.Sprint(r.Uint64())).
			Replace(work[r.IntN(len(work))])
		if _, err := callExpr(i, expr); err != nil {
			return false
		}
	}
	for _, m := range i.memories {
		mem := m.Bytes()
		for range r.IntN(10) {
			at := r.IntN(len(mem))
			n := min(r.IntN(30_000), len(mem)-at)
			for k := range n {
				mem[at+k] ^= byte(r.Uint32())
			}
		}
	}
	return true
}

// work are calls of the guests' exports: most of them are of no guest.
var work = []string{
	"bump()", "grow($small)", "peek(8)", "peek(4294967295)",
	`example:types/values.echo-string("naïve Ωmega 漢字 😀")`,
	`example:types/values.echo-strings(["", "a", "ünï", "😀"])`,
	`example:types/values.echo-people([{name: "Ada", at: {x: -1, y: 2}, tags: ["a", "b"], born: some(1815), mood: green}])`,
	`example:types/values.echo-nested([[some(1), none], [], [some(65535)]])`,
	`example:types/values.echo-u64s([` + strings.Repeat("1, ", 20_000) + `2])`,
	"poke($address, $big)", "poke2($address, $big)", "fill($address, 255, $address)", "grow2($small)",
	"set($big)", "set($big)", "indirect(0)", "indirect(3)", "open($small)", "open(300)", "close($small)", "close(2)",
	"close-first()", "give()", "text()", `take("some text")`, "deep($address)",
}

// callExpr calls an export by a WAVE expression; nothing where there is none.
func callExpr(i *Instance, expr string) (*wit.Value, error) {
	c, err := wave.ParseCall(expr)
	if err != nil {
		return nil, err
	}
	e := i.tmpl.Export(c.Instance, c.Func)
	if e == nil || len(e.Type.Params) == 0 && expr[len(expr)-2] != '(' {
		return nil, nil
	}
	args, err := wave.ParseArgs(e.Type.Params, c)
	if err != nil {
		return nil, err
	}
	return i.CallValues(during(-1), e, args...)
}

// state is a copy of all that there is of an instance.
type state struct {
	memories      [][]byte
	globals       [][]uint64
	comps         []compInst
	objects, free int
	slots, stack  int
	used          uint64
	host          int64
	ticks         uint64
}

func stateOf(i *Instance) *state {
	s := &state{objects: len(i.objects.list), free: len(i.objects.free), slots: i.slots, stack: i.meter.StackLeft(),
		used: i.budget.Stats().Used, host: i.hostBytes.used.Load(), ticks: i.meter.Ticks()}
	for _, m := range i.memories {
		s.memories = append(s.memories, bytes.Clone(m.Bytes()))
	}
	for k, m := range i.cores {
		var values []uint64
		for _, x := range i.tmpl.globals[k] {
			values = append(values, m.Global(x.Name).Get())
		}
		s.globals = append(s.globals, values)
	}
	for k := range i.comps {
		c := i.comps[k]
		c.handles = table{entries: append([]entry{}, c.handles.entries...), free: append([]uint32{}, c.handles.free...)}
		c.store, c.parent = nil, nil
		s.comps = append(s.comps, c)
	}
	return s
}

// require compares an instance to the state.
func (s *state) require(t *testing.T, i *Instance) {
	t.Helper()
	got := stateOf(i)
	for k := range s.memories {
		require.True(t, bytes.Equal(s.memories[k], got.memories[k]), "memory %d", k)
	}
	want := *s
	want.memories, got.memories, got.ticks = nil, nil, s.ticks
	require.Equal(t, &want, got)
	require.LessOrEqual(t, i.meter.Ticks(), s.ticks, "what start functions took is not taken again")
	require.Empty(t, i.peer.entries)
	require.Empty(t, i.peer.free)
	require.NoError(t, i.dead)
	require.Equal(t, s.used, i.Usage().Memory, "what other calls grew to is not this one's")
	require.False(t, i.watch.stopped.Load())
}

// requireOpened says that the guest's first objects were opened for the call.
// It uses up the instance's freshness as any call does: reset comes after it.
func requireOpened(t *testing.T, i *Instance, call int) {
	t.Helper()
	for _, expr := range []string{"first()", "last()"} {
		v, err := callExpr(i, expr)
		require.NoError(t, err)
		if v != nil {
			require.EqualValues(t, call, v.Bits)
		}
	}
}

// requireTables calls what is in the table, which no poolable guest writes to,
// and compares it to a fresh instance.
func requireTables(t *testing.T, got *Instance) {
	t.Helper()
	want, err := got.tmpl.newInstance(context.Background(), true)
	require.NoError(t, err)
	defer func() { require.NoError(t, want.Close()) }()
	for n := range 4 {
		a, err := callExpr(want, fmt.Sprintf("indirect(%d)", n))
		require.NoError(t, err)
		b, err := callExpr(got, fmt.Sprintf("indirect(%d)", n))
		require.NoError(t, err)
		require.Equal(t, a, b)
	}
}

// TestResetBoundsCallEngines looks at what calls leave on the host's heap.
func TestResetBoundsCallEngines(t *testing.T) {
	t.Parallel()
	engines := func(i *Instance) (n int) {
		for k := range i.funcs {
			if i.funcs[k].fn != nil {
				n++
			}
		}
		return n
	}
	reset := func(i *Instance) {
		_, err := i.reset(4096)
		require.NoError(t, err)
	}
	t.Run("many", func(t *testing.T) {
		t.Parallel()
		i := pristineInstance(t, linked(t, "../../examples/types/types.wasm", PoolConfig{}))
		for k, ref := range i.tmpl.refs.list {
			if ref.Canon < 0 {
				i.funcs[k].fn = i.cores[ref.Core].Func(ref.Name)
			}
		}
		require.Greater(t, engines(i), 2*maxKeptFuncs)
		reset(i)
		require.Equal(t, maxKeptFuncs, engines(i))
		reset(i)
		require.Equal(t, maxKeptFuncs, engines(i))
	})
	t.Run("deep", func(t *testing.T) {
		t.Parallel()
		i := pristineInstance(t, linked(t, "testdata/stack.wasm", PoolConfig{}))
		down := i.tmpl.Export("", "down")
		for _, depth := range []uint64{100, 20_000, 100} {
			v, err := i.CallValues(t.Context(), down, wit.Value{Bits: depth})
			require.NoError(t, err)
			require.Equal(t, depth, v.Bits)
			reset(i)
			require.Equal(t, depth < 1000, engines(i) == 1)
		}
	})
}
