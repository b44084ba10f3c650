package link

import (
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/validate"
	"github.com/lathhost/lath/wit"
)

// scope holds the index spaces of one component that is being instantiated,
// or of one component-level type declaration that is being evaluated.
type scope struct {
	parent   *scope // the scope in which the component was defined
	instance int

	coreFuncs     []CoreRef
	coreTables    []CoreRef
	coreMemories  []CoreRef
	coreGlobals   []CoreRef
	coreTags      []CoreRef
	coreModules   []int
	coreInstances []coreBag

	funcs      []*Func
	types      []typeEntry
	components []closure
	instances  []bag
}

// closure is a component with the scope that its outer aliases look into.
type closure struct {
	def *binary.Component
	env *scope
}

// coreBag is a core instance: a real one, or names bundled under an index.
type coreBag struct {
	core  int // index into Plan.Cores, or -1
	items map[string]CoreRef
}

func (b coreBag) export(name string) CoreRef {
	if b.core >= 0 {
		return CoreRef{Canon: -1, Core: b.core, Name: name}
	}
	return b.items[name]
}

// bag is a component instance as seen from outside: its exports by name.
type bag map[string]item

// item is one component-level item; sort says which field counts.
type item struct {
	sort      binary.Sort
	fn        *Func
	typ       typeEntry
	component closure
	instance  bag
	module    int
}

// typeEntry is one entry of a type index space: a value type, a resource, or
// a definition (function, component or instance type) with its scope.
type typeEntry struct {
	value    *wit.Type
	resource *wit.Resource
	def      binary.DefType
	env      *scope
}

var _ validate.TypeEnv = (*scope)(nil)

// Value implements [validate.TypeEnv].
func (s *scope) Value(i uint32) (*wit.Type, error) {
	if t := s.types[i].value; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("type %d is not a value type", i)
}

// Resource implements [validate.TypeEnv].
func (s *scope) Resource(i uint32) (*wit.Resource, error) {
	if r := s.types[i].resource; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("type %d is not a resource", i)
}

// outer returns the scope count levels out.
func (s *scope) outer(count uint32) *scope {
	for ; count > 0; count-- {
		s = s.parent
	}
	return s
}

// add appends an item to the index space of its sort.
func (s *scope) add(it item) {
	switch it.sort {
	case binary.SortFunc:
		s.funcs = append(s.funcs, it.fn)
	case binary.SortType:
		s.types = append(s.types, it.typ)
	case binary.SortComponent:
		s.components = append(s.components, it.component)
	case binary.SortInstance:
		s.instances = append(s.instances, it.instance)
	case binary.SortCoreModule:
		s.coreModules = append(s.coreModules, it.module)
	}
}

// get returns the item at an index.
func (s *scope) get(x binary.SortIndex) item {
	it := item{sort: x.Sort}
	switch x.Sort {
	case binary.SortFunc:
		it.fn = s.funcs[x.Index]
	case binary.SortType:
		it.typ = s.types[x.Index]
	case binary.SortComponent:
		it.component = s.components[x.Index]
	case binary.SortInstance:
		it.instance = s.instances[x.Index]
	case binary.SortCoreModule:
		it.module = s.coreModules[x.Index]
	}
	return it
}

// coreSpace returns the index space of a core sort that core instances export.
func (s *scope) coreSpace(sort binary.Sort) *[]CoreRef {
	switch sort {
	case binary.SortCoreTable:
		return &s.coreTables
	case binary.SortCoreMemory:
		return &s.coreMemories
	case binary.SortCoreGlobal:
		return &s.coreGlobals
	case binary.SortCoreTag:
		return &s.coreTags
	default:
		return &s.coreFuncs
	}
}

// memoryOwner follows a memory through re-exports to the core instance that
// defines it.
func (f *flattener) memoryOwner(ref CoreRef) (CoreRef, error) {
	for {
		site := &f.plan.Cores[ref.Core]
		m := f.plan.Modules[site.Module]
		e, ok := m.Export(ref.Name)
		if !ok || e.Kind != core.KindMemory {
			return CoreRef{}, fmt.Errorf("core instance %d exports no memory %q", ref.Core, ref.Name)
		}
		if int(e.Index) >= m.ImportedMemories {
			return ref, nil
		}
		ref = site.Imports[importOf(m, core.KindMemory, e.Index)]
	}
}

// importOf returns which import the n-th imported item of a kind is.
func importOf(m *core.Module, kind core.Kind, n uint32) int {
	for i := range m.Imports {
		if m.Imports[i].Kind != kind {
			continue
		}
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}
