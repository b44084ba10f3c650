package validate

import (
	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// typeKind is the kind of a typ.
type typeKind uint8

const (
	typeValue typeKind = iota
	typeResource
	typeFunc
	typeInstance
	typeComponent
)

var typeKindNames = [...]string{"defined type", "resource", "func", "instance", "component"}

func (k typeKind) String() string { return typeKindNames[k] }

// typ is a component-level type as one index space entry has it. Value types
// are compared by val, which is interned, so two typs may be equal types and
// yet distinct: whether a type has an externally visible name is a fact about
// the typ, for it depends on the index that a use of it goes through.
type typ struct {
	kind typeKind
	// depth is the nesting of function, instance and component types; value
	// types bound theirs themselves.
	depth int

	val   *wit.Type // typeValue, interned
	parts []*typ    // typeValue: what its definition is made of, nil where that is a primitive type

	res  *wit.Resource // typeResource
	fn   *funcType
	inst *instanceType
	comp *componentType
}

// needsName reports whether a use of the type must go through a name.
func (t *typ) needsName() bool {
	switch t.val.Kind {
	case wit.KindRecord, wit.KindVariant, wit.KindEnum, wit.KindFlags:
		return true
	}
	return false
}

// handle reports whether the type is own or borrow; parts[0] is its resource.
func (t *typ) handle() bool { return t.val.Kind == wit.KindOwn || t.val.Kind == wit.KindBorrow }

// funcType is a function type.
type funcType struct {
	params []param
	result *typ // nil: none
	async  bool
}

type param struct {
	name string
	typ  *typ
}

// wit returns the function type in package wit's form.
func (f *funcType) wit(name string) *wit.Func {
	w := &wit.Func{Name: name, Async: f.async, Params: make([]wit.Param, len(f.params))}
	for i, p := range f.params {
		w.Params[i] = wit.Param{Name: p.name, Type: p.typ.val}
	}
	if f.result != nil {
		w.Result = f.result.val
	}
	return w
}

// entity is an item of an index space that can be imported, exported or passed
// as an argument. For binary.SortType, typ is the type itself; for functions,
// instances and components it is the item's type.
type entity struct {
	sort   binary.Sort
	typ    *typ
	module *moduleType // binary.SortCoreModule
}

// extern is a named entity.
type extern struct {
	name binary.ExternName
	entity
}

// externs are the imports or exports of something, in order. Types that differ
// in nothing else share them, and with them the index.
type externs struct {
	list  []extern
	index map[string]int // by name, made when first needed
}

// find returns the extern of that exact name, or nil.
func (e *externs) find(name string) *extern {
	if e.index == nil {
		e.index = make(map[string]int, len(e.list))
		for i := range e.list {
			e.index[e.list[i].name.Name] = i
		}
	}
	if i, ok := e.index[name]; ok {
		return &e.list[i]
	}
	return nil
}

// instanceType is the type of an instance. In a type definition its abstract
// resources are bound by bind: each instance of the type gets fresh ones. The
// type of an actual instance has none that are bound.
type instanceType struct {
	exports *externs
	bind    *binder
}

// componentType is the type of a component. An instantiation replaces the
// resources bound by imports with those of its arguments, and the ones bound by
// locals with fresh ones.
type componentType struct {
	imports, exports *externs
	bindImports      *binder
	bindLocals       *binder
}

// binder is the place where a resource type came into being: the imports or
// the own definitions of a component, component type or instance type.
type binder struct {
	// concrete is set for a component; types are not concrete.
	concrete bool
	// count is the number of resources, so that a type without any need not be
	// copied.
	count int
}

// resourceInfo is what is known of a resource.
type resourceInfo struct {
	id      uint32
	bind    *binder
	defined bool // by a resource type definition, so resource.new is allowed
}
