package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
)

// retryPause is between two looks at a cluster that is not ready.
const retryPause = 250 * time.Millisecond

// What JetStream's errors say that nats.go has no names for.
const (
	codeAccountFull    jetstream.ErrorCode = 10002 // limits of the account
	codeNoPeers        jetstream.ErrorCode = 10005 // too few servers to place a stream on
	codeNoLeader       jetstream.ErrorCode = 10008 // of the cluster, just now
	codeNoResources    jetstream.ErrorCode = 10023 // of any kind
	codeMemoryFull     jetstream.ErrorCode = 10028
	codeStorageFull    jetstream.ErrorCode = 10047 // limits of the server
	codeStoreFailed    jetstream.ErrorCode = 10077 // of one message, such as beyond the stream's limit
	codeStreamOffline  jetstream.ErrorCode = 10118
	codeStreamTooLarge jetstream.ErrorCode = 10122 // for the limit of the server
)

// code is that of an error of JetStream's API, or 0.
func code(err error) jetstream.ErrorCode {
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		return api.ErrorCode
	}
	if is, ok := errors.AsType[jetstream.JetStreamError](err); ok && is.APIError() != nil {
		return is.APIError().ErrorCode
	}
	return 0
}

// isFull says whether a write failed for want of room.
func isFull(err error) bool {
	switch code(err) {
	case codeAccountFull, codeNoResources, codeMemoryFull, codeStorageFull, codeStoreFailed, codeStreamTooLarge:
		return true
	default:
		return false
	}
}

// notReady says whether a cluster may be able to do later what it cannot now.
func notReady(err error) bool {
	switch code(err) {
	case codeNoPeers, codeNoLeader, codeNoResources, codeStreamOffline:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders) || lattice.IsDisconnected(err)
}

// openBuckets makes sure of the buckets, waiting for a cluster to be ready.
func (s *Store) openBuckets(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Wait)
	defer cancel()
	told := false
	for {
		err := s.ensureBuckets(ctx)
		if err == nil || !notReady(err) || s.alone(err) {
			return err
		}
		if !told {
			s.opts.Log.Info("waiting for JetStream", zap.Error(err))
			told = true
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(retryPause):
		}
	}
}

// alone says whether waiting is for nothing: a server that is of no cluster and
// does not answer for JetStream has none.
func (s *Store) alone(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) && s.conn.ConnectedClusterName() == "" && s.opts.Domain == ""
}

// ensureBuckets makes the buckets, with v1's settings, if they are missing, and
// sets the handles of them, unless that was done. A handle knows its bucket by name, and outlives it.
func (s *Store) ensureBuckets(ctx context.Context) error {
	specs, err := s.ensureBucket(ctx, lattice.LatticeBucket(s.lattice))
	if err != nil {
		return err
	}
	configs, err := s.ensureBucket(ctx, lattice.ConfigBucket(s.lattice))
	if err != nil {
		return err
	}
	own, err := s.ensureBucket(ctx, lattice.LathBucket(s.lattice))
	if err != nil {
		return err
	}
	s.ops.expire.Store(s.allowExpiry(ctx, own))
	if s.specBucket == nil {
		s.specBucket, s.configBucket, s.lathBucket = specs, configs, own
	}
	return nil
}

func (s *Store) ensureBucket(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	ctx, cancel := s.request(ctx)
	defer cancel()
	kv, err := s.js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = lattice.CreateBucket(ctx, s.js, jetstream.KeyValueConfig{Bucket: bucket, History: 1, Replicas: s.opts.Replicas})
	} else if err == nil && s.opts.Replicas > 1 {
		err = s.raiseReplicas(ctx, bucket)
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, s.explain(ctx, err))
	}
	return kv, nil
}

// raiseReplicas has a bucket kept by more servers, if it is by fewer than asked
// for, such as one that v1 made. It leaves the rest of it as it is.
func (s *Store) raiseReplicas(ctx context.Context, bucket string) error {
	stream, err := s.js.Stream(ctx, lattice.BucketStream(bucket))
	if err != nil {
		return err
	}
	cfg := stream.CachedInfo().Config
	if cfg.Replicas >= s.opts.Replicas {
		return nil
	}
	cfg.Replicas = s.opts.Replicas
	_, err = s.js.UpdateStream(ctx, cfg)
	return err
}
