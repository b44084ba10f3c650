package component

import (
	"context"

	"github.com/lathhost/lath/wit"
)

// Resource is a host object that a guest holds a handle of. Drop is called
// exactly once: when the guest drops its handle, or when its instance ends.
type Resource interface{ Drop() }

// HostInterface is an interface that the host implements itself. One value
// serves every compatible version of the interface (see [wit.Track]).
type HostInterface struct {
	// Name is the full name, with the newest version that is implemented.
	Name      string
	Resources []*wit.Resource
	Funcs     []HostFunc
}

// HostFunc is one function of a [HostInterface].
type HostFunc struct {
	Type *wit.Func
	// Call lifts the arguments from the core stack, does the work and leaves
	// the core result in stack[0]. Where the parameters have more than
	// [wit.MaxFlatParams] flat values, stack[0] points to them in memory; where
	// the result has more than [wit.MaxFlatResults], the last parameter points
	// to the place to write it to. It is called on the guest's goroutine and
	// must not keep inv, stack or any memory view after it returns.
	Call func(inv *Invocation, stack []uint64)
}

// Invocation is one call from a guest into the host. Generated guest glue is
// written against it. Every method that finds the guest at fault traps it, by
// a panic that the runtime recovers.
type Invocation struct {
	inst *Instance
	fn   *loweredFunc
	ctx  context.Context
}

// Context carries the call's deadline and is done when the call is cancelled.
// Whatever blocks must watch it.
func (inv *Invocation) Context() context.Context { panic("seam") }

// Memory returns the guest's memory as it is now. A call of Realloc,
// LowerString or LowerOwn makes the slice stale: fetch it again.
func (inv *Invocation) Memory() []byte { panic("seam") }

// Region returns the n elements of size bytes at ptr, after checking that they
// are aligned and inside memory. The slice goes stale like [Invocation.Memory]'s.
func (inv *Invocation) Region(ptr, n, size, align uint32) []byte { panic("seam") }

// Realloc asks the guest for size new bytes. The result is aligned and inside
// memory, for any size including 0.
func (inv *Invocation) Realloc(align, size uint32) (ptr uint32) { panic("seam") }

// LiftString copies the string at ptr out of memory, in the encoding that the
// guest's import declared; units is its length as the guest gave it.
func (inv *Invocation) LiftString(ptr, units uint32) string { panic("seam") }

// LowerString stores s in the guest's memory and encoding.
func (inv *Invocation) LowerString(s string) (ptr, units uint32) { panic("seam") }

// Trap stops the guest with err; it does not return.
func (inv *Invocation) Trap(err error) { panic("seam") }

// LiftOwn takes an owned handle away from the guest and returns its object.
func (inv *Invocation) LiftOwn(r *wit.Resource, handle uint32) Resource { panic("seam") }

// LiftBorrow returns the object of a handle that the guest lends for the call.
func (inv *Invocation) LiftBorrow(r *wit.Resource, handle uint32) Resource { panic("seam") }

// LowerOwn gives the guest an owned handle of obj.
func (inv *Invocation) LowerOwn(r *wit.Resource, obj Resource) (handle uint32) { panic("seam") }

type Instance struct{}
type loweredFunc struct{}
