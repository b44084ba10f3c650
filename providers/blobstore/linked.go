package blobstore

import (
	"context"
	"io"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/linked"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Backend is what carries out the contract, and is closed when it is not needed any
// more.
type Backend interface {
	contract.Store
	Close() error
}

// Opener connects to a backend when a call first needs it.
type Opener = linked.Opener[Backend]

// Linked is a store that has one backend for each link that ends at it, by the link's
// settings joined with the provider's. It is safe for concurrent use. What is read
// keeps its backend until it is closed.
type Linked struct {
	table *linked.Table[Backend]
}

var _ Backend = (*Linked)(nil)

// NewLinked makes a store without links. parse checks settings, whose names are in
// lower case, without I/O; its errors have no value of a secret.
func NewLinked(own provider.Settings, parse func(provider.Settings) (Opener, error)) (*Linked, error) {
	t, err := linked.New("wrpc:blobstore", parse, own)
	return &Linked{t}, err
}

// Relink has these be the settings and links from now on, and says of each link why it
// does not work.
func (s *Linked) Relink(own provider.Settings, links []provider.Link) []error {
	return s.table.Relink(own, links)
}

// Close closes all backends. No call is under way.
func (s *Linked) Close() error { return s.table.Close() }

// ClearContainer implements contract.Store.
func (s *Linked) ClearContainer(ctx context.Context, container string) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.ClearContainer(ctx, container) })
}

// ContainerExists implements contract.Store.
func (s *Linked) ContainerExists(ctx context.Context, container string) (bool, error) {
	return linked.Call(ctx, s.table, func(b Backend) (bool, error) { return b.ContainerExists(ctx, container) })
}

// CreateContainer implements contract.Store.
func (s *Linked) CreateContainer(ctx context.Context, container string) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.CreateContainer(ctx, container) })
}

// DeleteContainer implements contract.Store.
func (s *Linked) DeleteContainer(ctx context.Context, container string) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.DeleteContainer(ctx, container) })
}

// GetContainerInfo implements contract.Store.
func (s *Linked) GetContainerInfo(ctx context.Context, container string) (contract.ContainerMetadata, error) {
	return linked.Call(ctx, s.table, func(b Backend) (contract.ContainerMetadata, error) { return b.GetContainerInfo(ctx, container) })
}

// CopyObject implements contract.Store.
func (s *Linked) CopyObject(ctx context.Context, src, dest contract.ObjectID) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.CopyObject(ctx, src, dest) })
}

// MoveObject implements contract.Store.
func (s *Linked) MoveObject(ctx context.Context, src, dest contract.ObjectID) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.MoveObject(ctx, src, dest) })
}

// DeleteObject implements contract.Store.
func (s *Linked) DeleteObject(ctx context.Context, id contract.ObjectID) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.DeleteObject(ctx, id) })
}

// DeleteObjects implements contract.Store.
func (s *Linked) DeleteObjects(ctx context.Context, container string, objects []string) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.DeleteObjects(ctx, container, objects) })
}

// HasObject implements contract.Store.
func (s *Linked) HasObject(ctx context.Context, id contract.ObjectID) (bool, error) {
	return linked.Call(ctx, s.table, func(b Backend) (bool, error) { return b.HasObject(ctx, id) })
}

// GetObjectInfo implements contract.Store.
func (s *Linked) GetObjectInfo(ctx context.Context, id contract.ObjectID) (contract.ObjectMetadata, error) {
	return linked.Call(ctx, s.table, func(b Backend) (contract.ObjectMetadata, error) { return b.GetObjectInfo(ctx, id) })
}

// WriteContainerData implements contract.Store.
func (s *Linked) WriteContainerData(ctx context.Context, id contract.ObjectID, data io.Reader) error {
	return linked.Do(ctx, s.table, func(b Backend) error { return b.WriteContainerData(ctx, id, data) })
}

// GetContainerData implements contract.Store.
func (s *Linked) GetContainerData(ctx context.Context, id contract.ObjectID, start, end uint64) (io.ReadCloser, error) {
	b, done, err := s.table.Use(ctx)
	if err != nil {
		return nil, err
	}
	r, err := b.GetContainerData(ctx, id, start, end)
	if err != nil {
		done()
		return nil, err
	}
	return &linkedReader{r, done}, nil
}

// linkedReader uses its backend until it is closed.
type linkedReader struct {
	io.ReadCloser
	done func()
}

// Close implements io.Closer.
func (r *linkedReader) Close() error {
	defer r.done()
	return r.ReadCloser.Close()
}

// ListContainerObjects implements contract.Store.
func (s *Linked) ListContainerObjects(ctx context.Context, container string, limit, offset wit.Option[uint64]) (contract.Names, error) {
	b, done, err := s.table.Use(ctx)
	if err != nil {
		return nil, err
	}
	names, err := b.ListContainerObjects(ctx, container, limit, offset)
	if err != nil {
		done()
		return nil, err
	}
	return &linkedNames{names, done}, nil
}

// linkedNames use their backend until they are closed.
type linkedNames struct {
	contract.Names
	done func()
}

// Close implements contract.Names.
func (n *linkedNames) Close() error {
	defer n.done()
	return n.Names.Close()
}
