// Package blobstore is the contract wrpc:blobstore: objects of any size by name,
// in containers, without resources, as wasmCloud v1 sends it across a lattice. Its
// values have streams and futures, which generated bindings do not have, so that
// the Go contract and the type model are written by hand; the codec is
// lattice/wrpcblob.
//
// Source: wasmCloud v1 protocol, "WIT contracts on the wire".
package blobstore

import (
	"context"
	"io"

	"github.com/lathhost/lath/wit"
)

// Store is the contract. It must be safe for concurrent use. An error is the
// contract's own, which is a text; other errors tell what kept the store from
// answering.
//
// What the .wit leaves open is settled so: names are any text. A range is that of
// the .wit of wasi:blobstore, from byte start to byte end, both in it; what of it
// lies behind the object's end is left out, and a start behind the end is an error.
// Writing replaces an object in one step: those who read see the old one or the
// new one whole. Deleting what is not there, in a container that is, is no error.
// A container or object that is not there is one everywhere else.
type Store interface {
	// ClearContainer removes all objects of a container.
	ClearContainer(ctx context.Context, container string) error
	// ContainerExists reports whether a container is there.
	ContainerExists(ctx context.Context, container string) (bool, error)
	// CreateContainer makes a container. One that is there stays as it is.
	CreateContainer(ctx context.Context, container string) error
	// DeleteContainer removes a container with all that is in it. One that is not
	// there is no error.
	DeleteContainer(ctx context.Context, container string) error
	// GetContainerInfo returns what is known of a container.
	GetContainerInfo(ctx context.Context, container string) (ContainerMetadata, error)
	// ListContainerObjects lists the names of a container's objects in the order of
	// their bytes, without the first offset ones, and limit at most.
	ListContainerObjects(ctx context.Context, container string, limit, offset wit.Option[uint64]) (Names, error)
	// CopyObject copies an object, over another if there is one.
	CopyObject(ctx context.Context, src, dest ObjectID) error
	// DeleteObject removes an object.
	DeleteObject(ctx context.Context, id ObjectID) error
	// DeleteObjects removes objects of a container.
	DeleteObjects(ctx context.Context, container string, objects []string) error
	// GetContainerData reads an object, or a range of it. The reader must be closed,
	// and fails when ctx ends; another goroutine may do that, but not read.
	GetContainerData(ctx context.Context, id ObjectID, start, end uint64) (io.ReadCloser, error)
	// GetObjectInfo returns what is known of an object.
	GetObjectInfo(ctx context.Context, id ObjectID) (ObjectMetadata, error)
	// HasObject reports whether an object is there.
	HasObject(ctx context.Context, id ObjectID) (bool, error)
	// MoveObject moves an object, over another if there is one.
	MoveObject(ctx context.Context, src, dest ObjectID) error
	// WriteContainerData writes an object of what data has until [io.EOF]. Any other
	// error of data, and the end of ctx, give the object up, and nothing has changed.
	// A Read that is under way when ctx ends is the caller's to end. data is not read
	// after the return.
	WriteContainerData(ctx context.Context, id ObjectID, data io.Reader) error
}

// Names are names of objects, as they come. They are for one goroutine, apart from
// Close.
type Names interface {
	// Next returns some names, most at most, or [io.EOF] after the last. It returns no
	// names only with an error, or where most is 0.
	Next(most int) ([]string, error)
	// Close gives up the rest. It must be called.
	Close() error
}

// Error is why an operation failed, in words.
type Error string

// Error implements error.
func (e Error) Error() string { return string(e) }

// ContainerMetadata is what is known of a container.
type ContainerMetadata struct {
	// CreatedAt is when it was made, in seconds since 1970.
	CreatedAt uint64
}

// ObjectMetadata is what is known of an object.
type ObjectMetadata struct {
	// CreatedAt is when it was written, in seconds since 1970.
	CreatedAt uint64
	// Size is in bytes.
	Size uint64
}

// ObjectID says where an object is.
type ObjectID struct{ Container, Object string }
