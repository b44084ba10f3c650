package blobstoretest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/blobstore"
)

// patience bounds every test.
const patience = 2 * time.Minute

// box is the container that most tests use.
const box = "box"

// whole is the end of a range that is all of an object.
const whole = math.MaxUint64

// behaviours are the tests, by name.
var behaviours = map[string]func(*testing.T, *subject){
	"containers come and go":            containers,
	"objects come and go":               objects,
	"any bytes are an object":           contents,
	"any text is a name":                hostileNames,
	"ranges have both ends":             ranges,
	"listings are in order, by pages":   listings,
	"copies and moves":                  transfers,
	"what is not there":                 missing,
	"what was given up never was":       givenUp,
	"a call that ended":                 cancelled,
	"readers see old or new":            overwrites,
	"a slow reader keeps what it has":   slowReader,
	"readers that are closed early":     closedEarly,
	"a container goes while it is used": deletedUnderWriter,
}

// Run tests the behaviour of a backend. open returns a new, empty one for each
// test, and ends it with the test's cleanup.
func Run(t *testing.T, open func(testing.TB) blobstore.Store) {
	t.Helper()
	for name, test := range behaviours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSubject(t, open(t)))
		})
	}
}

// subject is a backend with what its tests ask of it again and again.
type subject struct {
	blobstore.Store
	t   *testing.T
	ctx context.Context //nolint:containedctx // of one test
}

func newSubject(t *testing.T, store blobstore.Store) *subject {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &subject{Store: store, t: t, ctx: ctx}
}

func at(container, object string) blobstore.ObjectID {
	return blobstore.ObjectID{Container: container, Object: object}
}

func (s *subject) create(names ...string) {
	s.t.Helper()
	for _, name := range names {
		require.NoError(s.t, s.CreateContainer(s.ctx, name), "%q", name)
	}
}

func (s *subject) write(container, object string, data []byte) {
	s.t.Helper()
	require.NoError(s.t, s.WriteContainerData(s.ctx, at(container, object), bytes.NewReader(data)), "%q", object)
}

func (s *subject) readRange(container, object string, start, end uint64) ([]byte, error) {
	r, err := s.GetContainerData(s.ctx, at(container, object), start, end)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// holds checks an object, by all that tell of it.
func (s *subject) holds(container, object string, data []byte) {
	s.t.Helper()
	got, err := s.readRange(container, object, 0, whole)
	require.NoError(s.t, err, "%q", object)
	require.Equal(s.t, len(data), len(got), "%q", object)
	require.True(s.t, bytes.Equal(data, got), "%q has other bytes", object)
	info, err := s.GetObjectInfo(s.ctx, at(container, object))
	require.NoError(s.t, err)
	require.EqualValues(s.t, len(data), info.Size)
	require.WithinDuration(s.t, time.Now(), time.Unix(int64(info.CreatedAt), 0), patience)
	is, err := s.HasObject(s.ctx, at(container, object))
	require.NoError(s.t, err)
	require.True(s.t, is)
}

func (s *subject) lacks(container, object string) {
	s.t.Helper()
	is, err := s.HasObject(s.ctx, at(container, object))
	require.NoError(s.t, err)
	require.False(s.t, is, "%q is there", object)
	_, err = s.readRange(container, object, 0, whole)
	requireError(s.t, err)
	_, err = s.GetObjectInfo(s.ctx, at(container, object))
	requireError(s.t, err)
}

// list returns the names of a page.
func (s *subject) list(container string, limit, offset wit.Option[uint64]) []string {
	s.t.Helper()
	names, err := s.ListContainerObjects(s.ctx, container, limit, offset)
	require.NoError(s.t, err)
	all := []string{}
	for {
		some, err := names.Next(3)
		if errors.Is(err, io.EOF) {
			require.NoError(s.t, names.Close())
			return all
		}
		require.NoError(s.t, err)
		require.NotEmpty(s.t, some)
		require.LessOrEqual(s.t, len(some), 3)
		all = append(all, some...)
	}
}

func (s *subject) all(container string) []string {
	s.t.Helper()
	return s.list(container, wit.None[uint64](), wit.None[uint64]())
}

// requireError checks that err is the contract's, and says something.
func requireError(t testing.TB, err error) {
	t.Helper()
	var e blobstore.Error
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, string(e))
}

// pattern makes n bytes in which no two pieces are alike.
func pattern(n int, seed uint32) []byte {
	b := make([]byte, n)
	x := seed*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

// broken is data that fails after some bytes.
type broken struct {
	data io.Reader
	err  error
}

func (b *broken) Read(p []byte) (int, error) {
	n, err := b.data.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}
