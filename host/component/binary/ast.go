package binary

// Component is a decoded component: its definitions in the order of the
// binary, which is the order in which index spaces grow. Nothing in it has
// been checked beyond the grammar; package validate does that. All byte
// slices point into the decoded input.
type Component struct {
	Offset int // of the first byte, from the start of the outermost component
	Defs   []Def
}

// Def is one definition. It is one of the pointer types below.
type Def interface {
	// Pos is the byte offset from the start of the outermost component.
	Pos() int
}

// At is embedded in each definition to carry its offset.
type At int

// Pos implements [Def].
func (a At) Pos() int { return int(a) }

// Sort is the index space that an index refers to.
type Sort uint8

// The sorts; core sorts come first.
const (
	SortCoreFunc Sort = iota
	SortCoreTable
	SortCoreMemory
	SortCoreGlobal
	SortCoreTag
	SortCoreType
	SortCoreModule
	SortCoreInstance
	SortFunc
	SortValue
	SortType
	SortComponent
	SortInstance
)

var sortNames = [...]string{"core func", "core table", "core memory", "core global", "core tag", "core type",
	"core module", "core instance", "func", "value", "type", "component", "instance"}

func (s Sort) String() string { return sortNames[s] }

// Core reports whether the sort is a core one.
func (s Sort) Core() bool { return s <= SortCoreInstance }

// SortIndex is an item of an index space.
type SortIndex struct {
	Sort  Sort
	Index uint32
}

// Arg is a named argument or inline export.
type Arg struct {
	Name string
	SortIndex
}

type (
	// CoreModule is an inline core module.
	CoreModule struct {
		At
		Bytes []byte
	}

	// CoreInstance instantiates a core module, or, with Inline set, bundles
	// items under names.
	CoreInstance struct {
		At
		Inline bool
		Module uint32
		Args   []Arg // instantiation: Sort is always SortCoreInstance
		// Exports are the names of an inline instance.
		Exports []Arg
	}

	// CoreTypeDef defines core types: a recursion group, which is nearly always
	// one function type, or, with Module set, a core module type.
	CoreTypeDef struct {
		At
		Group  []CoreType // each takes one core type index
		Module *CoreModuleType
	}

	// NestedComponent is a component defined inside another.
	NestedComponent struct {
		At
		Component *Component
	}

	// Instance instantiates a component, or, with Inline set, bundles items.
	Instance struct {
		At
		Inline    bool
		Component uint32
		Args      []Arg
		Exports   []InlineExport
	}

	// Alias adds an item of another instance or component to an index space.
	Alias struct {
		At
		Sort Sort
		Kind AliasKind
		// Instance and Name are for the export kinds.
		Instance uint32
		Name     string
		// Count and Index are for AliasOuter: Count components out, item Index.
		Count, Index uint32
	}

	// TypeDef defines a component-level type.
	TypeDef struct {
		At
		Type DefType
	}

	// Canon is a canonical definition; see [CanonOp] for which fields count.
	Canon struct {
		At
		Op      CanonOp
		Func    uint32 // lift: core function; lower: function
		Type    uint32 // lift: function type; resource.*, stream.*, future.*: type; thread.*: core type
		Table   uint32 // thread.new-indirect, thread.spawn-indirect
		Memory  uint32 // waitable-set.wait and poll
		Slot    uint32 // context.get and set
		Context CoreValType
		// Async is the flag of cancel-style built-ins: "async" of subtask.cancel,
		// *.cancel-read and *.cancel-write, "cancellable" of waitable-set.wait and
		// poll, thread.yield, thread.suspend, ….
		Async   bool
		Shared  bool     // thread.spawn-ref, thread.spawn-indirect, thread.available-parallelism
		Result  *ValType // task.return
		Options []CanonOption
	}

	// Start is the start function definition.
	Start struct {
		At
		Func    uint32
		Args    []uint32
		Results uint32
	}

	// Import is an import.
	Import struct {
		At
		Name ExternName
		Desc ExternDesc
	}

	// Export is an export; Desc is nil where no type is ascribed.
	Export struct {
		At
		Name ExternName
		SortIndex
		Desc *ExternDesc
	}

	// Value is a value definition (gated in the specification).
	Value struct {
		At
		Type  ValType
		Bytes []byte
	}
)

// InlineExport is an export of an inline component instance.
type InlineExport struct {
	Name ExternName
	SortIndex
}

// ExternName is the name of an import or export with its optional attributes,
// of which Has tells which were given.
type ExternName struct {
	Name          string
	Implements    string
	VersionSuffix string
	ExternalID    string
	Has           Attribute
}

// Attribute is a set of attributes of an [ExternName].
type Attribute uint8

// The attributes.
const (
	AttrImplements Attribute = 1 << iota
	AttrVersionSuffix
	AttrExternalID
)

// AliasKind says what an alias looks into.
type AliasKind uint8

// The alias kinds.
const (
	AliasExport AliasKind = iota
	AliasCoreExport
	AliasOuter
)

// CoreValType is a core number or vector type (0x7f i32, 0x7e i64, 0x7d f32,
// 0x7c f64, 0x7b v128).
type CoreValType byte

// CoreType is a type of a core recursion group.
type CoreType struct {
	At
	// Form is 0x60 for a function, 0x5f for a struct, 0x5e for an array.
	Form byte
	// Params are a function's parameters, and the fields of the other forms.
	Params, Results []CoreVal
	// Final says that the type has no subtypes.
	Final  bool
	Supers []uint32
}

// CoreVal is a core value type, references to types included.
type CoreVal struct {
	// Code is the opcode of a number or vector type, or 0x63 (nullable) or
	// 0x64 for a reference; the short forms of references are read as 0x63.
	// In fields it is also 0x78 (i8) or 0x77 (i16).
	Code byte
	// Mutable counts for fields.
	Mutable bool
	// Heap is the heap type of a reference: a type index, or negative for an
	// abstract one.
	Heap int64
}

// CoreModuleType is a core module type.
type CoreModuleType struct {
	Defs []CoreModuleDecl
}

// CoreModuleDecl is one declaration of a core module type; exactly one of
// Import, Type, Alias and Export is meant, by Kind.
type CoreModuleDecl struct {
	At
	Kind   CoreDeclKind
	Type   *CoreTypeDef // CoreDeclType
	Alias  *Alias       // CoreDeclAlias (outer type)
	Module string       // import: module name
	Name   string       // import, export
	Desc   CoreExtern   // import, export
}

// CoreDeclKind is the kind of a [CoreModuleDecl].
type CoreDeclKind uint8

// The core declaration kinds.
const (
	CoreDeclImport CoreDeclKind = iota
	CoreDeclType
	CoreDeclAlias
	CoreDeclExport
)

// CoreExtern is the type of a core import, export, table or global.
type CoreExtern struct {
	Sort    Sort       // SortCoreFunc, Table, Memory, Global or Tag
	Type    uint32     // function or tag: type index
	Val     CoreVal    // table: element type; global: content type
	Mutable bool       // global
	Limits  CoreLimits // table, memory
}

// CoreLimits are the limits of a core memory (in pages) or table (in entries).
type CoreLimits struct {
	Min, Max uint64
	HasMax   bool
	Shared   bool
	Is64     bool
}

// ExternDesc describes a component-level import or export.
type ExternDesc struct {
	Sort Sort
	// Index is the type index for SortCoreModule, SortFunc, SortComponent and
	// SortInstance, and the bound for SortType with Eq set.
	Index uint32
	Eq    bool     // SortType: (eq Index); otherwise (sub resource). SortValue: (eq Index)
	Val   *ValType // SortValue with a type bound
}

// ValType is a value type: a primitive, or the index of a type.
type ValType struct {
	// Primitive is the opcode (0x7f bool … 0x73 string, 0x64 error-context),
	// 0 where Index counts.
	Primitive byte
	Index     uint32
}

// DefType is one of the component-level types: *PrimType, *RecordType, … ,
// *FuncType, *ComponentType, *InstanceType, *ResourceType.
type DefType interface{ defType() }

// NamedType is a field, case or parameter; Type is nil where absent.
type NamedType struct {
	Name string
	Type *ValType
}

type (
	// PrimType is a primitive type under an index.
	PrimType struct{ Primitive byte }
	// RecordType is record.
	RecordType struct{ Fields []NamedType }
	// VariantType is variant.
	VariantType struct{ Cases []NamedType }
	// ListType is list; Len is set for a fixed length.
	ListType struct {
		Elem  ValType
		Fixed bool
		Len   uint32
	}
	// MapType is map.
	MapType struct{ Key, Value ValType }
	// TupleType is tuple.
	TupleType struct{ Elems []ValType }
	// FlagsType is flags.
	FlagsType struct{ Labels []string }
	// EnumType is enum.
	EnumType struct{ Labels []string }
	// OptionType is option.
	OptionType struct{ Elem ValType }
	// ResultType is result.
	ResultType struct{ Ok, Err *ValType }
	// OwnType is own.
	OwnType struct{ Resource uint32 }
	// BorrowType is borrow.
	BorrowType struct{ Resource uint32 }
	// StreamType is stream.
	StreamType struct{ Elem *ValType }
	// FutureType is future.
	FutureType struct{ Elem *ValType }
	// FuncType is a function type.
	FuncType struct {
		Async  bool
		Params []NamedType
		Result *ValType
	}
	// ComponentType is a component type. Its Defs are *CoreTypeDef, *TypeDef,
	// *Alias, *Import and *ExportDecl.
	ComponentType struct{ Defs []Def }
	// InstanceType is an instance type, with the Defs of a component type but
	// imports.
	InstanceType struct{ Defs []Def }
	// ResourceType is a resource definition.
	ResourceType struct {
		Rep  CoreValType
		Dtor *uint32 // core function
	}
)

// ExportDecl is an export declaration in a component or instance type.
type ExportDecl struct {
	At
	Name ExternName
	Desc ExternDesc
}

func (*PrimType) defType()      {}
func (*RecordType) defType()    {}
func (*VariantType) defType()   {}
func (*ListType) defType()      {}
func (*MapType) defType()       {}
func (*TupleType) defType()     {}
func (*FlagsType) defType()     {}
func (*EnumType) defType()      {}
func (*OptionType) defType()    {}
func (*ResultType) defType()    {}
func (*OwnType) defType()       {}
func (*BorrowType) defType()    {}
func (*StreamType) defType()    {}
func (*FutureType) defType()    {}
func (*FuncType) defType()      {}
func (*ComponentType) defType() {}
func (*InstanceType) defType()  {}
func (*ResourceType) defType()  {}

// CanonOp is a canonical definition's opcode: the first byte, and for lift and
// lower 0x0000 and 0x0100.
type CanonOp uint8

// The canonical built-ins, numbered as in the binary format.
const (
	CanonLift                     CanonOp = 0x00
	CanonLower                    CanonOp = 0x01
	CanonResourceNew              CanonOp = 0x02
	CanonResourceDrop             CanonOp = 0x03
	CanonResourceRep              CanonOp = 0x04
	CanonTaskCancel               CanonOp = 0x05
	CanonSubtaskCancel            CanonOp = 0x06
	CanonTaskReturn               CanonOp = 0x09
	CanonContextGet               CanonOp = 0x0a
	CanonContextSet               CanonOp = 0x0b
	CanonThreadYield              CanonOp = 0x0c
	CanonSubtaskDrop              CanonOp = 0x0d
	CanonStreamNew                CanonOp = 0x0e
	CanonStreamRead               CanonOp = 0x0f
	CanonStreamWrite              CanonOp = 0x10
	CanonStreamCancelRead         CanonOp = 0x11
	CanonStreamCancelWrite        CanonOp = 0x12
	CanonStreamDropReadable       CanonOp = 0x13
	CanonStreamDropWritable       CanonOp = 0x14
	CanonFutureNew                CanonOp = 0x15
	CanonFutureRead               CanonOp = 0x16
	CanonFutureWrite              CanonOp = 0x17
	CanonFutureCancelRead         CanonOp = 0x18
	CanonFutureCancelWrite        CanonOp = 0x19
	CanonFutureDropReadable       CanonOp = 0x1a
	CanonFutureDropWritable       CanonOp = 0x1b
	CanonErrorContextNew          CanonOp = 0x1c
	CanonErrorContextDebugMessage CanonOp = 0x1d
	CanonErrorContextDrop         CanonOp = 0x1e
	CanonWaitableSetNew           CanonOp = 0x1f
	CanonWaitableSetWait          CanonOp = 0x20
	CanonWaitableSetPoll          CanonOp = 0x21
	CanonWaitableSetDrop          CanonOp = 0x22
	CanonWaitableJoin             CanonOp = 0x23
	CanonBackpressureInc          CanonOp = 0x24
	CanonBackpressureDec          CanonOp = 0x25
	CanonThreadIndex              CanonOp = 0x26
	CanonThreadNewIndirect        CanonOp = 0x27
	CanonThreadResumeLater        CanonOp = 0x28
	CanonThreadSuspend            CanonOp = 0x29
	CanonThreadSuspendThenResume  CanonOp = 0x2a
	CanonThreadYieldThenResume    CanonOp = 0x2b
	CanonThreadSuspendThenPromote CanonOp = 0x2c
	CanonThreadYieldThenPromote   CanonOp = 0x2d
	CanonThreadSpawnRef           CanonOp = 0x40
	CanonThreadSpawnIndirect      CanonOp = 0x41
	CanonThreadAvailableParallel  CanonOp = 0x42
)

// CanonOptionKind is the opcode of a canonical option.
type CanonOptionKind uint8

// The canonical options.
const (
	OptUTF8        CanonOptionKind = 0x00
	OptUTF16       CanonOptionKind = 0x01
	OptLatin1UTF16 CanonOptionKind = 0x02
	OptMemory      CanonOptionKind = 0x03
	OptRealloc     CanonOptionKind = 0x04
	OptPostReturn  CanonOptionKind = 0x05
	OptAsync       CanonOptionKind = 0x06
	OptCallback    CanonOptionKind = 0x07
)

// CanonOption is one canonical option; Index counts for memory (a core
// memory), realloc, post-return and callback (core functions).
type CanonOption struct {
	At
	Kind  CanonOptionKind
	Index uint32
}
