package text

import (
	"fmt"

	bca "go.bytecodealliance.org/wit"

	"github.com/lathhost/lath/wit"
)

// kind converts the structure of a type.
func (l *loader) kind(s *scope, k bca.TypeDefKind) (*wit.Type, error) {
	switch k := k.(type) {
	case *bca.Record:
		return l.record(s, k)
	case *bca.Variant:
		return l.variant(s, k)
	case *bca.Enum:
		names := make([]string, len(k.Cases))
		for i, c := range k.Cases {
			names[i] = c.Name
		}
		return wit.NewEnum(names...)
	case *bca.Flags:
		labels := make([]string, len(k.Flags))
		for i, f := range k.Flags {
			labels[i] = f.Name
		}
		return wit.NewFlags(labels...)
	case *bca.Tuple:
		elems := make([]*wit.Type, len(k.Types))
		for i, e := range k.Types {
			t, err := l.typ(s, e)
			if err != nil {
				return nil, err
			}
			elems[i] = t
		}
		return wit.NewTuple(elems...)
	case *bca.List:
		return of(wit.NewList)(l.typ(s, k.Type))
	case *bca.Option:
		return of(wit.NewOption)(l.typ(s, k.Type))
	case *bca.Stream:
		return of(wit.NewStream)(l.optional(s, k.Type))
	case *bca.Future:
		return of(wit.NewFuture)(l.optional(s, k.Type))
	case *bca.Result:
		ok, err := l.optional(s, k.OK)
		if err != nil {
			return nil, err
		}
		fail, err := l.optional(s, k.Err)
		if err != nil {
			return nil, err
		}
		return wit.NewResult(ok, fail)
	case *bca.Own:
		return l.handle(s, k.Type, wit.NewOwn)
	case *bca.Borrow:
		return l.handle(s, k.Type, wit.NewBorrow)
	case bca.Type:
		return l.typ(s, k)
	}
	return nil, fmt.Errorf("type %T: %w", k, errUnknown)
}

// of applies the maker of a type of one part.
func of(make func(*wit.Type) (*wit.Type, error)) func(*wit.Type, error) (*wit.Type, error) {
	return func(t *wit.Type, err error) (*wit.Type, error) {
		if err != nil {
			return nil, err
		}
		return make(t)
	}
}

func (l *loader) handle(s *scope, d *bca.TypeDef, make func(*wit.Resource) *wit.Type) (*wit.Type, error) {
	n, err := l.lookup(s, d)
	if err != nil {
		return nil, err
	}
	if n.resource == nil {
		return nil, fmt.Errorf("handle of %s, which is no resource: %w", d.TypeName(), errUnknown)
	}
	return make(n.resource), nil
}

func (l *loader) record(s *scope, k *bca.Record) (*wit.Type, error) {
	fields := make([]wit.Field, len(k.Fields))
	for i, f := range k.Fields {
		t, err := l.typ(s, f.Type)
		if err != nil {
			return nil, err
		}
		fields[i] = wit.Field{Name: f.Name, Type: t}
	}
	return wit.NewRecord(fields...)
}

func (l *loader) variant(s *scope, k *bca.Variant) (*wit.Type, error) {
	cases := make([]wit.Case, len(k.Cases))
	for i, c := range k.Cases {
		t, err := l.optional(s, c.Type)
		if err != nil {
			return nil, err
		}
		cases[i] = wit.Case{Name: c.Name, Type: t}
	}
	return wit.NewVariant(cases...)
}
