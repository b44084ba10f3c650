package component_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/internal/refuse"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/test/hostile/guests"
	"github.com/lathhost/lath/wit"
)

// The guests here are hostile: whatever they do ends in a typed trap of their
// own, and leaves the host as it was. They are in test/hostile/guests.

func TestMain(m *testing.M) {
	if err := refuse.FromEnv(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func hostile(t testing.TB, rt *component.Runtime, name string, cfg component.LinkConfig) *component.Template {
	t.Helper()
	cfg.Name = name
	return linkTo(t, compileHostile(t, rt, name), cfg)
}

func compileHostile(t testing.TB, rt *component.Runtime, name string) *component.Component {
	t.Helper()
	wasm, err := guests.Component(name)
	require.NoError(t, err)
	c, err := rt.Compile(wasm)
	require.NoError(t, err)
	return c
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
	got, err := call(t, tm, "run(40)")
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

	_, err = compileHostile(t, rt, "big-memory").Link(t.Context(), component.LinkConfig{Limits: component.Limits{Memory: 1 << 20}})
	require.ErrorContains(t, err, "memory of 1024 pages, at most 16 are allowed")

	got, err := call(t, hostile(t, rt, "memories", component.LinkConfig{Limits: component.Limits{Memory: 9 << 20}}), "grow(17)")
	require.NoError(t, err)
	require.Equal(t, "-1", got, "the limit is one for all memories of an instance")
	_, err = hostile(t, rt, "memories", component.LinkConfig{Limits: component.Limits{Memory: 7 << 20}}).Take(t.Context())
	requireTrap(t, err, "memories", trap.Limit)
}

// TestLinkBombs links components of a few kilobytes that flatten to a thousand
// times that.
func TestLinkBombs(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	for name, msg := range map[string]string{
		"bomb-exports": "component executes more than 1000000 definitions",
		"bomb-types":   "component executes more than 1000000 definitions",
		"bomb-imports": "component executes more than 1000000 definitions",
		"bomb-canons":  "component has more than 20000 canonical functions",
		"bomb-tables":  "tables of 1200000 entries, at most 1000000 are allowed",
	} {
		_, err := compileHostile(t, rt, name).Link(t.Context(), component.LinkConfig{})
		require.ErrorContains(t, err, msg, name)
	}
	tm := hostile(t, rt, "tables", component.LinkConfig{Limits: component.Limits{TableElements: 120}})
	for arg, want := range map[string]string{"50": "10", "51": "-1"} {
		got, err := call(t, tm, "grow("+arg+")")
		require.NoError(t, err)
		require.Equal(t, want, got, "each module may have half of what is left")
	}
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

// peer answers the imports of realloc.wat by the exports of a kept instance of
// the same component.
type peer struct {
	inst *component.Instance
	tm   *component.Template
	err  error // of the last Forward
}

func (p *peer) imports(_ string, fn *wit.Func) (component.Callee, error) {
	return peerFunc{p, fn.Name}, nil
}

type peerFunc struct {
	*peer
	fn string
}

func (p peerFunc) Call(c *component.ImportCall) error {
	p.err = c.Forward(c.Context(), p.inst, p.tm.Export("hostile:test/self", p.fn))
	p.peer.err = p.err
	return p.err
}

// TestWhoseFaultItIs calls from store to store with a realloc or a pointer on
// one side that is bad: the one at fault traps, and its caller is told.
func TestWhoseFaultItIs(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	none := func(string, *wit.Func) (component.Callee, error) { return failing{errors.New("none")}, nil }
	target := hostile(t, rt, "realloc", component.LinkConfig{Import: none})
	const misaligned, outside, nearEnd = "set(1, 65535)", "set(1, 65536)", "set(1, 4294967295)"
	for _, c := range []struct {
		name           string
		caller, callee string // what is said to each before
		call           string
		own            trap.Code // the caller's fault
		code           trap.Code // the callee's
		want           string    // the caller's answer
	}{
		{name: "well", call: "ask(0)", want: "5"},
		{name: "grows in realloc", caller: "set(4, 0)", call: "ask(0)", want: "5"},
		{name: "callee grows in realloc", callee: "set(4, 0)", call: "tell(16, 5)"},
		{name: "caller's realloc outside", caller: outside, call: "ask(0)", own: trap.Abi},
		{name: "caller's realloc near the end", caller: nearEnd, call: "ask(0)", own: trap.Abi},
		{name: "caller's realloc traps", caller: "set(2, 0)", call: "ask(0)", own: trap.Unreachable},
		{name: "caller's realloc calls out", caller: "set(5, 0)", call: "ask(0)", own: trap.MayNotLeave},
		{name: "caller's realloc outside, with room for an error", caller: outside, call: "ask-try(0)", own: trap.Abi},
		{name: "caller's result place misaligned", call: "ask(2)", own: trap.Abi},
		{name: "caller's result place outside", call: "ask(65532)", own: trap.Abi},
		{name: "caller's result place near the end", call: "ask(4294967292)", own: trap.Abi},
		{name: "caller's string outside", call: "tell(65530, 10)", own: trap.Abi},
		{name: "caller's string too long", call: "tell(0, 4294967295)", own: trap.Abi},
		{name: "callee's realloc outside", callee: outside, call: "tell(16, 5)", code: trap.Abi},
		{name: "callee's realloc near the end", callee: nearEnd, call: "tell(16, 5)", code: trap.Abi},
		{name: "callee's realloc traps", callee: "set(2, 0)", call: "tell(16, 5)", code: trap.Unreachable},
		{name: "callee's realloc calls out", callee: "set(5, 0)", call: "tell(16, 5)", code: trap.MayNotLeave},
		{name: "callee's result misaligned", callee: "set(0, 2)", call: "ask(0)", code: trap.Abi},
		{name: "callee's result outside", callee: "set(0, 65532)", call: "ask(0)", code: trap.Abi},
		{name: "callee's result near the end", callee: "set(0, 4294967292)", call: "ask(0)", code: trap.Abi},
		{name: "callee's result bad, with room for an error", callee: "set(0, 65532)", call: "ask-try(0)", code: trap.Abi, want: "1"},
		{name: "both realloc outside", caller: outside, callee: misaligned, call: "tell(16, 5)", code: trap.Abi},
	} {
		t.Run(c.name, func(t *testing.T) {
			inst, err := target.Take(t.Context())
			require.NoError(t, err)
			defer func() { require.NoError(t, inst.Close()) }()
			p := &peer{inst: inst, tm: target}
			tm := linkTo(t, compileHostile(t, rt, "realloc"), component.LinkConfig{Name: "caller", Import: p.imports})
			caller, err := tm.Take(t.Context())
			require.NoError(t, err)
			defer func() { require.NoError(t, caller.Close()) }()
			if c.caller != "" {
				_, err = callOn(t, caller, tm, c.caller)
				require.NoError(t, err)
			}
			if c.callee != "" {
				_, err = callOn(t, inst, target, c.callee)
				require.NoError(t, err)
			}
			got, err := callOn(t, caller, tm, c.call)
			switch {
			case c.own != "":
				requireTrap(t, err, "caller", c.own)
				require.Nil(t, errors.Unwrap(trap.As(err)), "it is nobody else's: %v", err)
			case c.code != "":
				requireTrap(t, p.err, "realloc", c.code)
				if c.want == "" {
					requireTrap(t, err, "caller", trap.Import)
				}
				_, err = callOn(t, inst, target, "set(0, 0)")
				requireTrap(t, err, "realloc", trap.Poisoned)
			default:
				require.NoError(t, err)
			}
			require.Equal(t, c.want, got)
		})
	}
}

// TestObjectsAreDroppedOnce ends a guest that holds host objects in every way.
func TestObjectsAreDroppedOnce(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	h := &things{}
	tm := hostile(t, rt, "objects", component.LinkConfig{Host: []component.HostInterface{h.iface()}})
	for arg, code := range map[string]trap.Code{
		"0": "", "1": "", "2": trap.Handle, "3": trap.Handle, "4": trap.Unreachable, "5": trap.Deadline, "6": trap.Deadline,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		i, err := tm.Take(ctx)
		require.NoError(t, err)
		_, err = i.CallValues(ctx, tm.Export("", "run"), wit.Value{Bits: uint64(arg[0] - '0')})
		cancel()
		if code != "" {
			requireTrap(t, err, "objects", code)
		} else {
			require.NoError(t, err)
		}
		require.NoError(t, i.Close())
		require.NoError(t, i.Close(), "again")
		require.Equal(t, h.made.Load(), h.dropped.Load(), "run(%s)", arg)
	}
}

func TestPanicsInDropLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	h := &things{dropPanics: true}
	tm := hostile(t, rt, "objects", component.LinkConfig{Host: []component.HostInterface{h.iface()}})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	_, err = callOn(t, i, tm, "run(0)")
	require.NoError(t, err)
	require.ErrorContains(t, i.Close(), "drop failed")
	require.EqualValues(t, 3, h.dropped.Load())
	require.Equal(t, h.made.Load(), h.dropped.Load())
	require.Zero(t, rt.MemoryInUse())
	require.NoError(t, i.Close())
}

func TestCancelledBeforeItBegins(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := hostile(t, rt, "postreturn", component.LinkConfig{})
	ctx, cancel := context.WithCancel(t.Context())
	i, err := tm.Take(ctx)
	require.NoError(t, err)
	defer i.Close()
	cancel()
	_, err = tm.Take(ctx)
	requireTrap(t, err, "postreturn", trap.Cancelled)
	_, err = i.Call(ctx, tm.Export("", "run"), []byte{0}, nil)
	requireTrap(t, err, "postreturn", trap.Cancelled)
	_, err = callOn(t, i, tm, "run(0)")
	require.NoError(t, err, "nothing ran, so nothing is dead")
}

// TestCancelMeetsTheEndOfACall cancels as a call ends: what comes too late must
// not reach the next call.
func TestCancelMeetsTheEndOfACall(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	var during func()
	tm := hostile(t, rt, "realloc", component.LinkConfig{Import: func(string, *wit.Func) (component.Callee, error) {
		return calleeFunc(func(c *component.ImportCall) error {
			during()
			return c.SetResults([]byte("\x05hello"))
		}), nil
	}})
	ended := 0
	for range 500 {
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		during = cancel
		if _, err = i.Call(ctx, tm.Export("", "ask"), []byte{0}, nil); err == nil {
			ended++
			during = runtime.Gosched // the next one is not cancelled
			_, err = i.Call(t.Context(), tm.Export("", "ask"), []byte{0}, nil)
			require.NoError(t, err)
		} else {
			requireTrap(t, err, "realloc", trap.Cancelled)
		}
		cancel()
		require.NoError(t, i.Close())
	}
	t.Logf("%d calls ended well", ended)
}

// TestCancelledCallIsNoAnswer fails an import because the call was cancelled:
// the guest must not get that as a value and go on.
func TestCancelledCallIsNoAnswer(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	ctx, cancel := context.WithCancel(t.Context())
	tm := hostile(t, rt, "realloc", component.LinkConfig{Import: func(string, *wit.Func) (component.Callee, error) {
		return calleeFunc(func(c *component.ImportCall) error { cancel(); return c.Context().Err() }), nil
	}})
	_, err := tm.Call(ctx, tm.Export("", "ask-try"), []byte{0}, nil)
	requireTrap(t, err, "realloc", trap.Cancelled)
}

type calleeFunc func(*component.ImportCall) error

func (f calleeFunc) Call(c *component.ImportCall) error { return f(c) }

func TestWrongExportIsRefused(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	a, b := hostile(t, rt, "loops", component.LinkConfig{}), hostile(t, rt, "postreturn", component.LinkConfig{})
	for _, e := range []*component.Export{nil, a.Export("", "no-such"), a.Export("", "spin")} {
		_, err := b.Call(t.Context(), e, []byte{0}, nil)
		require.Error(t, err)
	}
}

// TestHostLendsWhatItHolds passes one handle of the host twice: as a borrow it
// is lent for the call, so that the call cannot take it away as well.
func TestHostLendsWhatItHolds(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := hostile(t, rt, "lend", component.LinkConfig{})
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	defer i.Close()
	do := func(fn string, args ...wit.Value) (*wit.Value, error) {
		return i.CallValues(t.Context(), tm.Export("", fn), args...)
	}
	a, err := do("make")
	require.NoError(t, err)
	b, err := do("make")
	require.NoError(t, err)
	for range 2 {
		got, err := do("one", *a)
		require.NoError(t, err)
		require.EqualValues(t, 42, got.Bits)
	}
	_, err = do("both", *a, *b)
	require.NoError(t, err, "what was lent is given back")
	_, err = do("both", *a, *a)
	requireTrap(t, err, "lend", trap.Handle)
}

func TestFailedStartDropsObjects(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	h := &things{}
	tm := hostile(t, rt, "start-objects", component.LinkConfig{Host: []component.HostInterface{h.iface()}})
	_, err := tm.Take(t.Context())
	requireTrap(t, err, "start-objects", trap.Unreachable)
	require.EqualValues(t, 2, h.made.Load())
	require.EqualValues(t, 2, h.dropped.Load())
}

func TestDeepestParametersInMemory(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := hostile(t, rt, "deep", component.LinkConfig{})
	params := make([]byte, 17)
	params[16] = 9
	out, err := tm.Call(t.Context(), tm.Export("", "f"), params, nil)
	require.NoError(t, err)
	require.Equal(t, []byte{9}, out)
}

func TestPanicInCalleeIsTheHosts(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	tm := hostile(t, rt, "realloc", component.LinkConfig{Import: func(string, *wit.Func) (component.Callee, error) {
		return calleeFunc(func(*component.ImportCall) error { panic("callee bug") }), nil
	}})
	_, err := call(t, tm, "ask-try(0)")
	requireTrap(t, err, "realloc", trap.Host)
	require.ErrorContains(t, err, "callee bug")
}

// TestNeighboursDoNotMeet runs two templates of one component, calls that end
// well and calls that do not, all at once.
func TestNeighboursDoNotMeet(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t)
	c := compileHostile(t, rt, "objects")
	h := &things{}
	var tms [2]*component.Template
	var linked sync.WaitGroup
	for k := range tms {
		linked.Go(func() {
			var err error
			tms[k], err = c.Link(t.Context(), component.LinkConfig{Name: "objects", Host: []component.HostInterface{h.iface()}})
			assert.NoError(t, err)
		})
	}
	linked.Wait()
	codes := []trap.Code{"", "", trap.Handle, trap.Handle, trap.Unreachable, trap.Cancelled, trap.Cancelled}
	var calls sync.WaitGroup
	for worker := range 32 {
		tm := tms[worker%2]
		calls.Go(func() {
			for what := range byte(35) {
				ctx, cancel := context.WithCancel(t.Context())
				if what%7 >= 5 {
					time.AfterFunc(time.Duration(what)*50*time.Microsecond, cancel)
				}
				_, err := tm.Call(ctx, tm.Export("", "run"), []byte{what % 7}, nil)
				cancel()
				if code := codes[what%7]; code == "" {
					assert.NoError(t, err)
				} else {
					assert.Equal(t, code, trap.As(err).Code, "%v", err)
				}
			}
		})
	}
	calls.Wait()
	require.Equal(t, h.made.Load(), h.dropped.Load())
	require.Zero(t, rt.MemoryInUse())
	for _, tm := range tms {
		require.NoError(t, tm.Close(t.Context()))
	}
}
