package keyvalue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/follow"
	"github.com/lathhost/lath/providers/internal/settings"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// WatchLink is a link whose target is told of changes.
type WatchLink = follow.Link[contract.Watcher]

// Watching tells the targets of links of what changes in a store: at most once, in the
// order of changes, and one at a time for each link. It is safe for concurrent use;
// close it.
//
// The settings of a link are watch, as v1's keyvalue-redis has it: "SET@key,DEL@key",
// where a star at the end of a key stands for any rest (default: every change of every
// key); watch_bucket (default "default"), and timeout_ms, which bounds one call of the
// target. All others are the store's.
type Watching struct {
	links *follow.Links[contract.Watcher]
	open  WatchOpener
	log   *zap.Logger
}

// WatchOpener opens what a link watches. own are the link's settings alone, joined
// those with the provider's for what they do not say, both without those of
// [Watching]. end, if not nil, releases it.
type WatchOpener func(ctx context.Context, own, joined provider.Settings) (store Watchable, end func() error, err error)

// NewWatching watches nothing yet.
func NewWatching(log *zap.Logger, open WatchOpener) *Watching {
	w := &Watching{open: open, log: log}
	w.links = follow.NewLinks(follow.Config[contract.Watcher]{Open: w.follow})
	return w
}

// WatchStore opens a store that all links watch, and that has no settings of links.
func WatchStore(store Watchable) WatchOpener {
	return func(_ context.Context, own, _ provider.Settings) (Watchable, func() error, error) {
		return store, nil, settings.Set{}.Read("key-value", own)
	}
}

// SetLinks has these be told and no others: see [follow.Links].
func (w *Watching) SetLinks(own provider.Settings, links []WatchLink) []error {
	return w.links.SetLinks(own, links)
}

// Drain tells of no more changes, and waits for what is being told until ctx ends.
func (w *Watching) Drain(ctx context.Context) error { return w.links.Drain(ctx) }

// Close cuts off what is left.
func (w *Watching) Close() { w.links.Close() }

// watchConfig is what a link says.
type watchConfig struct {
	bucket  string
	timeout time.Duration
	all     bool
	keys    []watchedKey
}

// watchedKey is one change that is watched.
type watchedKey struct {
	key     string
	prefix  bool
	deletes bool
}

// defaultWatchTime bounds one call of a target.
const defaultWatchTime = 30 * time.Second

// maxWatched bounds what a link lists.
const maxWatched = 1024

// readWatch takes what is Watching's out of settings.
func readWatch(from provider.Settings) (c watchConfig, rest provider.Settings, err error) {
	c = watchConfig{bucket: "default", timeout: defaultWatchTime, all: true}
	s := settings.Set{"watch": c.readKeys, "watch_bucket": settings.Text(&c.bucket), "timeout_ms": settings.Milliseconds(&c.timeout)}
	own, rest := provider.Settings{Config: map[string]string{}}, from.Over(provider.Settings{})
	for name := range s {
		if value, ok := rest.Config[name]; ok {
			own.Config[name] = value
			delete(rest.Config, name)
		}
	}
	return c, rest, s.Read("key-value", own)
}

// readKeys reads v1's list.
func (c *watchConfig) readKeys(text string) error {
	c.all, c.keys = false, nil
	for entry := range strings.SplitSeq(text, ",") {
		kind, key, ok := strings.Cut(strings.TrimSpace(entry), "@")
		kind = strings.ToUpper(kind)
		if !ok || key == "" || kind != "SET" && kind != "DEL" {
			return errors.New("want SET@KEY or DEL@KEY, with commas between them")
		}
		k := watchedKey{key: key, deletes: kind == "DEL"}
		k.key, k.prefix = strings.CutSuffix(key, "*")
		if c.keys = append(c.keys, k); len(c.keys) > maxWatched {
			return fmt.Errorf("want at most %d", maxWatched)
		}
	}
	return nil
}

// wants says whether the link is told of a change.
func (c *watchConfig) wants(change Change) bool {
	if c.all {
		return true
	}
	for _, k := range c.keys {
		if k.deletes == change.Deleted && (k.key == change.Key || k.prefix && strings.HasPrefix(change.Key, k.key)) {
			return true
		}
	}
	return false
}

// watchLink is a link that is followed.
type watchLink struct {
	watchConfig
	store  Watchable
	end    func() error
	target contract.Watcher
	losses *follow.Losses

	base  context.Context //nolint:containedctx // of calls; ended by End
	cut   context.CancelFunc
	watch context.Context //nolint:containedctx // ended by Stop
	stop  context.CancelFunc
	doing sync.WaitGroup
}

// Times of watching.
const (
	watchStart    = 5 * time.Second // within which it must have begun
	minWatchPause = 500 * time.Millisecond
	maxWatchPause = 30 * time.Second
)

// follow watches for a link, and returns when it hears of changes, or why it does not.
func (w *Watching) follow(l WatchLink, joined provider.Settings) (follow.Following, error) {
	cfg, joined, err := readWatch(joined)
	if err != nil {
		return nil, err
	}
	_, own, err := readWatch(l.Settings)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), watchStart)
	defer cancel()
	store, end, err := w.open(ctx, own, joined)
	if err != nil {
		return nil, err
	}
	f := &watchLink{watchConfig: cfg, store: store, end: end, target: l.Handler,
		losses: follow.NewLosses(w.log.With(zap.String("link", l.Name), zap.String("target", l.Target)))}
	f.base, f.cut = context.WithCancel(context.Background())
	f.watch, f.stop = context.WithCancel(f.base)
	began := make(chan error, 1)
	f.doing.Go(func() { f.run(began) })
	select {
	case err = <-began:
	case <-ctx.Done():
		err = fmt.Errorf("watch bucket %q: it does not begin within %s", cfg.bucket, watchStart)
	}
	if err != nil {
		f.Stop()
		return nil, errors.Join(err, f.End(ctx))
	}
	return f, nil
}

// run watches again and again; began is told once that it does, or why it does not.
func (f *watchLink) run(began chan<- error) {
	pause := minWatchPause
	for first := true; ; first = false {
		err := f.store.Watch(f.watch, f.bucket, Watch{
			Ready: func() {
				pause = minWatchPause
				if first {
					first = false
					began <- nil
				}
			},
			Changed: f.changed,
			Lost:    func(n uint64) { f.losses.Note(f.bucket, "changes were not told: the component is too slow", n, nil) },
		})
		if f.watch.Err() != nil {
			return
		}
		if first {
			began <- fmt.Errorf("watch bucket %q: %w", f.bucket, err)
			return
		}
		f.losses.Note(f.bucket, "nothing is watched: trying again, and what changes meanwhile is not told", 0, err)
		select {
		case <-f.watch.Done():
			return
		case <-time.After(pause):
			pause = min(2*pause, maxWatchPause)
		}
	}
}

// changed tells the target of a change.
func (f *watchLink) changed(change Change) {
	if !f.wants(change) {
		return
	}
	ctx, cancel := context.WithTimeout(f.base, f.timeout)
	defer cancel()
	var err error
	if change.Deleted {
		err = f.target.OnDelete(ctx, f.bucket, change.Key)
	} else {
		err = f.target.OnSet(ctx, f.bucket, change.Key, change.Value)
	}
	if err != nil {
		f.losses.Note(f.bucket, "a change was not taken", 1, err)
	}
}

// Stop implements follow.Following.
func (f *watchLink) Stop() { f.stop() }

// End implements follow.Following.
func (f *watchLink) End(ctx context.Context) error {
	defer context.AfterFunc(ctx, f.cut)()
	f.doing.Wait()
	f.cut()
	if f.end != nil {
		return f.end()
	}
	return nil
}
