package lattice

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// ClusterReplicas is how many servers of a NATS cluster keep what the lattice
// stores, if nobody says otherwise: any one of them may be lost.
const ClusterReplicas = 3

// Errors of JetStream that nats.go has no names for.
const (
	codeNoPeers      jetstream.ErrorCode = 10005 // too few servers to place a stream on
	codeNotClustered jetstream.ErrorCode = 10074 // more than one replica on one server
)

// CreateBucket makes a bucket, or returns the one that somebody else has made
// meanwhile. With cfg.Replicas 0, ClusterReplicas servers of a cluster keep it, and
// the one server that is of no cluster.
func CreateBucket(ctx context.Context, js jetstream.JetStream, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	asked := cfg.Replicas
	if asked == 0 {
		cfg.Replicas = ClusterReplicas
	}
	kv, err := js.CreateKeyValue(ctx, cfg)
	if api, is := errors.AsType[*jetstream.APIError](err); is && api.ErrorCode == codeNotClustered && asked == 0 {
		cfg.Replicas = 1
		kv, err = js.CreateKeyValue(ctx, cfg)
	}
	if errors.Is(err, jetstream.ErrBucketExists) {
		return js.KeyValue(ctx, cfg.Bucket)
	}
	if api, is := errors.AsType[*jetstream.APIError](err); is && api.ErrorCode == codeNoPeers {
		return nil, fmt.Errorf("%w: fewer than %d servers of the cluster with JetStream are up: start the others, or ask for fewer replicas", err, cfg.Replicas)
	}
	return kv, err
}
