package state

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
)

// A mirror starts over after a pause that doubles from minRetry to maxRetry, or
// at once when the connection comes back.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = 5 * time.Second
	// listTimeout bounds the silence between two entries of a listing.
	listTimeout = 10 * time.Second
	// drainTimeout bounds the end of a watch.
	drainTimeout = 5 * time.Second
)

// errResync ends a session that did its work: something says that the cache may
// have missed a change.
var errResync = errors.New("resync")

// mirror keeps a cache equal to a bucket.
type mirror[T any] struct {
	*Store
	what  string // plural, for messages
	kv    jetstream.KeyValue
	cache *cache[T]
	// name makes the cache's key of the bucket's; empty for what is none of ours.
	name   func(key string) string
	decode func(name string, data []byte) (*T, error)
}

// keepSynced runs sessions until ctx ends. The first one to complete its listing
// closes synced.
func (m *mirror[T]) keepSynced(ctx context.Context, synced chan<- struct{}) {
	connected := m.conn.StatusChanged(nats.CONNECTED)
	defer m.conn.RemoveStatusListener(connected)
	delay := minRetry
	for {
		listed := false
		err := m.session(ctx, connected, func() {
			listed = true
			if synced != nil {
				close(synced)
				synced = nil
			}
		})
		if ctx.Err() != nil {
			return
		}
		if errors.Is(err, errResync) {
			continue
		}
		if listed {
			delay = minRetry
		}
		m.opts.Log.Warn("lost touch with the stored "+m.what+", which stay as they are meanwhile", zap.Error(err))
		select {
		case <-ctx.Done():
			return
		case <-connected:
		case <-time.After(delay/2 + rand.N(delay)):
		}
		delay = min(2*delay, maxRetry)
	}
}

// session watches the bucket, makes the cache equal to it, calls listed and
// then follows every change, until something ends it.
func (m *mirror[T]) session(ctx context.Context, connected <-chan nats.Status, listed func()) error {
	if err := m.ensureBuckets(ctx); err != nil {
		return err
	}
	epoch, last, err := m.position(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	w, err := m.kv.WatchAll(ctx)
	if err != nil {
		cancel()
		return fmt.Errorf("watch: %w", m.explain(ctx, err))
	}
	defer func() {
		cancel()
		// It fails on a closed connection, which has ended the watch too.
		_ = w.Stop()
		drain(w)
	}()
	l := listing[T]{epoch: epoch, asOf: last, entries: map[string]entry[T]{}, unreadable: map[string]uint64{}}
	seen, err := m.list(ctx, w, l)
	if err != nil {
		return err
	}
	m.cache.replace(l)
	listed()
	return m.follow(ctx, w, connected, position{epoch: epoch, seq: max(seen, last)})
}

// drain takes what a watch that was stopped still has to hand over. nats.go ends it by
// a handler that it sets after it has subscribed: a subscription that ends in between
// never says so, and must not stop the mirror for good.
func drain(w jetstream.KeyWatcher) {
	limit := time.NewTimer(drainTimeout)
	defer limit.Stop()
	for {
		select {
		case _, ok := <-w.Updates():
			if !ok {
				return
			}
		case <-limit.C:
			return
		}
	}
}

// position is how far a bucket is: when it was made and its last revision.
type position struct {
	epoch time.Time
	seq   uint64
}

func (m *mirror[T]) position(ctx context.Context) (epoch time.Time, last uint64, err error) {
	ctx, cancel := m.request(ctx)
	defer cancel()
	status, err := m.kv.Status(ctx)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("look at bucket: %w", m.explain(ctx, err))
	}
	bucket, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return time.Time{}, 0, fmt.Errorf("look at bucket: %w: status of type %T", lattice.ErrUnsupported, status)
	}
	info := bucket.StreamInfo()
	return info.Created, info.State.LastSeq, nil
}

// list reads entries up to the mark that ends the initial ones, and returns the
// last revision seen.
func (m *mirror[T]) list(ctx context.Context, w jetstream.KeyWatcher, l listing[T]) (seen uint64, err error) {
	silence := time.NewTimer(listTimeout)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-silence.C:
			return 0, fmt.Errorf("list %s: %w", m.what, lattice.ErrTimeout)
		case kve, ok := <-w.Updates():
			if !ok {
				return 0, fmt.Errorf("list %s: the watch ended", m.what)
			}
			if kve == nil {
				return seen, nil
			}
			silence.Reset(listTimeout)
			seen = max(seen, kve.Revision())
			name, value, err := m.read(kve)
			switch {
			case name == "":
			case err != nil:
				l.unreadable[name] = kve.Revision()
			default:
				l.entries[name] = entry[T]{value: value, rev: kve.Revision()}
			}
		}
	}
}

// follow applies changes as they come.
func (m *mirror[T]) follow(ctx context.Context, w jetstream.KeyWatcher, connected <-chan nats.Status, at position) error {
	check := time.NewTicker(m.opts.CheckEvery)
	defer check.Stop()
	due := at.seq // what must have been seen at the next check
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-connected:
			return errResync
		case <-check.C:
			epoch, last, err := m.position(ctx)
			switch {
			case errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, jetstream.ErrStreamNotFound):
				return errResync
			case err != nil:
				continue // not reachable: the connection's return will tell
			case !epoch.Equal(at.epoch), at.seq < due:
				return errResync
			}
			due = last
		case kve, ok := <-w.Updates():
			if !ok {
				return errors.New("the watch ended")
			}
			if kve == nil {
				continue
			}
			at.seq = max(at.seq, kve.Revision())
			switch name, value, err := m.read(kve); {
			case name == "":
			case err != nil:
				m.cache.keep(name, kve.Revision())
			default:
				m.cache.apply(name, value, kve.Revision())
			}
		}
	}
}

// read takes an entry of the bucket apart. The name is empty for a key of another
// kind (claims, and what older hosts left); the value is nil for a deletion, be it
// v1's delete or a purge.
func (m *mirror[T]) read(kve jetstream.KeyValueEntry) (name string, value *T, err error) {
	name = m.name(kve.Key())
	if name == "" || kve.Operation() != jetstream.KeyValuePut {
		return name, nil, nil
	}
	value, err = m.decode(name, kve.Value())
	if err != nil {
		m.opts.Log.Warn("a stored value makes no sense, and what was known before stays",
			zap.String("bucket", kve.Bucket()), zap.String("key", kve.Key()),
			zap.Uint64("revision", kve.Revision()), zap.Error(err))
	}
	return name, value, err
}
