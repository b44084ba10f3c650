package keyvalue_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/keyvalue/keyvaluetest"
)

func TestMemoryWatch(t *testing.T) {
	t.Parallel()
	keyvaluetest.RunWatch(t, func(testing.TB) keyvaluetest.Watched { return keyvalue.NewMemory(keyvalue.MemoryConfig{}) })
}

// target is told of changes.
type target struct {
	mu   sync.Mutex
	list []string
	fail error
}

func (w *target) note(text string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, text)
	return w.fail
}

func (w *target) now() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string{}, w.list...)
}

func (w *target) OnSet(_ context.Context, bucket, key string, value []byte) error {
	return w.note(fmt.Sprintf("%s: %s=%s", bucket, key, value))
}

func (w *target) OnDelete(_ context.Context, bucket, key string) error {
	return w.note(fmt.Sprintf("%s: %s deleted", bucket, key))
}

func watchLink(to *target, settings map[string]string) []keyvalue.WatchLink {
	return []keyvalue.WatchLink{{Name: "default", Target: "t", Settings: provider.Settings{Config: settings}, Handler: to}}
}

func TestLinksThatWatch(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	logged, logs := observer.New(zap.WarnLevel)
	m := keyvalue.NewMemory(keyvalue.MemoryConfig{})
	w := keyvalue.NewWatching(zap.New(logged), keyvalue.WatchStore(m))
	defer w.Close()
	for wrong, settings := range map[string]map[string]string{
		`want SET@KEY or DEL@KEY`: {"watch": "GET@k"}, `watch is "SET@"`: {"watch": "SET@"}, `watch is "k"`: {"watch": "k"},
		`no setting "url"`: {"url": "redis://elsewhere"}, `timeout_ms is "0"`: {"timeout_ms": "0"},
	} {
		require.ErrorContains(t, w.SetLinks(provider.Settings{}, watchLink(&target{}, settings))[0], wrong)
	}
	to := &target{}
	require.NoError(t, w.SetLinks(provider.Settings{Config: map[string]string{"max_keys": "7"}},
		watchLink(to, map[string]string{"WATCH": "SET@a, del@a,SET@dir/*", "watch_bucket": "b"}))[0])
	for _, key := range []string{"a", "ab", "dir/x", "dir"} {
		require.NoError(t, m.Set(ctx, "b", key, []byte("1")))
		require.NoError(t, m.Delete(ctx, "b", key))
		require.NoError(t, m.Set(ctx, "default", key, []byte("1")))
	}
	is := func(want ...string) {
		t.Helper()
		require.Eventually(t, func() bool { return len(to.now()) >= len(want) }, patience, 1)
		require.Equal(t, want, to.now())
	}
	is("b: a=1", "b: a deleted", "b: dir/x=1")

	// Other settings of the link: what was told is not told again. A failure is logged.
	to.fail = errors.New("it does not want it")
	require.NoError(t, w.SetLinks(provider.Settings{}, watchLink(to, map[string]string{"watch_bucket": "b"}))[0])
	require.NoError(t, m.Set(ctx, "b", "any", nil))
	is("b: a=1", "b: a deleted", "b: dir/x=1", "b: any=")
	require.Eventually(t, func() bool { return logs.FilterMessage("a change was not taken").Len() == 1 }, patience, 1)
	require.NoError(t, m.Set(ctx, "b", "any", []byte("2")))
	is("b: a=1", "b: a deleted", "b: dir/x=1", "b: any=", "b: any=2")

	require.Empty(t, w.SetLinks(provider.Settings{}, nil))
	require.NoError(t, w.Drain(ctx))
	require.NoError(t, m.Set(ctx, "b", "any", []byte("3")))
	require.Error(t, w.SetLinks(provider.Settings{}, watchLink(to, nil))[0], "it is stopping")
	is("b: a=1", "b: a deleted", "b: dir/x=1", "b: any=", "b: any=2")
}

// broken is a store that does not watch, or does not any more.
type broken struct {
	err   error
	times chan struct{}
}

func (b *broken) Watch(ctx context.Context, _ string, w keyvalue.Watch) error {
	if b.err != nil {
		return b.err
	}
	w.Ready()
	select {
	case b.times <- struct{}{}:
		return errors.New("it broke")
	case <-ctx.Done():
		return nil
	}
}

func TestWatchThatBreaks(t *testing.T) {
	t.Parallel()
	b := &broken{err: errors.New("no notifications here"), times: make(chan struct{})}
	ended := 0
	w := keyvalue.NewWatching(zap.NewNop(), func(context.Context, provider.Settings, provider.Settings) (keyvalue.Watchable, func() error, error) {
		return b, func() error { ended++; return nil }, nil
	})
	defer w.Close()
	require.ErrorContains(t, w.SetLinks(provider.Settings{}, watchLink(&target{}, nil))[0], "no notifications here")
	require.Equal(t, 1, ended)
	b.err = nil
	require.NoError(t, w.SetLinks(provider.Settings{}, watchLink(&target{}, nil))[0])
	<-b.times // and again, after a pause
	<-b.times
	require.NoError(t, w.Drain(testContext(t)))
	require.Equal(t, 2, ended)
}
