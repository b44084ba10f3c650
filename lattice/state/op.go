package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
)

// OpKept is how long the outcome of a command is kept, and OpOpen how long a
// command without one: its host is at it, or died in the middle.
const (
	OpKept = 10 * time.Minute
	OpOpen = time.Hour
)

// A host that stores more commands than opsAMinute keeps the outcomes of all for less
// time, so that there are no more of them, but for opKeptLeast: who waits for an
// outcome asks every second.
const (
	opsAMinute  = 5000
	opKeptLeast = 30 * time.Second
)

// opAttempts bounds how often a new command is stored that is there and is not.
const opAttempts = 8

// maxOpKeys bounds the commands that one listing looks at.
const maxOpKeys = 1_000_000

// ops is how commands leave the bucket. NATS servers since 2.11 take them away by
// themselves. With an older one, a host that stores commands looks every OpKept
// for those that are due.
type ops struct {
	expire atomic.Bool // the server does it

	mu     sync.Mutex
	swept  time.Time
	closed bool
	rate   opRate
}

// opRate counts commands by the minute.
type opRate struct {
	since        time.Time
	before, here int // in the minute before, and in the one since then
}

// keep counts a command that ends, and returns for how long its outcome is kept.
func (r *opRate) keep(now time.Time) time.Duration {
	switch passed := now.Sub(r.since); {
	case passed >= 2*time.Minute:
		r.since, r.before, r.here = now, 0, 0
	case passed >= time.Minute:
		r.since, r.before, r.here = now, r.here, 0
	}
	r.here++
	if most := max(r.before, r.here); most > opsAMinute {
		return max(OpKept*opsAMinute/time.Duration(most), opKeptLeast)
	}
	return OpKept
}

// CreateOp stores a command that has just been accepted. If there is one of that
// id already, it is returned, with an error that matches lattice.ErrConflict.
// Other errors are PutLink's.
func (s *Store) CreateOp(ctx context.Context, op lattice.Op) (earlier lattice.Op, err error) {
	s.sweepOps()
	for attempt := range opAttempts {
		err = s.putOp(ctx, op, OpOpen, jetstream.WithExpectLastSequencePerSubject(0))
		if !isConflict(err) {
			return lattice.Op{}, err
		}
		// It may not be there: taken away since, or not with the replica that answers.
		if earlier, err = s.Op(ctx, op.ID); !errors.Is(err, lattice.ErrNotFound) {
			return earlier, cmp.Or(err, fmt.Errorf("command %s: %w: it is known already", op.ID, lattice.ErrConflict))
		}
		if err := pause(ctx, attempt); err != nil {
			return lattice.Op{}, fmt.Errorf("store command %s: %w", op.ID, err)
		}
	}
	return lattice.Op{}, err
}

// PutOp stores how far a command is. Only the host that accepted it may. Errors
// are PutLink's.
func (s *Store) PutOp(ctx context.Context, op lattice.Op) error {
	if op.State == lattice.OpAccepted {
		return s.putOp(ctx, op, OpOpen)
	}
	s.ops.mu.Lock()
	kept := s.ops.rate.keep(time.Now())
	s.ops.mu.Unlock()
	return s.putOp(ctx, op, kept)
}

func (s *Store) putOp(ctx context.Context, op lattice.Op, kept time.Duration, opts ...jetstream.PublishOpt) error {
	op.Clip()
	data, err := lattice.EncodeJSON(op)
	if err == nil {
		err = op.Validate()
	}
	if err != nil {
		return fmt.Errorf("store command %s: %w", op.ID, err)
	}
	if s.ops.expire.Load() {
		opts = append(opts, jetstream.WithMsgTTL(kept))
	}
	ctx, cancel := s.request(ctx)
	defer cancel()
	subject := lattice.BucketSubject(s.opts.Domain, lattice.LathBucket(s.lattice), lattice.OpKey(op.ID))
	if _, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data, Header: nats.Header{}}, opts...); err != nil {
		return fmt.Errorf("store command %s: %w", op.ID, s.explain(ctx, err))
	}
	return nil
}

// Op reads a command. One that is not there, or not any more, is
// lattice.ErrNotFound; other errors are PutLink's.
func (s *Store) Op(ctx context.Context, id string) (lattice.Op, error) {
	id, err := lattice.ParseOpID(id)
	if err != nil {
		return lattice.Op{}, err
	}
	ctx, cancel := s.request(ctx)
	defer cancel()
	bucket, key := lattice.LathBucket(s.lattice), lattice.OpKey(id)
	is, err := s.last(ctx, bucket, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return lattice.Op{}, fmt.Errorf("command %s: %w: no host has accepted it, or it ended more than %s ago", id, lattice.ErrNotFound, OpKept)
	}
	if err != nil {
		return lattice.Op{}, fmt.Errorf("read command %s: %w", id, s.explain(ctx, err))
	}
	op, err := lattice.DecodeOp(is.value)
	if err == nil && op.ID != id {
		err = fmt.Errorf("%w: it is of command %s", lattice.ErrInvalid, op.ID)
	}
	if err != nil {
		return lattice.Op{}, fmt.Errorf("key %s in bucket %s (delete it there): %w", key, bucket, err)
	}
	return op, nil
}

// Ops reads commands, the newest first, at most so many, and of those with a
// smaller id than before, unless that is empty. more tells that there are others.
// Those that make no sense are left out. Errors are PutLink's.
func (s *Store) Ops(ctx context.Context, before string, most int) (list []lattice.Op, more bool, err error) {
	ctx, cancel := s.request(ctx)
	defer cancel()
	ids, err := s.opIDs(ctx)
	if err != nil {
		return nil, false, err
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return before != "" && id >= before })
	if len(ids) > most {
		ids, more = ids[:most], true
	}
	for _, id := range ids {
		op, err := s.Op(ctx, id)
		switch {
		case err == nil:
			list = append(list, op)
		case !errors.Is(err, lattice.ErrNotFound) && !errors.Is(err, lattice.ErrInvalid):
			return nil, false, err
		}
	}
	return list, more, nil
}

// opIDs returns the ids of all commands, the newest first.
func (s *Store) opIDs(ctx context.Context) ([]string, error) {
	keys, err := s.lathBucket.ListKeysFiltered(ctx, lattice.OpKey("*"))
	if err != nil {
		return nil, fmt.Errorf("list commands: %w", s.explain(ctx, err))
	}
	defer func() { _ = keys.Stop() }() // it fails where the watch has ended
	var ids []string
	for key := range keys.Keys() {
		if id, ok := lattice.ParseOpKey(key); ok && len(ids) < maxOpKeys {
			ids = append(ids, id)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("list commands: %w", s.explain(ctx, err))
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(b, a) })
	return slices.Compact(ids), nil
}

// allowExpiry has the server take away messages of the bucket of Lath's own when
// their time has come. It says whether the server can and lets us.
func (s *Store) allowExpiry(ctx context.Context, own jetstream.KeyValue) bool {
	ctx, cancel := s.request(ctx)
	defer cancel()
	status, err := own.Status(ctx)
	if err != nil {
		return false
	}
	bucket, ok := status.(*jetstream.KeyValueBucketStatus)
	if !ok {
		return false
	}
	cfg := bucket.StreamInfo().Config
	if cfg.AllowMsgTTL {
		return true
	}
	cfg.AllowMsgTTL = true
	info, err := s.js.UpdateStream(ctx, cfg)
	if err == nil && info.CachedInfo().Config.AllowMsgTTL {
		return true
	}
	s.opts.Log.Info("the NATS server does not forget commands by itself (2.11 and newer ones do); hosts will do it", zap.Error(err))
	return false
}

// sweepOps begins to take away commands that are due, where the server does not
// and this store has not for a while.
func (s *Store) sweepOps() {
	s.ops.mu.Lock()
	defer s.ops.mu.Unlock()
	if s.ops.expire.Load() || s.ops.closed || !s.ops.swept.IsZero() && time.Since(s.ops.swept) < OpKept {
		return
	}
	s.ops.swept = time.Now()
	s.mirrors.Go(func() {
		if err := s.dropOps(s.background, OpKept, OpOpen); err != nil && s.background.Err() == nil {
			s.opts.Log.Warn("old commands are not taken away", zap.Error(err))
		}
	})
}

// dropOps takes away the commands whose last change is that long ago: of those
// that have ended, and of those that have not. Their age is what the server's
// clock says of them and of the bucket's last change: hosts' clocks differ.
func (s *Store) dropOps(ctx context.Context, ended, open time.Duration) error {
	listing, cancel := s.request(ctx)
	defer cancel()
	ids, err := s.opIDs(listing)
	if err != nil {
		return err
	}
	stream, err := s.js.Stream(listing, lattice.BucketStream(lattice.LathBucket(s.lattice)))
	if err != nil {
		return s.explain(listing, err)
	}
	now := stream.CachedInfo().State.LastTime
	for _, id := range ids {
		kve, err := s.lathBucket.Get(ctx, lattice.OpKey(id))
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			continue
		}
		if err != nil {
			return s.explain(ctx, err)
		}
		kept := ended
		if op, err := lattice.DecodeOp(kve.Value()); err == nil && op.State == lattice.OpAccepted {
			kept = open
		}
		if now.Sub(kve.Created()) < kept {
			continue
		}
		subject := lattice.BucketSubject("", lattice.LathBucket(s.lattice), kve.Key())
		if err := stream.Purge(ctx, jetstream.WithPurgeSubject(subject)); err != nil {
			return s.explain(listing, err)
		}
	}
	return nil
}
