package component

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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

	pool       *pool    // nil: every instance is made anew
	unpoolable []string // why
}

// Link satisfies the component's imports, rewrites its core modules and
// compiles them. When ctx is done it returns soon: the compiler looks between
// functions, and a compile that somebody else waits for goes on.
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
	if err := t.compile(ctx); err != nil {
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

// Close releases the compiled code. No instance may be left.
func (t *Template) Close(ctx context.Context) error {
	var errs []error
	if t.pool != nil {
		errs = append(errs, t.pool.close())
	}
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

// hostModule is the import module name of generated functions; core instance
// k is named "i<k>".
const hostModule = "h"

// compile rewrites and compiles each core instantiation, and makes the host
// module. Sites with equal bytes share one compilation.
func (t *Template) compile(ctx context.Context) error {
	t.codes = make([]*engine.Code, len(t.plan.Cores))
	t.images = make([]*memory.Image, len(t.plan.Cores))
	t.globals = make([][]core.GlobalExport, len(t.plan.Cores))
	growth, err := t.tableGrowth()
	if err != nil {
		return err
	}
	same := map[string]int{} // where a module with the same imports was compiled
	images := map[int]*memory.Image{}
	var cost codeCost
	for i, site := range t.plan.Cores {
		names := importNames(site)
		key := fmt.Sprint(site.Module, names)
		if first, done := same[key]; done {
			t.codes[i], t.images[i], t.globals[i] = t.codes[first], t.images[first], t.globals[first]
			continue
		}
		same[key] = i
		if err := t.compileSite(ctx, i, names, growth, images, &cost); err != nil {
			return fmt.Errorf("core module %d: %w", site.Module, err)
		}
	}
	if len(t.canons) == 0 {
		return nil
	}
	funcs := make([]engine.HostFunc, len(t.canons))
	for i := range t.canons {
		c := &t.canons[i]
		funcs[i] = engine.HostFunc{Params: c.def.Params, Results: c.def.Results, Call: c.enter}
	}
	t.host, err = t.rt.engine.NewHostModule(ctx, funcs)
	return err
}

// compileSite rewrites and compiles the module of one core instantiation.
// images are those that were made, by module.
func (t *Template) compileSite(ctx context.Context, i int, names []core.Name, growth uint32, images map[int]*memory.Image, cost *codeCost) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	n := t.plan.Cores[i].Module
	m := t.plan.Modules[n]
	entries, _ := m.TableEntries()
	if err := cost.charge(0, len(m.Funcs)-m.ImportedFuncs, &t.limits); err != nil {
		return err
	}
	code, err := t.rt.engine.Compile(ctx, engine.Source{Module: m, Number: uint32(n), MaxBytes: max(t.limits.CodeBytes-cost.bytes, 1),
		Plan: core.Plan{Imports: names, StripData: true, MaxMemory: t.limits.Memory,
			MaxTable: max(uint32(entries)+growth, 1), KeepOffsets: t.debug != nil}})
	if large, is := errors.AsType[*engine.TooLargeError](err); is {
		return cost.charge(large.Size, 0, &t.limits) // which says how much there is in all
	}
	if err != nil {
		return err
	}
	t.codes[i] = code
	if err := cost.charge(code.Size(), 0, &t.limits); err != nil {
		return err
	}
	if _, done := images[n]; !done {
		if images[n], err = image(code.Data()); err != nil {
			return err
		}
	}
	t.images[i], t.globals[i] = images[n], code.Facts().MutableGlobals
	for _, reason := range code.Facts().Reasons {
		t.unpoolable = append(t.unpoolable, fmt.Sprintf("core module %d %s", n, reason))
	}
	if t.debug != nil {
		t.debug[n].keep(m, code.Offsets())
	}
	return nil
}

// importNames names the sources of a site's imports; see [Instance.resolve].
func importNames(site link.CoreInstance) []core.Name {
	names := make([]core.Name, len(site.Imports))
	for k, ref := range site.Imports {
		if ref.Canon >= 0 {
			names[k] = core.Name{Module: hostModule, Field: strconv.Itoa(ref.Canon)}
		} else {
			names[k] = core.Name{Module: "i" + strconv.Itoa(ref.Core), Field: ref.Name}
		}
	}
	return names
}

// tableGrowth returns how many entries each module's own tables may grow by.
func (t *Template) tableGrowth() (uint32, error) {
	limit, sum, modules := uint64(t.limits.TableElements), uint64(0), uint64(0)
	for _, site := range t.plan.Cores {
		if n, own := t.plan.Modules[site.Module].TableEntries(); own {
			sum += n
			modules++
		}
	}
	if sum > limit {
		return 0, fmt.Errorf("tables of %d entries, at most %d are allowed", sum, limit)
	}
	return uint32((limit - sum) / max(modules, 1)), nil
}

// image makes the first contents of a memory, which all instances share until
// they write; nil where there is no data.
func image(data []core.Segment) (*memory.Image, error) {
	if len(data) == 0 {
		return nil, nil
	}
	segments := make([]memory.Segment, len(data))
	for i, d := range data {
		segments[i] = memory.Segment{Offset: d.Offset, Bytes: d.Bytes}
	}
	return memory.NewImage(segments)
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
			return -1, fmt.Errorf("%w: %s %s: the component wants %s, the host has %s",
				ErrNoImport, iface, fn.Name, fn, h.Funcs[i].Type)
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
