package validate

import (
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// described returns the type that an extern description means, before its
// abstract resources become fresh ones; nil stands for (sub resource).
func (s *scope) described(d *binary.ExternDesc) (entity, error) {
	e := entity{sort: d.Sort}
	var err error
	switch d.Sort {
	case binary.SortCoreModule:
		var t coreTypeDef
		if t, err = at(s.coreTypes.types, d.Index, binary.SortCoreType); err == nil && t.module == nil {
			err = fmt.Errorf("core type index %d is not a module type", d.Index)
		}
		e.module = t.module
	case binary.SortFunc:
		e.typ, err = s.typeOf(d.Index, typeFunc)
	case binary.SortComponent:
		e.typ, err = s.typeOf(d.Index, typeComponent)
	case binary.SortInstance:
		e.typ, err = s.typeOf(d.Index, typeInstance)
	case binary.SortType:
		if d.Eq {
			e.typ, err = s.typeAt(d.Index)
		}
	default:
		err = errGatedValue
	}
	return e, err
}

// open makes an entity of a described type: its abstract resources become
// fresh ones of the binder, and a type becomes one of its own, which can get a
// name.
func (s *scope) open(e entity, name string, bind *binder) entity {
	switch {
	case e.sort == binary.SortType && e.typ == nil:
		e.typ = &typ{kind: typeResource, res: s.v.newResource(name, bind, false)}
	case e.sort == binary.SortType:
		e.typ = copyOf(e.typ)
	case e.sort == binary.SortInstance && e.typ.inst.bind != nil && e.typ.inst.bind.count > 0:
		sub := s.v.newSubst()
		sub.fresh, sub.into = e.typ.inst.bind, bind
		e.typ = &typ{kind: typeInstance, depth: e.typ.depth, inst: &instanceType{exports: sub.typ(e.typ).inst.exports}}
	}
	return e
}

func copyOf(t *typ) *typ {
	c := *t
	return &c
}

func (s *scope) importDef(def *binary.Import) error {
	e, err := s.described(&def.Desc)
	if err != nil {
		return err
	}
	e = s.open(e, def.Name.Name, s.bindImports)
	name, err := s.checkName("import", def.Name, e.sort, s.importNames)
	if err != nil {
		return err
	}
	if !s.register(e, visibleToImports) {
		return fmt.Errorf("%s not valid to be used as import `%s`", e.sort, def.Name.Name)
	}
	if err := checkAnnotation(name, e, s.importRes, def.Name.Name); err != nil {
		return err
	}
	s.imports.list = append(s.imports.list, extern{name: def.Name, entity: e})
	s.add(e)
	return nil
}

func (s *scope) exportDecl(def *binary.ExportDecl) error {
	e, err := s.described(&def.Desc)
	if err != nil {
		return err
	}
	return s.addExport(def.Name, s.open(e, def.Name.Name, s.bindLocals))
}

func (s *scope) export(def *binary.Export) error {
	e, err := s.item(def.SortIndex)
	if err != nil {
		return err
	}
	if def.Desc == nil {
		return s.addExport(def.Name, s.open(e, def.Name.Name, s.bindLocals))
	}
	want, err := s.described(def.Desc)
	if err != nil {
		return err
	}
	if err := s.ascribe(e, want); err != nil {
		return fmt.Errorf("ascribed type of export is not compatible with item's type: %w", err)
	}
	return s.addExport(def.Name, s.open(want, def.Name.Name, s.bindLocals))
}

// ascribe checks that an item may be exported at the wanted type.
func (s *scope) ascribe(e, want entity) error {
	if want.sort == binary.SortType && want.typ == nil {
		if e.sort != want.sort || e.typ.kind != typeResource {
			return fmt.Errorf("expected resource, found %s", describe(e))
		}
		return nil
	}
	var bind *binder
	if want.sort == binary.SortInstance {
		bind = want.typ.inst.bind
	}
	return s.v.newMatcher(bind).match(e, want)
}

func describe(e entity) string {
	if e.sort == binary.SortType {
		return e.typ.kind.String()
	}
	return e.sort.String()
}

// addExport checks an export of the scope and adds it to the exports and to
// its index space.
func (s *scope) addExport(n binary.ExternName, e entity) error {
	name, err := s.checkName("export", n, e.sort, s.exportNames)
	if err != nil {
		return err
	}
	if !s.register(e, visibleToExports) {
		return fmt.Errorf("%s not valid to be used as export `%s`", e.sort, n.Name)
	}
	if err := checkAnnotation(name, e, s.exportRes, n.Name); err != nil {
		return err
	}
	s.exports.list = append(s.exports.list, extern{name: n, entity: e})
	s.add(e)
	return nil
}

func (s *scope) checkName(what string, n binary.ExternName, sort binary.Sort, seen nameSet) (externName, error) {
	name, err := parseExternName(n.Name)
	if err != nil {
		return name, fmt.Errorf("%s name: %w", what, err)
	}
	if err := checkAttributes(n, name.kind, sort); err != nil {
		return name, err
	}
	return name, seen.add(what+" name", n.Name)
}

// checkAnnotation checks what [constructor], [method] and [static] require,
// and remembers resources by name.
func checkAnnotation(name externName, e entity, resources map[string]*typ, full string) error {
	switch name.kind {
	case namePlain:
		if e.sort == binary.SortType && e.typ.kind == typeResource {
			resources[full] = e.typ
		}
		return nil
	case nameInterface:
		return nil
	}
	if e.sort != binary.SortFunc {
		return fmt.Errorf("`%s` is not a func", full)
	}
	r, ok := resources[name.resource]
	f := e.typ.fn
	switch name.kind {
	case nameStatic:
		if !ok {
			return fmt.Errorf("static resource name `%s` is not known in this context", name.resource)
		}
		return nil
	case nameConstructor:
		return checkConstructor(f, r, name.resource)
	}
	return checkMethod(f, r, name.resource)
}

func checkConstructor(f *funcType, r *typ, name string) error {
	if f.result == nil {
		return errors.New("constructor: function should return one value")
	}
	t := f.result
	if t.val.Kind == wit.KindResult && t.val.Cases[0].Type != nil {
		t = t.parts[0]
	}
	if t == nil || t.val.Kind != wit.KindOwn {
		return errors.New("constructor: function should return `(own $T)` or `(result (own $T))`")
	}
	return sameResource(t, r, name)
}

func checkMethod(f *funcType, r *typ, name string) error {
	if len(f.params) == 0 {
		return errors.New("method: function should have at least one argument")
	}
	p := f.params[0]
	if p.name != "self" {
		return fmt.Errorf("method: function should have a first argument called `self`, found `%s`", p.name)
	}
	if p.typ.val.Kind != wit.KindBorrow {
		return errors.New("method: function should take a first argument of `(borrow $T)`")
	}
	return sameResource(p.typ, r, name)
}

// sameResource checks that a handle refers to the resource through the type
// that has the name, not through another type that is equal to it.
func sameResource(handle, r *typ, name string) error {
	if r == nil {
		return fmt.Errorf("resource used in function does not have a name in this context: no resource named `%s`", name)
	}
	if handle.parts[0] != r {
		return fmt.Errorf("function does not match expected resource name `%s`", name)
	}
	return nil
}
