package validate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

var errResource = errors.New("resource types are not the same")

// matcher decides whether what is given fits what is wanted. The wanted side
// may have abstract resources, bound by one of its binders, that stand for any
// resource: the first one given for each is what it stands for from then on.
type matcher struct {
	*subst
	abstract *binder
}

func (v *validator) newMatcher(abstract *binder) *matcher {
	return &matcher{subst: v.newSubst(), abstract: abstract}
}

// match fails where given is not a subtype of want.
func (m *matcher) match(given, want entity) error {
	m.v.spend(1)
	if m.v.exhausted {
		return errWork
	}
	if given.sort != want.sort {
		return fmt.Errorf("expected %s, found %s", want.sort, given.sort)
	}
	var err error
	switch want.sort {
	case binary.SortCoreModule:
		m.v.spend(given.module.size() + want.module.size())
		return m.v.core.matchModule(given.module, want.module)
	case binary.SortType:
		err = m.matchType(given.typ, want.typ)
	case binary.SortFunc:
		err = m.matchFunc(given.typ.fn, want.typ.fn)
	case binary.SortInstance:
		err = m.matchExports(given.typ.inst.exports, want.typ.inst.exports)
	case binary.SortComponent:
		err = m.matchComponent(given.typ.comp, want.typ)
	}
	return err
}

// matchType also makes the given type stand for the wanted one from then on,
// so that names of the one are names of the other.
func (m *matcher) matchType(given, want *typ) error {
	if given.kind != want.kind {
		return fmt.Errorf("expected %s, found %s", want.kind, given.kind)
	}
	switch want.kind {
	case typeResource, typeValue:
		match := m.matchValue
		if want.kind == typeResource {
			match = m.matchResource
		}
		err := match(given, want)
		if err == nil {
			m.typs[want] = given
		}
		return err
	}
	sort := [...]binary.Sort{typeFunc: binary.SortFunc, typeInstance: binary.SortInstance, typeComponent: binary.SortComponent}[want.kind]
	want = m.replace(want)
	if err := m.v.newMatcher(bound(want)).match(entity{sort: sort, typ: given}, entity{sort: sort, typ: want}); err != nil {
		return err
	}
	return m.v.newMatcher(bound(given)).match(entity{sort: sort, typ: want}, entity{sort: sort, typ: given})
}

// bound returns the binder of an instance type's resources.
func bound(t *typ) *binder {
	if t.kind == typeInstance {
		return t.inst.bind
	}
	return nil
}

func (m *matcher) matchResource(given, want *typ) error {
	r, ok := m.res[want.res]
	switch {
	case !ok && m.abstract != nil && m.v.resources[want.res].bind == m.abstract:
		m.res[want.res] = given.res
	case !ok && given.res != want.res, ok && given.res != r:
		return errResource
	}
	return nil
}

func (m *matcher) matchValue(given, want *typ) error {
	return difference(given.val, m.val(want.val))
}

// difference returns nil for equal types, and otherwise says where they first
// differ. As equal types are one pointer, it walks down a single path.
func difference(given, want *wit.Type) error {
	switch {
	case given == want:
		return nil
	case given == nil:
		return errors.New("expected a type, found none")
	case want == nil:
		return errors.New("expected no type, found one")
	case given.Kind != want.Kind:
		return fmt.Errorf("expected %s, found %s", want.Kind, given.Kind)
	case given.Resource != want.Resource:
		return errResource
	case given.Len != want.Len:
		return fmt.Errorf("expected a list of %d, found one of %d", want.Len, given.Len)
	case len(given.Fields) != len(want.Fields):
		return fmt.Errorf("expected %d fields, found %d", len(want.Fields), len(given.Fields))
	case len(given.Cases) != len(want.Cases):
		return fmt.Errorf("expected %d cases, found %d", len(want.Cases), len(given.Cases))
	case !slices.Equal(given.Labels, want.Labels):
		return errors.New("mismatch in flags elements")
	}
	return differentPart(given, want)
}

func differentPart(given, want *wit.Type) error {
	for i, w := range want.Fields {
		g := given.Fields[i]
		if g.Name != w.Name {
			return fmt.Errorf("expected field name `%s`, found `%s`", w.Name, g.Name)
		}
		if err := difference(g.Type, w.Type); err != nil {
			return fmt.Errorf("type mismatch in %s field %s: %w", want.Kind, fieldName(w.Name, i), err)
		}
	}
	for i, w := range want.Cases {
		g := given.Cases[i]
		if g.Name != w.Name {
			return fmt.Errorf("expected case named `%s`, found `%s`", w.Name, g.Name)
		}
		if err := difference(g.Type, w.Type); err != nil {
			return fmt.Errorf("type mismatch in %s case `%s`: %w", want.Kind, w.Name, err)
		}
	}
	if err := difference(given.Elem, want.Elem); err != nil {
		return fmt.Errorf("type mismatch in %s element: %w", want.Kind, err)
	}
	return nil
}

func fieldName(name string, i int) string {
	if name == "" {
		return strconv.Itoa(i)
	}
	return "`" + name + "`"
}

func (m *matcher) matchFunc(given, want *funcType) error {
	switch {
	case given.async != want.async:
		return fmt.Errorf("expected %s, found %s", asyncName(want), asyncName(given))
	case len(given.params) != len(want.params):
		return fmt.Errorf("expected %d parameters, found %d", len(want.params), len(given.params))
	case given.result == nil && want.result != nil:
		return errors.New("expected a result, found none")
	case given.result != nil && want.result == nil:
		return errors.New("expected no result, found one")
	}
	m.v.spend(len(want.params))
	for i, p := range want.params {
		if g := given.params[i]; g.name != p.name {
			return fmt.Errorf("expected parameter named `%s`, found `%s`", p.name, g.name)
		} else if err := m.matchValue(g.typ, p.typ); err != nil {
			return fmt.Errorf("type mismatch in function parameter `%s`: %w", p.name, err)
		}
	}
	if want.result == nil {
		return nil
	}
	if err := m.matchValue(given.result, want.result); err != nil {
		return fmt.Errorf("type mismatch with result type: %w", err)
	}
	return nil
}

func asyncName(f *funcType) string {
	if f.async {
		return "async func"
	}
	return "func"
}

func (m *matcher) matchExports(given, want *externs) error {
	for _, w := range want.list {
		g := given.find(w.name.Name)
		if g == nil {
			return fmt.Errorf("missing expected export `%s`", w.name.Name)
		}
		if err := m.match(g.entity, w.entity); err != nil {
			return fmt.Errorf("type mismatch in instance export `%s`: %w", w.name.Name, err)
		}
	}
	return nil
}

// matchComponent checks that given, supplied with what want imports, exports
// what want exports.
func (m *matcher) matchComponent(given *componentType, wantTyp *typ) error {
	want := m.replace(wantTyp).comp
	in := m.v.newMatcher(given.bindImports)
	for _, i := range given.imports.list {
		w := want.imports.find(i.name.Name)
		if w == nil {
			return fmt.Errorf("missing expected import `%s`", i.name.Name)
		}
		if err := in.match(w.entity, i.entity); err != nil {
			return fmt.Errorf("type mismatch in import `%s`: %w", i.name.Name, err)
		}
	}
	out := m.v.newMatcher(want.bindLocals)
	for _, w := range want.exports.list {
		g := given.exports.find(w.name.Name)
		if g == nil {
			return fmt.Errorf("missing expected export `%s`", w.name.Name)
		}
		if err := out.match(in.entity(g.entity), w.entity); err != nil {
			return fmt.Errorf("type mismatch in export `%s`: %w", w.name.Name, err)
		}
	}
	return nil
}
