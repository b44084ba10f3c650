package keyvalue_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/keyvaluetest"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func memory(cfg keyvalue.MemoryConfig) func(testing.TB) keyvaluetest.Backend {
	return func(testing.TB) keyvaluetest.Backend {
		m := keyvalue.NewMemory(cfg)
		return keyvaluetest.Backend{Store: m, Atomics: m, Batch: m}
	}
}

// smallLimits are limits that a test can reach.
var smallLimits = keyvaluetest.Limits{
	ValueBytes: 100, KeyBytes: 20, Bytes: 1000, Keys: 10, Buckets: 4, BatchKeys: 50, BatchBytes: 400,
}

func small() keyvalue.MemoryConfig {
	l := smallLimits
	return keyvalue.MemoryConfig{
		Limits: keyvalue.Limits{MaxValueBytes: int64(l.ValueBytes), MaxKeyBytes: int64(l.KeyBytes),
			MaxBatchKeys: int64(l.BatchKeys), MaxBatchBytes: int64(l.BatchBytes), PageKeys: 3},
		MaxBytes: int64(l.Bytes), MaxKeys: int64(l.Keys), MaxBuckets: int64(l.Buckets),
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	t.Run("defaults", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.Run(t, memory(keyvalue.MemoryConfig{}))
	})
	t.Run("pages of one key", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.Run(t, memory(keyvalue.MemoryConfig{Limits: keyvalue.Limits{PageKeys: 1}}))
	})
	t.Run("limits", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.RunLimits(t, smallLimits, memory(small()))
	})
	t.Run("a time to live", func(t *testing.T) {
		t.Parallel()
		keyvaluetest.RunTTL(t, time.Second, memory(keyvalue.MemoryConfig{TTL: time.Second}))
		keyvaluetest.Run(t, memory(keyvalue.MemoryConfig{TTL: time.Hour}))
		ending := small()
		ending.TTL = time.Hour
		keyvaluetest.RunLimits(t, smallLimits, memory(ending))
	})
}

func TestMemoryLimitsAreOnByDefault(t *testing.T) {
	t.Parallel()
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{MaxBytes: -1})
	ctx := t.Context()
	for _, err := range []error{
		m.Set(ctx, "b", strings.Repeat("k", keyvalue.DefaultMaxKeyBytes+1), nil),
		m.Set(ctx, "b", "k", make([]byte, keyvalue.DefaultMaxValueBytes+1)),
		m.DeleteMany(ctx, "b", make([]string, keyvalue.DefaultMaxBatchKeys+1)),
	} {
		var e contract.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, contract.ErrorOther, e.Tag)
		require.Contains(t, e.Other, "limit")
	}
	for i := range keyvalue.DefaultMaxBuckets {
		require.NoError(t, m.Set(ctx, fmt.Sprint(i), "k", nil))
	}
	require.ErrorContains(t, m.Set(ctx, "one more", "k", nil), "limit")
	var err error
	large := make([]byte, keyvalue.DefaultMaxValueBytes)
	for i := 0; err == nil; i++ {
		require.Less(t, i, keyvalue.DefaultMaxBytes/len(large)+1, "more than the limit is held")
		err = m.Set(ctx, "0", fmt.Sprint(i), large)
	}
	require.ErrorContains(t, err, "limit")
}

func listAll(t *testing.T, m *keyvalue.Memory, between func(page int)) (all []string) {
	t.Helper()
	var cursor wit.Option[uint64]
	for page := 0; ; page++ {
		got, err := m.ListKeys(t.Context(), "b", cursor)
		require.NoError(t, err)
		all = append(all, got.Keys...)
		if !got.Cursor.OK {
			return all
		}
		cursor = got.Cursor
		between(page)
	}
}

func TestMemoryListsInOrderOfFirstSet(t *testing.T) {
	t.Parallel()
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{Limits: keyvalue.Limits{PageKeys: 2}})
	ctx := t.Context()
	for _, key := range []string{"z", "a", "m", "b", "z", "a"} {
		require.NoError(t, m.Set(ctx, "b", key, nil))
	}
	require.Equal(t, []string{"z", "a", "m", "b"}, listAll(t, m, func(int) {}))
	// The key under the cursor goes; one that was listed comes again as new.
	require.Equal(t, []string{"z", "a", "m", "b", "new", "z"}, listAll(t, m, func(page int) {
		if page == 0 {
			require.NoError(t, m.Delete(ctx, "b", "a"))
			require.NoError(t, m.Delete(ctx, "b", "z"))
			require.NoError(t, m.Set(ctx, "b", "new", nil))
			require.NoError(t, m.Set(ctx, "b", "z", nil))
		}
	}))
}

// TestMemoryCursorOutlivesItsBucket: all keys go and others come while a
// listing is under way.
func TestMemoryCursorOutlivesItsBucket(t *testing.T) {
	t.Parallel()
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{Limits: keyvalue.Limits{PageKeys: 2}})
	ctx := t.Context()
	for _, key := range []string{"1", "2", "3"} {
		require.NoError(t, m.Set(ctx, "b", key, nil))
	}
	require.Equal(t, []string{"1", "2", "4"}, listAll(t, m, func(int) {
		require.NoError(t, m.DeleteMany(ctx, "b", []string{"1", "2", "3"}))
		require.NoError(t, m.Set(ctx, "b", "4", nil))
	}))
	_, err := m.ListKeys(ctx, "b", wit.Some[uint64](1<<63))
	require.NoError(t, err)
}

// TestMemoryListsAcrossDeletions deletes until slots are cleared away, several
// times over, in the middle of a listing.
func TestMemoryListsAcrossDeletions(t *testing.T) {
	t.Parallel()
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{Limits: keyvalue.Limits{PageKeys: 10}})
	ctx := t.Context()
	var stay []string
	for i := range 2000 {
		key := fmt.Sprint(i)
		if i%10 == 0 {
			stay = append(stay, key)
		}
		require.NoError(t, m.Set(ctx, "b", key, []byte(key)))
	}
	var got []string
	for _, key := range listAll(t, m, func(page int) {
		for i := page * 200; i < min(2000, page*200+200); i++ {
			if i%10 != 0 {
				require.NoError(t, m.Delete(ctx, "b", fmt.Sprint(i)))
			}
		}
	}) {
		if strings.HasSuffix(key, "0") {
			got = append(got, key)
		}
	}
	require.Equal(t, stay, got, "what stays is listed once, in order")
	require.Equal(t, stay, listAll(t, m, func(int) {}))
	for _, key := range stay {
		v, err := m.Get(ctx, "b", key)
		require.NoError(t, err)
		require.Equal(t, key, string(v.Value))
	}
}

func TestMemoryPagesOfLongKeysAreShort(t *testing.T) {
	t.Parallel()
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{Limits: keyvalue.Limits{MaxKeyBytes: 1 << 20}})
	for i := range 8 {
		require.NoError(t, m.Set(t.Context(), "b", strings.Repeat(fmt.Sprint(i), 1<<19), nil))
	}
	page, err := m.ListKeys(t.Context(), "b", wit.None[uint64]())
	require.NoError(t, err)
	require.Less(t, len(page.Keys), 8)
	require.Len(t, listAll(t, m, func(int) {}), 8)
}

func TestMemoryCountersAreStrict(t *testing.T) {
	t.Parallel()
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{})
	for _, value := range []string{"01", "00", "+1", "1_000", " 1", "\u0661"} {
		require.NoError(t, m.Set(t.Context(), "b", "n", []byte(value)))
		_, err := m.Increment(t.Context(), "b", "n", 1)
		require.Error(t, err, "%q", value)
		require.NotContains(t, err.Error(), value+"\n", "the text does not tell the value")
	}
}

// TestMemoryStopsABatchThatWasGivenUp: a batch looks at its context between
// keys.
func TestMemoryStopsABatchThatWasGivenUp(t *testing.T) {
	t.Parallel()
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{})
	ctx := &endingContext{Context: t.Context(), after: 2}
	err := m.SetMany(ctx, "b", []contract.TupleStringBytes{{F0: "1"}, {F0: "2"}, {F0: "3"}})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []string{"1", "2"}, listAll(t, m, func(int) {}))
	e, _ := contract.ErrorFrom(err)
	require.Equal(t, "keyvalue: context canceled", e.Other)
}

// endingContext is cancelled once it was asked some times.
type endingContext struct {
	context.Context //nolint:containedctx // it is one
	after           int
}

func (c *endingContext) Err() error {
	if c.after--; c.after < 0 {
		return context.Canceled
	}
	return nil
}

// TestMemoryGivesRoomBack: whatever happened, an empty store is as roomy as a
// new one.
func TestMemoryGivesRoomBack(t *testing.T) {
	t.Parallel()
	m := keyvalue.NewMemory(small())
	ctx := t.Context()
	full := strings.Repeat("v", 100)
	for round := range 50 {
		var last error
		for i := 0; last == nil; i++ {
			last = m.Set(ctx, fmt.Sprint("b", i%4), fmt.Sprint(i), []byte(full[:(round*7+i*13)%100]))
		}
		var e contract.Error
		require.True(t, errors.As(last, &e), "%v", last)
		_, err := m.Increment(ctx, "b0", "0", 1)
		require.Error(t, err)
		for i := range 20 {
			require.NoError(t, m.Delete(ctx, fmt.Sprint("b", i%4), fmt.Sprint(i)))
		}
	}
	for i := range 9 {
		require.NoError(t, m.Set(ctx, "b", fmt.Sprint(i), []byte(full)))
	}
	require.NoError(t, m.Set(ctx, "b", "9", []byte(full[:90])))
	require.ErrorContains(t, m.Set(ctx, "b", "9", []byte(full[:91])), "limit")
}

// TestMemoryGivesRoomBackInTime: what is over takes no room, wherever it was.
func TestMemoryGivesRoomBackInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := small()
		cfg.TTL = time.Minute
		m := keyvalue.NewMemory(cfg)
		ctx := t.Context()
		for round := range 5 {
			for i := range smallLimits.Keys {
				require.NoError(t, m.Set(ctx, fmt.Sprint("b", round, i%smallLimits.Buckets), fmt.Sprint(i), nil))
			}
			require.ErrorContains(t, m.Set(ctx, fmt.Sprint("b", round, 0), "more", nil), "limit")
			time.Sleep(cfg.TTL)
		}
		require.NoError(t, m.Set(ctx, "b", "k", []byte("1")))
		time.Sleep(cfg.TTL / 2)
		n, err := m.Increment(ctx, "b", "k", 1) // which is a new beginning
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		time.Sleep(cfg.TTL * 3 / 4)
		n, err = m.Increment(ctx, "b", "k", 1)
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		time.Sleep(cfg.TTL)
		n, err = m.Increment(ctx, "b", "k", 1)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func BenchmarkMemory(b *testing.B) {
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{})
	ctx := b.Context()
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%d", i)
		require.NoError(b, m.Set(ctx, "default", keys[i], make([]byte, 100)))
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if v, err := m.Get(ctx, "default", keys[i%len(keys)]); err != nil || !v.OK {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("get in parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if v, err := m.Get(ctx, "default", keys[i%len(keys)]); err != nil || !v.OK {
					b.Error(v, err)
					return
				}
			}
		})
	})
	value := make([]byte, 100)
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := m.Set(ctx, "default", keys[i%len(keys)], value); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("increment", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := m.Increment(ctx, "default", "counter", 1); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func TestParseMemoryConfig(t *testing.T) {
	t.Parallel()
	cfg, err := keyvalue.ParseMemoryConfig(provider.Settings{Config: map[string]string{"max_keys": "7", "max_value_bytes": "100"}})
	require.NoError(t, err)
	require.EqualValues(t, 7, cfg.MaxKeys)
	require.EqualValues(t, 100, cfg.MaxValueBytes)
	require.EqualValues(t, keyvalue.DefaultMaxBytes, cfg.MaxBytes)
	for text, values := range map[string]map[string]string{
		`no setting "max_key": there are max_batch_bytes, `: {"max_key": "7"},
		`max_keys is "many": want a positive number`:        {"max_keys": "many"},
		`max_keys is "-1"`: {"max_keys": "-1"},
		`max_keys is "0"`:  {"max_keys": "0"},
		`max_keys is ""`:   {"max_keys": ""},
	} {
		_, err := keyvalue.ParseMemoryConfig(provider.Settings{Config: values})
		require.ErrorContains(t, err, text)
	}
}
