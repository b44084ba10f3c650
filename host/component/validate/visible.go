package validate

import "maps"

import "github.com/lathhost/lath/host/component/binary"

// visibility says for which uses a type has an externally visible name: types
// that are imported have one for imports and exports, types that are exported
// for exports only.
type visibility uint8

const (
	visibleToImports visibility = 1 << iota
	visibleToExports
)

// register checks that every type that an import or export mentions has a
// name, and gives the types that it names itself theirs. What is declared in an
// instance type is checked where the instance type is used.
func (s *scope) register(e entity, use visibility) bool {
	if s.kind == scopeInstanceType {
		return true
	}
	s.v.spend(1)
	switch e.sort {
	case binary.SortType:
		if !s.inside(e.typ, use) {
			return false
		}
		s.name(e.typ, use)
	case binary.SortFunc:
		return s.inside(e.typ, use)
	case binary.SortInstance:
		for _, x := range e.typ.inst.exports.list {
			if !s.register(x.entity, use) {
				return false
			}
		}
	}
	return true
}

func (s *scope) name(t *typ, use visibility) {
	if use == visibleToImports {
		use |= visibleToExports
	}
	s.visible[t] |= use
}

// inside reports whether the types that t consists of have names.
func (s *scope) inside(t *typ, use visibility) bool {
	if s.v.spend(1); s.v.exhausted {
		return true // the caller fails for it
	}
	switch t.kind {
	case typeValue:
		if t.handle() {
			return s.visible[t.parts[0]]&use != 0
		}
		for _, p := range t.parts {
			if p != nil && !s.named(p, use) {
				return false
			}
		}
	case typeFunc:
		for _, p := range t.fn.params {
			if !s.named(p.typ, use) {
				return false
			}
		}
		return t.fn.result == nil || s.named(t.fn.result, use)
	case typeInstance:
		return s.insideInstance(t, use)
	}
	return true // component types are checked where they are defined
}

// insideInstance checks an instance type that is itself a type import or
// export: what it exports has names within it only.
func (s *scope) insideInstance(t *typ, use visibility) bool {
	inner := &scope{v: s.v, kind: scopeComponentType, visible: map[*typ]visibility{}, parent: s}
	maps.Copy(inner.visible, s.visible)
	s.v.spend(len(s.visible))
	return inner.register(entity{sort: binary.SortInstance, typ: t}, use)
}

// named reports whether a value type may be used: record, variant, enum and
// flags need a name of their own, of others the parts do.
func (s *scope) named(t *typ, use visibility) bool {
	if t.needsName() {
		return s.visible[t]&use != 0
	}
	return s.inside(t, use)
}
