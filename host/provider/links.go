package provider

import (
	"context"
	"net/http"
	"time"

	"github.com/lathhost/lath/lattice/bind"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/wit"
)

// Caller is a provider that calls what its links lead to, as an HTTP server
// does: its work comes from outside, and no call of the lattice's starts it.
type Caller interface {
	// Imports are the contracts that it calls.
	Imports() []*wit.Interface
	// SetLinks has it follow these links from now on, and no others: all that
	// start at it, in the order in which they were put. It is told them when it has started, whenever something of
	// that changes, and now and then while a link does not work, one call at a
	// time. The result says, link by link, why it does not work; nil:
	// it does.
	SetLinks(own wire.Settings, links []Link) []error
	// Drain takes in no more work, and returns when what is under way has ended,
	// or ctx has. Close comes after it.
	Drain(ctx context.Context) error
}

// Link is a link that starts at a provider.
type Link struct {
	Name, Target string
	// Interfaces are full names, without versions.
	Interfaces []string
	// Settings are those of the link's source end. Do not write to their maps.
	wire.Settings
	// HTTP sends requests to the target, where that is what the link is for; else
	// nil.
	HTTP Answerer
	// Invoker calls the target's functions of the contracts that the provider
	// imports, for generated stubs. A call whose context has a deadline lasts until
	// then; an error that is a [wrpc.Error] without MayHaveRun says that it did not
	// run.
	Invoker bind.Invoker
}

// Answerer answers HTTP requests, wherever what answers runs. It is safe for
// concurrent use.
type Answerer interface {
	// Answer answers a request within most, bodies included; 0: within the host's
	// limit. Failures are answered by the status that says so; where a response
	// cannot be completed, it panics with [http.ErrAbortHandler].
	Answer(w http.ResponseWriter, r *http.Request, most time.Duration)
}
