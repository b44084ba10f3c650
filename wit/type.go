package wit

import (
	"errors"
	"fmt"
)

// Kind says which shape a [Type] has.
type Kind uint8

// The kinds, in the order of the explainer's grammar. Primitive kinds come
// first, so that k <= KindErrorContext means primitive.
const (
	KindBool Kind = iota
	KindS8
	KindU8
	KindS16
	KindU16
	KindS32
	KindU32
	KindS64
	KindU64
	KindF32
	KindF64
	KindChar
	KindString
	KindErrorContext
	KindRecord
	KindVariant
	KindList
	KindFixedList
	KindMap
	KindTuple
	KindFlags
	KindEnum
	KindOption
	KindResult
	KindOwn
	KindBorrow
	KindStream
	KindFuture
)

var kindNames = [...]string{
	"bool", "s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f32", "f64",
	"char", "string", "error-context", "record", "variant", "list", "list",
	"map", "tuple", "flags", "enum", "option", "result", "own", "borrow",
	"stream", "future",
}

// String returns the WIT keyword of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Primitive reports whether the kind takes no parts.
func (k Kind) Primitive() bool { return k <= KindErrorContext }

// Limits on types, which bound every recursion over them.
const (
	// MaxDepth is the deepest nesting of one value type.
	MaxDepth = 100
	// MaxSize bounds the byte size of one value (exclusive), so that sums of
	// sizes fit 32 bits. The explainer has the same bound for list elements.
	MaxSize = 1 << 28
	// MaxFlags is the most labels that a flags type may have.
	MaxFlags = 32
	// MaxCases bounds fields, cases and labels of one type.
	MaxCases = 1 << 16
	// MaxNodes bounds the types within a type, each counted as often as it
	// occurs. Parts may be shared, so a few bytes of binary can describe a tree
	// that no recursion would finish: with this bound every walk over a type
	// ends soon.
	MaxNodes = 1 << 16
)

// Field is one field of a record; tuples have fields without names.
type Field struct {
	Name string
	Type *Type
}

// Case is one case of a variant, enum, option or result. Type is nil where
// the case has no payload.
type Case struct {
	Name string
	Type *Type
}

// Type is one value type. Its fields are set by the New functions and are
// read-only afterwards.
type Type struct {
	Kind Kind
	// Name is the type's name in its interface, for printing only: two types
	// that differ in Name alone are equal. Set it with [Type.Named].
	Name string

	Fields   []Field   // record, tuple
	Cases    []Case    // variant, enum, option (none, some), result (ok, error)
	Labels   []string  // flags
	Elem     *Type     // list, fixed list, option, stream, future; map: tuple<key, value>. nil: stream or future of nothing
	Len      uint32    // fixed list
	Resource *Resource // own, borrow

	Size  uint32 // bytes in linear memory, a multiple of Align
	Align uint32 // 1, 2, 4 or 8
	// Flat is the type's core signature; where it would have more than
	// [MaxFlatParams] entries it is cut after MaxFlatParams+1, which is enough
	// to know that it does not fit.
	Flat []CoreType
	// Props tells what the type contains.
	Props Props

	payload uint32 // offset of the payload of a type with cases
	disc    uint32 // size of the discriminant of a type with cases
	depth   uint8
	nodes   uint32 // of the type written out as a tree
}

// Props is a set of facts about everything that a type contains.
type Props uint8

// The facts.
const (
	// HasPointer: a string, list or map, whose lowering calls realloc.
	HasPointer Props = 1 << iota
	// HasHandle: own or borrow.
	HasHandle
	// HasBorrow: borrow.
	HasBorrow
	// HasAsync: stream, future or error-context.
	HasAsync
	// NeedsCheck: not every bit pattern is a value (bool, char, cases, flags),
	// so bytes may not be copied unchecked from one memory to another.
	NeedsCheck
)

// Has reports whether p has any of q.
func (p Props) Has(q Props) bool { return p&q != 0 }

// BitCopyable reports whether the value's bytes may be moved between memories
// as they are.
func (t *Type) BitCopyable() bool { return t.Props == 0 }

// CoreType is a core WebAssembly value type.
type CoreType uint8

// The core types that flattening yields.
const (
	CoreI32 CoreType = iota
	CoreI64
	CoreF32
	CoreF64
)

func (c CoreType) String() string { return [...]string{"i32", "i64", "f32", "f64"}[c&3] }

// Limits of flattening (Canonical ABI, Flattening).
const (
	MaxFlatParams      = 16
	MaxFlatResults     = 1
	MaxFlatAsyncParams = 4
)

// Resource is the identity of a resource type: two resources are the same
// type exactly if they are the same pointer.
type Resource struct {
	// Name is the resource's name where it was defined or imported.
	Name string
}

func prim(k Kind, size uint32, flat CoreType, props Props) *Type {
	return &Type{Kind: k, Size: size, Align: size, Flat: []CoreType{flat}, Props: props, depth: 1, nodes: 1}
}

// The primitive types.
var (
	Bool         = prim(KindBool, 1, CoreI32, NeedsCheck)
	S8           = prim(KindS8, 1, CoreI32, 0)
	U8           = prim(KindU8, 1, CoreI32, 0)
	S16          = prim(KindS16, 2, CoreI32, 0)
	U16          = prim(KindU16, 2, CoreI32, 0)
	S32          = prim(KindS32, 4, CoreI32, 0)
	U32          = prim(KindU32, 4, CoreI32, 0)
	S64          = prim(KindS64, 8, CoreI64, 0)
	U64          = prim(KindU64, 8, CoreI64, 0)
	F32          = prim(KindF32, 4, CoreF32, 0)
	F64          = prim(KindF64, 8, CoreF64, 0)
	Char         = prim(KindChar, 4, CoreI32, NeedsCheck)
	String       = &Type{Kind: KindString, Size: 8, Align: 4, Flat: []CoreType{CoreI32, CoreI32}, Props: HasPointer | NeedsCheck, depth: 1, nodes: 1}
	ErrorContext = prim(KindErrorContext, 4, CoreI32, HasAsync|NeedsCheck)
)

var primitives = [...]*Type{Bool, S8, U8, S16, U16, S32, U32, S64, U64, F32, F64, Char, String, ErrorContext}

// Primitive returns the type of a primitive kind, and nil for other kinds.
func Primitive(k Kind) *Type {
	if k.Primitive() {
		return primitives[k]
	}
	return nil
}

// Errors of the New functions.
var (
	ErrTypeTooDeep  = fmt.Errorf("type nests deeper than %d", MaxDepth)
	ErrTypeTooLarge = fmt.Errorf("type is larger than %d bytes", MaxSize-1)
	ErrTypeEmpty    = errors.New("type has no parts")
	ErrTypeParts    = errors.New("type has too many parts")
	ErrTypeBorrow   = errors.New("type may not contain a borrow")
	ErrTypeMapKey   = errors.New("type may not be the key of a map")
)

// NewRecord makes a record of at least one field.
func NewRecord(fields ...Field) (*Type, error) { return newFields(KindRecord, fields, MaxSize) }

// NewTuple makes a tuple of at least one type.
func NewTuple(elems ...*Type) (*Type, error) {
	fields := make([]Field, len(elems))
	for i, e := range elems {
		fields[i].Type = e
	}
	return newFields(KindTuple, fields, MaxSize)
}

func newFields(k Kind, fields []Field, limit uint64) (*Type, error) {
	if len(fields) == 0 {
		return nil, fmt.Errorf("%s: %w", k, ErrTypeEmpty)
	}
	if len(fields) > MaxCases {
		return nil, fmt.Errorf("%s: %w", k, ErrTypeParts)
	}
	t := &Type{Kind: k, Fields: fields, Align: 1}
	var size uint64
	for _, f := range fields {
		size = alignUp(size, f.Type.Align) + uint64(f.Type.Size)
		if size >= limit {
			return nil, fmt.Errorf("%s: %w", k, ErrTypeTooLarge)
		}
		t.Align = max(t.Align, f.Type.Align)
		t.appendFlat(f.Type.Flat)
		t.contain(f.Type)
	}
	return t.finish(size, limit)
}

// NewVariant makes a variant of at least one case.
func NewVariant(cases ...Case) (*Type, error) { return newCases(KindVariant, cases) }

// NewEnum makes an enum of at least one case.
func NewEnum(names ...string) (*Type, error) {
	cases := make([]Case, len(names))
	for i, n := range names {
		cases[i].Name = n
	}
	return newCases(KindEnum, cases)
}

// NewOption makes an option.
func NewOption(elem *Type) (*Type, error) {
	t, err := newCases(KindOption, []Case{{Name: "none"}, {Name: "some", Type: elem}})
	if err == nil {
		t.Elem = elem
	}
	return t, err
}

// NewResult makes a result; ok and err may be nil.
func NewResult(ok, err *Type) (*Type, error) {
	return newCases(KindResult, []Case{{Name: "ok", Type: ok}, {Name: "error", Type: err}})
}

func newCases(k Kind, cases []Case) (*Type, error) {
	if len(cases) == 0 {
		return nil, fmt.Errorf("%s: %w", k, ErrTypeEmpty)
	}
	if len(cases) > MaxCases {
		return nil, fmt.Errorf("%s: %w", k, ErrTypeParts)
	}
	t := &Type{Kind: k, Cases: cases, disc: 4, Props: NeedsCheck}
	switch {
	case len(cases) <= 1<<8:
		t.disc = 1
	case len(cases) <= 1<<16:
		t.disc = 2
	}
	var size, align uint32 = 0, 1
	var flat []CoreType
	for _, c := range cases {
		if c.Type == nil {
			continue
		}
		size, align = max(size, c.Type.Size), max(align, c.Type.Align)
		t.contain(c.Type)
		for i, f := range c.Type.Flat {
			if i < len(flat) {
				flat[i] = JoinFlat(flat[i], f)
			} else {
				flat = append(flat, f)
			}
		}
	}
	t.payload = uint32(alignUp(uint64(t.disc), align))
	t.Align = max(t.disc, align)
	t.appendFlat([]CoreType{CoreI32})
	t.appendFlat(flat)
	return t.finish(uint64(t.payload)+uint64(size), MaxSize)
}

// JoinFlat is the core type that can hold either of two flat payload slots
// (Canonical ABI, join).
func JoinFlat(a, b CoreType) CoreType {
	switch {
	case a == b:
		return a
	case a == CoreI32 && b == CoreF32, a == CoreF32 && b == CoreI32:
		return CoreI32
	default:
		return CoreI64
	}
}

// NewFlags makes a flags type of 1 to [MaxFlags] labels.
func NewFlags(labels ...string) (*Type, error) {
	if len(labels) == 0 {
		return nil, fmt.Errorf("flags: %w", ErrTypeEmpty)
	}
	if len(labels) > MaxFlags {
		return nil, fmt.Errorf("flags: %w: %d of at most %d labels", ErrTypeParts, len(labels), MaxFlags)
	}
	size := uint32(4)
	switch {
	case len(labels) <= 8:
		size = 1
	case len(labels) <= 16:
		size = 2
	}
	return &Type{Kind: KindFlags, Labels: labels, Size: size, Align: size,
		Flat: []CoreType{CoreI32}, Props: NeedsCheck, depth: 1, nodes: 1}, nil
}

// NewList makes a list.
func NewList(elem *Type) (*Type, error) {
	t := &Type{Kind: KindList, Elem: elem, Align: 4, Flat: []CoreType{CoreI32, CoreI32},
		Props: HasPointer}
	t.contain(elem)
	return t.finish(8, MaxSize)
}

// NewMap makes a map, which is laid out as a list of key-value tuples. Keys
// are bool, char, string or integers.
func NewMap(key, value *Type) (*Type, error) {
	switch {
	case key.Kind == KindF32, key.Kind == KindF64, key.Kind > KindString:
		return nil, fmt.Errorf("map: %w: %s", ErrTypeMapKey, key.Kind)
	}
	// Either part keeps the limit; the pair is laid out, never passed by itself.
	entry, err := newFields(KindTuple, []Field{{Type: key}, {Type: value}}, 2*MaxSize)
	if err != nil {
		return nil, err
	}
	t, err := NewList(entry)
	if err == nil {
		t.Kind = KindMap
	}
	return t, err
}

// NewFixedList makes a list of a length known from its type, at least 1.
func NewFixedList(elem *Type, n uint32) (*Type, error) {
	if n == 0 {
		return nil, fmt.Errorf("list of fixed length: %w", ErrTypeEmpty)
	}
	size := uint64(elem.Size) * uint64(n)
	if size >= MaxSize {
		return nil, fmt.Errorf("list of fixed length: %w", ErrTypeTooLarge)
	}
	t := &Type{Kind: KindFixedList, Elem: elem, Len: n, Align: elem.Align,
		Flat: make([]CoreType, 0, min(len(elem.Flat)*int(min(n, MaxFlatParams+1)), MaxFlatParams+1))}
	t.contain(elem)
	for i := uint32(0); i < n && len(t.Flat) <= MaxFlatParams; i++ {
		t.appendFlat(elem.Flat)
	}
	return t.finish(size, MaxSize)
}

// NewOwn makes an owning handle of a resource.
func NewOwn(r *Resource) *Type {
	return &Type{Kind: KindOwn, Resource: r, Size: 4, Align: 4, Flat: []CoreType{CoreI32},
		Props: HasHandle | NeedsCheck, depth: 1, nodes: 1}
}

// NewBorrow makes a borrowed handle of a resource.
func NewBorrow(r *Resource) *Type {
	return &Type{Kind: KindBorrow, Resource: r, Size: 4, Align: 4, Flat: []CoreType{CoreI32},
		Props: HasHandle | HasBorrow | NeedsCheck, depth: 1, nodes: 1}
}

// NewStream makes a stream; elem is nil for a stream without payload.
func NewStream(elem *Type) (*Type, error) { return newAsync(KindStream, elem) }

// NewFuture makes a future; elem is nil for a future without payload.
func NewFuture(elem *Type) (*Type, error) { return newAsync(KindFuture, elem) }

func newAsync(k Kind, elem *Type) (*Type, error) {
	t := &Type{Kind: k, Elem: elem, Align: 4, Flat: []CoreType{CoreI32}}
	if elem != nil {
		if elem.Props.Has(HasBorrow) {
			return nil, fmt.Errorf("%s: %w", k, ErrTypeBorrow)
		}
		t.contain(elem)
		// The value itself is a number: what it carries has no part in its
		// layout, only the handles in it count.
		t.Props &= HasHandle
	}
	t.Props |= HasAsync | NeedsCheck
	return t.finish(4, MaxSize)
}

// Named returns a copy of the type that carries a name for printing.
func (t *Type) Named(name string) *Type {
	c := *t
	c.Name = name
	return &c
}

// Payload returns the offset of the payload in a type with cases.
func (t *Type) Payload() uint32 { return t.payload }

// DiscSize returns the size in bytes of the discriminant of a type with
// cases: 1, 2 or 4.
func (t *Type) DiscSize() uint32 { return t.disc }

// FitsFlat reports whether the type's flattening has at most n entries.
func (t *Type) FitsFlat(n int) bool { return len(t.Flat) <= n }

// Offsets returns the byte offset of each field of a record or tuple.
func (t *Type) Offsets() []uint32 {
	offs := make([]uint32, len(t.Fields))
	var at uint64
	for i, f := range t.Fields {
		at = alignUp(at, f.Type.Align)
		offs[i] = uint32(at)
		at += uint64(f.Type.Size)
	}
	return offs
}

func (t *Type) appendFlat(flat []CoreType) {
	room := MaxFlatParams + 1 - len(t.Flat)
	t.Flat = append(t.Flat, flat[:min(room, len(flat))]...)
}

// contain takes over the facts about a part that do not depend on its place.
func (t *Type) contain(part *Type) {
	t.Props |= part.Props
	t.depth = max(t.depth, part.depth)
	t.nodes = min(t.nodes+part.nodes, MaxNodes)
}

func (t *Type) finish(size, limit uint64) (*Type, error) {
	size = alignUp(size, t.Align)
	if size >= limit {
		return nil, fmt.Errorf("%s: %w", t.Kind, ErrTypeTooLarge)
	}
	if t.nodes++; t.nodes > MaxNodes {
		return nil, fmt.Errorf("%s: %w: more than %d types", t.Kind, ErrTypeParts, MaxNodes)
	}
	if t.depth++; t.depth > MaxDepth {
		return nil, fmt.Errorf("%s: %w", t.Kind, ErrTypeTooDeep)
	}
	t.Size = uint32(size)
	return t, nil
}

func alignUp(n uint64, align uint32) uint64 {
	a := uint64(align)
	return (n + a - 1) / a * a
}
