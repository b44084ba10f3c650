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
	DefaultWait        = 30 * time.Second
)

// opTimeout bounds one request to JetStream.
const opTimeout = 5 * time.Second

// Options are the choices of Open; the zero value is good.
type Options struct {
	// Domain is the JetStream domain, for leaf nodes.
	Domain string
	// Replicas is how many servers of a cluster keep each bucket: those that are
	// made get so many, and those that have fewer are raised to it. 0 makes new ones
	// with 3 in a cluster and 1 elsewhere, and leaves others as they are.
	Replicas int
	// Wait bounds how long Open waits for a cluster that has too few servers just
	// now, or no leader; default DefaultWait.
	Wait time.Duration
	// MaxSpecSize is the largest spec, in bytes of JSON, that is written or read.
	// NATS's own limit of a message holds too.
	MaxSpecSize int
	// CheckEvery is how often the cache is compared with the bucket, in case that
	// a change was lost.
	CheckEvery time.Duration
	// OnFull, if not nil, is told of writes for which JetStream has no room. It must
	// not block.
	OnFull func(err error)
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
	life                                 *life

	background context.Context //nolint:containedctx // of what goes on until Close
	cancel     context.CancelFunc
	mirrors    sync.WaitGroup
}

// Open makes the lattice's buckets if they are missing, reads every spec and
// keeps up with all changes until Close. A NATS server without JetStream is an
// error that matches lattice.ErrUnsupported.
func Open(ctx context.Context, conn *nats.Conn, name string, opts Options) (*Store, error) {
	s, err := newStore(conn, name, opts)
	if err == nil {
		err = s.openBuckets(ctx)
	}
	if err == nil {
		err = s.startSync(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("open state of lattice %s: %w", name, err)
	}
	return s, nil
}

// newStore makes a store that knows no buckets yet.
func newStore(conn *nats.Conn, name string, opts Options) (*Store, error) {
	if err := lattice.ValidLattice(name); err != nil {
		return nil, err
	}
	if opts.Wait <= 0 {
		opts.Wait = DefaultWait
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
	s := &Store{conn: conn, lattice: name, opts: opts, specs: newSpecs(), configs: newConfigs(), life: newLife()}
	var err error
	if opts.Domain == "" {
		s.js, err = jetstream.New(conn)
	} else {
		s.js, err = jetstream.NewWithDomain(conn, opts.Domain)
	}
	return s, err
}

// startSync starts the mirrors and waits for their first lists.
func (s *Store) startSync(ctx context.Context) error {
	run, cancel := context.WithCancel(context.Background())
	s.background, s.cancel = run, cancel
	links, configs := make(chan struct{}), make(chan struct{})
	s.mirrors.Go(func() { s.life.follow(run, s.conn) })
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

// explain adds what an error of JetStream means here.
func (s *Store) explain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errLost):
		return fmt.Errorf("%w: %w", errLost, err)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount),
		errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("%w: the NATS server at %s has no JetStream (start it with -js), or not yet: %w",
			lattice.ErrUnsupported, s.conn.ConnectedUrlRedacted(), err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("%w: JetStream at %s does not answer: %w",
			lattice.ErrTimeout, s.conn.ConnectedUrlRedacted(), err)
	case isFull(err):
		err = fmt.Errorf("%w: JetStream at %s has no room left: free some on its disk, or raise its limits (max_file_store, or those of the account): %w",
			lattice.ErrFull, s.conn.ConnectedUrlRedacted(), err)
		if s.opts.OnFull != nil {
			s.opts.OnFull(err)
		}
		return err
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
