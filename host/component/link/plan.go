package link

import (
	"github.com/lathhost/lath/host/component/abi"
	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/wit"
)

// Plan is a flattened component: what to instantiate, in order, and what that
// yields. It is immutable.
type Plan struct {
	// Modules are the distinct core modules.
	Modules []*core.Module
	// Cores are the core instantiations, in order.
	Cores []CoreInstance
	// Instances are the component instances of the tree; 0 is the root, and
	// parents come before children.
	Instances []Instance
	// Canons are the core functions that the host generates.
	Canons []Canon
	// Imports are the functions that the root imports.
	Imports []Import
	// Exports are the root's exported functions in order.
	Exports []Export
	// Resources are the resource types that the tree defines itself.
	Resources map[*wit.Resource]Resource
	// Foreign are the imported resource types that the host does not implement.
	Foreign map[*wit.Resource]bool
}

// Instance is a component instance of the tree.
type Instance struct {
	Parent int // -1 for the root
}

// CoreInstance is one core instantiation.
type CoreInstance struct {
	Module   int // index into Plan.Modules
	Instance int // the component instance whose definition it is
	Imports  []CoreRef
}

// CoreRef is where a core item comes from: an export of an earlier core
// instance, or a function that the host generates.
type CoreRef struct {
	Canon int // index into Plan.Canons, or -1
	Core  int // index into Plan.Cores
	Name  string
}

// Canon is a canonical function.
type Canon struct {
	Op       binary.CanonOp
	Instance int // the component instance whose definition it is
	Func     *Func
	Options  Options
	Resource *wit.Resource // resource.*
	Slot     uint32        // context.get and set
	Result   *wit.Type     // task.return; nil where it returns nothing
	// Params and Results are the core signature.
	Params, Results []wit.CoreType
}

// Func is a component-level function.
type Func struct {
	Type *wit.Func
	Lift *Lift // nil for an import
	// Import is the index into Plan.Imports.
	Import int
}

// Lift is a lifted core function.
type Lift struct {
	Instance int
	Core     CoreRef
	Options  Options
}

// Options are resolved canonical options.
type Options struct {
	Encoding   abi.Encoding
	Memory     *CoreRef // resolved to the instance that defines the memory
	Realloc    *CoreRef
	PostReturn *CoreRef
	Callback   *CoreRef
	Async      bool
}

// Resource is a resource type that the component defines.
type Resource struct {
	Instance int
	Dtor     *CoreRef
}

// Import is an imported function of the root component.
type Import struct {
	// Interface is the name of the imported instance, empty for a function
	// that the world imports by itself.
	Interface string
	Type      *wit.Func
	// Host is the function's index in the host's interface, -1 where the host
	// does not implement it.
	Host int
}

// Export is an exported function of the root component.
type Export struct {
	// Interface is the name of the exported instance, empty for a function
	// that the world exports by itself.
	Interface string
	Func      *Func
}
