package validate

import (
	"slices"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// costCopy is what making a type or an extern costs over looking at one. It
// bounds memory: a step of work is some ten bytes.
const costCopy = 8

// subst replaces resources in types, and with them every type that mentions
// them. It keeps what it has replaced, so that a type that occurs twice stays
// one type: names of types depend on that.
type subst struct {
	v   *validator
	res map[*wit.Resource]*wit.Resource
	// fresh, where set, says which binder's resources become new ones, and
	// into the new ones belong.
	fresh, into *binder
	typs        map[*typ]*typ
	vals        map[*wit.Type]*wit.Type
}

func (v *validator) newSubst() *subst {
	return &subst{v: v, res: map[*wit.Resource]*wit.Resource{}, typs: map[*typ]*typ{}, vals: map[*wit.Type]*wit.Type{}}
}

// resource returns what r is replaced by.
func (s *subst) resource(r *wit.Resource) *wit.Resource {
	if to, ok := s.res[r]; ok {
		return to
	}
	if s.fresh == nil || s.v.resources[r].bind != s.fresh {
		return r
	}
	to := s.v.newResource(r.Name, s.into, false)
	s.res[r] = to
	return to
}

// typ returns what t becomes.
func (s *subst) typ(t *typ) *typ {
	if t == nil {
		return nil
	}
	if to, ok := s.typs[t]; ok {
		return to
	}
	s.v.spend(1)
	to := s.replace(t)
	if to != t {
		s.v.spend(costCopy)
	}
	s.typs[t] = to
	return to
}

func (s *subst) replace(t *typ) *typ {
	switch t.kind {
	case typeResource:
		if r := s.resource(t.res); r != t.res {
			return &typ{kind: typeResource, res: r}
		}
		return t
	case typeFunc:
		return s.replaceFunc(t)
	case typeInstance:
		exports := s.externs(t.inst.exports)
		if exports == t.inst.exports {
			return t
		}
		return &typ{kind: typeInstance, depth: t.depth, inst: &instanceType{exports: exports, bind: t.inst.bind}}
	case typeComponent:
		imports, exports := s.externs(t.comp.imports), s.externs(t.comp.exports)
		if imports == t.comp.imports && exports == t.comp.exports {
			return t
		}
		return &typ{kind: typeComponent, depth: t.depth, comp: &componentType{imports: imports, exports: exports,
			bindImports: t.comp.bindImports, bindLocals: t.comp.bindLocals}}
	}
	return s.replaceValue(t)
}

func (s *subst) replaceFunc(t *typ) *typ {
	f := &funcType{async: t.fn.async, params: make([]param, len(t.fn.params)), result: s.typ(t.fn.result)}
	changed := f.result != t.fn.result
	for i, p := range t.fn.params {
		f.params[i] = param{name: p.name, typ: s.typ(p.typ)}
		changed = changed || f.params[i].typ != p.typ
	}
	if !changed {
		return t
	}
	return &typ{kind: typeFunc, fn: f}
}

func (s *subst) replaceValue(t *typ) *typ {
	changed := false
	parts := make([]*typ, len(t.parts))
	for i, p := range t.parts {
		parts[i] = s.typ(p)
		changed = changed || parts[i] != p
	}
	if !changed {
		return t
	}
	return &typ{kind: typeValue, val: s.val(t.val), parts: parts}
}

// externs returns e itself where nothing of it changes.
func (s *subst) externs(e *externs) *externs {
	out := e
	for i, x := range e.list {
		to := s.typ(x.typ)
		if to == x.typ {
			continue
		}
		if out == e {
			s.v.spend(costCopy * len(e.list))
			out = &externs{list: slices.Clone(e.list)}
		}
		out.list[i].typ = to
	}
	return out
}

// entity returns what e becomes.
func (s *subst) entity(e entity) entity {
	if e.sort != binary.SortCoreModule {
		e.typ = s.typ(e.typ)
	}
	return e
}

// val replaces resources in an interned value type.
func (s *subst) val(t *wit.Type) *wit.Type {
	if t == nil || !t.Props.Has(wit.HasHandle|wit.HasAsync) {
		return t
	}
	if to, ok := s.vals[t]; ok {
		return to
	}
	s.v.spend(1)
	c := *t
	if t.Resource != nil {
		c.Resource = s.resource(t.Resource)
	}
	changed := c.Resource != t.Resource
	c.Elem = s.val(t.Elem)
	changed = changed || c.Elem != t.Elem
	c.Fields = slices.Clone(t.Fields)
	for i, f := range t.Fields {
		c.Fields[i].Type = s.val(f.Type)
		changed = changed || c.Fields[i].Type != f.Type
	}
	c.Cases = slices.Clone(t.Cases)
	for i, k := range t.Cases {
		c.Cases[i].Type = s.val(k.Type)
		changed = changed || c.Cases[i].Type != k.Type
	}
	to := t
	if changed {
		s.v.spend(costCopy + len(c.Fields) + len(c.Cases))
		to = s.v.intern(&c)
	}
	s.vals[t] = to
	return to
}
