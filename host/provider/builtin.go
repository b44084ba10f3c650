package provider

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	messagingbind "github.com/lathhost/lath/lattice/bind/wasmcloud/messaging"
	postgresbind "github.com/lathhost/lath/lattice/bind/wasmcloud/postgres"
	keyvaluebind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpcblob"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasmcloud/messaging"
	"github.com/lathhost/lath/wit/wasmcloud/postgres"
	"github.com/lathhost/lath/wit/wrpc/blobstore"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Scheme is the reference scheme of built-in providers: "lath+builtin://NAME".
const Scheme = "lath+builtin://"

// V1Scheme is how v1 writes it: its own are http-client, http-server and
// messaging-nats.
const V1Scheme = "wasmcloud+builtin://"

// BuiltinName returns the name of the built-in provider that a reference is of, in
// Lath's scheme or in v1's.
func BuiltinName(ref string) (name string, ok bool) {
	if name, ok = strings.CutPrefix(ref, Scheme); ok {
		return name, true
	}
	return strings.CutPrefix(ref, V1Scheme)
}

// Capabilities are the contracts that a provider carries out; those it does
// not are nil. Each must be safe for concurrent use.
//
// A call's context has the deadline and, on both routes, the caller's
// identity; see wrpc.MetaFromContext.
type Capabilities struct {
	KeyvalueStore   keyvalue.Store
	KeyvalueAtomics keyvalue.Atomics
	KeyvalueBatch   keyvalue.Batch
	// MessagingConsumer sends messages. Components are called by a Caller.
	MessagingConsumer messaging.Consumer
	Blobstore         blobstore.Store
	PostgresQuery     postgres.Query
	PostgresPrepared  postgres.Prepared
	// Relink, if set, is told the provider's own settings and all links that end at
	// it, with theirs: when it has started, after each change, and now and then while
	// a link does not work. The result says, link by link, why it does not work; nil:
	// it does. Relink does no I/O: calls by new links wait for it. It is not called
	// twice at the same time, nor after Close.
	Relink func(own wire.Settings, links []wire.Link) []error
	// Caller is set for a provider that calls what its links lead to.
	Caller Caller
	// Close, if set, releases what the provider holds, once, after its last
	// call has ended.
	Close func() error
}

// Builtin is a kind of provider that is compiled in.
type Builtin struct {
	// Name is what follows [Scheme] in a reference.
	Name string
	// Start makes an instance of its own state. ctx bounds the start only.
	Start func(ctx context.Context, cfg Config) (*Capabilities, error)
}

// Config is what a provider is started with.
type Config struct {
	ID string
	// Settings are the configuration and the secrets of the provider as they are
	// now; see [Capabilities] Relink.
	Settings wire.Settings
	// Conn is the host's connection to NATS, for those that keep what they have
	// there; it stays the host's. JSDomain is the JetStream domain of its lattice,
	// and Lattice the name of that.
	Conn              *lattice.Conn
	JSDomain, Lattice string
	// Host is the id of the host.
	Host string
	// Dir is where the provider may keep files, and nobody else does; it may not be
	// there yet. Empty: the host has no place for them.
	Dir string
	// ReadFile reads a file that the host's operator grants the provider, by the
	// name that the grant gives it: see grant.Grant.
	ReadFile func(name string) ([]byte, error)
	// Now is the host's wall clock.
	Now func() time.Time
	Log *zap.Logger
}

// Interfaces returns the contracts that are carried out.
func (c *Capabilities) Interfaces() []*wit.Interface {
	var list []*wit.Interface
	add := func(is bool, i *wit.Interface) {
		if is {
			list = append(list, i)
		}
	}
	add(c.KeyvalueStore != nil, keyvalue.StoreInterface)
	add(c.KeyvalueAtomics != nil, keyvalue.AtomicsInterface)
	add(c.KeyvalueBatch != nil, keyvalue.BatchInterface)
	add(c.MessagingConsumer != nil, messaging.ConsumerInterface)
	add(c.Blobstore != nil, blobstore.Interface)
	add(c.Blobstore != nil, blobstore.Interface010)
	add(c.PostgresQuery != nil, postgres.QueryInterface)
	add(c.PostgresPrepared != nil, postgres.PreparedInterface)
	return list
}

// Exports returns what serves the contracts by wRPC, without prefixes.
func (c *Capabilities) Exports() ([]wrpc.Export, error) {
	reg := wrpc.NewRegistrar(wrpc.Export{})
	var errs []error
	if c.KeyvalueStore != nil {
		errs = append(errs, keyvaluebind.ServeStore(reg, c.KeyvalueStore))
	}
	if c.KeyvalueAtomics != nil {
		errs = append(errs, keyvaluebind.ServeAtomics(reg, c.KeyvalueAtomics))
	}
	if c.KeyvalueBatch != nil {
		errs = append(errs, keyvaluebind.ServeBatch(reg, c.KeyvalueBatch))
	}
	if c.MessagingConsumer != nil {
		errs = append(errs, messagingbind.ServeConsumer(reg, c.MessagingConsumer))
	}
	if c.Blobstore != nil {
		errs = append(errs, wrpcblob.Serve(reg, c.Blobstore))
	}
	if c.PostgresQuery != nil {
		errs = append(errs, postgresbind.ServeQuery(reg, c.PostgresQuery))
	}
	if c.PostgresPrepared != nil {
		errs = append(errs, postgresbind.ServePrepared(reg, c.PostgresPrepared))
	}
	return reg.Exports(), errors.Join(errs...)
}

// World returns the contracts as the exports of a world, and what the provider
// calls as its imports.
func (c *Capabilities) World() *wit.World {
	w := &wit.World{Name: "provider"}
	if c.Caller != nil {
		for _, i := range c.Caller.Imports() {
			w.Imports = append(w.Imports, wit.Extern{Name: i.Name, Interface: i})
		}
	}
	for _, i := range c.Interfaces() {
		w.Exports = append(w.Exports, wit.Extern{Name: i.Name, Interface: i})
	}
	slices.SortFunc(w.Exports, func(a, b wit.Extern) int { return strings.Compare(a.Name, b.Name) })
	return w
}
