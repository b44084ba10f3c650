package validate

import (
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/wit"
)

// TypeEnv resolves the indices inside a type definition, all of which refer to
// the component-level type index space of the scope that holds it.
type TypeEnv interface {
	// Value returns the value type at index, or an error if there is none.
	Value(index uint32) (*wit.Type, error)
	// Resource returns the resource type at index, or an error if there is
	// none.
	Resource(index uint32) (*wit.Resource, error)
}

// Errors of [ValType], [BuildType] and [BuildFunc], besides those of package
// wit's constructors and of the [TypeEnv].
var (
	errPrimitive    = errors.New("unknown primitive type")
	errNotValueType = errors.New("not a value type")
	errAsyncBorrow  = errors.New("element contains a borrow")
	errStreamChar   = errors.New("stream of char is not allowed yet")
	errResultBorrow = errors.New("result contains a borrow")
)

// primitiveKinds maps the opcodes 0x73 to 0x7f, counted down from 0x7f.
var primitiveKinds = [...]wit.Kind{
	wit.KindBool, wit.KindS8, wit.KindU8, wit.KindS16, wit.KindU16, wit.KindS32, wit.KindU32,
	wit.KindS64, wit.KindU64, wit.KindF32, wit.KindF64, wit.KindChar, wit.KindString,
}

func primitive(op byte) (*wit.Type, error) {
	const first, errorContext = 0x7f, 0x64
	if op == errorContext {
		return wit.ErrorContext, nil
	}
	if i := first - int(op); i >= 0 && i < len(primitiveKinds) {
		return wit.Primitive(primitiveKinds[i]), nil
	}
	return nil, fmt.Errorf("%w 0x%02x", errPrimitive, op)
}

// ValType resolves a value type.
func ValType(v binary.ValType, env TypeEnv) (*wit.Type, error) {
	if v.Primitive != 0 {
		return primitive(v.Primitive)
	}
	return env.Value(v.Index)
}

func optValType(v *binary.ValType, env TypeEnv) (*wit.Type, error) {
	if v == nil {
		return nil, nil
	}
	return ValType(*v, env)
}

// BuildType makes the value type of a definition. It checks the rules that
// hold for a type by itself (sizes, depth, keys, elements of streams), but not
// the spelling of labels, which [Validate] does. A definition that is not of a
// value type is an error.
func BuildType(dt binary.DefType, env TypeEnv) (*wit.Type, error) {
	switch dt := dt.(type) {
	case *binary.PrimType:
		return primitive(dt.Primitive)
	case *binary.RecordType:
		return buildRecord(dt, env)
	case *binary.VariantType:
		return buildVariant(dt, env)
	case *binary.TupleType:
		return buildTuple(dt, env)
	case *binary.FlagsType:
		return wit.NewFlags(dt.Labels...)
	case *binary.EnumType:
		return wit.NewEnum(dt.Labels...)
	case *binary.OwnType:
		r, err := env.Resource(dt.Resource)
		if err != nil {
			return nil, err
		}
		return wit.NewOwn(r), nil
	case *binary.BorrowType:
		r, err := env.Resource(dt.Resource)
		if err != nil {
			return nil, err
		}
		return wit.NewBorrow(r), nil
	}
	return buildContainer(dt, env)
}

func buildContainer(dt binary.DefType, env TypeEnv) (*wit.Type, error) {
	switch dt := dt.(type) {
	case *binary.ListType:
		elem, err := ValType(dt.Elem, env)
		if err != nil {
			return nil, err
		}
		if dt.Fixed {
			return wit.NewFixedList(elem, dt.Len)
		}
		return wit.NewList(elem)
	case *binary.MapType:
		return buildMap(dt, env)
	case *binary.OptionType:
		elem, err := ValType(dt.Elem, env)
		if err != nil {
			return nil, err
		}
		return wit.NewOption(elem)
	case *binary.ResultType:
		ok, err := optValType(dt.Ok, env)
		if err != nil {
			return nil, err
		}
		fail, err := optValType(dt.Err, env)
		if err != nil {
			return nil, err
		}
		return wit.NewResult(ok, fail)
	case *binary.StreamType:
		return buildStream(dt, env)
	case *binary.FutureType:
		elem, err := asyncElem(dt.Elem, env)
		if err != nil {
			return nil, fmt.Errorf("future: %w", err)
		}
		return wit.NewFuture(elem)
	}
	return nil, errNotValueType
}

func buildRecord(dt *binary.RecordType, env TypeEnv) (*wit.Type, error) {
	fields := make([]wit.Field, len(dt.Fields))
	for i, f := range dt.Fields {
		t, err := ValType(*f.Type, env)
		if err != nil {
			return nil, err
		}
		fields[i] = wit.Field{Name: f.Name, Type: t}
	}
	return wit.NewRecord(fields...)
}

func buildVariant(dt *binary.VariantType, env TypeEnv) (*wit.Type, error) {
	cases := make([]wit.Case, len(dt.Cases))
	for i, c := range dt.Cases {
		t, err := optValType(c.Type, env)
		if err != nil {
			return nil, err
		}
		cases[i] = wit.Case{Name: c.Name, Type: t}
	}
	return wit.NewVariant(cases...)
}

func buildTuple(dt *binary.TupleType, env TypeEnv) (*wit.Type, error) {
	elems := make([]*wit.Type, len(dt.Elems))
	for i, e := range dt.Elems {
		t, err := ValType(e, env)
		if err != nil {
			return nil, err
		}
		elems[i] = t
	}
	return wit.NewTuple(elems...)
}

func buildMap(dt *binary.MapType, env TypeEnv) (*wit.Type, error) {
	key, err := ValType(dt.Key, env)
	if err != nil {
		return nil, err
	}
	value, err := ValType(dt.Value, env)
	if err != nil {
		return nil, err
	}
	return wit.NewMap(key, value)
}

func buildStream(dt *binary.StreamType, env TypeEnv) (*wit.Type, error) {
	elem, err := asyncElem(dt.Elem, env)
	if err != nil {
		return nil, fmt.Errorf("stream: %w", err)
	}
	if elem != nil && elem.Kind == wit.KindChar {
		return nil, errStreamChar
	}
	return wit.NewStream(elem)
}

func asyncElem(v *binary.ValType, env TypeEnv) (*wit.Type, error) {
	elem, err := optValType(v, env)
	if err != nil {
		return nil, err
	}
	if elem != nil && elem.Props.Has(wit.HasBorrow) {
		return nil, errAsyncBorrow
	}
	return elem, nil
}

// BuildFunc makes the function type of a definition under the given name. It
// does not check the spelling of parameter names, which [Validate] does.
func BuildFunc(ft *binary.FuncType, name string, env TypeEnv) (*wit.Func, error) {
	f := &wit.Func{Name: name, Async: ft.Async, Params: make([]wit.Param, len(ft.Params))}
	for i, p := range ft.Params {
		t, err := ValType(*p.Type, env)
		if err != nil {
			return nil, err
		}
		f.Params[i] = wit.Param{Name: p.Name, Type: t}
	}
	t, err := optValType(ft.Result, env)
	if err != nil {
		return nil, err
	}
	if t != nil && t.Props.Has(wit.HasBorrow) {
		return nil, errResultBorrow
	}
	f.Result = t
	return f, nil
}
