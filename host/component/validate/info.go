package validate

import (
	"fmt"
	"slices"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// Info describes a valid component from the outside, in the order of its
// definitions.
type Info struct {
	Imports []Extern
	Exports []Extern
}

// Extern is one import or export of a component. Exactly one of Func,
// Interface, Type and Resource is set, or none where WIT cannot express it;
// then Reason says what it is.
type Extern struct {
	Name binary.ExternName
	// Sort is what is imported or exported: SortFunc, SortInstance, SortType,
	// SortComponent or SortCoreModule.
	Sort      binary.Sort
	Func      *wit.Func
	Interface *wit.Interface // of an instance
	Type      *wit.Type
	Resource  *wit.Resource
	// Others are the exports of an instance that a WIT interface cannot have.
	Others []Extern
	// Reason says why the extern has no WIT form, empty where it has one.
	Reason string
}

// World returns the functions and interfaces that the component imports and
// exports. Types that it imports or exports by themselves, and what WIT cannot
// express, are in [Info] only.
func (i *Info) World() *wit.World {
	return &wit.World{Imports: worldExterns(i.Imports), Exports: worldExterns(i.Exports)}
}

func worldExterns(list []Extern) []wit.Extern {
	var out []wit.Extern
	for _, e := range list {
		if e.Func != nil || e.Interface != nil {
			out = append(out, wit.Extern{Name: e.Name.Name, Func: e.Func, Interface: e.Interface})
		}
	}
	return out
}

func (s *scope) info() *Info {
	n := &namer{names: map[*typ]string{}, done: map[*typ]*wit.Type{}}
	return &Info{Imports: n.externs(s.imports.list), Exports: n.externs(s.exports.list)}
}

// namer makes WIT descriptions in which types carry the names that they are
// imported and exported by.
type namer struct {
	names map[*typ]string
	done  map[*typ]*wit.Type
}

func (n *namer) externs(list []extern) []Extern {
	out := make([]Extern, 0, len(list))
	for _, e := range list {
		out = append(out, n.extern(e))
	}
	return out
}

func (n *namer) extern(e extern) Extern {
	x := Extern{Name: e.name, Sort: e.sort}
	switch e.sort {
	case binary.SortFunc:
		x.Func = n.fn(e.typ.fn, e.name.Name)
	case binary.SortInstance:
		x.Interface, x.Others = n.iface(e.name.Name, e.typ.inst)
	case binary.SortType:
		n.typeExtern(&x, e)
	default:
		x.Reason = fmt.Sprintf("a %s has no form in WIT", e.sort)
	}
	return x
}

func (n *namer) typeExtern(x *Extern, e extern) {
	switch e.typ.kind {
	case typeValue:
		n.names[e.typ] = e.name.Name
		delete(n.done, e.typ)
		x.Type = n.val(e.typ)
	case typeResource:
		if x.Resource = e.typ.res; x.Resource.Name == "" {
			x.Resource.Name = e.name.Name
		}
	default:
		x.Reason = fmt.Sprintf("a type of a %s has no form in WIT", e.typ.kind)
	}
}

func (n *namer) iface(name string, t *instanceType) (*wit.Interface, []Extern) {
	i := &wit.Interface{Name: name}
	var others []Extern
	for _, e := range t.exports.list {
		x := n.extern(e)
		switch {
		case x.Func != nil:
			i.Funcs = append(i.Funcs, x.Func)
		case x.Type != nil || x.Resource != nil:
			i.Types = append(i.Types, wit.TypeDef{Name: e.name.Name, Type: x.Type, Resource: x.Resource})
		default:
			others = append(others, x)
		}
	}
	return i, others
}

func (n *namer) fn(f *funcType, name string) *wit.Func {
	w := f.wit(name)
	for i, p := range f.params {
		if t := n.val(p.typ); t != nil {
			w.Params[i].Type = t
		}
	}
	if f.result != nil {
		if t := n.val(f.result); t != nil {
			w.Result = t
		}
	}
	return w
}

// val returns a value type with the names of everything in it.
func (n *namer) val(t *typ) *wit.Type {
	if t == nil || t.val.Kind.Primitive() && n.names[t] == "" {
		return nil
	}
	if w, ok := n.done[t]; ok {
		return w
	}
	w := *t.val
	w.Name = n.names[t]
	n.rename(&w, t.parts)
	n.done[t] = &w
	return &w
}

// rename replaces what a type is made of by types with names.
func (n *namer) rename(w *wit.Type, parts []*typ) {
	for i, slot := range slotsOf(w) {
		if named := n.val(parts[i]); named != nil {
			*slot = named
		}
	}
	if w.Kind == wit.KindOption {
		w.Elem = w.Cases[1].Type
	}
}

// slotsOf returns the places of the types that a type is made of, in the order
// of a typ's parts. The type becomes independent of the one it was copied from.
func slotsOf(w *wit.Type) []**wit.Type {
	var slots []**wit.Type
	switch w.Kind {
	case wit.KindMap:
		entry := *w.Elem
		entry.Fields = slices.Clone(entry.Fields)
		w.Elem = &entry
		return []**wit.Type{&entry.Fields[0].Type, &entry.Fields[1].Type}
	case wit.KindStream, wit.KindFuture:
		if w.Elem == nil { // which carries nothing
			return nil
		}
		return []**wit.Type{&w.Elem}
	case wit.KindList, wit.KindFixedList:
		return []**wit.Type{&w.Elem}
	}
	w.Fields, w.Cases = slices.Clone(w.Fields), slices.Clone(w.Cases)
	for i := range w.Fields {
		slots = append(slots, &w.Fields[i].Type)
	}
	for i := range w.Cases {
		if w.Cases[i].Type != nil {
			slots = append(slots, &w.Cases[i].Type)
		}
	}
	return slots
}
