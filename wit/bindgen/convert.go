package bindgen

import (
	"fmt"

	bca "go.bytecodealliance.org/wit"

	"github.com/lathhost/lath/wit"
)

// definition converts the type that d defines.
func (l *loader) definition(home *Package, out *def, d *bca.TypeDef) (*typ, error) {
	if other, ok := d.Kind.(bca.Type); ok { // another name
		t, err := l.convert(home, other)
		if err != nil || t.nominal() {
			return t, err
		}
		c := *t
		c.def = out
		return &c, nil
	}
	t, err := l.convertKind(home, d.Kind)
	if err != nil {
		return nil, err
	}
	t.def = out
	if t.nominal() {
		t.w = t.w.Named(out.name)
	}
	return t, nil
}

// convert converts a use of a type. home declares the tuples in it.
func (l *loader) convert(home *Package, t bca.Type) (*typ, error) {
	d, ok := t.(*bca.TypeDef)
	if !ok {
		return primitive(t)
	}
	if known := l.lookup(d); known != nil {
		if known.resource != nil { // a resource by its name is an owned handle
			return &typ{w: wit.NewOwn(known.resource), def: known}, nil
		}
		return known.typ, nil
	}
	if d.Name != nil {
		return nil, fmt.Errorf("type %s is used before it is defined", *d.Name)
	}
	return l.convertKind(home, d.Kind)
}

func primitive(t bca.Type) (*typ, error) {
	switch t.(type) {
	case bca.Bool:
		return &typ{w: wit.Bool}, nil
	case bca.S8:
		return &typ{w: wit.S8}, nil
	case bca.U8:
		return &typ{w: wit.U8}, nil
	case bca.S16:
		return &typ{w: wit.S16}, nil
	case bca.U16:
		return &typ{w: wit.U16}, nil
	case bca.S32:
		return &typ{w: wit.S32}, nil
	case bca.U32:
		return &typ{w: wit.U32}, nil
	case bca.S64:
		return &typ{w: wit.S64}, nil
	case bca.U64:
		return &typ{w: wit.U64}, nil
	case bca.F32:
		return &typ{w: wit.F32}, nil
	case bca.F64:
		return &typ{w: wit.F64}, nil
	case bca.Char:
		return &typ{w: wit.Char}, nil
	case bca.String:
		return &typ{w: wit.String}, nil
	}
	return nil, fmt.Errorf("type %T is not supported in bindings", t)
}

func (l *loader) convertKind(home *Package, kind bca.TypeDefKind) (*typ, error) {
	switch k := kind.(type) {
	case *bca.Record:
		return l.record(home, k)
	case *bca.Tuple:
		return l.tuple(home, k)
	case *bca.Variant:
		return l.variant(home, k)
	case *bca.Result:
		return l.result(home, k)
	case *bca.Enum:
		labels := make([]part, len(k.Cases))
		names := make([]string, len(k.Cases))
		for i, c := range k.Cases {
			labels[i], names[i] = part{name: c.Name, docs: c.Docs.Contents}, c.Name
		}
		w, err := wit.NewEnum(names...)
		return &typ{w: w, labels: labels}, err
	case *bca.Flags:
		labels := make([]part, len(k.Flags))
		names := make([]string, len(k.Flags))
		for i, c := range k.Flags {
			labels[i], names[i] = part{name: c.Name, docs: c.Docs.Contents}, c.Name
		}
		w, err := wit.NewFlags(names...)
		return &typ{w: w, labels: labels}, err
	case *bca.List:
		return l.wrap(home, k.Type, wit.NewList)
	case *bca.Option:
		return l.wrap(home, k.Type, wit.NewOption)
	case *bca.Own:
		r := l.lookup(k.Type)
		return &typ{w: wit.NewOwn(r.resource), def: r}, nil
	case *bca.Borrow:
		r := l.lookup(k.Type)
		return &typ{w: wit.NewBorrow(r.resource), def: r}, nil
	case *bca.Stream, *bca.Future:
		return nil, fmt.Errorf("streams and futures are not supported in bindings yet")
	}
	return nil, fmt.Errorf("type %T is not supported in bindings", kind)
}

func (l *loader) wrap(home *Package, elem bca.Type, make func(*wit.Type) (*wit.Type, error)) (*typ, error) {
	e, err := l.convert(home, elem)
	if err != nil {
		return nil, err
	}
	w, err := make(e.w)
	return &typ{w: w, elem: e}, err
}

func (l *loader) record(home *Package, k *bca.Record) (*typ, error) {
	t := &typ{}
	var fields []wit.Field
	for _, f := range k.Fields {
		ft, err := l.convert(home, f.Type)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", f.Name, err)
		}
		t.fields = append(t.fields, part{f.Name, f.Docs.Contents, ft})
		fields = append(fields, wit.Field{Name: f.Name, Type: ft.w})
	}
	var err error
	t.w, err = wit.NewRecord(fields...)
	return t, err
}

func (l *loader) tuple(home *Package, k *bca.Tuple) (*typ, error) {
	t := &typ{home: home}
	var elems []*wit.Type
	for i, e := range k.Types {
		et, err := l.convert(home, e)
		if err != nil {
			return nil, fmt.Errorf("tuple: %w", err)
		}
		t.fields = append(t.fields, part{name: fmt.Sprintf("f%d", i), typ: et})
		elems = append(elems, et.w)
	}
	var err error
	t.w, err = wit.NewTuple(elems...)
	return t, err
}

func (l *loader) variant(home *Package, k *bca.Variant) (*typ, error) {
	t := &typ{}
	var cases []wit.Case
	for _, c := range k.Cases {
		p := part{name: c.Name, docs: c.Docs.Contents}
		wc := wit.Case{Name: c.Name}
		if c.Type != nil {
			ct, err := l.convert(home, c.Type)
			if err != nil {
				return nil, fmt.Errorf("case %s: %w", c.Name, err)
			}
			p.typ, wc.Type = ct, ct.w
		}
		t.cases, cases = append(t.cases, p), append(cases, wc)
	}
	var err error
	t.w, err = wit.NewVariant(cases...)
	return t, err
}

func (l *loader) result(home *Package, k *bca.Result) (*typ, error) {
	t := &typ{cases: []part{{name: "ok"}, {name: "error"}}}
	var sides [2]*wit.Type
	for i, s := range []bca.Type{k.OK, k.Err} {
		if s == nil {
			continue
		}
		st, err := l.convert(home, s)
		if err != nil {
			return nil, err
		}
		t.cases[i].typ, sides[i] = st, st.w
	}
	var err error
	t.w, err = wit.NewResult(sides[0], sides[1])
	return t, err
}
