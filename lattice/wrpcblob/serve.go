package wrpcblob

import (
	"context"
	"errors"
	"io"

	"github.com/lathhost/lath/lattice/bind"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Serve serves a store in all versions of the contract. Every error of the store
// is the contract's to callers, except where a call has ended.
func Serve(reg *wrpc.Registrar, s contract.Store) error {
	var errs []error
	for _, v := range versions {
		h := &server{v: v, s: s}
		for name, f := range plain {
			errs = append(errs, reg.Handle(v.iface.Name, name, v.iface.Func(name).ParamTypes(), h.handle(name, f)))
		}
		errs = append(errs,
			reg.HandleStream(v.iface.Name, "list-container-objects", h.params("list-container-objects"), h.list),
			reg.HandleStream(v.iface.Name, "get-container-data", h.params("get-container-data"), h.read),
			reg.HandleStream(v.iface.Name, "write-container-data", h.params("write-container-data"), h.write, dataPath))
	}
	return errors.Join(errs...)
}

// function reads its parameters and returns what makes the call and appends what
// its ok has.
type function func(r *wire.Reader) func(ctx context.Context, s contract.Store, ok []byte) ([]byte, error)

// of1 is a function of one parameter that returns no value.
func of1[P any](read func(*wire.Reader) P, do func(contract.Store, context.Context, P) error) function {
	return func(r *wire.Reader) func(context.Context, contract.Store, []byte) ([]byte, error) {
		p := read(r)
		return func(ctx context.Context, s contract.Store, ok []byte) ([]byte, error) { return ok, do(s, ctx, p) }
	}
}

// get1 is a function of one parameter that returns a value.
func get1[P, V any](read func(*wire.Reader) P, do func(contract.Store, context.Context, P) (V, error), add func([]byte, V) []byte) function {
	return func(r *wire.Reader) func(context.Context, contract.Store, []byte) ([]byte, error) {
		p := read(r)
		return func(ctx context.Context, s contract.Store, ok []byte) ([]byte, error) {
			v, err := do(s, ctx, p)
			if err != nil {
				return nil, err
			}
			return add(ok, v), nil
		}
	}
}

// ofPair is a function of two objects.
func ofPair(do func(contract.Store, context.Context, contract.ObjectID, contract.ObjectID) error) function {
	return of1(func(r *wire.Reader) [2]contract.ObjectID { return [2]contract.ObjectID{readID(r), readID(r)} },
		func(s contract.Store, ctx context.Context, p [2]contract.ObjectID) error {
			return do(s, ctx, p[0], p[1])
		})
}

// many are objects of a container.
type many struct {
	container string
	objects   []string
}

// plain are the functions of plain values.
var plain = map[string]function{
	"clear-container":  of1((*wire.Reader).String, contract.Store.ClearContainer),
	"create-container": of1((*wire.Reader).String, contract.Store.CreateContainer),
	"delete-container": of1((*wire.Reader).String, contract.Store.DeleteContainer),
	"container-exists": get1((*wire.Reader).String, contract.Store.ContainerExists, wire.AppendBool),
	"get-container-info": get1((*wire.Reader).String, contract.Store.GetContainerInfo,
		func(b []byte, m contract.ContainerMetadata) []byte { return wire.AppendULEB(b, m.CreatedAt) }),
	"copy-object":   ofPair(contract.Store.CopyObject),
	"move-object":   ofPair(contract.Store.MoveObject),
	"delete-object": of1(readID, contract.Store.DeleteObject),
	"delete-objects": of1(func(r *wire.Reader) many { return many{r.String(), readStrings(r)} },
		func(s contract.Store, ctx context.Context, m many) error {
			return s.DeleteObjects(ctx, m.container, m.objects)
		}),
	"has-object": get1(readID, contract.Store.HasObject, wire.AppendBool),
	"get-object-info": get1(readID, contract.Store.GetObjectInfo, func(b []byte, m contract.ObjectMetadata) []byte {
		return wire.AppendULEB(wire.AppendULEB(b, m.CreatedAt), m.Size)
	}),
}

// server serves a store in one version.
type server struct {
	v *version
	s contract.Store
}

func (h *server) params(fn string) []*wit.Type { return h.v.iface.Func(fn).ParamTypes() }

// handle serves a function of plain values.
func (h *server) handle(name string, f function) func(ctx context.Context, params []byte) ([]byte, error) {
	return func(ctx context.Context, params []byte) ([]byte, error) {
		r := wire.NewReader(params)
		do := f(&r)
		if err := bind.Params(&r, h.v.iface.Name, name); err != nil {
			return nil, err
		}
		b, err := do(ctx, h.s, []byte{0})
		switch {
		case err == nil:
			return b, nil
		case ctx.Err() != nil:
			return nil, err
		}
		return appendOutcome(nil, err), nil
	}
}

// refuse answers a call by an error before there is a stream.
func refuse(ctx context.Context, x *wrpc.Exchange, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return x.SetResults(appendOutcome(nil, err))
}

// begin answers a call by a stream that is to come.
func (h *server) begin(x *wrpc.Exchange) error {
	b := []byte{0, wrpc.Pending}
	if h.v.told {
		b = append(b, wrpc.Pending)
	}
	return x.SetResults(b)
}

// end ends a stream, of which failed is why it is not whole. Where the version
// cannot tell, the stream breaks off.
func (h *server) end(x *wrpc.Exchange, w io.Closer, failed error) error {
	if failed != nil && !h.v.told {
		return failed
	}
	if err := w.Close(); err != nil || !h.v.told {
		return err
	}
	return wrpc.WriteFuture(x.ResultStream(h.v.end...), appendOutcome(nil, failed))
}

func (h *server) read(ctx context.Context, x *wrpc.Exchange) error {
	r := wire.NewReader(x.Params)
	id, start, end := readID(&r), r.U64(), r.U64()
	if err := bind.Params(&r, h.v.iface.Name, "get-container-data"); err != nil {
		return err
	}
	data, err := h.s.GetContainerData(ctx, id, start, end)
	if err != nil {
		return refuse(ctx, x, err)
	}
	defer data.Close()
	if err := h.begin(x); err != nil {
		return err
	}
	w := wrpc.NewByteStreamWriter(x.ResultStream(h.v.stream...))
	from := &source{r: data}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{from}, make([]byte, copyBytes))
	if err != nil && (from.err == nil || ctx.Err() != nil) {
		return err // the caller is gone
	}
	return h.end(x, w, from.err)
}

// listStep is how many names are sent at once.
const listStep = 256

func (h *server) list(ctx context.Context, x *wrpc.Exchange) error {
	r := wire.NewReader(x.Params)
	container, limit, offset := r.String(), readOption(&r), readOption(&r)
	if err := bind.Params(&r, h.v.iface.Name, "list-container-objects"); err != nil {
		return err
	}
	names, err := h.s.ListContainerObjects(ctx, container, limit, offset)
	if err != nil {
		return refuse(ctx, x, err)
	}
	defer names.Close() //nolint:errcheck // what was read is what counts
	if err := h.begin(x); err != nil {
		return err
	}
	w := wrpc.NewElemStreamWriter(x.ResultStream(h.v.stream...))
	var b []byte
	for {
		list, err := names.Next(listStep)
		switch {
		case errors.Is(err, io.EOF):
			return h.end(x, w, nil)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return h.end(x, w, err)
		}
		b = b[:0]
		for _, name := range list {
			b = wire.AppendString(b, name)
		}
		if err := w.WriteElems(uint32(len(list)), b); err != nil {
			return err
		}
	}
}

func (h *server) write(ctx context.Context, x *wrpc.Exchange) error {
	r := wire.NewReader(x.Params)
	id, early := readID(&r), r.Bytes()
	if err := bind.Params(&r, h.v.iface.Name, "write-container-data"); err != nil {
		return err
	}
	path, err := x.ParamStream(dataPath...)
	if err != nil {
		return err
	}
	var data io.Reader = wrpc.NewByteStream(path)
	if len(early) > 0 {
		data = &inPlace{early}
	}
	if h.v.told {
		// At once: a v1 caller may wait for it before it sends.
		if err := x.SetResults([]byte{0, wrpc.Pending}); err != nil {
			return err
		}
	}
	err = h.s.WriteContainerData(ctx, id, data)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if h.v.told {
		return wrpc.WriteFuture(x.ResultStream(outcomePath...), appendOutcome(nil, err))
	}
	return x.SetResults(appendOutcome(nil, err))
}

// inPlace is a stream that came with the parameters.
type inPlace struct{ b []byte }

// Read implements io.Reader.
func (s *inPlace) Read(p []byte) (int, error) {
	if len(s.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.b)
	s.b = s.b[n:]
	return n, nil
}
