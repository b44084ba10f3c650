package wit

import "slices"

// maxUses bounds the chain of interfaces of which each uses the next.
const maxUses = 1000

// instance returns the interface of that name on one side. An import that the
// world does not list is added to it.
func (r *resolver) instance(key instanceKey, pos int) *instance {
	if in := r.done[key]; in != nil {
		if !in.ready {
			r.fail(pos, "interface %q uses itself", key.name)
			return nil
		}
		return in
	}
	a := r.ifaces[key.name]
	if a == nil {
		r.fail(pos, "interface %q is not in this text", key.name)
		return nil
	}
	if r.nested++; r.nested > maxUses {
		r.fail(pos, "interfaces that use each other more than %d deep", maxUses)
	}
	in := &instance{key: key, iface: &Interface{Name: key.name, Docs: a.docs}}
	r.done[key] = in
	r.members(in, a)
	r.nested--
	if r.err != nil {
		return nil
	}
	in.ready = true
	if !key.export && !r.listed[key.name] {
		r.implied = append(r.implied, Extern{Name: key.name, Interface: in.iface})
	}
	return in
}

// members resolves what an interface or world defines.
func (r *resolver) members(in *instance, a *astScope) {
	in.names = make(map[string]*binding, len(a.items))
	for _, it := range a.items {
		if in.names[it.name] != nil {
			r.fail(it.pos, "type %q twice", it.name)
			return
		}
		in.names[it.name] = &binding{item: it}
	}
	for _, it := range a.items {
		b := r.bind(in, it.name, it.pos, 0)
		if r.err != nil {
			return
		}
		d := TypeDef{Name: it.name, Docs: it.docs, Type: b.typ, Resource: b.resource}
		if it.kind == "use" {
			d.Owner, d.OwnerName = it.owner, it.ownerName
		}
		in.iface.Types = append(in.iface.Types, d)
	}
	seen := make(map[string]bool, len(a.funcs))
	for i := range a.funcs {
		f := r.fn(in, &a.funcs[i])
		if f == nil {
			return
		}
		if seen[f.Name] || in.names[f.Name] != nil {
			r.fail(a.funcs[i].pos, "%q twice", f.Name)
			return
		}
		seen[f.Name] = true
		in.iface.Funcs = append(in.iface.Funcs, f)
	}
}

// bind resolves a name. Depth bounds the chain of definitions.
func (r *resolver) bind(in *instance, name string, pos, depth int) *binding {
	b := in.names[name]
	switch {
	case r.err != nil:
		return nil
	case b == nil:
		r.fail(pos, "type %q is not defined", name)
		return nil
	case b.typ != nil || b.resource != nil:
		return b
	case b.started:
		r.fail(pos, "type %q contains itself", name)
		return nil
	case depth > 2*MaxDepth:
		r.fail(pos, "%v", ErrTypeTooDeep)
		return nil
	}
	b.started = true
	switch b.item.kind {
	case "use":
		r.bindUse(in, b)
	case "resource":
		b.resource = &Resource{Name: name}
	case "type":
		r.bindAlias(in, b, depth)
	default:
		r.bindParts(in, b, depth)
	}
	if r.err != nil {
		return nil
	}
	return b
}

// bindUse takes a type over from its owner. An exported interface uses the
// exported one where there is one.
func (r *resolver) bindUse(in *instance, b *binding) {
	key := instanceKey{b.item.owner, in.key.export && r.exported[b.item.owner]}
	owner := r.instance(key, b.item.pos)
	if owner == nil {
		return
	}
	o := owner.names[b.item.ownerName]
	if o == nil {
		r.fail(b.item.pos, "interface %q has no type %q", b.item.owner, b.item.ownerName)
		return
	}
	if b.resource = o.resource; o.typ != nil {
		b.typ = o.typ.Named(b.item.name)
	}
}

func (r *resolver) bindAlias(in *instance, b *binding, depth int) {
	a := b.item.typ
	if in.names[a.name] != nil && (a.escaped || !keywords[a.name]) && len(a.args) == 0 {
		if o := r.bind(in, a.name, a.pos, depth+1); o != nil {
			if b.resource = o.resource; o.typ != nil {
				b.typ = o.typ.Named(b.item.name)
			}
		}
		return
	}
	if t := r.typ(in, a, depth+1); t != nil {
		b.typ = t.Named(b.item.name)
	}
}

func (r *resolver) bindParts(in *instance, b *binding, depth int) {
	it := b.item
	fields := make([]Field, len(it.fields))
	cases := make([]Case, len(it.fields))
	labels := make([]string, len(it.fields))
	seen := make(map[string]bool, len(it.fields))
	for i, f := range it.fields {
		if seen[f.name] {
			r.fail(f.pos, "%q twice", f.name)
			return
		}
		seen[f.name] = true
		var t *Type
		if f.typ != nil {
			if t = r.typ(in, f.typ, depth+1); t == nil {
				return
			}
		}
		fields[i], cases[i], labels[i] = Field{f.name, t}, Case{f.name, t}, f.name
	}
	var t *Type
	var err error
	switch it.kind {
	case "record":
		t, err = NewRecord(fields...)
	case "variant":
		t, err = NewVariant(cases...)
	case "enum":
		t, err = NewEnum(labels...)
	default:
		t, err = NewFlags(labels...)
	}
	if err != nil {
		r.fail(it.pos, "%v", err)
		return
	}
	b.typ = t.Named(it.name)
}

func (r *resolver) fn(in *instance, a *astFunc) *Func {
	f := &Func{Name: a.String(), Async: a.async, Docs: a.docs}
	seen := make(map[string]bool, len(a.params))
	for _, p := range a.params {
		t := r.typ(in, p.typ, 0)
		if t != nil && seen[p.name] {
			r.fail(p.pos, "parameter %q twice", p.name)
		}
		if r.err != nil {
			return nil
		}
		seen[p.name] = true
		f.Params = append(f.Params, Param{p.name, t})
	}
	if a.result != nil {
		if f.Result = r.typ(in, a.result, 0); f.Result == nil {
			return nil
		}
	}
	if a.Kind == FuncConstructor {
		r.constructor(in, a, f)
	}
	return f
}

// constructor checks that a constructor returns its resource, or a result with it.
func (r *resolver) constructor(in *instance, a *astFunc, f *Func) {
	b := r.bind(in, a.Resource, a.pos, 0)
	t := f.Result
	if t != nil && t.Kind == KindResult {
		t = t.Cases[0].Type
	}
	if b != nil && (t == nil || t.Kind != KindOwn || t.Resource != b.resource) {
		r.fail(a.pos, "the constructor of %q does not return one", a.Resource)
	}
}

var primitiveNames = func() map[string]*Type {
	m := make(map[string]*Type, len(primitives))
	for _, t := range primitives {
		m[t.Kind.String()] = t
	}
	return m
}()

// typ resolves a reference to a type; it returns nil after an error.
func (r *resolver) typ(in *instance, a *astType, depth int) *Type {
	if r.err != nil {
		return nil
	}
	if a.escaped || !keywords[a.name] && a.name != "_" {
		if len(a.args) > 0 {
			r.fail(a.pos, "type %q takes no types", a.name)
			return nil
		}
		b := r.bind(in, a.name, a.pos, depth)
		switch {
		case b == nil:
			return nil
		case b.resource != nil:
			return NewOwn(b.resource)
		}
		return b.typ
	}
	if t := primitiveNames[a.name]; t != nil && len(a.args) == 0 {
		return t
	}
	if a.name == "borrow" || a.name == "own" {
		return r.handle(in, a, depth)
	}
	t, err := r.generic(in, a, depth)
	if err != nil {
		r.fail(a.pos, "%v", err)
		return nil
	}
	if t == nil {
		r.fail(a.pos, "%q is no type with %d types in it", a.name, len(a.args))
	}
	if r.err != nil {
		return nil
	}
	return t
}

func (r *resolver) handle(in *instance, a *astType, depth int) *Type {
	if len(a.args) != 1 || len(a.args[0].args) > 0 {
		r.fail(a.pos, "%s takes the name of a resource", a.name)
		return nil
	}
	b := r.bind(in, a.args[0].name, a.pos, depth+1)
	switch {
	case b == nil:
		return nil
	case b.resource == nil:
		r.fail(a.pos, "%q is no resource", a.args[0].name)
		return nil
	case a.name == "own":
		return NewOwn(b.resource)
	}
	return NewBorrow(b.resource)
}

// generic makes a type of others; nil where the number of them is wrong. The
// place of an absent one, "_", is nil, which only results may have.
func (r *resolver) generic(in *instance, a *astType, depth int) (*Type, error) {
	args := make([]*Type, len(a.args))
	for i, x := range a.args {
		if x.name == "_" && a.name == "result" && i == 0 && len(a.args) == 2 {
			continue
		}
		if args[i] = r.typ(in, x, depth+1); args[i] == nil {
			return nil, nil
		}
	}
	n := len(args)
	switch {
	case a.name == "list" && n == 1 && a.n > 0:
		return NewFixedList(args[0], a.n)
	case a.name == "list" && n == 1:
		return NewList(args[0])
	case a.name == "option" && n == 1:
		return NewOption(args[0])
	case a.name == "tuple" && n > 0:
		return NewTuple(args...)
	case a.name == "map" && n == 2:
		return NewMap(args[0], args[1])
	case a.name == "result" && n <= 2:
		args = slices.Grow(args, 2)[:2]
		return NewResult(args[0], args[1])
	case a.name == "stream" && n <= 1:
		return NewStream(slices.Grow(args, 1)[:1][0])
	case a.name == "future" && n <= 1:
		return NewFuture(slices.Grow(args, 1)[:1][0])
	}
	return nil, nil
}
