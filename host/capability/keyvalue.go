package capability

import (
	"context"
	"errors"

	keyvaluebind "github.com/lathhost/lath/host/bind/wasi/keyvalue"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	wrpcbind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
	wrpckeyvalue "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// adaptKeyvalue makes the wasi:keyvalue interface of that name; nil: it is none.
func adaptKeyvalue(name string, imp *link.Import) *component.HostInterface {
	var h component.HostInterface
	switch name {
	case keyvalue.StoreInterface.Name:
		h = keyvaluebind.Store(store{imp})
	case keyvalue.AtomicsInterface.Name:
		h = keyvaluebind.Atomics(atomics{imp})
	case keyvalue.BatchInterface.Name:
		h = keyvaluebind.Batch(batch{imp})
	default:
		return nil
	}
	return &h
}

// asKeyvalue makes the guest's error of the provider's, or of what kept it from
// answering.
func asKeyvalue(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[wrpckeyvalue.Error](err); ok {
		return keyvalue.Error{Tag: keyvalue.ErrorTag(e.Tag), Other: e.Other}
	}
	return keyvalue.Error{Tag: keyvalue.ErrorOther, Other: err.Error()}
}

// store opens buckets. A bucket is no more than its name and the name of the link
// by which it was opened: whether it is there is for the provider to say when it is
// used. It stays with that link, whatever the call chooses later, since another
// store's bucket of the same name is another bucket.
type store struct{ imp *link.Import }

var _ keyvalue.Store = store{}

// Open implements keyvalue.Store.
func (s store) Open(ctx context.Context, identifier string) (keyvalue.Bucket, error) {
	return &bucket{imp: s.imp, link: s.imp.Chosen(ctx), name: identifier}, nil
}

// Buckets returns what opens buckets for changes that a provider tells: of the store
// that the component has linked to the provider, or else of its default one. imp is
// its import of wasi:keyvalue/store.
func Buckets(imp *link.Import) func(provider, name string) keyvalue.Bucket {
	return func(provider, name string) keyvalue.Bucket {
		return &bucket{imp: imp, link: imp.NameOf(provider), name: name}
	}
}

// IsStore says whether an interface is the one that [Buckets] opens buckets of.
func IsStore(name string) bool { return wit.Track(name) == wit.Track(keyvalue.StoreInterface.Name) }

// bucket is a bucket that a guest has opened.
type bucket struct {
	imp        *link.Import
	link, name string
}

func (b *bucket) begin(ctx context.Context, fn string) (*call[wrpckeyvalue.Store], error) {
	return beginAlong(ctx, b.imp, b.imp.RouteNamed(b.link), fn, wrpckeyvalue.StoreInterface,
		func(p *provider.Capabilities) wrpckeyvalue.Store { return p.KeyvalueStore },
		func(inv *link.Invoker) wrpckeyvalue.Store { return wrpcbind.NewStoreClient(inv) })
}

// Get implements keyvalue.Bucket.
func (b *bucket) Get(ctx context.Context, key string) (wit.Option[[]byte], error) {
	c, err := b.begin(ctx, "get")
	if err != nil {
		return wit.Option[[]byte]{}, err
	}
	v, err := c.impl.Get(c.ctx, b.name, key)
	return v, asKeyvalue(c.end(err))
}

// Set implements keyvalue.Bucket.
func (b *bucket) Set(ctx context.Context, key string, value []byte) error {
	c, err := b.begin(ctx, "set")
	if err != nil {
		return err
	}
	return asKeyvalue(c.end(c.impl.Set(c.ctx, b.name, key, value)))
}

// Delete implements keyvalue.Bucket.
func (b *bucket) Delete(ctx context.Context, key string) error {
	c, err := b.begin(ctx, "delete")
	if err != nil {
		return err
	}
	return asKeyvalue(c.end(c.impl.Delete(c.ctx, b.name, key)))
}

// Exists implements keyvalue.Bucket.
func (b *bucket) Exists(ctx context.Context, key string) (bool, error) {
	c, err := b.begin(ctx, "exists")
	if err != nil {
		return false, err
	}
	is, err := c.impl.Exists(c.ctx, b.name, key)
	return is, asKeyvalue(c.end(err))
}

// ListKeys implements keyvalue.Bucket.
func (b *bucket) ListKeys(ctx context.Context, cursor wit.Option[uint64]) (keyvalue.KeyResponse, error) {
	c, err := b.begin(ctx, "list-keys")
	if err != nil {
		return keyvalue.KeyResponse{}, err
	}
	page, err := c.impl.ListKeys(c.ctx, b.name, cursor)
	return keyvalue.KeyResponse{Keys: page.Keys, Cursor: page.Cursor}, asKeyvalue(c.end(err))
}

// Drop implements keyvalue.Bucket.
func (b *bucket) Drop() {}

// lent returns the name of a bucket that a guest lends to another interface than
// the store's, and the route of the call: along the link that was chosen for that
// interface, else the one of the name by which the bucket was opened, else the
// default one, as for the stores that are linked one interface at a time. Only this
// package makes buckets.
func lent(ctx context.Context, imp *link.Import, b keyvalue.Bucket) (name string, route *link.Route, err error) {
	own, ok := b.(*bucket)
	if !ok {
		return "", nil, keyvalue.Error{Tag: keyvalue.ErrorNoSuchStore}
	}
	chosen := imp.Chosen(ctx)
	if chosen == lattice.DefaultLinkName && imp.Linked(own.link) {
		chosen = own.link
	}
	return own.name, imp.RouteNamed(chosen), nil
}

type atomics struct{ imp *link.Import }

// Increment implements keyvalue.Atomics.
func (a atomics) Increment(ctx context.Context, b keyvalue.Bucket, key string, delta uint64) (uint64, error) {
	name, route, err := lent(ctx, a.imp, b)
	if err != nil {
		return 0, err
	}
	c, err := beginAlong(ctx, a.imp, route, "increment", wrpckeyvalue.AtomicsInterface,
		func(p *provider.Capabilities) wrpckeyvalue.Atomics { return p.KeyvalueAtomics },
		func(inv *link.Invoker) wrpckeyvalue.Atomics { return wrpcbind.NewAtomicsClient(inv) })
	if err != nil {
		return 0, err
	}
	n, err := c.impl.Increment(c.ctx, name, key, delta)
	return n, asKeyvalue(c.end(err))
}

type batch struct{ imp *link.Import }

func (b batch) begin(ctx context.Context, route *link.Route, fn string) (*call[wrpckeyvalue.Batch], error) {
	return beginAlong(ctx, b.imp, route, fn, wrpckeyvalue.BatchInterface,
		func(p *provider.Capabilities) wrpckeyvalue.Batch { return p.KeyvalueBatch },
		func(inv *link.Invoker) wrpckeyvalue.Batch { return wrpcbind.NewBatchClient(inv) })
}

// GetMany implements keyvalue.Batch.
func (b batch) GetMany(ctx context.Context, in keyvalue.Bucket, keys []string) ([]wit.Option[keyvalue.TupleStringBytes], error) {
	name, route, err := lent(ctx, b.imp, in)
	if err != nil {
		return nil, err
	}
	c, err := b.begin(ctx, route, "get-many")
	if err != nil {
		return nil, err
	}
	got, err := c.impl.GetMany(c.ctx, name, keys)
	out := make([]wit.Option[keyvalue.TupleStringBytes], len(got))
	for i, g := range got {
		out[i] = wit.Option[keyvalue.TupleStringBytes]{OK: g.OK, Value: keyvalue.TupleStringBytes(g.Value)}
	}
	return out, asKeyvalue(c.end(err))
}

// SetMany implements keyvalue.Batch.
func (b batch) SetMany(ctx context.Context, in keyvalue.Bucket, pairs []keyvalue.TupleStringBytes) error {
	name, route, err := lent(ctx, b.imp, in)
	if err != nil {
		return err
	}
	c, err := b.begin(ctx, route, "set-many")
	if err != nil {
		return err
	}
	out := make([]wrpckeyvalue.TupleStringBytes, len(pairs))
	for i, kv := range pairs {
		out[i] = wrpckeyvalue.TupleStringBytes(kv)
	}
	return asKeyvalue(c.end(c.impl.SetMany(c.ctx, name, out)))
}

// DeleteMany implements keyvalue.Batch.
func (b batch) DeleteMany(ctx context.Context, in keyvalue.Bucket, keys []string) error {
	name, route, err := lent(ctx, b.imp, in)
	if err != nil {
		return err
	}
	c, err := b.begin(ctx, route, "delete-many")
	if err != nil {
		return err
	}
	return asKeyvalue(c.end(c.impl.DeleteMany(c.ctx, name, keys)))
}
