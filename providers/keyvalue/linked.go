package keyvalue

import (
	"context"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/linked"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Backend is what carries out all contracts, and is closed when it is not needed any
// more.
type Backend interface {
	contract.Store
	contract.Atomics
	contract.Batch
	Watchable
	Close() error
}

// Opener connects to a backend when a call first needs it.
type Opener = linked.Opener[Backend]

// Linked is a store that has one backend for each link that ends at it, by the link's
// settings joined with the provider's. It is safe for concurrent use.
type Linked struct {
	table *linked.Table[Backend]
}

var (
	_ contract.Store   = (*Linked)(nil)
	_ contract.Atomics = (*Linked)(nil)
	_ contract.Batch   = (*Linked)(nil)
)

// Parser checks settings, whose names are in lower case, and returns what opens a
// backend by them. It does no I/O; its errors have no value of a secret.
type Parser func(provider.Settings) (Opener, error)

// WatchOpener is for links that watch: each has a backend by its own settings.
func (parse Parser) WatchOpener() WatchOpener {
	return func(ctx context.Context, _, joined provider.Settings) (Watchable, func() error, error) {
		open, err := parse(joined)
		if err != nil {
			return nil, nil, err
		}
		b, err := open(ctx)
		if err != nil {
			return nil, nil, err
		}
		return b, b.Close, nil
	}
}

// NewLinked makes a store without links.
func NewLinked(own provider.Settings, parse Parser) (*Linked, error) {
	t, err := linked.New("wrpc:keyvalue", parse, own)
	return &Linked{t}, err
}

// Relink has these be the settings and links from now on, and says of each link why it
// does not work.
func (s *Linked) Relink(own provider.Settings, links []provider.Link) []error {
	return s.table.Relink(own, links)
}

// Close closes all backends. No call is under way.
func (s *Linked) Close() error { return s.table.Close() }

// Get implements the contract.
func (s *Linked) Get(ctx context.Context, bucket, key string) (wit.Option[[]byte], error) {
	return linked.Call(ctx, s.table, func(b Backend) (wit.Option[[]byte], error) { return b.Get(ctx, bucket, key) })
}

// Set implements the contract.
func (s *Linked) Set(ctx context.Context, bucket, key string, value []byte) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.Set(ctx, bucket, key, value) })
}

// Delete implements the contract.
func (s *Linked) Delete(ctx context.Context, bucket, key string) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.Delete(ctx, bucket, key) })
}

// Exists implements the contract.
func (s *Linked) Exists(ctx context.Context, bucket, key string) (bool, error) {
	return linked.Call(ctx, s.table, func(b Backend) (bool, error) { return b.Exists(ctx, bucket, key) })
}

// ListKeys implements the contract.
func (s *Linked) ListKeys(ctx context.Context, bucket string, cursor wit.Option[uint64]) (contract.KeyResponse, error) {
	return linked.Call(ctx, s.table, func(b Backend) (contract.KeyResponse, error) { return b.ListKeys(ctx, bucket, cursor) })
}

// Increment implements the contract.
func (s *Linked) Increment(ctx context.Context, bucket, key string, delta uint64) (uint64, error) {
	return linked.Call(ctx, s.table, func(b Backend) (uint64, error) { return b.Increment(ctx, bucket, key, delta) })
}

// GetMany implements the contract.
func (s *Linked) GetMany(ctx context.Context, bucket string, keys []string) ([]wit.Option[contract.TupleStringBytes], error) {
	return linked.Call(ctx, s.table, func(b Backend) ([]wit.Option[contract.TupleStringBytes], error) { return b.GetMany(ctx, bucket, keys) })
}

// SetMany implements the contract.
func (s *Linked) SetMany(ctx context.Context, bucket string, keyValues []contract.TupleStringBytes) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.SetMany(ctx, bucket, keyValues) })
}

// DeleteMany implements the contract.
func (s *Linked) DeleteMany(ctx context.Context, bucket string, keys []string) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.DeleteMany(ctx, bucket, keys) })
}
