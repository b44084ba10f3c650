package state

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
)

// roomOps is how many commands are forgotten at most to make room for one write.
const roomOps = 64

// makeRoom is for a write that takes something away, and yet needs room in JetStream,
// which has none: commands that have ended are forgotten before their time, the
// oldest first. It reports whether there were any.
func (s *Store) makeRoom(ctx context.Context) bool {
	ctx, cancel := s.request(ctx)
	defer cancel()
	ids, err := s.opIDs(ctx)
	var stream jetstream.Stream
	if err == nil {
		stream, err = s.js.Stream(ctx, lattice.BucketStream(lattice.LathBucket(s.lattice)))
	}
	dropped := 0
	for _, id := range slices.Backward(ids) {
		if err != nil || dropped == roomOps {
			break
		}
		if op, failed := s.Op(ctx, id); failed != nil || op.State == lattice.OpAccepted {
			continue
		}
		if err = stream.Purge(ctx, jetstream.WithPurgeSubject(lattice.BucketSubject("", lattice.LathBucket(s.lattice), lattice.OpKey(id)))); err == nil {
			dropped++
		}
	}
	s.opts.Log.Warn("JetStream has no room: commands that have ended are forgotten early", zap.Int("commands", dropped), zap.Error(err))
	return dropped > 0
}

// purgeConfig deletes a config. Where there is no room for the mark that tells other
// hosts, the value itself makes it.
func (s *Store) purgeConfig(ctx context.Context, name string) error {
	err := s.explain(ctx, s.configBucket.Purge(ctx, name))
	if !errors.Is(err, lattice.ErrFull) {
		return err
	}
	bucket := lattice.ConfigBucket(s.lattice)
	stream, failed := s.js.Stream(ctx, lattice.BucketStream(bucket))
	if failed == nil {
		failed = stream.Purge(ctx, jetstream.WithPurgeSubject(lattice.BucketSubject("", bucket, name)))
	}
	if failed != nil {
		return errors.Join(err, s.explain(ctx, failed))
	}
	if err = s.explain(ctx, s.configBucket.Purge(ctx, name)); errors.Is(err, lattice.ErrFull) && s.makeRoom(ctx) {
		err = s.explain(ctx, s.configBucket.Purge(ctx, name))
	}
	if err != nil {
		return fmt.Errorf("it is deleted, which hosts learn when they start: %w", err)
	}
	return nil
}
