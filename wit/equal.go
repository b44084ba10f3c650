package wit

import "slices"

// Equal reports whether two types are the same: names of types do not count,
// names of fields, cases and labels do, resources count by identity. Between
// value types the component model's subtyping is equality. Either may be nil,
// which equals nil only.
func Equal(a, b *Type) bool {
	return equal(a, b, func(a, b *Resource) bool { return a == b })
}

// equal is Equal where same says which resources are.
func equal(a, b *Type, same func(a, b *Resource) bool) bool {
	switch {
	case a == b:
		return true
	case a == nil || b == nil, a.Kind != b.Kind, a.Size != b.Size, a.Len != b.Len,
		len(a.Fields) != len(b.Fields), len(a.Cases) != len(b.Cases),
		(a.Resource == nil) != (b.Resource == nil), !slices.Equal(a.Labels, b.Labels):
		return false
	case a.Resource != nil && !same(a.Resource, b.Resource):
		return false
	}
	for i, f := range a.Fields {
		if f.Name != b.Fields[i].Name || !equal(f.Type, b.Fields[i].Type, same) {
			return false
		}
	}
	for i, c := range a.Cases {
		if c.Name != b.Cases[i].Name || !equal(c.Type, b.Cases[i].Type, same) {
			return false
		}
	}
	if len(a.Cases) > 0 {
		return true // option: its one payload was compared as a case
	}
	return equal(a.Elem, b.Elem, same)
}

// EqualFunc reports whether two functions have the same parameters (names
// count), result and asynchrony.
func EqualFunc(a, b *Func) bool {
	return equalFunc(a, b, func(a, b *Resource) bool { return a == b })
}

// MatchFunc reports whether two functions are the same but for the identity of
// their resources: each of b's stands for one of a's. as has those that are known
// already, by b's, and gets those that are found, which are of no use where the
// answer is no.
func MatchFunc(a, b *Func, as map[*Resource]*Resource) bool {
	return equalFunc(a, b, func(a, b *Resource) bool {
		if known, ok := as[b]; ok {
			return known == a
		}
		for _, known := range as {
			if known == a {
				return false
			}
		}
		as[b] = a
		return true
	})
}

func equalFunc(a, b *Func, same func(a, b *Resource) bool) bool {
	if a.Async != b.Async || len(a.Params) != len(b.Params) || !equal(a.Result, b.Result, same) {
		return false
	}
	for i, p := range a.Params {
		if p.Name != b.Params[i].Name || !equal(p.Type, b.Params[i].Type, same) {
			return false
		}
	}
	return true
}

// Map rebuilds a type with each resource replaced by what f returns for it,
// and returns t itself where nothing changes.
func Map(t *Type, f func(*Resource) *Resource) *Type {
	if t == nil || !t.Props.Has(HasHandle|HasAsync) {
		return t
	}
	c := *t
	if t.Resource != nil {
		c.Resource = f(t.Resource)
	}
	if t.Kind != KindOption { // an option's element is the payload of its second case
		c.Elem = Map(t.Elem, f)
	}
	changed := c.Resource != t.Resource || c.Elem != t.Elem
	c.Fields = slices.Clone(t.Fields)
	for i := range c.Fields {
		c.Fields[i].Type = Map(t.Fields[i].Type, f)
		changed = changed || c.Fields[i].Type != t.Fields[i].Type
	}
	c.Cases = slices.Clone(t.Cases)
	for i := range c.Cases {
		c.Cases[i].Type = Map(t.Cases[i].Type, f)
		changed = changed || c.Cases[i].Type != t.Cases[i].Type
	}
	if !changed {
		return t
	}
	if t.Kind == KindOption {
		c.Elem = c.Cases[1].Type
	}
	return &c
}
