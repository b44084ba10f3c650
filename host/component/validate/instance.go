package validate

import (
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
)

func (s *scope) coreInstance(def *binary.CoreInstance) error {
	i, err := s.buildCoreInstance(def)
	s.coreInstances = append(s.coreInstances, i)
	return err
}

func (s *scope) buildCoreInstance(def *binary.CoreInstance) (*coreInstance, error) {
	if def.Inline {
		return s.coreBag(def)
	}
	m, err := at(s.coreModules, def.Module, binary.SortCoreModule)
	if err != nil {
		return nil, err
	}
	args := make(map[string]*coreInstance, len(def.Args))
	for _, a := range def.Args {
		i, err := at(s.coreInstances, a.Index, binary.SortCoreInstance)
		if err != nil {
			return nil, err
		}
		if _, dup := args[a.Name]; dup {
			return nil, fmt.Errorf("duplicate module instantiation argument named `%s`", a.Name)
		}
		args[a.Name] = i
	}
	s.v.spend(len(m.imports))
	if err := s.v.core.instantiate(m, args); err != nil {
		return nil, err
	}
	return &coreInstance{exports: m.exports}, nil
}

// coreBag checks an instance that bundles items.
func (s *scope) coreBag(def *binary.CoreInstance) (*coreInstance, error) {
	i := &coreInstance{exports: make(map[string]coreExtern, len(def.Exports))}
	for _, e := range def.Exports {
		x, err := s.coreItem(e.SortIndex)
		if err != nil {
			return nil, err
		}
		if _, dup := i.exports[e.Name]; dup {
			return nil, fmt.Errorf("export name `%s` already defined", e.Name)
		}
		i.exports[e.Name] = x
	}
	return i, nil
}

// coreItem returns an item of a core index space that core instances export.
func (s *scope) coreItem(si binary.SortIndex) (coreExtern, error) {
	x := coreExtern{sort: si.Sort}
	var err error
	switch si.Sort {
	case binary.SortCoreFunc:
		x.fn, err = at(s.coreFuncs, si.Index, si.Sort)
	case binary.SortCoreTag:
		x.fn, err = at(s.coreTags, si.Index, si.Sort)
	case binary.SortCoreTable:
		x, err = at(s.coreTables, si.Index, si.Sort)
	case binary.SortCoreMemory:
		x, err = at(s.coreMemories, si.Index, si.Sort)
	case binary.SortCoreGlobal:
		x, err = at(s.coreGlobals, si.Index, si.Sort)
	default:
		err = fmt.Errorf("a core instance cannot export a %s", si.Sort)
	}
	return x, err
}

func (s *scope) addCore(x coreExtern) {
	switch x.sort {
	case binary.SortCoreFunc:
		s.coreFuncs = append(s.coreFuncs, x.fn)
	case binary.SortCoreTag:
		s.coreTags = append(s.coreTags, x.fn)
	case binary.SortCoreTable:
		s.coreTables = append(s.coreTables, x)
	case binary.SortCoreMemory:
		s.coreMemories = append(s.coreMemories, x)
	case binary.SortCoreGlobal:
		s.coreGlobals = append(s.coreGlobals, x)
	}
}

func (s *scope) instance(def *binary.Instance) error {
	build := s.instantiate
	if def.Inline {
		build = s.bag
	}
	t, err := build(def)
	if err == nil {
		t, err = s.v.nested(t)
	}
	s.instances = append(s.instances, t)
	return err
}

func (s *scope) instantiate(def *binary.Instance) (*typ, error) {
	c, err := at(s.components, def.Component, binary.SortComponent)
	if err != nil {
		return nil, err
	}
	args := make(map[string]entity, len(def.Args))
	for _, a := range def.Args {
		e, err := s.item(a.SortIndex)
		if err != nil {
			return nil, err
		}
		if _, dup := args[a.Name]; dup {
			return nil, fmt.Errorf("instantiation argument `%s` conflicts with previous argument `%s`", a.Name, a.Name)
		}
		args[a.Name] = e
	}
	m := s.v.newMatcher(c.comp.bindImports)
	m.fresh, m.into = c.comp.bindLocals, s.bindLocals
	for _, i := range c.comp.imports.list {
		arg, ok := args[i.name.Name]
		if !ok {
			return nil, fmt.Errorf("missing import named `%s`", i.name.Name)
		}
		if err := m.match(arg, i.entity); err != nil {
			return nil, fmt.Errorf("type mismatch for import `%s`: %w", i.name.Name, err)
		}
	}
	return &typ{kind: typeInstance, inst: &instanceType{exports: m.externs(c.comp.exports)}}, nil
}

// bag checks an instance that bundles items.
func (s *scope) bag(def *binary.Instance) (*typ, error) {
	names := make(nameSet, len(def.Exports))
	resources := map[string]*typ{}
	list := make([]extern, 0, len(def.Exports))
	for _, x := range def.Exports {
		e, err := s.item(x.SortIndex)
		if err != nil {
			return nil, err
		}
		name, err := s.checkName("export", x.Name, e.sort, names)
		if err != nil {
			return nil, err
		}
		named := e
		if named.typ != nil { // the name belongs to a type of the bag's own
			named.typ = copyOf(e.typ)
		}
		if err := checkAnnotation(name, named, resources, x.Name.Name); err != nil {
			return nil, err
		}
		list = append(list, extern{name: x.Name, entity: e})
	}
	return &typ{kind: typeInstance, inst: &instanceType{exports: &externs{list: list}}}, nil
}

func (s *scope) alias(def *binary.Alias) error {
	switch def.Kind {
	case binary.AliasExport:
		return s.aliasExport(def)
	case binary.AliasCoreExport:
		return s.aliasCoreExport(def)
	}
	return s.aliasOuter(def)
}

func (s *scope) aliasExport(def *binary.Alias) error {
	i, err := at(s.instances, def.Instance, binary.SortInstance)
	if err != nil {
		return err
	}
	x := i.inst.exports.find(def.Name)
	if x == nil {
		return fmt.Errorf("instance %d has no export named `%s`", def.Instance, def.Name)
	}
	if x.sort != def.Sort {
		return fmt.Errorf("export `%s` for instance %d is not a %s", def.Name, def.Instance, sortName(def.Sort))
	}
	s.add(x.entity)
	return nil
}

func sortName(sort binary.Sort) string {
	if sort == binary.SortCoreModule {
		return "module"
	}
	return sort.String()
}

func (s *scope) aliasCoreExport(def *binary.Alias) error {
	i, err := at(s.coreInstances, def.Instance, binary.SortCoreInstance)
	if err != nil {
		return err
	}
	x, ok := i.exports[def.Name]
	if !ok {
		return fmt.Errorf("core instance %d has no export named `%s`", def.Instance, def.Name)
	}
	if x.sort != def.Sort {
		what := def.Sort.String()
		if def.Sort.Core() {
			what = coreSortName(def.Sort)
		}
		return fmt.Errorf("export `%s` for core instance %d is not a %s", def.Name, def.Instance, what)
	}
	s.addCore(x)
	return nil
}

func (s *scope) aliasOuter(def *binary.Alias) error {
	to, crosses, err := s.outer(def.Count)
	if err != nil {
		return err
	}
	switch def.Sort {
	case binary.SortCoreType:
		t, err := at(to.coreTypes.types, def.Index, def.Sort)
		s.coreTypes.types = append(s.coreTypes.types, t)
		return err
	case binary.SortCoreModule, binary.SortComponent:
	case binary.SortType:
		t, err := to.typeAt(def.Index)
		if err != nil {
			return err
		}
		if crosses && s.v.refersToResources(t, map[*typ]bool{}) {
			return errors.New("the outer aliased type transitively refers to resources not defined in the current component")
		}
	default:
		return fmt.Errorf("an outer alias may not refer to a %s", def.Sort)
	}
	e, err := to.item(binary.SortIndex{Sort: def.Sort, Index: def.Index})
	s.add(e)
	return err
}

// refersToResources reports whether a type mentions a resource of an actual
// component, rather than one that a type around it declares.
func (v *validator) refersToResources(t *typ, seen map[*typ]bool) bool {
	if t == nil || seen[t] {
		return false
	}
	seen[t] = true
	v.spend(1)
	any := func(list []extern) bool {
		for _, e := range list {
			if v.refersToResources(e.typ, seen) {
				return true
			}
		}
		return false
	}
	switch t.kind {
	case typeResource:
		return v.resources[t.res].bind.concrete
	case typeFunc:
		for _, p := range t.fn.params {
			if v.refersToResources(p.typ, seen) {
				return true
			}
		}
		return v.refersToResources(t.fn.result, seen)
	case typeInstance:
		return any(t.inst.exports.list)
	case typeComponent:
		return any(t.comp.imports.list) || any(t.comp.exports.list)
	}
	for _, p := range t.parts {
		if v.refersToResources(p, seen) {
			return true
		}
	}
	return false
}
