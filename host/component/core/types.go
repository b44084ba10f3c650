package core

import "fmt"

// ValType is a value type, by its byte in the binary format.
type ValType byte

// The value types.
const (
	I32       ValType = 0x7f
	I64       ValType = 0x7e
	F32       ValType = 0x7d
	F64       ValType = 0x7c
	V128      ValType = 0x7b
	FuncRef   ValType = 0x70
	ExternRef ValType = 0x6f
	ExnRef    ValType = 0x69
)

// String returns the type's name in the text format.
func (t ValType) String() string {
	switch t {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	case ExnRef:
		return "exnref"
	}
	return fmt.Sprintf("type(%#x)", byte(t))
}

// Ref reports whether t is a reference type.
func (t ValType) Ref() bool { return t == FuncRef || t == ExternRef || t == ExnRef }

// FuncType is a function type.
type FuncType struct{ Params, Results []ValType }

// Bounds are the limits of a table (in entries) or memory (in pages).
type Bounds struct {
	Min, Max uint32
	HasMax   bool
	Shared   bool // memories only
}

// Table is a table type.
type Table struct {
	Elem ValType
	Bounds
}

// Global is a global type.
type Global struct {
	Type    ValType
	Mutable bool
}

// Kind says what an import or export is.
type Kind byte

// The kinds, by their byte in the binary format.
const (
	KindFunc Kind = iota
	KindTable
	KindMemory
	KindGlobal
	KindTag
)

// String returns the kind's name in the text format.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", byte(k))
}

var kindNames = [...]string{"func", "table", "memory", "global", "tag"}

// Extern is the type of an import or export. Only the field of its kind counts.
type Extern struct {
	Kind   Kind
	Func   *FuncType // func, and tag: its parameters
	Table  Table
	Memory Bounds
	Global Global
}

// Import is one import.
type Import struct {
	Module, Field string
	Extern

	desc, end int // the bytes of the type, in the module
}

// Export is one export. Index is in the index space of its kind.
type Export struct {
	Name  string
	Kind  Kind
	Index uint32
}

// Module is a parsed module. It keeps the bytes that it was parsed from, which
// must not change. It is immutable and may be shared.
type Module struct {
	Types   []FuncType
	Imports []Import
	Exports []Export

	// The index spaces, imports first.
	Funcs    []uint32 // index in Types
	Tables   []Table
	Memories []Bounds
	Globals  []Global
	Tags     []uint32 // index in Types

	ImportedFuncs, ImportedTables, ImportedMemories, ImportedGlobals, ImportedTags int

	Start    uint32 // function index, if HasStart
	HasStart bool
	// Name is the module's name in the name section, if there is a valid one.
	Name string

	Elements int // number of element segments
	Data     int // number of data segments

	bytes    []byte
	lim      Limits
	sections [sectionCount]section
	bodies   []span
	declared []bool // by function: ref.func may name it in code
	elements []element
	data     []dataSegment
	funcName []funcName
	// ownGlobals are the places outside of code that name a global of the
	// module's own by its index.
	ownGlobals []globalUse
}

// globalUse is the operand of a global.get in a constant expression.
type globalUse struct {
	span
	index uint32
}

// span is a range of the module's bytes.
type span struct{ start, end int }

// Export returns the export of that name.
func (m *Module) Export(name string) (Export, bool) {
	for _, e := range m.Exports {
		if e.Name == name {
			return e, true
		}
	}
	return Export{}, false
}

// Type returns the type of what e exports.
func (m *Module) Type(e Export) Extern {
	x := Extern{Kind: e.Kind}
	switch e.Kind {
	case KindFunc:
		x.Func = m.FuncType(e.Index)
	case KindTable:
		x.Table = m.Tables[e.Index]
	case KindMemory:
		x.Memory = m.Memories[e.Index]
	case KindGlobal:
		x.Global = m.Globals[e.Index]
	case KindTag:
		x.Func = &m.Types[m.Tags[e.Index]]
	}
	return x
}

// FuncType returns the type of function i.
func (m *Module) FuncType(i uint32) *FuncType { return &m.Types[m.Funcs[i]] }

// FuncName returns the name that the name section gives function i, or "".
func (m *Module) FuncName(i uint32) string { return findName(m.funcName, i) }
