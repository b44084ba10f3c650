package component

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/component/link"
	"github.com/lathhost/lath/host/component/memory"
	"github.com/lathhost/lath/wit"
)

// Callee carries out imported functions that the host does not implement
// itself: a link to another component or to a provider. One callee serves any
// number of concurrent calls.
type Callee interface {
	// Call answers c by exactly one of its methods SetResults and Forward. An
	// error means that no answer could be had; the guest gets it as a value
	// where the function's result type has room for one, and traps otherwise.
	Call(c *ImportCall) error
}

// LinkConfig says how a component's imports are satisfied, and its limits.
type LinkConfig struct {
	// Name is the component's id, for traps and logs.
	Name string
	// Host are the interfaces that the host implements. One interface serves
	// all compatible versions of its name.
	Host []HostInterface
	// Import returns the callee of an imported function that no host interface
	// covers. iface is the interface's full name, or empty for a function of
	// the world. Nil: every import must be covered by Host.
	Import func(iface string, fn *wit.Func) (Callee, error)
	Limits Limits
	// Debug has the frames of traps tell source files and lines, where the
	// component comes with line tables (DWARF). Compiling then takes longer, as
	// do traps.
	Debug bool
	// Progress is told how many of the component's core modules are compiled, of
	// how many: first of none, last of all. Nil: nobody wants to know.
	Progress func(done, total int)
	// Pool says which instances are kept between calls.
	Pool PoolConfig
}

// ErrNoImport is wrapped by errors of [Component.Link] about imports that
// nobody satisfies.
var ErrNoImport = errors.New("import cannot be satisfied")

// Template is a linked and compiled component. It is immutable and safe for
// concurrent use. Close it after the last instance.
type Template struct {
	rt       *Runtime
	name     string
	digest   string
	limits   Limits
	plan     *link.Plan
	codes    []*engine.Code  // by core instance
	images   []*memory.Image // by core instance; nil: the memory starts as zeros
	host     *engine.HostModule
	canons   []canonFunc
	exports  []*Export
	refs     refTable
	guests   guestTable
	debug    []debugInfo           // by core module; nil: no frame tells its source
	programs *abi.Compiler         // used by Link alone
	dtors    map[*wit.Resource]int // destructors, in refs
	idle     []func()              // of the host interfaces that it was linked to
	globals  [][]core.GlobalExport // mutable ones, by core instance
	starts   bool                  // guests run while an instance is made

	making     making
	pool       *pool    // nil: every instance is made anew
	unpoolable []string // why
}

// Link satisfies the component's imports, rewrites its core modules and
// compiles them, or takes what an earlier Link left in the cache. When ctx is
// done it returns at once; a module whose compile has begun is compiled to its
// end, and kept.
//
// # Errors
//
// An import that nobody satisfies is named, with what was offered under
// similar names; see [ErrNoImport].
func (c *Component) Link(ctx context.Context, cfg LinkConfig) (*Template, error) {
	pool, err := cfg.Pool.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("link component %q: %w", cfg.Name, err)
	}
	offers := newOffers(cfg)
	limits := cfg.Limits.withDefaults()
	plan, err := link.Flatten(c.def, offers, limits.flatten())
	if err != nil {
		return nil, err
	}
	t := &Template{rt: c.rt, name: cfg.Name, digest: c.digest, limits: limits, plan: plan, programs: abi.NewCompiler(), idle: idleFuncs(cfg.Host)}
	if err := t.countParts(); err != nil {
		return nil, err
	}
	if err := t.prepare(offers); err != nil {
		return nil, err
	}
	t.programs = nil
	tooLong := fmt.Errorf("compiling took more than %v", limits.CompileTime)
	ctx, cancel := context.WithTimeoutCause(ctx, limits.CompileTime, tooLong)
	defer cancel()
	if cfg.Debug {
		t.debug = make([]debugInfo, len(plan.Modules))
	}
	if err := t.compile(ctx, cfg.Progress); err != nil {
		if errors.Is(context.Cause(ctx), tooLong) {
			err = tooLong
		}
		return nil, errors.Join(err, t.Close(context.WithoutCancel(ctx)))
	}
	if pool.Reuse != Pristine {
		t.unpoolable = nil // nothing is to be brought back
	}
	if pool.Reuse != Fresh && len(t.unpoolable) == 0 {
		t.startPool(pool)
	}
	return t, nil
}

// idleFuncs returns the [HostInterface].Idle functions that there are.
func idleFuncs(hosts []HostInterface) (idle []func()) {
	for i := range hosts {
		if hosts[i].Idle != nil {
			idle = append(idle, hosts[i].Idle)
		}
	}
	return idle
}

// Name returns the component's id.
func (t *Template) Name() string { return t.name }

// Digest returns the digest of the component.
func (t *Template) Digest() string { return t.digest }

// Close releases the compiled code. Instances that are being made are waited for,
// and none is made after it; no other may be left but for their Release or Close.
func (t *Template) Close(ctx context.Context) error {
	var errs []error
	if t.pool != nil {
		errs = append(errs, t.pool.close())
	}
	t.making.end()
	for _, c := range t.codes {
		if c != nil {
			c.Close()
		}
	}
	for _, m := range t.images {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	if t.host != nil {
		errs = append(errs, t.host.Close(ctx))
	}
	for _, idle := range t.idle {
		idle()
	}
	return errors.Join(errs...)
}

// prepare compiles the programs of every canonical function and export.
func (t *Template) prepare(offers *offers) error {
	t.dtors = map[*wit.Resource]int{}
	for r, def := range t.plan.Resources {
		if def.Dtor != nil {
			t.dtors[r] = t.refs.add(*def.Dtor)
		}
	}
	t.canons = make([]canonFunc, len(t.plan.Canons))
	for i := range t.plan.Canons {
		if err := t.prepareCanon(&t.canons[i], &t.plan.Canons[i], offers); err != nil {
			return err
		}
	}
	for _, x := range t.plan.Exports {
		e, err := t.prepareExport(x)
		if err != nil {
			return fmt.Errorf("export %q: %w", x.Func.Type.Name, err)
		}
		t.exports = append(t.exports, e)
	}
	return nil
}

// offers is what a LinkConfig offers for imports, by track.
type offers struct {
	hosts   map[string]*HostInterface
	imports func(string, *wit.Func) (Callee, error)
}

func newOffers(cfg LinkConfig) *offers {
	o := &offers{hosts: make(map[string]*HostInterface, len(cfg.Host)), imports: cfg.Import}
	for i := range cfg.Host {
		o.hosts[wit.Track(cfg.Host[i].Name)] = &cfg.Host[i]
	}
	return o
}

// Resource implements [link.Importer].
func (o *offers) Resource(iface, name string) *wit.Resource {
	if h := o.hosts[wit.Track(iface)]; h != nil {
		for _, r := range h.Resources {
			if r.Name == name {
				return r
			}
		}
	}
	return nil
}

// Func implements [link.Importer].
func (o *offers) Func(iface string, fn *wit.Func) (int, error) {
	h := o.hosts[wit.Track(iface)]
	if h == nil {
		if o.imports == nil {
			return -1, fmt.Errorf("%w: %s %s%s", ErrNoImport, iface, fn.Name, o.candidates(iface))
		}
		return -1, nil
	}
	for i := range h.Funcs {
		if h.Funcs[i].Type.Name != fn.Name {
			continue
		}
		if !wit.EqualFunc(h.Funcs[i].Type, fn) {
			why := ""
			if wit.MatchFunc(h.Funcs[i].Type, fn, map[*wit.Resource]*wit.Resource{}) {
				why = ", with a resource of the same name, but of another interface"
			}
			return -1, fmt.Errorf("%w: %s %s: the component wants %s, the host has %s%s",
				ErrNoImport, iface, fn.Name, fn, h.Funcs[i].Type, why)
		}
		return i, nil
	}
	return -1, fmt.Errorf("%w: the host's %s has no function %q", ErrNoImport, h.Name, fn.Name)
}

// candidates names what the host has of the same package.
func (o *offers) candidates(iface string) string {
	id, err := wit.ParseID(iface)
	if err != nil {
		return ""
	}
	var s strings.Builder
	for _, track := range slices.Sorted(maps.Keys(o.hosts)) {
		h := o.hosts[track]
		if other, err := wit.ParseID(h.Name); err == nil && other.Interface == id.Interface {
			s.WriteString("; the host has " + h.Name)
		}
	}
	return s.String()
}

func (o *offers) host(iface string) *HostInterface { return o.hosts[wit.Track(iface)] }
