package link

import (
	"fmt"

	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/validate"
	"github.com/lathhost/lath/wit"
)

// Limits bound what flattening may produce, since a small binary can nest
// instantiations into an exponential tree.
type Limits struct {
	Cores     int // core instances; default 1,000
	Instances int // component instances; default 10,000
	Canons    int // canonical functions; default 20,000
	Items     int // definitions executed in all, with their parts; default 1,000,000
	Core      core.Limits
}

// DefaultLimits are the limits for zero fields.
var DefaultLimits = Limits{Cores: 1_000, Instances: 10_000, Canons: 20_000, Items: 1_000_000}

// Importer says what the host offers for the root's imports. A nil resource
// or a negative index means that the host does not implement it.
type Importer interface {
	// Resource returns the host's resource type of that name in an interface.
	Resource(iface, name string) *wit.Resource
	// Func returns the index of the host's function, after checking its type,
	// or -1 where the host does not implement the interface.
	Func(iface string, fn *wit.Func) (int, error)
}

// Flatten makes the plan of a validated component.
//
// # Errors
//
// An import that cannot be satisfied is named with the reason; a tree that is
// larger than the limits is refused.
func Flatten(c *binary.Component, imports Importer, lim Limits) (*Plan, error) {
	f := &flattener{
		plan:    &Plan{Resources: map[*wit.Resource]Resource{}, Foreign: map[*wit.Resource]bool{}},
		imports: imports, lim: lim.withDefaults(),
		modules: map[*binary.CoreModule]int{},
	}
	exports, err := f.component(closure{def: c}, nil, -1)
	if err != nil {
		return nil, err
	}
	f.exports(exports)
	f.shortenDetours()
	return f.plan, nil
}

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	if l.Cores > 0 {
		d.Cores = l.Cores
	}
	if l.Instances > 0 {
		d.Instances = l.Instances
	}
	if l.Canons > 0 {
		d.Canons = l.Canons
	}
	if l.Items > 0 {
		d.Items = l.Items
	}
	d.Core = l.Core
	return d
}

type flattener struct {
	plan    *Plan
	imports Importer
	lim     Limits
	items   int
	modules map[*binary.CoreModule]int
}

// exported is an export with its name, in order.
type exported struct {
	name string
	item item
}

// component instantiates a component and returns its exports. args is nil for
// the root, whose imports the host satisfies.
func (f *flattener) component(c closure, args bag, parent int) ([]exported, error) {
	if len(f.plan.Instances) >= f.lim.Instances {
		return nil, fmt.Errorf("component has more than %d instances", f.lim.Instances)
	}
	s := &scope{parent: c.env, instance: len(f.plan.Instances)}
	f.plan.Instances = append(f.plan.Instances, Instance{Parent: parent})
	var exports []exported
	for _, def := range c.def.Defs {
		if err := f.charge(cost(def)); err != nil {
			return nil, err
		}
		if x, ok := def.(*binary.Export); ok {
			it := s.get(x.SortIndex)
			if r := it.typ.resource; r != nil && r.Name == "" {
				r.Name = x.Name.Name // its first name; for messages only
			}
			s.add(it)
			exports = append(exports, exported{x.Name.Name, it})
			continue
		}
		if err := f.define(s, def, args); err != nil {
			return nil, fmt.Errorf("at 0x%x: %w", def.Pos(), err)
		}
	}
	return exports, nil
}

// charge counts n items: the same definition is executed for every instance of
// its component.
func (f *flattener) charge(n int) error {
	if f.items += n; f.items > f.lim.Items {
		return fmt.Errorf("component executes more than %d definitions", f.lim.Items)
	}
	return nil
}

// cost is a definition and its parts, as far as they are looked at.
func cost(def binary.Def) int {
	switch d := def.(type) {
	case *binary.CoreInstance:
		return 1 + len(d.Args) + len(d.Exports)
	case *binary.Instance:
		return 1 + len(d.Args) + len(d.Exports)
	case *binary.Canon:
		return 1 + len(d.Options)
	case *binary.TypeDef:
		return 1 + parts(d.Type)
	default:
		return 1
	}
}

func parts(t binary.DefType) int {
	switch t := t.(type) {
	case *binary.RecordType:
		return len(t.Fields)
	case *binary.VariantType:
		return len(t.Cases)
	case *binary.TupleType:
		return len(t.Elems)
	case *binary.FlagsType:
		return len(t.Labels)
	case *binary.EnumType:
		return len(t.Labels)
	case *binary.FuncType:
		return len(t.Params)
	default:
		return 0
	}
}

func (f *flattener) define(s *scope, def binary.Def, args bag) error {
	switch d := def.(type) {
	case *binary.CoreModule:
		return f.coreModule(s, d)
	case *binary.CoreInstance:
		return f.coreInstance(s, d)
	case *binary.CoreTypeDef:
		return nil
	case *binary.NestedComponent:
		s.components = append(s.components, closure{def: d.Component, env: s})
		return nil
	case *binary.Instance:
		return f.instance(s, d)
	case *binary.Alias:
		return f.alias(s, d)
	case *binary.TypeDef:
		return f.typeDef(s, d.Type)
	case *binary.Canon:
		return f.canon(s, d)
	case *binary.Import:
		if args == nil {
			return f.rootImport(s, d)
		}
		s.add(args[d.Name.Name])
		return nil
	default:
		return fmt.Errorf("%T: not supported", def)
	}
}

func (f *flattener) coreModule(s *scope, d *binary.CoreModule) error {
	i, ok := f.modules[d]
	if !ok {
		m, err := core.Parse(d.Bytes, f.lim.Core)
		if err != nil {
			return err
		}
		i = len(f.plan.Modules)
		f.plan.Modules = append(f.plan.Modules, m)
		f.modules[d] = i
	}
	s.coreModules = append(s.coreModules, i)
	return nil
}

func (f *flattener) coreInstance(s *scope, d *binary.CoreInstance) error {
	if d.Inline {
		items := make(map[string]CoreRef, len(d.Exports))
		for _, x := range d.Exports {
			items[x.Name] = (*s.coreSpace(x.Sort))[x.Index]
		}
		s.coreInstances = append(s.coreInstances, coreBag{core: -1, items: items})
		return nil
	}
	if len(f.plan.Cores) >= f.lim.Cores {
		return fmt.Errorf("component has more than %d core instances", f.lim.Cores)
	}
	args := make(map[string]coreBag, len(d.Args))
	for _, a := range d.Args {
		args[a.Name] = s.coreInstances[a.Index]
	}
	module := s.coreModules[d.Module]
	m := f.plan.Modules[module]
	if err := f.charge(len(m.Imports)); err != nil {
		return err
	}
	site := CoreInstance{Module: module, Instance: s.instance, Imports: make([]CoreRef, len(m.Imports))}
	for i, im := range m.Imports {
		site.Imports[i] = args[im.Module].export(im.Field)
		if n := site.Imports[i].Canon; n >= 0 {
			f.adopt(&f.plan.Canons[n], m, i)
		}
	}
	s.coreInstances = append(s.coreInstances, coreBag{core: len(f.plan.Cores)})
	f.plan.Cores = append(f.plan.Cores, site)
	return nil
}

// adopt gives a built-in that has no signature of its own the one it is
// imported with; validation has compared the two.
func (f *flattener) adopt(c *Canon, m *core.Module, importIndex int) {
	if f := m.Imports[importIndex].Func; f != nil && c.Params == nil && c.Results == nil {
		c.Params, c.Results = coreTypes(f.Params), coreTypes(f.Results)
	}
}

func coreTypes(list []core.ValType) []wit.CoreType {
	out := make([]wit.CoreType, len(list))
	for i, t := range list {
		switch t {
		case core.I64:
			out[i] = wit.CoreI64
		case core.F32:
			out[i] = wit.CoreF32
		case core.F64:
			out[i] = wit.CoreF64
		}
	}
	return out
}

func (f *flattener) instance(s *scope, d *binary.Instance) error {
	b := bag{}
	if d.Inline {
		for _, x := range d.Exports {
			b[x.Name.Name] = s.get(x.SortIndex)
		}
	} else {
		args := bag{}
		for _, a := range d.Args {
			args[a.Name] = s.get(a.SortIndex)
		}
		exports, err := f.component(s.components[d.Component], args, s.instance)
		if err != nil {
			return err
		}
		for _, x := range exports {
			b[x.name] = x.item
		}
	}
	s.instances = append(s.instances, b)
	return nil
}

func (f *flattener) alias(s *scope, d *binary.Alias) error {
	switch d.Kind {
	case binary.AliasCoreExport:
		space := s.coreSpace(d.Sort)
		*space = append(*space, s.coreInstances[d.Instance].export(d.Name))
	case binary.AliasExport:
		s.add(s.instances[d.Instance][d.Name])
	case binary.AliasOuter:
		if d.Sort != binary.SortCoreType { // core types mean nothing here
			s.add(s.outer(d.Count).get(binary.SortIndex{Sort: d.Sort, Index: d.Index}))
		}
	}
	return nil
}

// typeDef evaluates a type definition. Resource types are generative: each
// instantiation makes a new one.
func (f *flattener) typeDef(s *scope, def binary.DefType) error {
	e := typeEntry{def: def, env: s}
	switch d := def.(type) {
	case *binary.ResourceType:
		e.resource = &wit.Resource{}
		r := Resource{Instance: s.instance}
		if d.Dtor != nil {
			ref := s.coreFuncs[*d.Dtor]
			r.Dtor = &ref
		}
		f.plan.Resources[e.resource] = r
	case *binary.FuncType, *binary.ComponentType, *binary.InstanceType:
	default:
		t, err := validate.BuildType(def, s)
		if err != nil {
			return err
		}
		e.value = t
	}
	s.types = append(s.types, e)
	return nil
}

func (f *flattener) funcType(e typeEntry, name string) (*wit.Func, error) {
	ft, ok := e.def.(*binary.FuncType)
	if !ok {
		return nil, fmt.Errorf("%s: not a function type", name)
	}
	if err := f.charge(len(ft.Params)); err != nil {
		return nil, err
	}
	return validate.BuildFunc(ft, name, e.env)
}

func (f *flattener) canon(s *scope, d *binary.Canon) error {
	opts, err := f.options(s, d.Options)
	if err != nil {
		return err
	}
	if d.Op == binary.CanonLift {
		ft, err := f.funcType(s.types[d.Type], "")
		if err != nil {
			return err
		}
		s.funcs = append(s.funcs, &Func{Type: ft, Lift: &Lift{
			Instance: s.instance, Core: s.coreFuncs[d.Func], Options: opts}})
		return nil
	}
	c := Canon{Op: d.Op, Instance: s.instance, Options: opts}
	i32 := []wit.CoreType{wit.CoreI32}
	switch d.Op {
	case binary.CanonLower:
		c.Func = s.funcs[d.Func]
		c.Params, c.Results = validate.LowerSig(c.Func.Type)
		if opts.Async {
			c.Params, c.Results = validate.AsyncLowerSig(c.Func.Type)
		}
	case binary.CanonResourceNew, binary.CanonResourceRep:
		c.Resource, c.Params, c.Results = s.types[d.Type].resource, i32, i32
	case binary.CanonResourceDrop:
		c.Resource, c.Params = s.types[d.Type].resource, i32
	case binary.CanonTaskReturn:
		if d.Result == nil {
			break
		}
		if c.Result, err = validate.ValType(*d.Result, s); err != nil {
			return err
		}
		c.Params, _ = validate.LowerSig(&wit.Func{Params: []wit.Param{{Type: c.Result}}})
	case binary.CanonContextGet:
		c.Slot, c.Results = d.Slot, i32
	case binary.CanonContextSet:
		c.Slot, c.Params = d.Slot, i32
	}
	if len(f.plan.Canons) >= f.lim.Canons {
		return fmt.Errorf("component has more than %d canonical functions", f.lim.Canons)
	}
	s.coreFuncs = append(s.coreFuncs, CoreRef{Canon: len(f.plan.Canons)})
	f.plan.Canons = append(f.plan.Canons, c)
	return nil
}

func (f *flattener) options(s *scope, list []binary.CanonOption) (o Options, err error) {
	ref := func(i uint32) *CoreRef { r := s.coreFuncs[i]; return &r }
	for _, opt := range list {
		switch opt.Kind {
		case binary.OptUTF8:
			o.Encoding = abi.UTF8
		case binary.OptUTF16:
			o.Encoding = abi.UTF16
		case binary.OptLatin1UTF16:
			o.Encoding = abi.Latin1UTF16
		case binary.OptMemory:
			owner, err := f.memoryOwner(s.coreMemories[opt.Index])
			if err != nil {
				return o, err
			}
			o.Memory = &owner
		case binary.OptRealloc:
			o.Realloc = ref(opt.Index)
		case binary.OptPostReturn:
			o.PostReturn = ref(opt.Index)
		case binary.OptCallback:
			o.Callback = ref(opt.Index)
		case binary.OptAsync:
			o.Async = true
		}
	}
	return o, nil
}

// exports lists the root's exported functions. A name on a function type is
// the export's.
func (f *flattener) exports(list []exported) {
	for _, x := range list {
		switch x.item.sort {
		case binary.SortFunc:
			f.export("", x.name, x.item.fn)
		case binary.SortInstance:
			for _, name := range x.item.instance.funcNames() {
				f.export(x.name, name, x.item.instance[name].fn)
			}
		}
	}
}

func (f *flattener) export(iface, name string, fn *Func) {
	ft, c := *fn.Type, *fn
	ft.Name, c.Type = name, &ft
	f.plan.Exports = append(f.plan.Exports, Export{Interface: iface, Func: &c})
}
