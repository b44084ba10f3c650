package link

import (
	"fmt"
	"slices"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// rootImport binds an import of the root component to what the host offers.
func (f *flattener) rootImport(s *scope, d *binary.Import) error {
	name := d.Name.Name
	switch d.Desc.Sort {
	case binary.SortInstance:
		e := s.types[d.Desc.Index]
		b, err := f.bindInstance(name, e)
		if err != nil {
			return fmt.Errorf("import %q: %w", name, err)
		}
		s.instances = append(s.instances, b)
	case binary.SortFunc:
		ft, err := f.funcType(s.types[d.Desc.Index], name)
		if err != nil {
			return err
		}
		fn, err := f.importFunc("", ft)
		if err != nil {
			return err
		}
		s.funcs = append(s.funcs, fn)
	case binary.SortType:
		if !d.Desc.Eq {
			return fmt.Errorf("import %q: a resource type outside an interface cannot be satisfied", name)
		}
		s.types = append(s.types, s.types[d.Desc.Index])
	default:
		return fmt.Errorf("import %q: a %s cannot be imported by a deployed component", name, d.Desc.Sort)
	}
	return nil
}

// bindInstance evaluates an instance type with the host's resources in the
// place of its abstract ones, and imports each of its functions.
func (f *flattener) bindInstance(iface string, e typeEntry) (bag, error) {
	it, ok := e.def.(*binary.InstanceType)
	if !ok {
		return nil, fmt.Errorf("not an instance type")
	}
	s, b := &scope{parent: e.env}, bag{}
	for _, def := range it.Defs {
		if err := f.charge(cost(def)); err != nil {
			return nil, err
		}
		switch d := def.(type) {
		case *binary.CoreTypeDef:
		case *binary.TypeDef:
			if err := f.typeDef(s, d.Type); err != nil {
				return nil, err
			}
		case *binary.Alias:
			if err := f.alias(s, d); err != nil {
				return nil, err
			}
		case *binary.ExportDecl:
			x, err := f.bindExport(s, iface, d)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", d.Name.Name, err)
			}
			s.add(x)
			b[d.Name.Name] = x
		default:
			return nil, fmt.Errorf("%T in an instance type", def)
		}
	}
	return b, nil
}

func (f *flattener) bindExport(s *scope, iface string, d *binary.ExportDecl) (item, error) {
	x := item{sort: d.Desc.Sort}
	switch d.Desc.Sort {
	case binary.SortType:
		if d.Desc.Eq {
			x.typ = s.types[d.Desc.Index]
			break
		}
		r := f.imports.Resource(iface, d.Name.Name)
		if r == nil {
			// It is another store's: an identity of its own keeps the types whole.
			r = &wit.Resource{Name: d.Name.Name}
			f.plan.Foreign[r] = true
		}
		x.typ.resource = r
	case binary.SortFunc:
		ft, err := f.funcType(s.types[d.Desc.Index], d.Name.Name)
		if err != nil {
			return x, err
		}
		x.fn, err = f.importFunc(iface, ft)
		return x, err
	case binary.SortInstance:
		b, err := f.bindInstance(iface, s.types[d.Desc.Index])
		x.instance = b
		return x, err
	default:
		return x, fmt.Errorf("a %s cannot be imported by a deployed component", d.Desc.Sort)
	}
	return x, nil
}

func (f *flattener) importFunc(iface string, ft *wit.Func) (*Func, error) {
	host, err := f.imports.Func(iface, ft)
	if err != nil {
		return nil, err
	}
	f.plan.Imports = append(f.plan.Imports, Import{Interface: iface, Type: ft, Host: host})
	return &Func{Type: ft, Import: len(f.plan.Imports) - 1}, nil
}

// funcNames returns the names of the functions of an instance, sorted, so
// that plans are reproducible.
func (b bag) funcNames() []string {
	var names []string
	for name, it := range b {
		if it.sort == binary.SortFunc {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
