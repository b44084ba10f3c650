package component

import (
	"context"

	"github.com/lathhost/lath/wit"
)

// Resource is a host object that a guest holds a handle of. Drop is called
// exactly once: when the guest drops its handle, or when its instance ends.
type Resource interface{ Drop() }

// Renewable is a [Resource] that the host can give out again. An instance whose
// start functions opened resources is kept for other calls only where all of
// them are renewable: each call then finds, under the handles that the guest
// knows, what the host would give it if it opened them itself.
type Renewable interface {
	Resource
	// Renewal returns what makes another object as this one was when it was
	// opened, under the context of the call that it is for; nil where there is
	// no such thing. It must not use the object, which is dropped by then.
	Renewal() func(ctx context.Context) (Resource, error)
}

// HostInterface is an interface that the host implements itself. One value
// serves every compatible version of the interface (see [wit.Track]).
type HostInterface struct {
	// Name is the full name, with the newest version that is implemented.
	Name      string
	Resources []*wit.Resource
	Funcs     []HostFunc
	// Idle, if not nil, is called when a template that was linked to the
	// interface is closed: what is kept for calls to come, such as connections,
	// can be let go. It may be called several times, also while instances of
	// other templates run.
	Idle func()
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
