package component_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// The guests here are hostile: whatever they do ends in a typed trap of their
// own, and leaves the host as it was. Their sources are the .wat files beside
// the .wasm in testdata/hostile, made by "wasm-tools parse X.wat -o X.wasm".

func hostile(t testing.TB, rt *component.Runtime, name string, cfg component.LinkConfig) *component.Template {
	t.Helper()
	cfg.Name = name
	return linkTo(t, compile(t, rt, "testdata/hostile/"+name+".wasm"), cfg)
}

// requireTrap says that err is a trap of the component, with that code.
func requireTrap(t testing.TB, err error, component string, code trap.Code) {
	t.Helper()
	require.Error(t, err)
	tr := trap.As(err)
	require.NotNil(t, tr, "%v", err)
	require.Equal(t, code, tr.Code, "%v", err)
	require.Equal(t, component, tr.Component, "%v", err)
}

// things is the host interface of the guests: it counts its objects.
type things struct {
	made, dropped atomic.Int64
	blocked       chan struct{} // told when a guest blocks in the host
	dropPanics    bool
}

type thing struct {
	of    *things
	drops atomic.Int32
}

func (x *thing) Drop() {
	if x.drops.Add(1) > 1 {
		panic("dropped twice")
	}
	x.of.dropped.Add(1)
	if x.of.dropPanics {
		panic("drop failed")
	}
}

func (h *things) iface() component.HostInterface {
	res := &wit.Resource{Name: "thing"}
	own, borrow := wit.NewOwn(res), wit.NewBorrow(res)
	ab := func(t *wit.Type) []wit.Param { return []wit.Param{{Name: "a", Type: t}, {Name: "b", Type: t}} }
	u32 := wit.Primitive(wit.KindU32)
	return component.HostInterface{Name: "hostile:test/host", Resources: []*wit.Resource{res}, Funcs: []component.HostFunc{
		{Type: &wit.Func{Name: "make", Result: own}, Call: func(inv *component.Invocation, stack []uint64) {
			h.made.Add(1)
			stack[0] = uint64(inv.LowerOwn(res, &thing{of: h}))
		}},
		{Type: &wit.Func{Name: "use", Params: ab(borrow)}, Call: func(inv *component.Invocation, stack []uint64) {
			inv.LiftBorrow(res, uint32(stack[0]))
			inv.LiftBorrow(res, uint32(stack[1]))
		}},
		{Type: &wit.Func{Name: "give", Params: ab(own)}, Call: func(inv *component.Invocation, stack []uint64) {
			for _, s := range stack[:2] {
				inv.LiftOwn(res, uint32(s)).Drop()
			}
		}},
		{Type: &wit.Func{Name: "block"}, Call: func(inv *component.Invocation, _ []uint64) {
			if h.blocked != nil {
				h.blocked <- struct{}{}
			}
			<-inv.Context().Done()
			inv.Trap(inv.Context().Err())
		}},
		{Type: &wit.Func{Name: "trap"}, Call: func(inv *component.Invocation, _ []uint64) { inv.Trap(errors.New("no")) }},
		{Type: &wit.Func{Name: "panic", Params: []wit.Param{{Name: "x", Type: u32}}, Result: u32},
			Call: func(*component.Invocation, []uint64) { panic("host bug") }},
	}}
}

func TestGeneratedFunctionsThatAreLiftedTrap(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	h := &things{}
	tm := hostile(t, rt, "lifted", component.LinkConfig{Host: []component.HostInterface{h.iface()}})
	for expr, code := range map[string]trap.Code{"trap()": trap.Import, "passed-on()": trap.Import, "panic(1)": trap.Host, "drop(0)": trap.Handle, "drop(77)": trap.Handle} {
		_, err := call(t, tm, expr)
		requireTrap(t, err, "lifted", code)
	}
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	defer i.Close()
	handle, err := callOn(t, i, tm, "make()")
	require.NoError(t, err)
	_, err = callOn(t, i, tm, "drop("+handle+")")
	require.NoError(t, err)
	require.EqualValues(t, 1, h.dropped.Load())

	h.dropPanics = true
	handle, err = callOn(t, i, tm, "make()")
	require.NoError(t, err)
	_, err = callOn(t, i, tm, "drop("+handle+")")
	requireTrap(t, err, "lifted", trap.Host)
}

func TestEndlessRecursionThroughTheHostTraps(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := hostile(t, rt, "recursion", component.LinkConfig{})
	got, err := call(t, tm, "run(50)")
	require.NoError(t, err)
	require.Equal(t, "7", got)
	_, err = call(t, tm, "run(4000000000)")
	requireTrap(t, err, "recursion", trap.StackOverflow)

	_, err = call(t, hostile(t, rt, "dtor-recursion", component.LinkConfig{}), "run()")
	requireTrap(t, err, "dtor-recursion", trap.StackOverflow)
}

func TestEndlessLoopsEndAtTheDeadline(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	short := func() context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	loops := hostile(t, rt, "loops", component.LinkConfig{})
	for _, fn := range []string{"spin", "dtor"} {
		_, err := loops.Call(short(), loops.Export("", fn), nil, nil)
		requireTrap(t, err, "loops", trap.Deadline)
	}
	_, err := hostile(t, rt, "start", component.LinkConfig{}).Take(short())
	requireTrap(t, err, "start", trap.Deadline)
	post := hostile(t, rt, "postreturn", component.LinkConfig{})
	_, err = post.Call(short(), post.Export("", "run"), []byte{3}, nil)
	requireTrap(t, err, "postreturn", trap.Deadline)
}

func TestBombs(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	_, err := call(t, hostile(t, rt, "loops", component.LinkConfig{Limits: component.Limits{Handles: 1000}}), "bomb()")
	requireTrap(t, err, "loops", trap.Limit)

	_, err = compile(t, rt, "testdata/hostile/big-memory.wasm").Link(t.Context(), component.LinkConfig{Limits: component.Limits{Memory: 1 << 20}})
	require.ErrorContains(t, err, "memory of 1024 pages, at most 16 are allowed")

	got, err := call(t, hostile(t, rt, "memories", component.LinkConfig{Limits: component.Limits{Memory: 9 << 20}}), "grow(17)")
	require.NoError(t, err)
	require.Equal(t, "-1", got, "the limit is one for all memories of an instance")
	_, err = hostile(t, rt, "memories", component.LinkConfig{Limits: component.Limits{Memory: 7 << 20}}).Take(t.Context())
	requireTrap(t, err, "memories", trap.Limit)
}

func TestPostReturnMayOnlyLook(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := hostile(t, rt, "postreturn", component.LinkConfig{})
	got, err := call(t, tm, "run(0)")
	require.NoError(t, err, "resource.rep leaves nothing")
	require.Equal(t, "0", got)
	for arg, code := range map[string]trap.Code{"1": trap.MayNotLeave, "2": trap.MayNotLeave, "4": trap.Unreachable} {
		_, err = call(t, tm, "run("+arg+")")
		requireTrap(t, err, "postreturn", code)
	}
}
