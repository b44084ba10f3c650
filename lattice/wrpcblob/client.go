package wrpcblob

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/lathhost/lath/lattice/bind"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Caller calls the functions of one target.
type Caller interface {
	bind.Invoker
	// Open starts a call with streams, and returns when the target has accepted it.
	// paths are those of the results.
	Open(ctx context.Context, instance, function string, params []byte, paths ...wrpc.Path) (*wrpc.Call, error)
	// Failed names what failed in a call that was opened.
	Failed(function string, err error) error
}

// Client carries the contract out by calling a target: version 0.2.0 of it, or
// 0.1.0 where nobody serves that. It is safe for concurrent use if its caller is.
//
// # Errors
//
// A [contract.Error] is the target's; others are of the way to it, as the caller
// has them, or wrap [ErrMalformed].
type Client struct{ to Caller }

var _ contract.Store = (*Client)(nil)

// NewClient returns a client of the target that a caller calls.
func NewClient(to Caller) *Client { return &Client{to} }

// attempt makes a call in the versions that there are, until somebody serves it.
func attempt(try func(v *version) error) error {
	var first error
	for _, v := range versions {
		err := try(v)
		switch {
		case !errors.Is(err, wrpc.ErrNotConnected):
			return err
		case first == nil:
			first = err
		}
	}
	return first
}

// call calls a function of plain values and gives what follows its ok to read.
func (c *Client) call(ctx context.Context, fn string, params []byte, read func(*wire.Reader)) error {
	return attempt(func(v *version) error {
		b, err := c.to.Invoke(ctx, v.iface.Name, fn, params)
		if err != nil {
			return err
		}
		r := wire.NewReader(b)
		if err := resultOf(&r); err != nil {
			return err
		}
		if read != nil {
			read(&r)
		}
		if err := bind.Results(&r, v.iface.Name, fn); err != nil {
			return malformed(err)
		}
		return nil
	})
}

// ClearContainer implements contract.Store.
func (c *Client) ClearContainer(ctx context.Context, container string) error {
	return c.call(ctx, "clear-container", wire.AppendString(nil, container), nil)
}

// ContainerExists implements contract.Store.
func (c *Client) ContainerExists(ctx context.Context, container string) (is bool, err error) {
	err = c.call(ctx, "container-exists", wire.AppendString(nil, container), func(r *wire.Reader) { is = r.Bool() })
	return is, err
}

// CreateContainer implements contract.Store.
func (c *Client) CreateContainer(ctx context.Context, container string) error {
	return c.call(ctx, "create-container", wire.AppendString(nil, container), nil)
}

// DeleteContainer implements contract.Store.
func (c *Client) DeleteContainer(ctx context.Context, container string) error {
	return c.call(ctx, "delete-container", wire.AppendString(nil, container), nil)
}

// GetContainerInfo implements contract.Store.
func (c *Client) GetContainerInfo(ctx context.Context, container string) (m contract.ContainerMetadata, err error) {
	err = c.call(ctx, "get-container-info", wire.AppendString(nil, container), func(r *wire.Reader) { m.CreatedAt = r.U64() })
	return m, err
}

// CopyObject implements contract.Store.
func (c *Client) CopyObject(ctx context.Context, src, dest contract.ObjectID) error {
	return c.call(ctx, "copy-object", appendID(appendID(nil, src), dest), nil)
}

// MoveObject implements contract.Store.
func (c *Client) MoveObject(ctx context.Context, src, dest contract.ObjectID) error {
	return c.call(ctx, "move-object", appendID(appendID(nil, src), dest), nil)
}

// DeleteObject implements contract.Store.
func (c *Client) DeleteObject(ctx context.Context, id contract.ObjectID) error {
	return c.call(ctx, "delete-object", appendID(nil, id), nil)
}

// DeleteObjects implements contract.Store.
func (c *Client) DeleteObjects(ctx context.Context, container string, objects []string) error {
	b := wire.AppendULEB(wire.AppendString(nil, container), uint64(len(objects)))
	for _, name := range objects {
		b = wire.AppendString(b, name)
	}
	return c.call(ctx, "delete-objects", b, nil)
}

// HasObject implements contract.Store.
func (c *Client) HasObject(ctx context.Context, id contract.ObjectID) (is bool, err error) {
	err = c.call(ctx, "has-object", appendID(nil, id), func(r *wire.Reader) { is = r.Bool() })
	return is, err
}

// GetObjectInfo implements contract.Store.
func (c *Client) GetObjectInfo(ctx context.Context, id contract.ObjectID) (m contract.ObjectMetadata, err error) {
	err = c.call(ctx, "get-object-info", appendID(nil, id), func(r *wire.Reader) { m.CreatedAt, m.Size = r.U64(), r.U64() })
	return m, err
}

// GetContainerData implements contract.Store.
func (c *Client) GetContainerData(ctx context.Context, id contract.ObjectID, start, end uint64) (io.ReadCloser, error) {
	const fn = "get-container-data"
	params := wire.AppendULEB(wire.AppendULEB(appendID(nil, id), start), end)
	in, r, err := c.open(ctx, fn, params)
	if err != nil {
		return nil, err
	}
	d := &data{incoming: in}
	if d.early = r.Bytes(); len(d.early) == 0 {
		d.bytes = wrpc.NewByteStream(in.stream)
	}
	if err := in.readEnd(r); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// ListContainerObjects implements contract.Store.
func (c *Client) ListContainerObjects(ctx context.Context, container string, limit, offset wit.Option[uint64]) (contract.Names, error) {
	const fn = "list-container-objects"
	in, r, err := c.open(ctx, fn, appendOption(appendOption(wire.AppendString(nil, container), limit), offset))
	if err != nil {
		return nil, err
	}
	n := &names{incoming: in}
	if n.early = readStrings(r); len(n.early) == 0 {
		n.elems = wrpc.NewElemStream(in.stream, wit.String, MaxName)
	}
	if err := in.readEnd(r); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// open calls a function that returns a stream; r is of its result, before the
// stream.
func (c *Client) open(ctx context.Context, fn string, params []byte) (in *incoming, r *wire.Reader, err error) {
	err = attempt(func(v *version) error {
		call, err := c.to.Open(ctx, v.iface.Name, fn, params, v.paths()...)
		if err != nil {
			return err
		}
		in = &incoming{v: v, call: call, to: c.to, fn: fn}
		if r, err = in.begin(); err != nil {
			return errors.Join(err, call.Close())
		}
		return nil
	})
	return in, r, err
}

// WriteContainerData implements contract.Store. When the target ends the call
// before data has ended, that is seen at the next bytes of data.
func (c *Client) WriteContainerData(ctx context.Context, id contract.ObjectID, data io.Reader) error {
	const fn = "write-container-data"
	return attempt(func(v *version) error {
		var paths []wrpc.Path
		if v.told {
			paths = []wrpc.Path{outcomePath}
		}
		call, err := c.to.Open(ctx, v.iface.Name, fn, append(appendID(nil, id), wrpc.Pending), paths...)
		if err != nil {
			return err
		}
		return c.to.Failed(fn, write(v, call, data))
	})
}

// write sends an object and waits for what became of it.
func write(v *version, call *wrpc.Call, data io.Reader) error {
	outcome := make(chan error, 1)
	go func() {
		err := awaitOutcome(v, call)
		if err != nil {
			_ = call.Close() // always nil: what is still to be sent is for nobody
		}
		outcome <- err
	}()
	source := &source{r: data}
	to := call.Params(dataPath...)
	w := wrpc.NewByteStreamWriter(to)
	buf := make([]byte, copyBytes)
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{source}, buf)
	if source.err != nil { // given up: without its end, the object is not whole
		_ = to.CloseWithError(source.err)
		_ = call.Close()
		<-outcome //nolint:errcheck // of what was given up
		return source.err
	}
	if err == nil {
		err = w.Close()
	}
	if told := <-outcome; told != nil {
		err = told // it says more than that nobody listens
	} else if err == nil {
		settle(call)
	}
	_ = call.Close()
	return err
}

// copyBytes is how much of an object is sent at once.
const copyBytes = 32 << 10

// source tells the errors of a reader from those of a writer.
type source struct {
	r   io.Reader
	err error
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// awaitOutcome reads the result of a write.
func awaitOutcome(v *version, call *wrpc.Call) error {
	f := v.iface.Func("write-container-data")
	root, err := call.Root(wrpc.Whole(f.Result))
	if err != nil {
		return err
	}
	r := wire.NewReader(root)
	if err := resultOf(&r); err != nil || !v.told {
		return err
	}
	if r.Future() {
		return resultOf(&r)
	}
	if err := r.Err(); err != nil {
		return malformed(err)
	}
	later, err := call.Results(outcomePath...)
	if err != nil {
		return err
	}
	b, err := wrpc.ReadFuture(later, contract.Outcome, maxOutcome)
	if err != nil {
		return fmt.Errorf("%s: outcome: %w", f.Name, err)
	}
	return readOutcome(b)
}

// settle waits for the end of a call that has given all it has, where the callee
// tells it: or it would be told to stop at its last words.
func settle(call *wrpc.Call) {
	if info, err := call.Accepted(); err == nil && info.Lath {
		_ = call.Wait() // its values were whole
	}
}
