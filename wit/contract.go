package wit

import "slices"

// Param is a parameter of a function.
type Param struct {
	Name string
	Type *Type
}

// Func is a function type with the name it has where it is defined.
type Func struct {
	// Name is the plain name as in a component: "get", or for resources
	// "[constructor]bucket", "[method]bucket.get", "[static]bucket.open".
	Name   string
	Params []Param
	Result *Type // nil: none
	Async  bool
	Docs   string // as plain text, empty where it is not known
}

// ParamTypes returns the types of the parameters.
func (f *Func) ParamTypes() []*Type {
	types := make([]*Type, len(f.Params))
	for i, p := range f.Params {
		types[i] = p.Type
	}
	return types
}

// ResultTypes returns the type of the result, or nothing.
func (f *Func) ResultTypes() []*Type {
	if f.Result == nil {
		return nil
	}
	return []*Type{f.Result}
}

// HasHandles reports whether the function passes handles, so that no wire can
// carry it.
func (f *Func) HasHandles() bool {
	has := func(t *Type) bool { return t.Props.Has(HasHandle) }
	return slices.ContainsFunc(f.ResultTypes(), has) || slices.ContainsFunc(f.ParamTypes(), has)
}

// Interface is a named set of types and functions.
type Interface struct {
	// Name is the full name, "ns:pkg/iface@version"; empty for one written
	// inline in a world.
	Name  string
	Types []TypeDef // in order of definition
	Funcs []*Func   // in order of definition
	Docs  string
}

// TypeDef is a type that an interface or world names: either a value type or
// a resource.
type TypeDef struct {
	Name     string
	Type     *Type     // nil for a resource
	Resource *Resource // nil for a value type
	Docs     string
	// Owner is the full name of the interface that defines the type, and
	// OwnerName the type's name there, where this one only uses it. Both are
	// empty for a type that is defined here. Components do not say this of
	// value types, so it may be unknown; who owns a resource, its identity
	// tells.
	Owner, OwnerName string
}

// Func returns the function of that name, or nil.
func (i *Interface) Func(name string) *Func {
	if k := slices.IndexFunc(i.Funcs, func(f *Func) bool { return f.Name == name }); k >= 0 {
		return i.Funcs[k]
	}
	return nil
}

// Uses reports whether a function of the interface passes handles of a resource.
func (i *Interface) Uses(r *Resource) bool {
	found := false
	look := func(x *Resource) *Resource {
		found = found || x == r
		return x
	}
	for _, f := range i.Funcs {
		for _, t := range append(f.ParamTypes(), f.ResultTypes()...) {
			Map(t, look)
		}
	}
	return found
}

// HasResources reports whether a function of the interface passes handles or
// belongs to a resource, so that no wire can carry it.
func (i *Interface) HasResources() bool {
	return slices.ContainsFunc(i.Funcs, (*Func).HasHandles) ||
		slices.ContainsFunc(i.Types, func(d TypeDef) bool { return d.Resource != nil })
}

// World is what a component imports and exports.
type World struct {
	// Name is a plain name or a full one, "ns:pkg/world@version", or empty.
	Name string
	// Types are those that the world itself names, for its own functions.
	Types   []TypeDef
	Imports []Extern
	Exports []Extern
	Docs    string
}

// Extern is one import or export of a world: an interface or a function.
type Extern struct {
	// Name is the name it is imported or exported by: an interface's full
	// name, or a plain name.
	Name      string
	Interface *Interface // nil for a function
	Func      *Func      // nil for an interface
}

// Import returns the import of that exact name, or nil.
func (w *World) Import(name string) *Extern { return find(w.Imports, name) }

// Export returns the export of that exact name, or nil.
func (w *World) Export(name string) *Extern { return find(w.Exports, name) }

func find(list []Extern, name string) *Extern {
	if i := slices.IndexFunc(list, func(e Extern) bool { return e.Name == name }); i >= 0 {
		return &list[i]
	}
	return nil
}
