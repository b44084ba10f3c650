package keyvaluetest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/providers/keyvalue"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Watched is a store that tells of its changes.
type Watched interface {
	contract.Store
	contract.Atomics
	contract.Batch
	keyvalue.Watchable
}

// RunWatch tests that a backend tells of changes. open returns a new one for each test.
func RunWatch(t *testing.T, open func(testing.TB) Watched) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *heard){
		"each change is told, in order": eachChange, "a bucket is told of its own": ownBucket, "nothing is told after the end": afterTheEnd,
		"two who watch hear the same": twoWatch, "a slow watcher holds nobody up": slowWatcher,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			test(t, &heard{t: t, ctx: ctx, store: open(t), news: make(chan struct{}, 1)})
		})
	}
}

// heard is what one who watches a bucket has heard.
type heard struct {
	t     *testing.T
	ctx   context.Context //nolint:containedctx // of one test
	store Watched

	mu   sync.Mutex
	list []string
	lost uint64
	news chan struct{}
}

// watch hears of a bucket until the function that it returns is called.
func (h *heard) watch(bucket string, each func(keyvalue.Change)) (end func()) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.ctx)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- h.store.Watch(ctx, bucket, keyvalue.Watch{Ready: func() { close(ready) }, Changed: func(c keyvalue.Change) {
			text := fmt.Sprintf("%s=%s", c.Key, c.Value)
			if c.Deleted {
				text = c.Key + " deleted"
			}
			h.mu.Lock()
			h.list = append(h.list, text)
			h.mu.Unlock()
			if each != nil {
				each(c)
			}
		}, Lost: func(n uint64) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.lost += n
		}})
	}()
	select {
	case <-ready:
	case err := <-ended:
		require.NoError(h.t, err)
		h.t.Fatal("the watch has ended")
	}
	end = sync.OnceFunc(func() {
		cancel()
		require.NoError(h.t, <-ended)
	})
	h.t.Cleanup(end)
	return end
}

func (h *heard) now() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string{}, h.list...)
}

// until waits until the last of what was heard is a text, and returns all.
func (h *heard) until(last string) []string {
	h.t.Helper()
	var got []string
	require.Eventually(h.t, func() bool {
		got = h.now()
		return len(got) > 0 && got[len(got)-1] == last
	}, patience, time.Millisecond, "wanted %q", last)
	return got
}

func (h *heard) set(bucket, key, value string) {
	h.t.Helper()
	require.NoError(h.t, h.store.Set(h.ctx, bucket, key, []byte(value)))
}

func eachChange(t *testing.T, h *heard) {
	h.set(bucket, "before", "1")
	h.watch(bucket, nil)
	step := func(want string, err error) { // one after the other, since some read the value afterwards
		t.Helper()
		require.NoError(t, err)
		h.until(want)
	}
	step("a=1", h.store.Set(h.ctx, bucket, "a", []byte("1")))
	step("a=2", h.store.Set(h.ctx, bucket, "a", []byte("2")))
	_, err := h.store.Increment(h.ctx, bucket, "a", 3)
	step("a=5", err)
	step("a deleted", h.store.Delete(h.ctx, bucket, "a"))
	step("any: *[k]\x00=", h.store.Set(h.ctx, bucket, "any: *[k]\x00", nil))
	step("y=2", h.store.SetMany(h.ctx, bucket, []contract.TupleStringBytes{{F0: "x", F1: []byte("1")}, {F0: "y", F1: []byte("2")}}))
	step("y deleted", h.store.DeleteMany(h.ctx, bucket, []string{"x", "not there", "y"}))
	require.Equal(t, []string{"a=1", "a=2", "a=5", "a deleted", "any: *[k]\x00=", "x=1", "y=2", "x deleted", "y deleted"}, h.now())
	require.NoError(t, h.store.Delete(h.ctx, bucket, "a"))
	h.set(bucket, "end", "")
	require.Equal(t, "y deleted", h.until("end=")[8], "what was not there is not deleted")
	require.Zero(t, h.lost)
}

func ownBucket(t *testing.T, h *heard) {
	h.watch(bucket, nil)
	h.set(bucket+"2", "k", "other")
	h.set("x"+bucket, "k", "other")
	h.set(bucket, "k", "own")
	require.Equal(t, []string{"k=own"}, h.until("k=own"))
}

func afterTheEnd(t *testing.T, h *heard) {
	end := h.watch(bucket, nil)
	h.set(bucket, "k", "1")
	h.until("k=1")
	end()
	h.set(bucket, "k", "2")
	again := &heard{t: t, ctx: h.ctx, store: h.store}
	again.watch(bucket, nil)
	h.set(bucket, "k", "3")
	require.Equal(t, []string{"k=3"}, again.until("k=3"))
	require.Equal(t, []string{"k=1"}, h.now())
}

func twoWatch(t *testing.T, h *heard) {
	other := &heard{t: t, ctx: h.ctx, store: h.store}
	h.watch(bucket, nil)
	other.watch(bucket, nil)
	for i := range 20 {
		h.set(bucket, fmt.Sprint("k", i), "v")
	}
	require.Len(t, h.until("k19=v"), 20)
	require.Equal(t, h.now(), other.until("k19=v"))
}

// Changes that one who watches does not take in are kept to a bound, or told to be lost.
func slowWatcher(t *testing.T, h *heard) {
	proceed, stuck := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.watch(bucket, func(keyvalue.Change) {
		once.Do(func() { close(stuck); <-proceed })
	})
	h.set(bucket, "first", "")
	<-stuck
	const most = 600
	value := strings.Repeat("v", 40<<10) // more than is kept, all together
	for i := range most {
		h.set(bucket, fmt.Sprint(i%10), value)
	}
	close(proceed)
	h.set(bucket, "last", "")
	require.Eventually(t, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.list)+int(h.lost) == most+2 || h.list[len(h.list)-1] == "last="
	}, patience, time.Millisecond)
}
