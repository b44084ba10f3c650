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

// The sync loop starts over after a pause that doubles from minRetry to
// maxRetry, or at once when the connection comes back.
const (
	minRetry = 50 * time.Millisecond
	maxRetry = 5 * time.Second
	// listTimeout bounds the silence between two entries of a listing.
	listTimeout = 10 * time.Second
)

// errResync ends a session that did its work: something says that the cache may
// have missed a change.
var errResync = errors.New("resync")

// keepSynced runs sessions until ctx ends. The first one to complete its listing
// closes synced.
func (s *Store) keepSynced(ctx context.Context, synced chan<- struct{}) {
	defer close(s.done)
	connected := s.conn.StatusChanged(nats.CONNECTED)
	defer s.conn.RemoveStatusListener(connected)
	delay := minRetry
	for {
		listed := false
		err := s.session(ctx, connected, func() {
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
		s.opts.Log.Warn("lost touch with the stored links, which stay as they are meanwhile", zap.Error(err))
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
func (s *Store) session(ctx context.Context, connected <-chan nats.Status, listed func()) error {
	if _, _, err := s.ensureBuckets(ctx); err != nil {
		return err
	}
	epoch, last, err := s.position(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	w, err := s.specs.WatchAll(ctx)
	if err != nil {
		cancel()
		return fmt.Errorf("watch: %w", s.explain(err))
	}
	defer func() {
		cancel()
		// It fails on a closed connection, which has ended the watch too. The
		// watch's goroutine may be waiting to hand over an entry.
		_ = w.Stop()
		for range w.Updates() {
		}
	}()
	l := listing{epoch: epoch, asOf: last, entries: map[string]entry{}, unreadable: map[string]uint64{}}
	seen, err := s.list(ctx, w, l)
	if err != nil {
		return err
	}
	s.cache.replace(l)
	listed()
	return s.follow(ctx, w, connected, position{epoch: epoch, seq: max(seen, last)})
}

// position is how far a bucket is: when it was made and its last revision.
type position struct {
	epoch time.Time
	seq   uint64
}

func (s *Store) position(ctx context.Context) (epoch time.Time, last uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	status, err := s.specs.Status(ctx)
	if err != nil {
		return time.Time{}, 0, fmt.Errorf("look at bucket: %w", s.explain(err))
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
func (s *Store) list(ctx context.Context, w jetstream.KeyWatcher, l listing) (seen uint64, err error) {
	silence := time.NewTimer(listTimeout)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-silence.C:
			return 0, fmt.Errorf("list specs: %w", lattice.ErrTimeout)
		case kve, ok := <-w.Updates():
			if !ok {
				return 0, errors.New("list specs: the watch ended")
			}
			if kve == nil {
				return seen, nil
			}
			silence.Reset(listTimeout)
			seen = max(seen, kve.Revision())
			id, spec, err := s.read(kve)
			switch {
			case id == "":
			case err != nil:
				l.unreadable[id] = kve.Revision()
			default:
				l.entries[id] = entry{spec: spec, rev: kve.Revision()}
			}
		}
	}
}

// follow applies changes as they come.
func (s *Store) follow(ctx context.Context, w jetstream.KeyWatcher, connected <-chan nats.Status, at position) error {
	check := time.NewTicker(s.opts.CheckEvery)
	defer check.Stop()
	due := at.seq // what must have been seen at the next check
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-connected:
			return errResync
		case <-check.C:
			epoch, last, err := s.position(ctx)
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
			switch id, spec, err := s.read(kve); {
			case id == "":
			case err != nil:
				s.cache.keep(id, kve.Revision())
			default:
				s.cache.apply(id, spec, kve.Revision())
			}
		}
	}
}

// read takes an entry of the bucket apart. The id is empty for a key of another
// kind (claims, and what older hosts left); the spec is nil for a deletion, be it
// v1's delete or a purge.
func (s *Store) read(kve jetstream.KeyValueEntry) (id string, spec *Spec, err error) {
	id, ok := lattice.ParseSpecKey(kve.Key())
	if !ok || lattice.ValidID(id) != nil {
		return "", nil, nil
	}
	if kve.Operation() != jetstream.KeyValuePut {
		return id, nil, nil
	}
	spec, err = decodeSpec(id, kve.Value(), s.opts.MaxSpecSize)
	if err != nil {
		s.opts.Log.Warn("stored spec makes no sense, and what was known before stays",
			zap.String("bucket", kve.Bucket()), zap.String("key", kve.Key()),
			zap.Uint64("revision", kve.Revision()), zap.Error(err))
	}
	return id, spec, err
}
