package keyvaluetest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/wit"
)

func missingKeys(t *testing.T, s *subject) {
	s.lacks(bucket, "nothing")
	require.NoError(t, s.Store.Delete(s.ctx, bucket, "nothing"), "deleting what is not there is no error")
	s.set(bucket, "something", "x")
	s.lacks(bucket, "nothing")
}

func setAndGet(_ *testing.T, s *subject) {
	s.set(bucket, "k", "one")
	s.holds(bucket, "k", "one")
	s.set(bucket, "k", "a longer one")
	s.holds(bucket, "k", "a longer one")
	s.set(bucket, "k", "2")
	s.holds(bucket, "k", "2")
}

func deletes(t *testing.T, s *subject) {
	s.set(bucket, "k", "one")
	s.set(bucket, "other", "stays")
	require.NoError(t, s.Store.Delete(s.ctx, bucket, "k"))
	s.lacks(bucket, "k")
	s.holds(bucket, "other", "stays")
	require.NoError(t, s.Store.Delete(s.ctx, bucket, "other"))
	keys, _ := s.list(bucket)
	require.Empty(t, keys)
	s.set(bucket, "k", "two")
	s.holds(bucket, "k", "two")
}

func values(_ *testing.T, s *subject) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for i, v := range []string{string(all), "\x00", "\xff\xfe", "null", "\r\n", " "} {
		key := fmt.Sprint("k", i)
		s.set(bucket, key, v)
		s.holds(bucket, key, v)
	}
}

func emptyValue(_ *testing.T, s *subject) {
	s.lacks(bucket, "k")
	s.set(bucket, "k", "")
	s.holds(bucket, "k", "")
	s.set(bucket, "k", "x")
	s.set(bucket, "k", "")
	s.holds(bucket, "k", "")
}

// oddKeys mean something to one backend or another: to a path, a subject, a
// pattern, a query or a terminal.
var oddKeys = []string{
	"", " ", ".", "..", "a/b", "/", "a.b", ".a", "a.", "*", ">", "a*", "k\x00k", "\x00", "\n", "k\r\nSET x y", "%", "%2e", "'", `"`,
	"{a}", "$", "Key", "key", "schlüssel", "schlu\u0308ssel", "鍵", "🗝", "\u202ek", strings.Repeat("k", 200),
}

func keys(t *testing.T, s *subject) {
	for i, key := range oddKeys {
		s.set(bucket, key, fmt.Sprint("value ", i))
	}
	for i, key := range oddKeys {
		s.holds(bucket, key, fmt.Sprint("value ", i))
	}
	listed, _ := s.list(bucket)
	require.ElementsMatch(t, oddKeys, listed)
	for _, key := range oddKeys {
		require.NoError(t, s.Store.Delete(s.ctx, bucket, key))
		s.lacks(bucket, key)
	}
}

func largeValue(t *testing.T, s *subject) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	large = append(large, 'x')
	require.NoError(t, s.Store.Set(s.ctx, bucket, "k", large))
	require.True(t, bytes.Equal(large, s.get(bucket, "k").Value))
	s.set(bucket, "k", "small")
	s.holds(bucket, "k", "small")
}

func buckets(t *testing.T, s *subject) {
	names := []string{"a", "b", "", "a.b", "a/b", "B"}
	for _, b := range names {
		s.lacks(b, "k")
		s.set(b, "k", "of "+b)
		s.set(b, "only in "+b, "")
	}
	for _, b := range names {
		s.holds(b, "k", "of "+b)
		listed, _ := s.list(b)
		require.ElementsMatch(t, []string{"k", "only in " + b}, listed)
	}
	require.NoError(t, s.Store.Delete(s.ctx, "a", "k"))
	s.lacks("a", "k")
	s.holds("b", "k", "of b")
}

func instances(_ *testing.T, s *subject) {
	another := *s
	another.Backend = s.open(s.t)
	s.set(bucket, "k", "mine")
	another.lacks(bucket, "k")
	another.set(bucket, "k", "theirs")
	s.holds(bucket, "k", "mine")
}

func arguments(t *testing.T, s *subject) {
	value := []byte("value")
	require.NoError(t, s.Store.Set(s.ctx, bucket, "k", value))
	copy(value, "XXXXX")
	s.holds(bucket, "k", "value")
	if s.Batch == nil {
		return
	}
	batch := pairs("n", "value")
	require.NoError(t, s.Batch.SetMany(s.ctx, bucket, batch))
	copy(batch[0].F1, "XXXXX")
	s.holds(bucket, "n", "value")
}

func results(t *testing.T, s *subject) {
	s.set(bucket, "k", "12345")
	before := s.get(bucket, "k")
	s.set(bucket, "k", "54321")
	if s.Atomics != nil {
		_, err := s.Atomics.Increment(s.ctx, bucket, "k", 1)
		require.NoError(t, err)
	}
	require.NoError(t, s.Store.Delete(s.ctx, bucket, "k"))
	require.Equal(t, "12345", string(before.Value))
}

func listNothing(t *testing.T, s *subject) {
	page, err := s.Store.ListKeys(s.ctx, bucket, wit.None[uint64]())
	require.NoError(t, err)
	require.Empty(t, page.Keys)
	require.False(t, page.Cursor.OK, "there is no page after an empty one")
}

// listedKeys are enough for several pages of any backend.
const listedKeys = 2500

func pages(t *testing.T, s *subject) {
	want := s.fill(bucket, listedKeys)
	s.fill("another", 3)
	got, n := s.list(bucket)
	slices.Sort(got)
	require.Equal(t, want, got, "every key once")
	require.LessOrEqual(t, n, listedKeys+1)
}

func cursorZero(t *testing.T, s *subject) {
	s.fill(bucket, 3)
	first, err := s.Store.ListKeys(s.ctx, bucket, wit.None[uint64]())
	require.NoError(t, err)
	zero, err := s.Store.ListKeys(s.ctx, bucket, wit.Some[uint64](0))
	require.NoError(t, err)
	require.Equal(t, first, zero)
}

// listWhileChanging: between pages, keys come and go; the others are listed.
func listWhileChanging(t *testing.T, s *subject) {
	all := s.fill(bucket, listedKeys)
	var cursor wit.Option[uint64]
	seen := map[string]bool{}
	for page := 0; ; page++ {
		got, err := s.Store.ListKeys(s.ctx, bucket, cursor)
		require.NoError(t, err)
		for _, key := range got.Keys {
			seen[key] = true
		}
		if !got.Cursor.OK {
			break
		}
		cursor = got.Cursor
		if page < 10 { // so that listing ends, however small the pages
			s.set(bucket, fmt.Sprint("new-", page), "")
			for i := page * 10; i < page*10+10; i++ {
				require.NoError(t, s.Store.Delete(s.ctx, bucket, all[2*i]))
				s.set(bucket, all[2*i+1], "changed")
			}
		}
	}
	for i, key := range all {
		if i%2 == 1 || i >= 200 {
			require.True(t, seen[key], "%s was there all the time and not listed", key)
		}
	}
}

func cancelled(t *testing.T, s *subject) {
	s.set(bucket, "k", "1")
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	calls := map[string]func() error{
		"get":       func() error { _, err := s.Store.Get(ctx, bucket, "k"); return err },
		"set":       func() error { return s.Store.Set(ctx, bucket, "k", []byte("2")) },
		"delete":    func() error { return s.Store.Delete(ctx, bucket, "k") },
		"exists":    func() error { _, err := s.Store.Exists(ctx, bucket, "k"); return err },
		"list-keys": func() error { _, err := s.Store.ListKeys(ctx, bucket, wit.None[uint64]()); return err },
	}
	if s.Atomics != nil {
		calls["increment"] = func() error { _, err := s.Atomics.Increment(ctx, bucket, "k", 1); return err }
	}
	if s.Batch != nil {
		calls["get-many"] = func() error { _, err := s.Batch.GetMany(ctx, bucket, []string{"k"}); return err }
		calls["set-many"] = func() error { return s.Batch.SetMany(ctx, bucket, pairs("k", "2")) }
		calls["delete-many"] = func() error { return s.Batch.DeleteMany(ctx, bucket, []string{"k"}) }
	}
	for name, call := range calls {
		require.ErrorIs(t, call(), context.Canceled, name)
	}
	s.holds(bucket, "k", "1")
}

// manyCallers: readers see whole values while writers change them.
func manyCallers(t *testing.T, s *subject) {
	const callers, rounds = 8, 20
	s.set(bucket, "k", strings.Repeat("a", 100))
	errs := make(chan error, 2*callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			value := bytes.Repeat([]byte{byte('a' + c)}, 100+c)
			for range rounds {
				if err := s.Store.Set(s.ctx, bucket, "k", value); err != nil {
					errs <- err
					return
				}
			}
		})
		wg.Go(func() {
			for range rounds {
				v, err := s.Store.Get(s.ctx, bucket, "k")
				if err == nil && (!v.OK || len(v.Value) < 100 || bytes.Count(v.Value, v.Value[:1]) != len(v.Value)) {
					err = fmt.Errorf("half a value: %q", v.Value)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
}
