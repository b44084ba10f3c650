package capability

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/blobstore"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
	wrpcblobstore "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// fakeBlobs has one object, of any size, and takes one. Its other methods are not
// called.
type fakeBlobs struct {
	wrpcblobstore.Store
	size  int64
	wrote chan [sha256.Size]byte // of what came whole
	gave  chan error             // of what did not
	fail  error                  // of a write, at once
}

func (f *fakeBlobs) CreateContainer(context.Context, string) error { return nil }
func (f *fakeBlobs) ContainerExists(_ context.Context, name string) (bool, error) {
	return name == "box", nil
}
func (f *fakeBlobs) DeleteObject(context.Context, wrpcblobstore.ObjectID) error {
	return errors.New("a plain error")
}
func (f *fakeBlobs) GetObjectInfo(context.Context, wrpcblobstore.ObjectID) (wrpcblobstore.ObjectMetadata, error) {
	return wrpcblobstore.ObjectMetadata{CreatedAt: 7, Size: uint64(f.size)}, nil
}

// stripes are bytes of which each 32 KiB differ.
type stripes struct{ at int64 }

func (s *stripes) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(s.at + s.at>>15)
		s.at++
	}
	return len(p), nil
}

func (f *fakeBlobs) GetContainerData(_ context.Context, id wrpcblobstore.ObjectID, start, _ uint64) (io.ReadCloser, error) {
	switch id.Object {
	case "missing":
		return nil, wrpcblobstore.Error("no such object")
	case "broken":
		return io.NopCloser(io.MultiReader(io.LimitReader(&stripes{}, 100<<10), iotestErr{wrpcblobstore.Error("the disk is on fire")})), nil
	}
	return io.NopCloser(io.LimitReader(&stripes{at: int64(start)}, f.size-int64(start))), nil
}

type iotestErr struct{ err error }

func (e iotestErr) Read([]byte) (int, error) { return 0, e.err }

func (f *fakeBlobs) WriteContainerData(_ context.Context, _ wrpcblobstore.ObjectID, data io.Reader) error {
	if f.fail != nil {
		return f.fail
	}
	h := sha256.New()
	if _, err := io.Copy(h, data); err != nil {
		f.gave <- err
		return err
	}
	f.wrote <- [sha256.Size]byte(h.Sum(nil))
	return nil
}

func (f *fakeBlobs) ListContainerObjects(context.Context, string, wit.Option[uint64], wit.Option[uint64]) (wrpcblobstore.Names, error) {
	return &fakeNames{left: 1000}, nil
}

type fakeNames struct{ left int }

func (n *fakeNames) Next(most int) ([]string, error) {
	if n.left == 0 {
		return nil, io.EOF
	}
	k := min(most, n.left, 7)
	n.left -= k
	return make([]string, k), nil
}

func (n *fakeNames) Close() error { return nil }

var blobLink = lattice.Link{SourceID: "guest", Target: "kv", Name: "default", WITNamespace: "wasi", WITPackage: "blobstore",
	Interfaces: []string{"blobstore"}}

// withBlobs runs a test on both routes.
func withBlobs(t *testing.T, f *fakeBlobs, test func(t *testing.T, ctx context.Context, box blobstore.Container)) {
	t.Helper()
	f.wrote, f.gave = make(chan [sha256.Size]byte, 1), make(chan error, 1)
	routes(t, &provider.Capabilities{Blobstore: f}, func(t *testing.T, r *link.Router) {
		r.SetLinks([]lattice.Link{blobLink})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		box, err := blobs{r.Import("guest", blobstore.BlobstoreInterface)}.GetContainer(ctx, "box")
		require.NoError(t, err)
		test(t, ctx, box)
	})
}

// outgoing starts to write an object.
func outgoing(ctx context.Context, t *testing.T, box blobstore.Container) (blobstore.OutgoingValue, wasiio.OutputStream) {
	t.Helper()
	v, err := blobTypes{}.OutgoingValueNewOutgoingValue(ctx)
	require.NoError(t, err)
	body, err := v.OutgoingValueWriteBody(ctx)
	require.NoError(t, err)
	_, err = v.OutgoingValueWriteBody(ctx)
	require.Error(t, err, "the stream is there once")
	require.NoError(t, box.WriteData(ctx, "o", v))
	return v, body
}

// copyBlob copies an object from stream to stream, as a guest does, and returns the
// error that ended it.
func copyBlob(ctx context.Context, t *testing.T, box blobstore.Container, name string, pause func()) (n uint64, v blobstore.OutgoingValue, end error) {
	t.Helper()
	in, err := box.GetData(ctx, name, 0, math.MaxUint64)
	require.NoError(t, err)
	src, err := blobTypes{}.IncomingValueIncomingValueConsumeAsync(ctx, in)
	require.NoError(t, err)
	defer src.Drop()
	v, body := outgoing(ctx, t, box)
	defer body.Drop()
	for {
		k, err := body.BlockingSplice(ctx, src, 64<<10)
		if n += k; err != nil {
			return n, v, err
		}
		pause()
	}
}

// TestBlobsStream: 64 MiB go through, on both routes, and are never held; the
// reader dawdles.
func TestBlobsStream(t *testing.T) {
	f := &fakeBlobs{size: 64 << 20}
	want := sha256.New()
	_, _ = io.Copy(want, io.LimitReader(&stripes{}, f.size))
	withBlobs(t, f, func(t *testing.T, ctx context.Context, box blobstore.Container) {
		var most uint64
		n := 0
		_, v, end := copyBlob(ctx, t, box, "o", func() {
			if n++; n%200 == 0 { // once in some MiB
				runtime.Gosched()
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		})
		require.Equal(t, wasiio.StreamErrorClosed, end.(wasiio.StreamError).Tag, "%v", end) //nolint:errorlint,forcetypeassert // it is one
		require.NoError(t, blobTypes{}.OutgoingValueFinish(ctx, v))
		require.Equal(t, want.Sum(nil), sum(<-f.wrote))
		require.Less(t, most, uint64(48<<20), "of 64 MiB that went through")
	})
}

func sum(s [sha256.Size]byte) []byte { return s[:] }

func TestBlobsGivenUp(t *testing.T) {
	f := &fakeBlobs{size: 1 << 20}
	withBlobs(t, f, func(t *testing.T, ctx context.Context, box blobstore.Container) {
		v, body := outgoing(ctx, t, box)
		for range 20 { // more than a pipe holds, so that somebody stores it already
			require.NoError(t, body.BlockingWriteAndFlush(ctx, make([]byte, 4096)))
		}
		require.Error(t, box.WriteData(ctx, "another", v), "a value is one object's")
		body.Drop()
		v.Drop() // without finish
		require.Error(t, <-f.gave)
		require.Empty(t, f.wrote)

		// An object that breaks off in the middle.
		n, v, end := copyBlob(ctx, t, box, "broken", func() {})
		require.EqualValues(t, 100<<10, n)
		require.Equal(t, wasiio.StreamErrorLastOperationFailed, end.(wasiio.StreamError).Tag) //nolint:errorlint,forcetypeassert // it is one
		v.Drop()
		require.Error(t, <-f.gave)

		// One that nobody stores.
		v, err := blobTypes{}.OutgoingValueNewOutgoingValue(ctx)
		require.NoError(t, err)
		require.ErrorContains(t, blobTypes{}.OutgoingValueFinish(ctx, v), "write-data comes before finish")
	})
}

func TestBlobErrors(t *testing.T) {
	f := &fakeBlobs{size: 100, fail: wrpcblobstore.Error("disk full")}
	withBlobs(t, f, func(t *testing.T, ctx context.Context, box blobstore.Container) {
		_, err := box.GetData(ctx, "missing", 0, 1)
		require.EqualError(t, err, "no such object")
		require.EqualError(t, box.DeleteObject(ctx, "o"), "a plain error")
		v, body := outgoing(ctx, t, box)
		for err == nil || errors.As(err, new(wrpcblobstore.Error)) { // until the guest learns of it
			if err = body.BlockingWriteAndFlush(ctx, make([]byte, 4096)); err == nil {
				continue
			}
			break
		}
		require.EqualError(t, blobTypes{}.OutgoingValueFinish(ctx, v), "disk full")
	})
}

func TestBlobValues(t *testing.T) {
	f := &fakeBlobs{size: 100}
	withBlobs(t, f, func(t *testing.T, ctx context.Context, box blobstore.Container) {
		in, err := box.GetData(ctx, "o", 40, math.MaxUint64)
		require.NoError(t, err)
		n, err := in.Size(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 60, n)
		b, err := blobTypes{}.IncomingValueIncomingValueConsumeSync(ctx, in)
		require.NoError(t, err)
		want, _ := io.ReadAll(io.LimitReader(&stripes{at: 40}, 60))
		require.True(t, bytes.Equal(want, b))
		info, err := box.ObjectInfo(ctx, "o")
		require.NoError(t, err)
		require.Equal(t, blobstore.ObjectMetadata{Name: "o", Container: "box", CreatedAt: 7, Size: 100}, info)

		names, err := box.ListObjects(ctx)
		require.NoError(t, err)
		skipped, err := names.SkipStreamObjectNames(ctx, 100)
		require.NoError(t, err)
		require.Equal(t, blobstore.TupleU64Bool{F0: 100}, skipped)
		some, err := names.ReadStreamObjectNames(ctx, 10)
		require.NoError(t, err)
		require.Len(t, some.F0, 10)
		rest, err := names.ReadStreamObjectNames(ctx, math.MaxUint64)
		require.NoError(t, err)
		require.Len(t, rest.F0, 890)
		require.True(t, rest.F1)
		names.Drop()
	})
}

func TestBlobsWithoutRoute(t *testing.T) {
	t.Parallel()
	b := blobs{link.NewRouter("default", here{}, nil).Import("guest", blobstore.BlobstoreInterface)}
	_, err := b.GetContainer(t.Context(), "box")
	require.ErrorContains(t, err, "no link")
	box := &blobContainer{b, "default", "box"}
	_, err = box.ListObjects(t.Context())
	require.ErrorContains(t, err, "no link")
}
