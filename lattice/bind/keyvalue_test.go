package bind_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	kvbind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// store answers every call with the same value or error, and remembers what it
// was asked.
type store struct {
	value   wit.Option[[]byte]
	number  uint64
	many    []wit.Option[keyvalue.TupleStringBytes]
	page    keyvalue.KeyResponse
	err     error
	asked   []string
	written []keyvalue.TupleStringBytes
	cursor  wit.Option[uint64]
}

func (s *store) Get(_ context.Context, bucket, key string) (wit.Option[[]byte], error) {
	s.asked = []string{bucket, key}
	return s.value, s.err
}

func (s *store) Set(_ context.Context, bucket, key string, value []byte) error {
	s.asked = []string{bucket, key, string(value)}
	return s.err
}

func (s *store) Delete(_ context.Context, bucket, key string) error {
	s.asked = []string{bucket, key}
	return s.err
}

func (s *store) Exists(_ context.Context, bucket, key string) (bool, error) {
	s.asked = []string{bucket, key}
	return s.value.OK, s.err
}

func (s *store) ListKeys(_ context.Context, bucket string, cursor wit.Option[uint64]) (keyvalue.KeyResponse, error) {
	s.asked, s.cursor = []string{bucket}, cursor
	return s.page, s.err
}

func (s *store) Increment(_ context.Context, bucket, key string, delta uint64) (uint64, error) {
	s.asked = []string{bucket, key}
	return s.number + delta, s.err
}

func (s *store) GetMany(_ context.Context, bucket string, keys []string) ([]wit.Option[keyvalue.TupleStringBytes], error) {
	s.asked = append([]string{bucket}, keys...)
	return s.many, s.err
}

func (s *store) SetMany(_ context.Context, bucket string, keyValues []keyvalue.TupleStringBytes) error {
	s.asked, s.written = []string{bucket}, keyValues
	return s.err
}

func (s *store) DeleteMany(_ context.Context, bucket string, keys []string) error {
	s.asked = append([]string{bucket}, keys...)
	return s.err
}

func serve(t *testing.T, s *store) *local {
	t.Helper()
	l := newLocal()
	require.NoError(t, kvbind.ServeStore(l, s))
	require.NoError(t, kvbind.ServeAtomics(l, s))
	require.NoError(t, kvbind.ServeBatch(l, s))
	return l
}

// TestKeyvalueBytes checks the worked examples (a) and (b) of the protocol's
// description, byte for byte, with their three answers.
func TestKeyvalueBytes(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	defaultCounter := []byte("\x07default\x07counter")
	gets := []struct {
		name    string
		store   store
		results string
		want    wit.Option[[]byte]
		err     error
	}{
		{"value", store{value: wit.Some([]byte("hi"))}, "\x00\x01\x02hi", wit.Some([]byte("hi")), nil},
		{"missing", store{}, "\x00\x00", wit.None[[]byte](), nil},
		{
			"other", store{err: keyvalue.Error{Tag: keyvalue.ErrorOther, Other: "boom"}}, "\x01\x02\x04boom",
			wit.None[[]byte](), keyvalue.Error{Tag: keyvalue.ErrorOther, Other: "boom"},
		},
		{
			"no such store", store{err: keyvalue.Error{Tag: keyvalue.ErrorNoSuchStore}}, "\x01\x00",
			wit.None[[]byte](), keyvalue.Error{Tag: keyvalue.ErrorNoSuchStore},
		},
		{
			"an error that is none of the contract's", store{err: errors.New("disk on fire")}, "\x01\x02\x0cdisk on fire",
			wit.None[[]byte](), keyvalue.Error{Tag: keyvalue.ErrorOther, Other: "disk on fire"},
		},
	}
	for _, tt := range gets {
		t.Run("get "+tt.name, func(t *testing.T) {
			t.Parallel()
			l := serve(t, &tt.store)
			got, err := kvbind.NewStoreClient(l).Get(ctx, "default", "counter")
			require.Equal(t, defaultCounter, l.params)
			require.Equal(t, []byte(tt.results), l.results)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.err, err)
			require.Equal(t, []string{"default", "counter"}, tt.store.asked)
		})
	}
	t.Run("increment", func(t *testing.T) {
		t.Parallel()
		l := serve(t, &store{number: 299})
		n, err := kvbind.NewAtomicsClient(l).Increment(ctx, "default", "counter", 1)
		require.NoError(t, err)
		require.EqualValues(t, 300, n)
		require.Equal(t, append(defaultCounter, 1), l.params)
		require.Equal(t, []byte{0x00, 0xac, 0x02}, l.results)
	})
}

// TestKeyvalueRoundTrip calls the rest of the contract.
func TestKeyvalueRoundTrip(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	pair := keyvalue.TupleStringBytes{F0: "k", F1: []byte{1, 2}}
	s := &store{
		value: wit.Some([]byte{}),
		many:  []wit.Option[keyvalue.TupleStringBytes]{wit.Some(pair), wit.None[keyvalue.TupleStringBytes]()},
		page:  keyvalue.KeyResponse{Keys: []string{"a", ""}, Cursor: wit.Some[uint64](1 << 63)},
	}
	l := serve(t, s)
	c, b := kvbind.NewStoreClient(l), kvbind.NewBatchClient(l)

	require.NoError(t, c.Set(ctx, "b", "k", []byte("v")))
	require.Equal(t, []string{"b", "k", "v"}, s.asked)
	require.NoError(t, c.Delete(ctx, "b", "d"))
	require.Equal(t, []string{"b", "d"}, s.asked)
	there, err := c.Exists(ctx, "b", "e")
	require.NoError(t, err)
	require.True(t, there)
	page, err := c.ListKeys(ctx, "b", wit.Some[uint64](7))
	require.NoError(t, err)
	require.Equal(t, s.page, page)
	require.Equal(t, wit.Some[uint64](7), s.cursor)
	many, err := b.GetMany(ctx, "b", []string{"k", "l"})
	require.NoError(t, err)
	require.Equal(t, s.many, many)
	require.Equal(t, []string{"b", "k", "l"}, s.asked)
	require.NoError(t, b.SetMany(ctx, "b", []keyvalue.TupleStringBytes{pair}))
	require.Equal(t, []keyvalue.TupleStringBytes{pair}, s.written)
	s.err = keyvalue.Error{Tag: keyvalue.ErrorAccessDenied}
	require.ErrorIs(t, b.DeleteMany(ctx, "b", []string{"x"}), keyvalue.Error{Tag: keyvalue.ErrorAccessDenied})

	require.ErrorContains(t, kvbind.ServeStore(l, s), "serve wrpc:keyvalue/store@0.2.0-draft.get: ")
}

// TestTransportError checks that a client hands an error of the transport on as
// it is, and what the contract's rule makes of it for a guest.
func TestTransportError(t *testing.T) {
	t.Parallel()
	lost := errors.New("connection lost")
	_, err := kvbind.NewStoreClient(answer{err: lost}).Get(context.Background(), "b", "k")
	require.Equal(t, lost, err)
	e, ok := keyvalue.ErrorFrom(err)
	require.True(t, ok)
	require.Equal(t, keyvalue.Error{Tag: keyvalue.ErrorOther, Other: "connection lost"}, e)
}
