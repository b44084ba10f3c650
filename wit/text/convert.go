package text

import (
	"errors"
	"fmt"

	bca "go.bytecodealliance.org/wit"

	"github.com/lathhost/lath/wit"
)

var errUnknown = errors.New("not known to the type model")

// key tells the two sides of an interface apart: each has its own resources.
type key struct {
	iface  *bca.Interface
	export bool
}

// scope is an interface or world whose types have names.
type scope struct {
	key   key
	owner bca.TypeOwner
	iface *wit.Interface
	names map[string]named
}

// named is what the name of a type stands for: one of the two.
type named struct {
	typ      *wit.Type
	resource *wit.Resource
}

type loader struct {
	done     map[key]*scope
	order    []*wit.Interface
	exported map[*bca.Interface]bool
}

func newLoader() *loader {
	return &loader{done: map[key]*scope{}, exported: map[*bca.Interface]bool{}}
}

func (l *loader) world(src *bca.World) (*wit.World, error) {
	w := &wit.World{Name: fullName(src.Package, src.Name), Docs: src.Docs.Contents}
	for _, item := range src.Exports.All() {
		if ref, ok := item.(*bca.InterfaceRef); ok {
			l.exported[ref.Interface] = true
		}
	}
	self := &scope{owner: src, iface: &wit.Interface{}, names: map[string]named{}}
	var err error
	if w.Imports, err = l.externs(self, src.Imports.All(), false); err != nil {
		return nil, err
	}
	if w.Exports, err = l.externs(self, src.Exports.All(), true); err != nil {
		return nil, err
	}
	w.Types = self.iface.Types
	return w, nil
}

func (l *loader) externs(self *scope, items func(func(string, bca.WorldItem) bool), export bool) ([]wit.Extern, error) {
	var out []wit.Extern
	for name, item := range items {
		e := wit.Extern{Name: name}
		var err error
		switch item := item.(type) {
		case *bca.TypeDef:
			if err = l.define(self, name, item); err == nil {
				continue
			}
		case *bca.Function:
			e.Func, err = l.function(self, item)
		case *bca.InterfaceRef:
			if item.Interface.Name != nil {
				e.Name = fullName(item.Interface.Package, *item.Interface.Name)
			}
			var s *scope
			if s, err = l.instance(key{item.Interface, export}); err == nil {
				e.Interface = s.iface
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// instance converts an interface on one side of a world, once.
func (l *loader) instance(k key) (*scope, error) {
	if s := l.done[k]; s != nil {
		return s, nil
	}
	s := &scope{key: k, owner: k.iface, iface: &wit.Interface{Docs: k.iface.Docs.Contents}, names: map[string]named{}}
	if k.iface.Name != nil {
		s.iface.Name = fullName(k.iface.Package, *k.iface.Name)
	}
	l.done[k] = s // wasm-tools has made sure that no interface uses itself
	for name, d := range k.iface.TypeDefs.All() {
		if err := l.define(s, name, d); err != nil {
			return nil, fmt.Errorf("%s: type %s: %w", s.iface.Name, name, err)
		}
	}
	for _, f := range k.iface.Functions.All() {
		fn, err := l.function(s, f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.iface.Name, err)
		}
		s.iface.Funcs = append(s.iface.Funcs, fn)
	}
	l.order = append(l.order, s.iface)
	return s, nil
}

// define adds a name to a scope.
func (l *loader) define(s *scope, name string, d *bca.TypeDef) error {
	def := wit.TypeDef{Name: name, Docs: d.Docs.Contents}
	var n named
	switch kind := d.Kind.(type) {
	case *bca.Resource:
		n.resource = &wit.Resource{Name: name}
	case *bca.TypeDef:
		var err error
		if n, err = l.lookup(s, kind); err != nil {
			return err
		}
		if from, ok := kind.Owner.(*bca.Interface); ok && kind.Owner != s.owner && from.Name != nil {
			def.Owner, def.OwnerName = fullName(from.Package, *from.Name), kind.TypeName()
		}
	default:
		t, err := l.kind(s, d.Kind)
		if err != nil {
			return err
		}
		n.typ = t
	}
	if n.typ != nil {
		n.typ = n.typ.Named(name)
	}
	s.names[name] = n
	def.Type, def.Resource = n.typ, n.resource
	s.iface.Types = append(s.iface.Types, def)
	return nil
}

// lookup finds what a type definition is, seen from a scope. An exported
// interface uses the exported one where there is one.
func (l *loader) lookup(s *scope, d *bca.TypeDef) (named, error) {
	if d.Name == nil {
		t, err := l.kind(s, d.Kind)
		return named{typ: t}, err
	}
	home := s
	if owner, ok := d.Owner.(*bca.Interface); ok && d.Owner != s.owner {
		var err error
		if home, err = l.instance(key{owner, s.key.export && l.exported[owner]}); err != nil {
			return named{}, err
		}
	}
	n, ok := home.names[*d.Name]
	if !ok {
		return named{}, fmt.Errorf("type %s: %w", *d.Name, errUnknown)
	}
	return n, nil
}

func (l *loader) function(s *scope, f *bca.Function) (*wit.Func, error) {
	out := &wit.Func{Name: f.Name, Docs: f.Docs.Contents}
	for _, p := range f.Params {
		t, err := l.typ(s, p.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: parameter %s: %w", f.Name, p.Name, err)
		}
		out.Params = append(out.Params, wit.Param{Name: p.Name, Type: t})
	}
	switch len(f.Results) {
	case 0:
		return out, nil
	case 1:
		var err error
		out.Result, err = l.typ(s, f.Results[0].Type)
		if err != nil {
			return nil, fmt.Errorf("%s: result: %w", f.Name, err)
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s: %d results: %w", f.Name, len(f.Results), errUnknown)
}

// typ converts a reference to a type.
func (l *loader) typ(s *scope, t bca.Type) (*wit.Type, error) {
	d, ok := t.(*bca.TypeDef)
	if !ok {
		return primitive(t)
	}
	n, err := l.lookup(s, d)
	if n.resource != nil {
		return wit.NewOwn(n.resource), err
	}
	return n.typ, err
}

// optional is typ of what may be absent.
func (l *loader) optional(s *scope, t bca.Type) (*wit.Type, error) {
	if t == nil {
		return nil, nil
	}
	return l.typ(s, t)
}

func primitive(t bca.Type) (*wit.Type, error) {
	switch t.(type) {
	case bca.Bool:
		return wit.Bool, nil
	case bca.S8:
		return wit.S8, nil
	case bca.U8:
		return wit.U8, nil
	case bca.S16:
		return wit.S16, nil
	case bca.U16:
		return wit.U16, nil
	case bca.S32:
		return wit.S32, nil
	case bca.U32:
		return wit.U32, nil
	case bca.S64:
		return wit.S64, nil
	case bca.U64:
		return wit.U64, nil
	case bca.F32:
		return wit.F32, nil
	case bca.F64:
		return wit.F64, nil
	case bca.Char:
		return wit.Char, nil
	case bca.String:
		return wit.String, nil
	case bca.ErrorContext:
		return wit.ErrorContext, nil
	}
	return nil, fmt.Errorf("type %T: %w", t, errUnknown)
}
