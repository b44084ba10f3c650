package capability

import (
	"context"
	"fmt"

	keyvaluebind "github.com/lathhost/lath/host/bind/wasi/keyvalue"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	wrpcbind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/keyvalue"
	wrpckeyvalue "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Names returns the interfaces that components may import and this package
// adapts.
func Names() []string {
	return []string{keyvalue.StoreInterface.Name, keyvalue.AtomicsInterface.Name, keyvalue.BatchInterface.Name}
}

// Keyvalue makes the wasi:keyvalue interface of that name for one component,
// whose calls follow imp. It is nil for a name that is not of wasi:keyvalue.
func Keyvalue(name string, imp *link.Import) *component.HostInterface {
	var h component.HostInterface
	switch wit.Track(name) {
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

// store opens buckets. A bucket is no more than its name: whether it is there
// is for the provider to say when it is used.
type store struct{ imp *link.Import }

var _ keyvalue.Store = store{}

// Open implements keyvalue.Store.
func (s store) Open(_ context.Context, identifier string) (keyvalue.Bucket, error) {
	return &bucket{imp: s.imp, name: identifier}, nil
}

// bucket is a bucket that a guest has opened.
type bucket struct {
	imp  *link.Import
	name string
}

// provider returns how to call the store now.
func (b *bucket) provider(ctx context.Context, fn string) (context.Context, context.CancelFunc, wrpckeyvalue.Store, error) {
	return open(ctx, b.imp, fn, func(r *link.Route) wrpckeyvalue.Store {
		return r.Provider.KeyvalueStore
	}, func(inv *link.Invoker) wrpckeyvalue.Store { return wrpcbind.NewStoreClient(inv) })
}

// open returns the context of a call along imp, and who carries it out: the
// contract of a provider in this process, or a client of it.
func open[T comparable](ctx context.Context, imp *link.Import, fn string, local func(*link.Route) T, remote func(*link.Invoker) T) (context.Context, context.CancelFunc, T, error) {
	var none T
	route := imp.Route()
	if route.Err != nil {
		return nil, nil, none, imp.Refused(route, fn, route.Err)
	}
	ctx, cancel, err := imp.Outgoing(ctx, route, fn)
	if err != nil {
		return nil, nil, none, err
	}
	if route.Provider == nil {
		return ctx, cancel, remote(imp.Invoker(route)), nil
	}
	impl := local(route)
	if impl == none {
		cancel()
		return nil, nil, none, imp.Refused(route, fn, fmt.Errorf("provider %q does not carry out %s", route.Target, imp.Name()))
	}
	imp.RecordLocal(ctx, route, fn)
	return ctx, cancel, impl, nil
}

// translate makes the guest's error of the provider's.
func translate(err error) error {
	if err == nil {
		return nil
	}
	e, ok := wrpckeyvalue.ErrorFrom(err)
	if !ok {
		return err
	}
	return keyvalue.Error{Tag: keyvalue.ErrorTag(e.Tag), Other: e.Other}
}

// Get implements keyvalue.Bucket.
func (b *bucket) Get(ctx context.Context, key string) (wit.Option[[]byte], error) {
	ctx, cancel, s, err := b.provider(ctx, "get")
	if err != nil {
		return wit.Option[[]byte]{}, err
	}
	defer cancel()
	v, err := s.Get(ctx, b.name, key)
	return v, translate(err)
}

// Set implements keyvalue.Bucket.
func (b *bucket) Set(ctx context.Context, key string, value []byte) error {
	ctx, cancel, s, err := b.provider(ctx, "set")
	if err != nil {
		return err
	}
	defer cancel()
	return translate(s.Set(ctx, b.name, key, value))
}

// Delete implements keyvalue.Bucket.
func (b *bucket) Delete(ctx context.Context, key string) error {
	ctx, cancel, s, err := b.provider(ctx, "delete")
	if err != nil {
		return err
	}
	defer cancel()
	return translate(s.Delete(ctx, b.name, key))
}

// Exists implements keyvalue.Bucket.
func (b *bucket) Exists(ctx context.Context, key string) (bool, error) {
	ctx, cancel, s, err := b.provider(ctx, "exists")
	if err != nil {
		return false, err
	}
	defer cancel()
	is, err := s.Exists(ctx, b.name, key)
	return is, translate(err)
}

// ListKeys implements keyvalue.Bucket.
func (b *bucket) ListKeys(ctx context.Context, cursor wit.Option[uint64]) (keyvalue.KeyResponse, error) {
	ctx, cancel, s, err := b.provider(ctx, "list-keys")
	if err != nil {
		return keyvalue.KeyResponse{}, err
	}
	defer cancel()
	page, err := s.ListKeys(ctx, b.name, cursor)
	return keyvalue.KeyResponse{Keys: page.Keys, Cursor: page.Cursor}, translate(err)
}

// Drop implements keyvalue.Bucket.
func (b *bucket) Drop() {}

// name of a bucket that a guest lends. Only this package makes buckets.
func nameOf(b keyvalue.Bucket) (string, error) {
	if own, ok := b.(*bucket); ok {
		return own.name, nil
	}
	return "", keyvalue.Error{Tag: keyvalue.ErrorNoSuchStore}
}

type atomics struct{ imp *link.Import }

// Increment implements keyvalue.Atomics.
func (a atomics) Increment(ctx context.Context, b keyvalue.Bucket, key string, delta uint64) (uint64, error) {
	name, err := nameOf(b)
	if err != nil {
		return 0, err
	}
	ctx, cancel, p, err := open(ctx, a.imp, "increment",
		func(r *link.Route) wrpckeyvalue.Atomics { return r.Provider.KeyvalueAtomics },
		func(inv *link.Invoker) wrpckeyvalue.Atomics { return wrpcbind.NewAtomicsClient(inv) })
	if err != nil {
		return 0, err
	}
	defer cancel()
	n, err := p.Increment(ctx, name, key, delta)
	return n, translate(err)
}

type batch struct{ imp *link.Import }

func (b batch) provider(ctx context.Context, fn string) (context.Context, context.CancelFunc, wrpckeyvalue.Batch, error) {
	return open(ctx, b.imp, fn,
		func(r *link.Route) wrpckeyvalue.Batch { return r.Provider.KeyvalueBatch },
		func(inv *link.Invoker) wrpckeyvalue.Batch { return wrpcbind.NewBatchClient(inv) })
}

// GetMany implements keyvalue.Batch.
func (b batch) GetMany(ctx context.Context, in keyvalue.Bucket, keys []string) ([]wit.Option[keyvalue.TupleStringBytes], error) {
	name, err := nameOf(in)
	if err != nil {
		return nil, err
	}
	ctx, cancel, p, err := b.provider(ctx, "get-many")
	if err != nil {
		return nil, err
	}
	defer cancel()
	got, err := p.GetMany(ctx, name, keys)
	out := make([]wit.Option[keyvalue.TupleStringBytes], len(got))
	for i, g := range got {
		out[i] = wit.Option[keyvalue.TupleStringBytes]{OK: g.OK, Value: keyvalue.TupleStringBytes(g.Value)}
	}
	return out, translate(err)
}

// SetMany implements keyvalue.Batch.
func (b batch) SetMany(ctx context.Context, in keyvalue.Bucket, pairs []keyvalue.TupleStringBytes) error {
	name, err := nameOf(in)
	if err != nil {
		return err
	}
	ctx, cancel, p, err := b.provider(ctx, "set-many")
	if err != nil {
		return err
	}
	defer cancel()
	out := make([]wrpckeyvalue.TupleStringBytes, len(pairs))
	for i, kv := range pairs {
		out[i] = wrpckeyvalue.TupleStringBytes(kv)
	}
	return translate(p.SetMany(ctx, name, out))
}

// DeleteMany implements keyvalue.Batch.
func (b batch) DeleteMany(ctx context.Context, in keyvalue.Bucket, keys []string) error {
	name, err := nameOf(in)
	if err != nil {
		return err
	}
	ctx, cancel, p, err := b.provider(ctx, "delete-many")
	if err != nil {
		return err
	}
	defer cancel()
	return translate(p.DeleteMany(ctx, name, keys))
}
