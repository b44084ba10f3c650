package keyvaluetest

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Backend is a provider to test. It is empty, and nobody else uses it.
type Backend struct {
	Store   keyvalue.Store
	Atomics keyvalue.Atomics // nil: not offered; its tests are skipped
	Batch   keyvalue.Batch   // nil: not offered; its tests are skipped
	// Gaps are tests that the way to the backend makes meaningless, by name, with
	// the reason. They are skipped; a backend itself has none.
	Gaps map[string]string
}

// patience bounds every test.
const patience = time.Minute

// bucket is the one that most tests use.
const bucket = "default"

// behaviours are the tests, by name.
var behaviours = map[string]func(*testing.T, *subject){
	"missing keys":                      missingKeys,
	"a value is what was set last":      setAndGet,
	"a deleted key is not there":        deletes,
	"any bytes are a value":             values,
	"an empty value is not a missing":   emptyValue,
	"any string is a key":               keys,
	"a large value":                     largeValue,
	"buckets are apart":                 buckets,
	"instances are apart":               instances,
	"arguments are the caller's again":  arguments,
	"results stay as they are":          results,
	"list of nothing":                   listNothing,
	"pages list each key once":          pages,
	"cursor 0 is the start":             cursorZero,
	"list while keys change":            listWhileChanging,
	"increment counts from 0":           increments,
	"increment takes what set stored":   incrementsDecimal,
	"increment refuses other values":    incrementRefuses,
	"increment refuses to overflow":     incrementOverflow,
	"increments at once add up":         concurrentIncrements,
	"get-many answers in order":         getMany,
	"set-many and delete-many":          setDeleteMany,
	"empty batches":                     emptyBatches,
	"a call that was given up":          cancelled,
	"many callers":                      manyCallers,
	"the last pair of a key in a batch": lastPairWins,
}

// Run tests the behaviour of a backend. open returns a new one for each test,
// and ends it with the test's cleanup.
func Run(t *testing.T, open func(testing.TB) Backend) {
	t.Helper()
	for name, test := range behaviours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSubject(t, name, open))
		})
	}
}

// subject is a backend with what its tests ask of it again and again.
type subject struct {
	Backend
	t    *testing.T
	ctx  context.Context //nolint:containedctx // of one test
	open func(testing.TB) Backend
}

func newSubject(t *testing.T, name string, open func(testing.TB) Backend) *subject {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	s := &subject{Backend: open(t), t: t, ctx: ctx, open: open}
	if reason, ok := s.Gaps[name]; ok {
		t.Skipf("left out: %s", reason)
	}
	return s
}

func (s *subject) needAtomics() {
	s.t.Helper()
	if s.Atomics == nil {
		s.t.Skip("the backend does not offer wrpc:keyvalue/atomics")
	}
}

func (s *subject) needBatch() {
	s.t.Helper()
	if s.Batch == nil {
		s.t.Skip("the backend does not offer wrpc:keyvalue/batch")
	}
}

func (s *subject) set(bucket, key, value string) {
	s.t.Helper()
	require.NoError(s.t, s.Store.Set(s.ctx, bucket, key, []byte(value)))
}

func (s *subject) get(bucket, key string) wit.Option[[]byte] {
	s.t.Helper()
	v, err := s.Store.Get(s.ctx, bucket, key)
	require.NoError(s.t, err)
	return v
}

// holds checks a value, by both get and exists.
func (s *subject) holds(bucket, key, value string) {
	s.t.Helper()
	v := s.get(bucket, key)
	require.True(s.t, v.OK, "%q is not there", key)
	require.Equal(s.t, value, string(v.Value))
	is, err := s.Store.Exists(s.ctx, bucket, key)
	require.NoError(s.t, err)
	require.True(s.t, is)
}

func (s *subject) lacks(bucket, key string) {
	s.t.Helper()
	require.False(s.t, s.get(bucket, key).OK, "%q is there", key)
	is, err := s.Store.Exists(s.ctx, bucket, key)
	require.NoError(s.t, err)
	require.False(s.t, is)
}

// list returns all keys, page by page, and how many pages there were.
func (s *subject) list(bucket string) (all []string, pages int) {
	s.t.Helper()
	var cursor wit.Option[uint64]
	for {
		page, err := s.Store.ListKeys(s.ctx, bucket, cursor)
		require.NoError(s.t, err)
		all = append(all, page.Keys...)
		pages++
		if !page.Cursor.OK {
			return all, pages
		}
		require.NotEqual(s.t, cursor, page.Cursor, "the cursor stands still")
		cursor = page.Cursor
	}
}

// fill sets n keys and returns them.
func (s *subject) fill(bucket string, n int) []string {
	s.t.Helper()
	keys := make([]string, n)
	pairs := make([]keyvalue.TupleStringBytes, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%06d", i)
		pairs[i] = keyvalue.TupleStringBytes{F0: keys[i], F1: []byte(strconv.Itoa(i))}
	}
	if s.Batch != nil {
		require.NoError(s.t, s.Batch.SetMany(s.ctx, bucket, pairs))
		return keys
	}
	for _, kv := range pairs {
		require.NoError(s.t, s.Store.Set(s.ctx, bucket, kv.F0, kv.F1))
	}
	return keys
}

// requireOther checks that err is the contract's other, with text in it.
func requireOther(t testing.TB, err error, text string) {
	t.Helper()
	var e keyvalue.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, keyvalue.ErrorOther, e.Tag, "%v", err)
	require.Contains(t, e.Other, text)
}

// decimalMax is the largest counter.
var decimalMax = strconv.FormatUint(math.MaxUint64, 10)
