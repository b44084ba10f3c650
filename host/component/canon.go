package component

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/host/component/link"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/wit"
)

// canonFunc is a canonical function that is ready to run: what a guest calls
// when it leaves its core module.
type canonFunc struct {
	def *link.Canon
	run func(c *canonFunc, i *Instance, stack []uint64) error

	guest int // the caller's options, in Template.guests
	// anytime: it may be called during realloc and post-return too.
	anytime bool

	// A lowered function has one of the three.
	host   *HostFunc
	callee Callee
	lift   *liftedFunc

	iface     string // of an imported function
	fn        *wit.Func
	sig       signature
	hasBorrow bool
	// transfers to and from lift.
	params, results *abi.Transfer
	// programs for callee.
	lifts, lowers *abi.Wire
	// foreign are the template's resources that only other stores' guests have;
	// matched is the export that last answered a function with some of them.
	foreign map[*wit.Resource]bool
	matched atomic.Pointer[match]
}

// signature says how a function's values travel in the core signature.
type signature struct {
	flatParams  bool // else one pointer to a tuple
	nparams     int  // core parameters before a result pointer
	hasResult   bool
	flatResult  bool // else a pointer: returned by a lift, passed to a lower
	resultSize  uint32
	resultAlign uint32
}

func signatureOf(f *wit.Func) signature {
	s := signature{flatParams: true}
	for _, p := range f.Params {
		s.nparams += len(p.Type.Flat)
	}
	if s.nparams > wit.MaxFlatParams {
		s.flatParams, s.nparams = false, 1
	}
	if r := f.Result; r != nil {
		s.hasResult, s.flatResult = true, r.FitsFlat(wit.MaxFlatResults)
		s.resultSize, s.resultAlign = r.Size, r.Align
	}
	return s
}

func hasBorrow(f *wit.Func) bool {
	for _, p := range f.Params {
		if p.Type.Props.Has(wit.HasBorrow) {
			return true
		}
	}
	return false
}

// enter is called by the engine. ctx is the instance's own context, passed on
// unchanged by wazero; an error unwinds the guest.
func (c *canonFunc) enter(ctx context.Context, stack []uint64) {
	i := ctx.(*callContext).inst
	if !i.comps[c.def.Instance].mayLeave && !c.anytime {
		panic(trap.New(trap.MayNotLeave, "%s was called during realloc or post-return", c.name()))
	}
	if err := c.run(c, i, stack); err != nil {
		panic(err)
	}
}

func (c *canonFunc) name() string {
	switch {
	case c.fn == nil:
		return "a canonical function"
	case c.iface == "":
		return c.fn.Name
	default:
		return c.iface + "." + c.fn.Name
	}
}

// prepareCanon makes a canonical function ready to run.
func (t *Template) prepareCanon(c *canonFunc, def *link.Canon, offers *offers) error {
	c.def = def
	switch def.Op {
	case binary.CanonLower:
		return t.prepareLower(c, offers)
	case binary.CanonResourceNew:
		c.run = func(c *canonFunc, i *Instance, stack []uint64) error {
			h, err := i.comps[c.def.Instance].LowerOwn(c.def.Resource, uint32(stack[0]))
			stack[0] = uint64(h)
			return err
		}
	case binary.CanonResourceRep:
		c.anytime = true
		c.run = func(c *canonFunc, i *Instance, stack []uint64) error {
			e, err := i.comps[c.def.Instance].handles.resource(c.def.Resource, uint32(stack[0]))
			if err == nil {
				stack[0] = uint64(e.rep)
			}
			return err
		}
	case binary.CanonResourceDrop:
		c.run = func(c *canonFunc, i *Instance, stack []uint64) error {
			return i.comps[c.def.Instance].drop(c.def.Resource, uint32(stack[0]))
		}
	case binary.CanonTaskReturn:
		t.prepareTaskReturn(c)
	case binary.CanonContextGet, binary.CanonContextSet:
		c.anytime, c.run = true, contextBuiltin(def)
	case binary.CanonBackpressureInc, binary.CanonBackpressureDec:
		c.anytime, c.run = true, backpressureBuiltin(def.Op)
	default:
		op := def.Op
		c.run = func(*canonFunc, *Instance, []uint64) error {
			return trap.New(trap.Unsupported, "canonical built-in 0x%02x: asynchronous calls are not carried out yet", op)
		}
	}
	return nil
}

// prepareLower picks who answers a lowered function and compiles the programs
// that move its values.
func (t *Template) prepareLower(c *canonFunc, offers *offers) (err error) {
	def := c.def
	c.fn, c.sig, c.hasBorrow = def.Func.Type, signatureOf(def.Func.Type), hasBorrow(def.Func.Type)
	c.guest = t.guests.add(def.Instance, def.Options, &t.refs)
	if def.Options.Async || c.fn.Async {
		return t.prepareAsync(c)
	}
	if lift := def.Func.Lift; lift != nil {
		if c.lift, err = t.lifted(lift, c.fn); err != nil {
			return err
		}
		c.run = callLifted
		if c.params, err = t.programs.Transfer(c.fn.ParamTypes(), def.Options.Encoding, lift.Options.Encoding); err != nil {
			return err
		}
		c.results, err = t.programs.Transfer(c.fn.ResultTypes(), lift.Options.Encoding, def.Options.Encoding)
		return err
	}
	im := t.plan.Imports[def.Func.Import]
	c.iface = im.Interface
	if im.Host >= 0 {
		c.host, c.run = &offers.host(im.Interface).Funcs[im.Host], callHost
		return nil
	}
	if c.callee, err = offers.imports(im.Interface, c.fn); err != nil {
		return fmt.Errorf("import %s: %w", c.name(), err)
	}
	c.run, c.foreign = callImport, t.plan.Foreign
	if c.lifts, err = t.programs.Wire(c.fn.ParamTypes(), def.Options.Encoding); err != nil {
		return fmt.Errorf("import %s: %w", c.name(), err)
	}
	c.lowers, err = t.programs.Wire(c.fn.ResultTypes(), def.Options.Encoding)
	return err
}

// liftedFunc is a core function that is lifted, with its options.
type liftedFunc struct {
	inst       int
	core       int // in Template.refs
	postReturn int // in Template.refs, or -1
	guest      int
	sig        signature
	enc        abi.Encoding
	async      bool // it returns by task.return
	callback   bool // and its core result says whether it has ended
}

func (t *Template) lifted(l *link.Lift, f *wit.Func) (*liftedFunc, error) {
	if l.Options.Async || f.Async {
		return nil, trap.New(trap.Unsupported, "asynchronous functions are not carried out yet")
	}
	return t.liftedFunc(l, f), nil
}

// refTable numbers the core functions that the host calls.
type refTable struct {
	list  []link.CoreRef
	index map[link.CoreRef]int
}

func (r *refTable) add(ref link.CoreRef) int {
	if i, ok := r.index[ref]; ok {
		return i
	}
	if r.index == nil {
		r.index = map[link.CoreRef]int{}
	}
	i := len(r.list)
	r.list = append(r.list, ref)
	r.index[ref] = i
	return i
}

// guestSpec is one combination of component instance, memory and realloc.
type guestSpec struct {
	inst    int
	memory  int // core instance, or -1
	realloc int // in refTable, or -1
}

type guestTable struct{ list []guestSpec }

func (g *guestTable) add(inst int, o link.Options, refs *refTable) int {
	spec := guestSpec{inst: inst, memory: -1, realloc: -1}
	if o.Memory != nil {
		spec.memory = o.Memory.Core
	}
	if o.Realloc != nil {
		spec.realloc = refs.add(*o.Realloc)
	}
	for i, s := range g.list {
		if s == spec {
			return i
		}
	}
	g.list = append(g.list, spec)
	return len(g.list) - 1
}
