package ctl

import (
	"context"

	"github.com/lathhost/lath/lattice"
)

// Handler is what a host does for the control interface. Its methods are called
// concurrently, with a context that ends when the answer would come too late or
// the server shuts down hard. An error becomes a failed answer with the error's
// text as its message, so the text is meant for the operator.
type Handler interface {
	HostHandler
	ComponentHandler
	ProviderHandler
	LinkHandler
}

// HostHandler has the verbs about the host itself.
type HostHandler interface {
	// PingHost describes the host. It must be quick: clients gather for seconds.
	PingHost(ctx context.Context) (*Host, error)
	// Inventory tells what the host runs.
	Inventory(ctx context.Context) (*lattice.Inventory, error)
	// StopHost begins to end the host and returns; it must not wait for the end,
	// because Server.Shutdown waits for this answer.
	StopHost(ctx context.Context, req *StopHost) error
}

// ComponentHandler has the verbs about components.
type ComponentHandler interface {
	// ScaleComponent accepts the command; its outcome is told by an event. The
	// message warns the operator, or is empty.
	ScaleComponent(ctx context.Context, req *ScaleComponent) (message string, err error)
}

// ProviderHandler has the verbs about capability providers.
type ProviderHandler interface {
	// StartProvider accepts the command; its outcome is told by an event.
	StartProvider(ctx context.Context, req *StartProvider) error
	// StopProvider ends a provider and returns when it has ended.
	StopProvider(ctx context.Context, req *StopProvider) error
}

// LinkHandler has the verbs about links, of which one host of the lattice gets
// each request.
type LinkHandler interface {
	// Links returns all links that the host knows.
	Links(ctx context.Context) ([]lattice.Link, error)
	// PutLink stores a link and returns when it is stored.
	PutLink(ctx context.Context, link lattice.Link) error
	// DeleteLink removes the links with a key. It is no error if there are none;
	// known is false if the source has nothing stored at all.
	DeleteLink(ctx context.Context, key lattice.LinkKey) (known bool, err error)
}
