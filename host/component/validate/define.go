package validate

import (
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
)

func (s *scope) typeDef(def *binary.TypeDef) error {
	t, err := s.build(def.Type)
	s.types = append(s.types, t)
	return err
}

// build makes the type of a definition.
func (s *scope) build(dt binary.DefType) (*typ, error) {
	switch dt := dt.(type) {
	case *binary.ResourceType:
		return s.resourceType(dt)
	case *binary.FuncType:
		return s.funcType(dt)
	case *binary.ComponentType:
		inner, err := s.declare(scopeComponentType, dt.Defs)
		if err != nil {
			return nil, err
		}
		return s.v.nested(inner.componentType())
	case *binary.InstanceType:
		inner, err := s.declare(scopeInstanceType, dt.Defs)
		if err != nil {
			return nil, err
		}
		return s.v.nested(&typ{kind: typeInstance, inst: &instanceType{exports: inner.exports, bind: inner.bindLocals}})
	}
	return s.valueType(dt)
}

func (s *scope) resourceType(dt *binary.ResourceType) (*typ, error) {
	if s.kind != scopeComponent {
		return nil, errors.New("resources can only be defined within a concrete component")
	}
	if dt.Rep != 0x7f {
		return nil, errors.New("resources can only be represented by `i32`")
	}
	if dt.Dtor != nil {
		f, err := at(s.coreFuncs, *dt.Dtor, binary.SortCoreFunc)
		if err != nil {
			return nil, err
		}
		if want := s.v.core.fn([]coreVal{i32}, nil); !s.v.core.sub(f, want) {
			return nil, errors.New("wrong signature for a destructor")
		}
	}
	return &typ{kind: typeResource, res: s.v.newResource("", s.bindLocals, true)}, nil
}

func (s *scope) funcType(dt *binary.FuncType) (*typ, error) {
	label := func(i int) string { return dt.Params[i].Name }
	if err := checkLabels("function parameter name", len(dt.Params), label); err != nil {
		return nil, err
	}
	s.v.spend(len(dt.Params))
	if _, err := BuildFunc(dt, "", s); err != nil {
		return nil, err
	}
	f := &funcType{async: dt.Async, params: make([]param, len(dt.Params))}
	for i, p := range dt.Params {
		f.params[i] = param{name: p.Name, typ: s.ref(*p.Type)}
	}
	if dt.Result != nil {
		f.result = s.ref(*dt.Result)
	}
	return &typ{kind: typeFunc, fn: f}, nil
}

// ref returns the type that a value type refers to, which is known to exist.
func (s *scope) ref(v binary.ValType) *typ {
	if v.Primitive == 0 {
		return s.types[v.Index]
	}
	t, _ := primitive(v.Primitive)
	return &typ{kind: typeValue, val: t}
}

func (s *scope) valueType(dt binary.DefType) (*typ, error) {
	if err := checkDefType(dt); err != nil {
		return nil, err
	}
	w, err := BuildType(dt, s)
	if err != nil {
		return nil, err
	}
	if w, err = s.v.interner.intern(w, s.v.resources[w.Resource].id); err != nil {
		return nil, err
	}
	t := &typ{kind: typeValue, val: w, parts: s.parts(dt)}
	s.v.spend(1 + len(w.Fields) + len(w.Cases))
	return t, nil
}

// parts returns the types that a definition is made of: those that it refers
// to by index, and nil for each primitive one.
func (s *scope) parts(dt binary.DefType) []*typ {
	var parts []*typ
	add := func(list ...*binary.ValType) {
		for _, v := range list {
			switch {
			case v == nil:
			case v.Primitive == 0:
				parts = append(parts, s.types[v.Index])
			default:
				parts = append(parts, nil)
			}
		}
	}
	switch dt := dt.(type) {
	case *binary.RecordType:
		for _, f := range dt.Fields {
			add(f.Type)
		}
	case *binary.VariantType:
		for _, c := range dt.Cases {
			add(c.Type)
		}
	case *binary.TupleType:
		for i := range dt.Elems {
			add(&dt.Elems[i])
		}
	case *binary.ListType:
		add(&dt.Elem)
	case *binary.MapType:
		add(&dt.Key, &dt.Value)
	case *binary.OptionType:
		add(&dt.Elem)
	case *binary.ResultType:
		add(dt.Ok, dt.Err)
	case *binary.StreamType:
		add(dt.Elem)
	case *binary.FutureType:
		add(dt.Elem)
	case *binary.OwnType:
		parts = []*typ{s.types[dt.Resource]}
	case *binary.BorrowType:
		parts = []*typ{s.types[dt.Resource]}
	}
	return parts
}

// checkDefType checks counts and labels.
func checkDefType(dt binary.DefType) error {
	switch dt := dt.(type) {
	case *binary.RecordType:
		if len(dt.Fields) == 0 {
			return errors.New("record type must have at least one field")
		}
		return checkLabels("record field name", len(dt.Fields), func(i int) string { return dt.Fields[i].Name })
	case *binary.VariantType:
		if len(dt.Cases) == 0 {
			return errors.New("variant type must have at least one case")
		}
		return checkLabels("variant case name", len(dt.Cases), func(i int) string { return dt.Cases[i].Name })
	case *binary.FlagsType:
		if len(dt.Labels) == 0 {
			return errors.New("flags must have at least one entry")
		}
		if len(dt.Labels) > 32 {
			return errors.New("cannot have more than 32 flags")
		}
		return checkLabels("flag name", len(dt.Labels), func(i int) string { return dt.Labels[i] })
	case *binary.EnumType:
		if len(dt.Labels) == 0 {
			return errors.New("enum type must have at least one variant")
		}
		return checkLabels("enum tag name", len(dt.Labels), func(i int) string { return dt.Labels[i] })
	case *binary.TupleType:
		if len(dt.Elems) == 0 {
			return errors.New("tuple type must have at least one type")
		}
	}
	return nil
}

// declare checks the declarations of a component or instance type.
func (s *scope) declare(kind scopeKind, defs []binary.Def) (*scope, error) {
	inner := s.v.newScope(kind, s)
	for _, def := range defs {
		if err := s.v.step(def, inner.declaration); err != nil {
			return nil, err
		}
	}
	return inner, nil
}

func (s *scope) declaration(def binary.Def) error {
	switch def := def.(type) {
	case *binary.CoreTypeDef:
		return s.coreType(def)
	case *binary.TypeDef:
		return s.typeDef(def)
	case *binary.Alias:
		return s.aliasDecl(def)
	case *binary.Import:
		return s.importDef(def)
	case *binary.ExportDecl:
		return s.exportDecl(def)
	}
	return fmt.Errorf("%T is not a declaration", def)
}

func (s *scope) aliasDecl(def *binary.Alias) error {
	switch def.Kind {
	case binary.AliasExport:
		if def.Sort != binary.SortInstance && def.Sort != binary.SortType {
			return errors.New("an export alias in a type may only refer to types or instances")
		}
	case binary.AliasOuter:
		if def.Sort != binary.SortCoreType && def.Sort != binary.SortType {
			return errors.New("an outer alias in a type may only refer to types or core types")
		}
	default:
		return errors.New("an alias in a type may not refer to a core export")
	}
	return s.alias(def)
}

func (s *scope) coreType(def *binary.CoreTypeDef) error {
	if def.Module == nil {
		return s.coreTypes.add(def.Group)
	}
	m, err := s.coreModuleType(def.Module)
	s.coreTypes.types = append(s.coreTypes.types, coreTypeDef{module: m})
	return err
}

// coreModuleType checks the declarations of a core module type, which have a
// type index space of their own.
func (s *scope) coreModuleType(mt *binary.CoreModuleType) (*moduleType, error) {
	m := &moduleType{exports: map[string]coreExtern{}}
	seen := map[[2]string]bool{}
	local := &coreScope{c: s.v.core}
	for i := range mt.Defs {
		d := &mt.Defs[i]
		err := s.v.step(d, func(binary.Def) error { return s.coreModuleDecl(m, seen, local, d) })
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (s *scope) coreModuleDecl(m *moduleType, seen map[[2]string]bool, local *coreScope, d *binary.CoreModuleDecl) error {
	switch d.Kind {
	case binary.CoreDeclType:
		if d.Type.Module != nil {
			return errors.New("a core module type may not be defined in a core module type")
		}
		return local.add(d.Type.Group)
	case binary.CoreDeclAlias:
		t, err := s.coreTypeAlias(d.Alias, local)
		local.types = append(local.types, t)
		return err
	}
	x, err := local.extern(d.Desc)
	if err != nil {
		return err
	}
	if d.Kind == binary.CoreDeclExport {
		if _, dup := m.exports[d.Name]; dup {
			return fmt.Errorf("export name `%s` already defined", d.Name)
		}
		m.exports[d.Name] = x
		return nil
	}
	key := [2]string{d.Module, d.Name}
	if seen[key] {
		return fmt.Errorf("duplicate import name `%s:%s`", d.Module, d.Name)
	}
	seen[key] = true
	m.imports = append(m.imports, coreImport{module: d.Module, name: d.Name, coreExtern: x})
	return nil
}

// coreTypeAlias resolves an outer alias in a core module type, which counts as
// a scope of its own.
func (s *scope) coreTypeAlias(a *binary.Alias, local *coreScope) (coreTypeDef, error) {
	if a.Count == 0 {
		return at(local.types, a.Index, binary.SortCoreType)
	}
	to, _, err := s.outer(a.Count - 1)
	if err != nil {
		return coreTypeDef{}, err
	}
	t, err := at(to.coreTypes.types, a.Index, binary.SortCoreType)
	if err == nil && t.module != nil {
		err = errors.New("a core module type may not be aliased in a core module type")
	}
	return t, err
}
