package capability

import (
	"context"
	"errors"
	"fmt"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/blobstore"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
	"github.com/lathhost/lath/wit/wasmcloud/messaging"
	"github.com/lathhost/lath/wit/wasmcloud/postgres"
	"github.com/lathhost/lath/wit/wire"
)

// Names returns the interfaces that components may import and this package
// adapts.
func Names() []string {
	return []string{keyvalue.StoreInterface.Name, keyvalue.AtomicsInterface.Name, keyvalue.BatchInterface.Name, messaging.ConsumerInterface.Name,
		blobstore.BlobstoreInterface.Name, blobstore.ContainerInterface.Name, blobstore.TypesInterface.Name,
		postgres.QueryInterface.Name, postgres.PreparedInterface.Name}
}

// Adapt makes the interface of that name for one component, whose calls follow
// imp. It is nil for a name that is none of [Names].
func Adapt(name string, imp *link.Import) *component.HostInterface {
	name = wit.Track(name)
	if h := adaptKeyvalue(name, imp); h != nil {
		return h
	}
	if h := adaptBlobstore(name, imp); h != nil {
		return h
	}
	if h := adaptMessaging(name, imp); h != nil {
		return h
	}
	return adaptPostgres(name, imp)
}

// call is one call of a provider: impl is the contract of one in this process,
// or a client of one elsewhere. It must be ended.
type call[T comparable] struct {
	ctx    context.Context //nolint:containedctx // a call is as short as its context
	impl   T
	cancel context.CancelFunc
	imp    *link.Import
	route  *link.Route
	fn     string
}

// begin finds who carries out a call along imp now.
func begin[T comparable](ctx context.Context, imp *link.Import, fn string, contract *wit.Interface,
	local func(*provider.Capabilities) T, remote func(*link.Invoker) T) (*call[T], error) {
	return beginAlong(ctx, imp, imp.RouteOf(ctx), fn, contract, local, remote)
}

// beginAlong is begin along a route that is known.
func beginAlong[T comparable](ctx context.Context, imp *link.Import, route *link.Route, fn string, contract *wit.Interface,
	local func(*provider.Capabilities) T, remote func(*link.Invoker) T) (*call[T], error) {
	return beginTimed(ctx, imp, route, fn, contract, local, remote, (*link.Import).Outgoing)
}

// timing is the context of a call: [link.Import.Outgoing], or
// [link.Import.Streaming] for one that lasts as long as its streams.
type timing = func(*link.Import, context.Context, *link.Route, string) (context.Context, context.CancelFunc, error)

// beginTimed is beginAlong with the context that timed makes.
func beginTimed[T comparable](ctx context.Context, imp *link.Import, route *link.Route, fn string, contract *wit.Interface,
	local func(*provider.Capabilities) T, remote func(*link.Invoker) T, timed timing) (*call[T], error) {
	if route.Err != nil {
		return nil, imp.Refused(route, fn, route.Err)
	}
	ctx, cancel, err := timed(imp, ctx, route, fn)
	if err != nil {
		return nil, err
	}
	c := &call[T]{ctx: ctx, cancel: cancel, imp: imp, route: route, fn: fn}
	if route.Provider == nil {
		c.impl = remote(imp.Invoker(route, contract))
		return c, nil
	}
	var none T
	if c.impl = local(route.Provider); c.impl == none {
		cancel()
		return nil, imp.Refused(route, fn, fmt.Errorf("provider %q does not carry out %s", route.Target, contract.Name))
	}
	imp.RecordLocal(ctx, route, fn)
	return c, nil
}

// end ends a call. What is not the contract's own error says what kept the
// provider from answering.
func (c *call[T]) end(err error) error {
	c.cancel()
	if _, named := errors.AsType[*link.CallError](err); c.route.Provider == nil && !named && errors.Is(err, wire.ErrMalformed) {
		return c.imp.Malformed(c.route, c.fn, err) // of the client, which could not read the answer
	}
	return err
}
