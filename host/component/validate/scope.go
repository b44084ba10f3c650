package validate

import (
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

type scopeKind uint8

const (
	scopeComponent scopeKind = iota
	scopeComponentType
	scopeInstanceType
)

// scope is what the definitions of a component, component type or instance
// type see: its index spaces, and what it has imported and exported so far.
type scope struct {
	v      *validator
	kind   scopeKind
	parent *scope

	coreFuncs     []coreID
	coreTables    []coreExtern
	coreMemories  []coreExtern
	coreGlobals   []coreExtern
	coreTags      []coreID
	coreTypes     coreScope
	coreModules   []*moduleType
	coreInstances []*coreInstance
	funcs         []*typ
	types         []*typ
	components    []*typ
	instances     []*typ

	imports, exports         *externs
	importNames, exportNames nameSet
	importRes, exportRes     map[string]*typ // resources by name
	bindImports, bindLocals  *binder
	// visible holds the types that have an external name here.
	visible map[*typ]visibility
}

// coreTypeDef is an entry of the core type index space; module is nil for a
// function type.
type coreTypeDef struct {
	fn     coreID
	module *moduleType
}

func (v *validator) newScope(kind scopeKind, parent *scope) *scope {
	concrete := kind == scopeComponent
	return &scope{v: v, kind: kind, parent: parent, coreTypes: coreScope{c: v.core},
		imports: &externs{}, exports: &externs{},
		importNames: nameSet{}, exportNames: nameSet{},
		importRes: map[string]*typ{}, exportRes: map[string]*typ{},
		bindImports: &binder{concrete: concrete}, bindLocals: &binder{concrete: concrete},
		visible: map[*typ]visibility{}}
}

// componentType returns the type of the component or component type.
func (s *scope) componentType() *typ {
	return &typ{kind: typeComponent, comp: &componentType{imports: s.imports, exports: s.exports,
		bindImports: s.bindImports, bindLocals: s.bindLocals}}
}

// nested sets the depth of an instance or component type and checks it.
func (v *validator) nested(t *typ) (*typ, error) {
	lists := [2][]extern{}
	if t.kind == typeInstance {
		lists[0] = t.inst.exports.list
	} else {
		lists = [2][]extern{t.comp.imports.list, t.comp.exports.list}
	}
	for _, list := range lists {
		v.spend(len(list))
		for _, e := range list {
			if e.typ != nil {
				t.depth = max(t.depth, e.typ.depth)
			}
		}
	}
	if t.depth++; t.depth > v.lim.TypeDepth {
		return nil, fmt.Errorf("limit exceeded: %s type nests deeper than %d", t.kind, v.lim.TypeDepth)
	}
	return t, nil
}

// at returns an item of an index space.
func at[T any](space []T, index uint32, sort binary.Sort) (T, error) {
	if int64(index) >= int64(len(space)) {
		var none T
		return none, fmt.Errorf("unknown %s %d: %s index out of bounds", sort, index, sort)
	}
	return space[index], nil
}

func (s *scope) typeAt(index uint32) (*typ, error) { return at(s.types, index, binary.SortType) }

// typeOf returns the type at index, which must be of the given kind.
func (s *scope) typeOf(index uint32, kind typeKind) (*typ, error) {
	t, err := s.typeAt(index)
	if err != nil {
		return nil, err
	}
	if t.kind != kind {
		article, name := "a", kind.String()
		switch kind {
		case typeFunc:
			name = "function"
		case typeInstance:
			article = "an"
		case typeResource:
			return nil, fmt.Errorf("type index %d is not a resource type", index)
		case typeValue:
			return nil, fmt.Errorf("type index %d is not a defined type", index)
		}
		return nil, fmt.Errorf("type index %d is not %s %s type", index, article, name)
	}
	return t, nil
}

// Value implements [TypeEnv].
func (s *scope) Value(index uint32) (*wit.Type, error) {
	t, err := s.typeOf(index, typeValue)
	if err != nil {
		return nil, err
	}
	return t.val, nil
}

// Resource implements [TypeEnv].
func (s *scope) Resource(index uint32) (*wit.Resource, error) {
	t, err := s.typeOf(index, typeResource)
	if err != nil {
		return nil, err
	}
	return t.res, nil
}

// item returns an entity of a component-level index space.
func (s *scope) item(si binary.SortIndex) (entity, error) {
	e := entity{sort: si.Sort}
	var err error
	switch si.Sort {
	case binary.SortCoreModule:
		e.module, err = at(s.coreModules, si.Index, si.Sort)
	case binary.SortFunc:
		e.typ, err = at(s.funcs, si.Index, si.Sort)
	case binary.SortType:
		e.typ, err = at(s.types, si.Index, si.Sort)
	case binary.SortComponent:
		e.typ, err = at(s.components, si.Index, si.Sort)
	case binary.SortInstance:
		e.typ, err = at(s.instances, si.Index, si.Sort)
	case binary.SortValue:
		err = errGatedValue
	default:
		err = fmt.Errorf("a %s cannot be imported, exported or passed between components", si.Sort)
	}
	return e, err
}

// add appends an entity to its index space.
func (s *scope) add(e entity) {
	switch e.sort {
	case binary.SortCoreModule:
		s.coreModules = append(s.coreModules, e.module)
	case binary.SortFunc:
		s.funcs = append(s.funcs, e.typ)
	case binary.SortType:
		s.types = append(s.types, e.typ)
	case binary.SortComponent:
		s.components = append(s.components, e.typ)
	case binary.SortInstance:
		s.instances = append(s.instances, e.typ)
	}
}

// outer returns the scope that is count scopes out, and whether a component's
// border lies between.
func (s *scope) outer(count uint32) (to *scope, crosses bool, err error) {
	to = s
	for range count {
		crosses = crosses || to.kind == scopeComponent
		if to = to.parent; to == nil {
			return nil, false, fmt.Errorf("invalid outer alias count of %d", count)
		}
	}
	return to, crosses, nil
}
