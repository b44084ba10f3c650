package component

import (
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// compInst is the run-time state of one component instance of a tree
// (Canonical ABI, Component Instances).
type compInst struct {
	handles  table
	parent   *compInst
	depth    int // ancestors
	store    *Instance
	mayEnter bool
	mayLeave bool
	// task is the call that entered the instance last, call the one that left
	// it last: what handles lowered and lifted now are charged to.
	task *task
	call *subtask

	// thread is the one that runs in the instance: a call that enters it while
	// another one waits there begins with a fresh one.
	thread thread
	// backpressure counts the guest's wishes to be left alone by asynchronous
	// calls, which are refused so far; so is what the other fields are for.
	backpressure    uint32
	waitingToEnter  int
	exclusiveThread *thread
}

// thread is a thread of a component instance. A synchronous call has exactly
// its implicit one.
type thread struct {
	storage [2]uint32 // context.get and context.set
}

// task is a call into a component instance, as far as its state outlives a
// plain Go stack frame: borrows that must be dropped before it returns.
type task struct {
	borrows uint32
	returns *completion // of a function that returns by task.return
}

// subtask is a call out of a component instance: the handles it lends.
type subtask struct {
	lenders []uint32
}

func (s *subtask) lend(t *table, r *wit.Resource, handle uint32) (rep uint32, err error) {
	e, err := t.resource(r, handle)
	if err != nil {
		return 0, err
	}
	e.lends++
	s.lenders = append(s.lenders, handle)
	return e.rep, nil
}

func (s *subtask) release(t *table) {
	for _, h := range s.lenders {
		t.entries[h].lends--
	}
	s.lenders = s.lenders[:0]
}

// enter checks the rule of re-entrance for a call from caller (nil: the host)
// and marks the instances that it enters: the callee and its ancestors, less
// the caller and its ancestors.
func (c *compInst) enter(caller *compInst) error {
	outside := c.common(caller)
	for i := c; i != outside; i = i.parent {
		if !i.mayEnter {
			c.unmark(i)
			return trap.New(trap.Reentrance, "the instance is already running")
		}
		i.mayEnter = false
	}
	return nil
}

// leave takes back what enter did.
func (c *compInst) leave(caller *compInst) { c.unmark(c.common(caller)) }

// unmark takes back the marks of c and its ancestors below end.
func (c *compInst) unmark(end *compInst) {
	for i := c; i != end; i = i.parent {
		i.mayEnter = true
	}
}

// common returns the nearest instance that is both c or an ancestor of it, and
// other or an ancestor of that; nil where there is none.
func (c *compInst) common(other *compInst) *compInst {
	if other == nil {
		return nil
	}
	for c != other {
		if c.depth >= other.depth {
			c = c.parent
		} else {
			other = other.parent
		}
		if c == nil || other == nil {
			return nil
		}
	}
	return c
}

// LiftOwn implements abi.Handles.
func (c *compInst) LiftOwn(r *wit.Resource, handle uint32) (uint32, error) {
	return c.handles.takeOwn(r, handle)
}

// LiftBorrow implements abi.Handles: the handle is lent until the call that
// is being made returns.
func (c *compInst) LiftBorrow(r *wit.Resource, handle uint32) (uint32, error) {
	if c.call == nil {
		return 0, trap.New(trap.Handle, "handle %d cannot be lent here", handle)
	}
	return c.call.lend(&c.handles, r, handle)
}

// LowerOwn implements abi.Handles.
func (c *compInst) LowerOwn(r *wit.Resource, rep uint32) (uint32, error) {
	return c.handles.add(entry{kind: entryResource, own: true, res: r, rep: rep})
}

// LowerBorrow implements abi.Handles: the instance that defines the resource
// sees the representation itself, others get a handle that they must drop
// before they return.
func (c *compInst) LowerBorrow(r *wit.Resource, rep uint32) (uint32, error) {
	if d, ok := c.store.tmpl.plan.Resources[r]; ok && &c.store.comps[d.Instance] == c {
		return rep, nil
	}
	if c.task == nil {
		return 0, trap.New(trap.Handle, "a borrowed handle cannot be passed here")
	}
	h, err := c.handles.add(entry{kind: entryResource, res: r, rep: rep, task: c.task})
	if err == nil {
		c.task.borrows++
	}
	return h, err
}

// drop drops a handle (canon resource.drop).
func (c *compInst) drop(r *wit.Resource, handle uint32) error {
	e, err := c.handles.resource(r, handle)
	if err != nil {
		return err
	}
	if e.lends > 0 {
		return trap.New(trap.Handle, "cannot drop handle %d while it is borrowed", handle)
	}
	own, rep, t := e.own, e.rep, e.task
	c.handles.remove(handle)
	if !own {
		t.borrows--
		return nil
	}
	return c.store.destroy(c, r, rep)
}

// destroy ends a resource whose last handle is gone; from is who dropped it, nil: the
// host.
func (i *Instance) destroy(from *compInst, r *wit.Resource, rep uint32) error {
	def, ok := i.tmpl.plan.Resources[r]
	if !ok {
		return i.objects.drop(rep)
	}
	impl := &i.comps[def.Instance]
	if err := impl.enter(from); err != nil {
		return err
	}
	defer impl.leave(from)
	dtor, ok := i.tmpl.dtors[r]
	if !ok {
		return nil
	}
	waiting := impl.thread
	impl.thread = thread{}
	err := i.callDtor(dtor, rep)
	impl.thread = waiting
	return err
}
