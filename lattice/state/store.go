package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
)

// Defaults of Options.
const (
	DefaultMaxSpecSize = 1 << 20
	DefaultCheckEvery  = 30 * time.Second
)

// opTimeout bounds one request to JetStream.
const opTimeout = 5 * time.Second

// Options are the choices of Open; the zero value is good.
type Options struct {
	// Domain is the JetStream domain, for leaf nodes.
	Domain string
	// MaxSpecSize is the largest spec, in bytes of JSON, that is written or read.
	// NATS's own limit of a message holds too.
	MaxSpecSize int
	// CheckEvery is how often the cache is compared with the bucket, in case that
	// a change was lost.
	CheckEvery time.Duration
	// Log is told of malformed entries and of trouble with NATS; nil is silent.
	Log *zap.Logger
}

// Store is the stored state of one lattice. It is safe for concurrent use.
type Store struct {
	conn    *nats.Conn
	js      jetstream.JetStream
	lattice string
	opts    Options

	specBucket, configBucket, lathBucket jetstream.KeyValue
	specs                                *specs
	configs                              *configs
	ops                                  ops

	background context.Context //nolint:containedctx // of what goes on until Close
	cancel     context.CancelFunc
	mirrors    sync.WaitGroup
}

// Open makes the lattice's buckets if they are missing, reads every spec and
// keeps up with all changes until Close. A NATS server without JetStream is an
// error that matches lattice.ErrUnsupported.
func Open(ctx context.Context, conn *nats.Conn, name string, opts Options) (*Store, error) {
	if err := lattice.ValidLattice(name); err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	if opts.MaxSpecSize <= 0 {
		opts.MaxSpecSize = DefaultMaxSpecSize
	}
	if opts.CheckEvery <= 0 {
		opts.CheckEvery = DefaultCheckEvery
	}
	if opts.Log == nil {
		opts.Log = zap.NewNop()
	}
	s := &Store{conn: conn, lattice: name, opts: opts, specs: newSpecs(), configs: newConfigs()}
	var err error
	if opts.Domain == "" {
		s.js, err = jetstream.New(conn)
	} else {
		s.js, err = jetstream.NewWithDomain(conn, opts.Domain)
	}
	if err == nil {
		s.specBucket, s.configBucket, s.lathBucket, err = s.ensureBuckets(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open state of lattice %s: %w", name, err)
	}
	if err := s.startSync(ctx); err != nil {
		return nil, fmt.Errorf("open state of lattice %s: %w", name, err)
	}
	return s, nil
}

// startSync starts the mirrors and waits for their first lists.
func (s *Store) startSync(ctx context.Context) error {
	run, cancel := context.WithCancel(context.Background())
	s.background, s.cancel = run, cancel
	links, configs := make(chan struct{}), make(chan struct{})
	s.mirrors.Go(func() {
		m := mirror[Spec]{Store: s, what: "links", kv: s.specBucket, cache: s.specs.cache, name: specName, decode: s.decodeSpec}
		m.keepSynced(run, links)
	})
	s.mirrors.Go(func() {
		m := mirror[map[string]string]{Store: s, what: "configs", kv: s.configBucket, cache: s.configs.cache, name: configName, decode: s.decodeConfig}
		m.keepSynced(run, configs)
	})
	for _, listed := range []chan struct{}{links, configs} {
		select {
		case <-listed:
		case <-ctx.Done():
			s.Close()
			return fmt.Errorf("read what is stored: %w", context.Cause(ctx))
		}
	}
	return nil
}

// ensureBuckets makes the buckets, with v1's settings, if they are missing, and
// returns handles of them. A handle knows its bucket by name, and outlives it.
func (s *Store) ensureBuckets(ctx context.Context) (specs, configs, own jetstream.KeyValue, err error) {
	if specs, err = s.ensureBucket(ctx, lattice.LatticeBucket(s.lattice)); err != nil {
		return nil, nil, nil, err
	}
	if configs, err = s.ensureBucket(ctx, lattice.ConfigBucket(s.lattice)); err != nil {
		return nil, nil, nil, err
	}
	if own, err = s.ensureBucket(ctx, lattice.LathBucket(s.lattice)); err != nil {
		return nil, nil, nil, err
	}
	s.ops.expire.Store(s.allowExpiry(ctx, own))
	return specs, configs, own, nil
}

func (s *Store) ensureBucket(ctx context.Context, bucket string) (jetstream.KeyValue, error) {
	ctx, cancel := context.WithTimeout(ctx, opTimeout)
	defer cancel()
	kv, err := s.js.KeyValue(ctx, bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = s.js.CreateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: bucket, History: 1, Replicas: 1, Storage: jetstream.FileStorage,
		})
		if errors.Is(err, jetstream.ErrBucketExists) { // another host was faster
			kv, err = s.js.KeyValue(ctx, bucket)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, s.explain(err))
	}
	return kv, nil
}

// explain adds what an error of JetStream means here.
func (s *Store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: the NATS server at %s has no JetStream (start it with -js), or not yet: %w",
			lattice.ErrUnsupported, s.conn.ConnectedUrlRedacted(), err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("%w: JetStream at %s does not answer: %w",
			lattice.ErrTimeout, s.conn.ConnectedUrlRedacted(), err)
	default:
		return lattice.Disconnected(err)
	}
}

// Close ends the mirrors and waits for them; watchers' Next returns ErrClosed.
// The connection stays open. What was known may still be read. It may be called
// again.
func (s *Store) Close() {
	s.ops.mu.Lock()
	s.ops.closed = true
	s.ops.mu.Unlock()
	s.cancel()
	s.mirrors.Wait()
	s.specs.close()
}

// Links returns all links, ordered by source and, of one source, as stored.
func (s *Store) Links() []lattice.Link { return s.specs.links() }

// LinksFrom returns the links that start from an id.
func (s *Store) LinksFrom(id string) []lattice.Link { return s.specs.linksFrom(id) }

// LinksTo returns the links that end at an id, ordered by source.
func (s *Store) LinksTo(id string) []lattice.Link { return s.specs.linksTo(id) }

// Spec returns the spec of an id; ok is false if there is none.
func (s *Store) Spec(id string) (spec Spec, ok bool) {
	if spec, _ := s.specs.get(id); spec != nil {
		return *spec.clone(), true
	}
	return Spec{}, false
}
