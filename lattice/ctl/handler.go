package ctl

import (
	"context"

	"github.com/lathhost/lath/lattice"
)

// Outcome is told what became of a command that goes on after its answer: nil, that
// it is done. The handler calls it once, from any goroutine, unless it refused the
// command at once. It may take as long as a write to the lattice's store.
type Outcome func(err error)

// Handler is what a host does for the control interface. Its methods are called
// concurrently, with a context that ends when the answer would come too late or
// the server shuts down hard. An error becomes a failed answer with the error's
// text as its message, so the text is meant for the operator.
type Handler interface {
	HostHandler
	ComponentHandler
	ProviderHandler
	LabelHandler
	LinkHandler
	ConfigHandler
	// Claims returns the claims that the host knows, in v1's flat form.
	Claims(ctx context.Context) ([]map[string]string, error)
	// PutRegistries takes in how to log in to registries, beside what is known.
	PutRegistries(ctx context.Context, auths map[string]RegistryAuth) error
}

// HostHandler has the verbs about the host itself.
type HostHandler interface {
	// PingHost describes the host. It must be quick: clients gather for seconds.
	PingHost(ctx context.Context) (*Host, error)
	// Inventory tells what the host runs.
	Inventory(ctx context.Context) (*lattice.Inventory, error)
	// StopHost begins to end the host and returns; it must not wait for the end,
	// because Server.Shutdown waits for this answer. ended is called when the host
	// has left.
	StopHost(ctx context.Context, req *StopHost, ended Outcome) error
}

// ComponentHandler has the verbs about components.
type ComponentHandler interface {
	// ScaleComponent accepts the command; its outcome is told by an event, and to
	// ended. The message warns the operator, or is empty.
	ScaleComponent(ctx context.Context, req *ScaleComponent, ended Outcome) (message string, err error)
	// UpdateComponent accepts the command to run another image; its outcome is told
	// by an event, and to ended. The message says what happens.
	UpdateComponent(ctx context.Context, req *UpdateComponent, ended Outcome) (message string, err error)
	// BidForComponent reports whether the host would run a component.
	BidForComponent(ctx context.Context, req *ComponentAuction) bool
}

// ProviderHandler has the verbs about capability providers.
type ProviderHandler interface {
	// StartProvider accepts the command; its outcome is told by an event, and to
	// ended.
	StartProvider(ctx context.Context, req *StartProvider, ended Outcome) error
	// StopProvider ends a provider. It returns when it has ended or after a moment,
	// since v1's clients wait for 2 s, and tells ended when it has.
	StopProvider(ctx context.Context, req *StopProvider, ended Outcome) error
	// BidForProvider reports whether the host would run a provider.
	BidForProvider(ctx context.Context, req *ProviderAuction) bool
}

// LabelHandler has the verbs about the host's labels.
type LabelHandler interface {
	// PutLabel sets a label, until the host ends.
	PutLabel(ctx context.Context, req *PutLabel) error
	// DeleteLabel takes a label back; known is false if there was none.
	DeleteLabel(ctx context.Context, req *DeleteLabel) (known bool, err error)
}

// ConfigHandler has the verbs about named configs, of which one host of the
// lattice gets each request.
type ConfigHandler interface {
	// Config returns a config, or an error that matches lattice.ErrNotFound.
	Config(ctx context.Context, name string) (map[string]string, error)
	// PutConfig stores a config and returns when it is stored.
	PutConfig(ctx context.Context, name string, values map[string]string) error
	// DeleteConfig removes a config; it is no error if there is none.
	DeleteConfig(ctx context.Context, name string) error
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
