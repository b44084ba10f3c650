package capability

import (
	"context"
	"errors"
	"fmt"
	"io"

	blobstorebind "github.com/lathhost/lath/host/bind/wasi/blobstore"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice/wrpcblob"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/blobstore"
	wrpcblobstore "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// adaptBlobstore makes the wasi:blobstore interface of that name; nil: it is none.
// Containers are what blobstore gives out, and follow its import.
func adaptBlobstore(name string, imp *link.Import) *component.HostInterface {
	var h component.HostInterface
	switch name {
	case blobstore.BlobstoreInterface.Name:
		h = blobstorebind.Blobstore(blobs{imp})
	case blobstore.ContainerInterface.Name:
		h = blobstorebind.Container()
	case blobstore.TypesInterface.Name:
		h = blobstorebind.Types(blobTypes{})
	default:
		return nil
	}
	return &h
}

// blobs calls what an import leads to, along the link that a call chose.
type blobs struct{ imp *link.Import }

var _ blobstore.Blobstore = blobs{}

func (b blobs) begin(ctx context.Context, name, fn string, timed timing) (*call[wrpcblobstore.Store], error) {
	return beginTimed(ctx, b.imp, b.imp.RouteNamed(name), fn, wrpcblobstore.Interface,
		func(p *provider.Capabilities) wrpcblobstore.Store { return p.Blobstore },
		func(inv *link.Invoker) wrpcblobstore.Store { return wrpcblob.NewClient(inv) }, timed)
}

// do makes a call without streams, along the link that was chosen for it.
func (b blobs) do(ctx context.Context, fn string, f func(context.Context, wrpcblobstore.Store) error) error {
	return b.doAlong(ctx, b.imp.Chosen(ctx), fn, f)
}

func (b blobs) doAlong(ctx context.Context, name, fn string, f func(context.Context, wrpcblobstore.Store) error) error {
	c, err := b.begin(ctx, name, fn, (*link.Import).Outgoing)
	if err != nil {
		return err
	}
	return c.end(f(c.ctx, c.impl))
}

// CreateContainer implements blobstore.Blobstore.
func (b blobs) CreateContainer(ctx context.Context, name string) (blobstore.Container, error) {
	err := b.do(ctx, "create-container", func(ctx context.Context, s wrpcblobstore.Store) error { return s.CreateContainer(ctx, name) })
	return &blobContainer{b, b.imp.Chosen(ctx), name}, err
}

// GetContainer implements blobstore.Blobstore.
func (b blobs) GetContainer(ctx context.Context, name string) (blobstore.Container, error) {
	is, err := b.ContainerExists(ctx, name)
	if err == nil && !is {
		err = wrpcblobstore.Error(fmt.Sprintf("no container %.100q", name))
	}
	return &blobContainer{b, b.imp.Chosen(ctx), name}, err
}

// DeleteContainer implements blobstore.Blobstore.
func (b blobs) DeleteContainer(ctx context.Context, name string) error {
	return b.do(ctx, "delete-container", func(ctx context.Context, s wrpcblobstore.Store) error { return s.DeleteContainer(ctx, name) })
}

// ContainerExists implements blobstore.Blobstore.
func (b blobs) ContainerExists(ctx context.Context, name string) (is bool, err error) {
	err = b.do(ctx, "container-exists", func(ctx context.Context, s wrpcblobstore.Store) (err error) {
		is, err = s.ContainerExists(ctx, name)
		return err
	})
	return is, err
}

// CopyObject implements blobstore.Blobstore.
func (b blobs) CopyObject(ctx context.Context, src, dest blobstore.ObjectID) error {
	return b.do(ctx, "copy-object", func(ctx context.Context, s wrpcblobstore.Store) error {
		return s.CopyObject(ctx, wrpcblobstore.ObjectID(src), wrpcblobstore.ObjectID(dest))
	})
}

// MoveObject implements blobstore.Blobstore.
func (b blobs) MoveObject(ctx context.Context, src, dest blobstore.ObjectID) error {
	return b.do(ctx, "move-object", func(ctx context.Context, s wrpcblobstore.Store) error {
		return s.MoveObject(ctx, wrpcblobstore.ObjectID(src), wrpcblobstore.ObjectID(dest))
	})
}

// blobContainer is a container that a guest has opened: its name, and the link that
// calls about it follow.
type blobContainer struct {
	in   blobs
	link string // by which it was opened
	name string
}

var _ blobstore.Container = (*blobContainer)(nil)

func (c *blobContainer) id(object string) wrpcblobstore.ObjectID {
	return wrpcblobstore.ObjectID{Container: c.name, Object: object}
}

func (c *blobContainer) do(ctx context.Context, fn string, f func(context.Context, wrpcblobstore.Store) error) error {
	return c.in.doAlong(ctx, c.link, fn, f)
}

// Name implements blobstore.Container.
func (c *blobContainer) Name(context.Context) (string, error) { return c.name, nil }

// Info implements blobstore.Container.
func (c *blobContainer) Info(ctx context.Context) (m blobstore.ContainerMetadata, err error) {
	err = c.do(ctx, "info", func(ctx context.Context, s wrpcblobstore.Store) error {
		got, err := s.GetContainerInfo(ctx, c.name)
		m = blobstore.ContainerMetadata{Name: c.name, CreatedAt: got.CreatedAt}
		return err
	})
	return m, err
}

// ObjectInfo implements blobstore.Container.
func (c *blobContainer) ObjectInfo(ctx context.Context, name string) (m blobstore.ObjectMetadata, err error) {
	err = c.do(ctx, "object-info", func(ctx context.Context, s wrpcblobstore.Store) error {
		got, err := s.GetObjectInfo(ctx, c.id(name))
		m = blobstore.ObjectMetadata{Name: name, Container: c.name, CreatedAt: got.CreatedAt, Size: got.Size}
		return err
	})
	return m, err
}

// HasObject implements blobstore.Container.
func (c *blobContainer) HasObject(ctx context.Context, name string) (is bool, err error) {
	err = c.do(ctx, "has-object", func(ctx context.Context, s wrpcblobstore.Store) (err error) {
		is, err = s.HasObject(ctx, c.id(name))
		return err
	})
	return is, err
}

// DeleteObject implements blobstore.Container.
func (c *blobContainer) DeleteObject(ctx context.Context, name string) error {
	return c.do(ctx, "delete-object", func(ctx context.Context, s wrpcblobstore.Store) error { return s.DeleteObject(ctx, c.id(name)) })
}

// DeleteObjects implements blobstore.Container.
func (c *blobContainer) DeleteObjects(ctx context.Context, names []string) error {
	return c.do(ctx, "delete-objects", func(ctx context.Context, s wrpcblobstore.Store) error { return s.DeleteObjects(ctx, c.name, names) })
}

// Clear implements blobstore.Container.
func (c *blobContainer) Clear(ctx context.Context) error {
	return c.do(ctx, "clear", func(ctx context.Context, s wrpcblobstore.Store) error { return s.ClearContainer(ctx, c.name) })
}

// Drop implements blobstore.Container.
func (c *blobContainer) Drop() {}

// GetData implements blobstore.Container.
func (c *blobContainer) GetData(ctx context.Context, name string, start, end uint64) (blobstore.IncomingValue, error) {
	call, err := c.in.begin(ctx, c.link, "get-data", (*link.Import).Streaming)
	if err != nil {
		return nil, err
	}
	data, err := call.impl.GetContainerData(call.ctx, c.id(name), start, end)
	if err != nil {
		return nil, call.end(err)
	}
	return &blobIncoming{in: c, name: name, start: start, end: end, data: &blobData{call: call, data: data}}, nil
}

// WriteData implements blobstore.Container.
func (c *blobContainer) WriteData(ctx context.Context, name string, data blobstore.OutgoingValue) error {
	v, ok := data.(*blobOutgoing)
	if !ok {
		return errors.New("the value is not of this host")
	}
	call, err := c.in.begin(ctx, c.link, "write-data", (*link.Import).Streaming)
	if err != nil {
		return err
	}
	return v.start(call, c.id(name))
}

// ListObjects implements blobstore.Container.
func (c *blobContainer) ListObjects(ctx context.Context) (blobstore.StreamObjectNames, error) {
	call, err := c.in.begin(ctx, c.link, "list-objects", (*link.Import).Streaming)
	if err != nil {
		return nil, err
	}
	names, err := call.impl.ListContainerObjects(call.ctx, c.name, wit.None[uint64](), wit.None[uint64]())
	if err != nil {
		return nil, call.end(err)
	}
	return &blobNames{call: call, names: names}, nil
}

// Bounds of one answer about names.
const (
	maxBlobNames     = 1 << 14
	maxBlobNameBytes = 1 << 20
)

// blobNames is a listing that a guest reads.
type blobNames struct {
	call  *call[wrpcblobstore.Store]
	names wrpcblobstore.Names
	err   error // io.EOF, or what is to be told next
}

// next returns up to most names, fewer only at the end or where they are many.
func (n *blobNames) next(most uint64) (list []string, end bool, err error) {
	most = min(most, maxBlobNames)
	size := 0
	for uint64(len(list)) < most && size < maxBlobNameBytes && n.err == nil {
		var more []string
		if more, n.err = n.names.Next(int(most) - len(list)); n.err == nil && len(more) == 0 {
			n.err = io.ErrNoProgress
		}
		for _, name := range more {
			size += len(name)
		}
		list = append(list, more...)
	}
	switch {
	case errors.Is(n.err, io.EOF):
		return list, true, nil
	case n.err != nil && len(list) == 0:
		return nil, false, n.err
	}
	return list, false, nil
}

// ReadStreamObjectNames implements blobstore.StreamObjectNames.
func (n *blobNames) ReadStreamObjectNames(_ context.Context, length uint64) (blobstore.TupleListStringBool, error) {
	list, end, err := n.next(length)
	return blobstore.TupleListStringBool{F0: list, F1: end}, err
}

// SkipStreamObjectNames implements blobstore.StreamObjectNames.
func (n *blobNames) SkipStreamObjectNames(_ context.Context, num uint64) (blobstore.TupleU64Bool, error) {
	var out blobstore.TupleU64Bool
	for out.F0 < num && !out.F1 {
		list, end, err := n.next(num - out.F0)
		if err != nil {
			return out, err
		}
		out.F0, out.F1 = out.F0+uint64(len(list)), end
	}
	return out, nil
}

// Drop implements blobstore.StreamObjectNames.
func (n *blobNames) Drop() {
	n.call.cancel()
	_ = n.names.Close() // nobody is left to be told
}
