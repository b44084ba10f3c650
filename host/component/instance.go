package component

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/link"
	"github.com/lathhost/lath/host/component/memory"
	"github.com/lathhost/lath/host/component/trap"
)

// Instance is one store: a pristine copy of a template's state. It takes one
// call at a time, from one goroutine at a time; only its interruption may come
// from elsewhere. After a trap every further call answers the trap.
type Instance struct {
	tmpl     *Template
	ctx      callContext
	comps    []compInst
	cores    []*engine.Module
	memories []*memory.Linear
	budget   *memory.Budget // of the memories together
	funcs    []coreFunc     // by refTable index
	guests   []abi.Guest    // by guestTable index; made when first used
	objects  objects        // host objects
	peer     table          // handles that the host holds of guest resources
	lent     subtask        // those of them that a call borrows
	slots    int            // entries that the handle tables may still grow by
	// hostBytes is what implementations charge, hostCtx what they get: made
	// when a call first needs it.
	hostBytes HostBudget
	hostCtx   *hostContext
	meter     *engine.Meter // of all cores together
	inv       Invocation
	out       Outcall
	held      bool // one call after another begins: see Hold
	imported  ImportCall
	pins      []*Pin   // whose handles the guests have
	frames    [2]frame // of a call and its post-return
	deeper    []*frame
	depth     int
	nesting   int // of calls of core functions
	making    int // the core instance that is being made
	dead      error
	// unpoolable is why the instance cannot be kept for another call.
	unpoolable string
	first      *first    // beside memories and globals; nil: nothing
	bare       bool      // without the host objects of first
	since      time.Time // waits for a call, in a pool
	idle       int64     // what it counts to idle.bytes
	watch      watch
}

// callContext is the context that the engine passes through guests unchanged,
// so that a host function finds its instance without a look-up.
type callContext struct {
	engine.CallContext
	inst *Instance
}

// Instantiated notes a core instance before its start function runs, which may
// call the host.
func (c *callContext) Instantiated(m *engine.Module) { c.inst.cores = append(c.inst.cores, m) }

// coreFunc is a core function that the host calls. A call engine is made when
// first needed and serves one call at a time; a nested call makes its own.
type coreFunc struct {
	fn   *engine.Func
	busy bool
}

// frame is scratch space of one call: core values in and out.
type frame struct{ in, out [maxCoreValues]uint64 }

// maxCoreValues is the longest core signature: 16 parameters and a result
// pointer.
const maxCoreValues = 17

// Take returns an instance for one call, as [PoolConfig] says: one that was kept,
// or a new one. Give it back by [Instance.Release].
func (t *Template) Take(ctx context.Context) (*Instance, error) {
	if ctx.Err() != nil {
		err := over(ctx)
		err.Component, err.Func = t.name, "start"
		return nil, err
	}
	if t.pool != nil {
		if i := t.pool.take(ctx); i != nil {
			return i, nil
		}
	}
	return t.newInstance(ctx, true)
}

// newInstance makes an instance; for one that is wanted, and grows into what the
// runtime has, instances that wait for a call are closed where there is no room.
func (t *Template) newInstance(ctx context.Context, wanted bool) (*Instance, error) {
	if !t.making.begin() {
		return nil, &trap.Error{Code: trap.Poisoned, Msg: "the component was closed", Component: t.name, Func: "start"}
	}
	defer t.making.done.Done()
	i := &Instance{tmpl: t, comps: make([]compInst, len(t.plan.Instances)), cores: make([]*engine.Module, 0, len(t.plan.Cores)),
		funcs: make([]coreFunc, len(t.refs.list)), guests: make([]abi.Guest, len(t.guests.list)), since: time.Now()}
	i.ctx.inst, i.inv.inst, i.out.inv.inst, i.watch.onDone = i, i, i, i.contextDone
	i.ctx.Symbols = (*symbols)(t)
	i.budget, i.slots = memory.NewBudget(t.limits.Memory, t.rt.budget), t.limits.Handles
	if wanted {
		i.budget.OnFull(t.rt.more)
	}
	i.peer.slots = &i.slots
	i.hostBytes.limit = t.limits.HostBytes
	for k := range i.comps {
		c := &i.comps[k]
		c.store, c.mayEnter, c.mayLeave, c.handles.slots = i, true, true, &i.slots
		if p := t.plan.Instances[k].Parent; p >= 0 {
			c.parent = &i.comps[p]
			c.depth = c.parent.depth + 1
		}
	}
	var err error
	if i.meter, err = t.rt.engine.NewMeter(); err != nil {
		return nil, err
	}
	i.ctx.Meter = i.meter
	if t.starts {
		i.begin(ctx)
	} else {
		i.ctx.Base = ctx // no guest runs that would have to be interrupted
	}
	i.meter.SetTickLimit(uint64(t.limits.CPU))
	err = i.instantiate()
	if t.starts {
		i.detach(err != nil)
	}
	i.letGo()
	i.budget.OnFull(t.rt.more)
	if err == nil && t.pool != nil && t.pool.cfg.Reuse == Pristine {
		err = i.mark()
	}
	if err != nil {
		err = i.fail(err, "start")
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

func (i *Instance) instantiate() error {
	resolve, newMemory := i.resolve, i.newMemory
	for k := range i.tmpl.plan.Cores {
		if err := i.cancelled(); err != nil {
			return err
		}
		i.making = k
		site := &i.tmpl.plan.Cores[k]
		c := &i.comps[site.Instance]
		if err := c.enter(nil); err != nil {
			return err
		}
		if _, err := i.tmpl.rt.engine.Instantiate(&i.ctx, i.tmpl.codes[k], resolve, newMemory); err != nil {
			if errors.Is(err, engine.ErrMemory) {
				err = i.noMemory(err)
			}
			return err
		}
		c.leave(nil)
	}
	return nil
}

// ErrNoMemory is wrapped by the error of [Template.Take] where not the component's
// own limit but the runtime's, or the system, has no room for the memories of
// one more instance. Nothing was executed; a later call may find room.
var ErrNoMemory = errors.New("no memory is left on this host for an instance")

// noMemory says whose limit an instance did not fit.
func (i *Instance) noMemory(err error) error {
	if i.budget.Stats().Refused == 0 {
		return trap.New(trap.Limit, "%w", ErrNoMemory)
	}
	return trap.New(trap.Limit, "%w: at most %d bytes for all of its memories", err, i.tmpl.limits.Memory)
}

// resolve names the source of an import module, as [Template.compile] wrote it.
func (i *Instance) resolve(name string) engine.Importable {
	if name == hostModule {
		return i.tmpl.host
	}
	k := 0
	for _, d := range name[1:] {
		k = k*10 + int(d-'0')
	}
	return i.cores[k]
}

func (i *Instance) newMemory(minimum, maximum uint64) *memory.Linear {
	make := memory.New
	if image := i.tmpl.images[i.making]; image != nil {
		make = image.New
	}
	m, err := make(minimum, min(maximum, i.tmpl.limits.Memory), i.budget)
	if err != nil {
		return nil // the engine says so
	}
	i.memories = append(i.memories, m)
	return m
}

// Close ends the instance and releases everything it holds, also where dropping
// a host object panics, of which the error tells. Idempotent.
//
// An instance that runs a call is interrupted instead, and an error returned:
// close it again when the call has ended.
func (i *Instance) Close() error {
	if !i.take() {
		i.interrupt()
		return errRunning // unmapping memory under a guest would end the process
	}
	defer i.letGo()
	errs := i.objects.dropAll()
	for _, m := range slices.Backward(i.cores) {
		if err := m.Close(context.Background()); err != nil {
			errs = append(errs, err)
		}
	}
	for _, m := range i.memories {
		if err := m.Close(); err != nil {
			errs = append(errs, err)
		}
	}
	i.setIdle(false, i.tmpl.rt)
	i.meter.Close()
	i.cores, i.memories = nil, nil
	i.funcs, i.guests, i.deeper = nil, nil, nil // stacks of call engines: who knows the instance still needs none
	if i.dead == nil {
		i.dead = errClosed
	}
	return errors.Join(errs...)
}

// errRunning refuses a second call, or the end, of an instance that is in a
// call.
var errRunning = errors.New("the instance is running a call: it takes one at a time")

var errClosed = &trap.Error{Code: trap.Poisoned, Msg: "instance was closed"}

// fail marks the instance dead and makes err a trap with a place.
func (i *Instance) fail(err error, where string) error {
	t := trap.As(err)
	if t == nil {
		t = trap.New(trap.Host, "%w", err)
	}
	if i.watch.stopped.Load() && t.Code == trap.Unreachable {
		stack := t.Stack
		t = over(i.ctx.Base)
		t.Stack = stack
	}
	if t.Component == "" {
		c := *t
		c.Component, c.Func = i.tmpl.name, where
		i.noteMemory(&c)
		t = &c
	}
	if i.dead == nil {
		i.dead, i.out.again = t, nil
	}
	return t
}

// over is the trap of a call whose context is done.
func over(ctx context.Context) *trap.Error {
	code := trap.Cancelled
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		code = trap.Deadline
	}
	return &trap.Error{Code: code, Msg: "stopped by the host"}
}

// push returns scratch space for a call; pop gives it back.
func (i *Instance) push() *frame {
	i.depth++
	n := i.depth - 1
	if n < len(i.frames) {
		return &i.frames[n]
	}
	n -= len(i.frames)
	if n == len(i.deeper) {
		i.deeper = append(i.deeper, new(frame))
	}
	return i.deeper[n]
}

func (i *Instance) pop() { i.depth-- }

// guest returns the memory, realloc and handles of one set of options.
func (i *Instance) guest(n int) *abi.Guest {
	if g := &i.guests[n]; g.Handles != nil {
		return g
	}
	return i.makeGuest(n)
}

// makeGuest is guest for the first time.
func (i *Instance) makeGuest(n int) *abi.Guest {
	g := &i.guests[n]
	spec := i.tmpl.guests.list[n]
	c := &i.comps[spec.inst]
	g.Handles, g.Poll = c, i.cancelled
	if spec.memory >= 0 {
		g.Mem = i.cores[spec.memory].Memory()
	}
	if spec.realloc >= 0 {
		var args [4]uint64
		g.Realloc = func(oldPtr, oldSize, align, newSize uint32) (uint32, error) {
			args = [4]uint64{uint64(oldPtr), uint64(oldSize), uint64(align), uint64(newSize)}
			waiting := c.thread
			c.mayLeave, c.thread = false, thread{}
			err := i.callCore(spec.realloc, args[:])
			c.mayLeave, c.thread = true, waiting
			return uint32(args[0]), err
		}
	}
	return g
}

// maxNesting bounds the calls of a store that wait for each other, as when a
// component calls itself through its own export. Each takes stack of the host,
// whose end would be that of the process, and the least that a core stack has;
// what they take beyond that, the meter counts for all of them together.
const maxNesting = 50

// callCore calls a core function; stack holds its parameters and then its
// results.
func (i *Instance) callCore(ref int, stack []uint64) error {
	if i.nesting == maxNesting {
		return trap.New(trap.StackOverflow, "%d calls between components wait for each other", maxNesting)
	}
	i.nesting++
	var err error
	if f := &i.funcs[ref]; f.fn != nil && !f.busy {
		f.busy = true
		err = f.fn.Call(&i.ctx, stack)
		f.busy = false
	} else {
		err = i.callFirst(ref, stack)
	}
	i.nesting--
	return err
}

// callFirst calls a core function for the first time, or while it runs.
func (i *Instance) callFirst(ref int, stack []uint64) error {
	f := &i.funcs[ref]
	fn := f.fn
	if fn == nil || f.busy {
		at := i.tmpl.refs.list[ref]
		if at.Canon >= 0 {
			return i.callCanon(at, stack)
		}
		if fn = i.cores[at.Core].Func(at.Name); fn == nil {
			return fmt.Errorf("core instance %d has no function %q", at.Core, at.Name)
		}
		if f.fn == nil {
			f.fn = fn
		}
	}
	if f.fn != fn {
		return fn.Call(&i.ctx, stack)
	}
	f.busy = true
	err := fn.Call(&i.ctx, stack)
	f.busy = false
	return err
}

// callCanon calls a generated function that was lifted again or given as a
// destructor: no core module is between, whose engine would recover panics.
func (i *Instance) callCanon(at link.CoreRef, stack []uint64) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = engine.Recovered(r)
		}
	}()
	i.tmpl.canons[at.Canon].enter(&i.ctx, stack)
	return nil
}

func (i *Instance) callDtor(ref int, rep uint32) error {
	fr := i.push()
	defer i.pop()
	fr.in[0] = uint64(rep)
	return i.callCore(ref, fr.in[:1])
}
