package nats

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/providers/blobstore"
	contract "github.com/lathhost/lath/wit/wrpc/blobstore"
)

// Store keeps blobs in NATS. It is safe for concurrent use, and several stores may
// have the same containers.
type Store struct {
	cfg  Config
	conn *nats.Conn
	own  bool // the connection is the store's
	js   jetstream.JetStream

	making sync.Mutex // containers are counted and made one at a time
	reads  reads
}

var _ contract.Store = (*Store)(nil)

// New returns a store on conn, which stays the caller's, or on a connection of its
// own where cfg names a server. Close it.
func New(ctx context.Context, conn *nats.Conn, cfg Config) (*Store, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, conn: conn, reads: reads{by: map[string]*reading{}}}
	var err error
	if cfg.URL != "" {
		if s.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: cfg.URL, Auth: cfg.Auth, Name: "lath blob store"}); err != nil {
			return nil, err
		}
		s.own = true
	}
	if s.conn == nil {
		return nil, errors.New("blob store configuration: cluster_uri: no server is named, and there is no connection to use")
	}
	wait := jetstream.WithPublishAsyncTimeout(cfg.MaxWriteWait)
	if cfg.JSDomain != "" {
		s.js, err = jetstream.NewWithDomain(s.conn, cfg.JSDomain, wait)
	} else {
		s.js, err = jetstream.New(s.conn, wait)
	}
	if err != nil {
		return nil, errors.Join(failed(err), s.Close())
	}
	return s, nil
}

// Close ends what the store has on the connection, and its own connection.
func (s *Store) Close() error {
	if s.js != nil {
		s.js.CleanupPublisher()
	}
	if s.own {
		s.conn.Close()
	}
	return nil
}

// failed names what does not answer. Errors of the contract stay as they are.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[contract.Error](err); ok {
		return err
	}
	return fmt.Errorf("NATS blob store: %w", lattice.Disconnected(err))
}

const (
	// timeout bounds one question to NATS whose caller has more time.
	timeout = 5 * time.Second
	// longTimeout bounds what takes as long as a container has objects.
	longTimeout = time.Minute
)

// bucket is a container that is there.
type bucket struct {
	s         *Store
	container string
	name      string // NATS'
	stream    jetstream.Stream
}

// streamPrefix comes before the name of a bucket's stream.
const streamPrefix = "OBJ_"

// bucket finds a container.
func (s *Store) bucket(ctx context.Context, container string) (*bucket, error) {
	if err := s.enter(ctx, container); err != nil {
		return nil, err
	}
	name := s.cfg.bucketOf(container)
	stream, err := s.js.Stream(ctx, streamPrefix+name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, blobstore.NoContainer(container)
	case err != nil:
		return nil, failed(err)
	}
	return &bucket{s: s, container: container, name: name, stream: stream}, nil
}

func (s *Store) enter(ctx context.Context, names ...string) error {
	if err := ctx.Err(); err != nil {
		return failed(err)
	}
	return s.cfg.CheckNames(names...)
}

// in does something in a container, within a time.
func (s *Store) in(ctx context.Context, container string, most time.Duration, do func(context.Context, *bucket) error) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	b, err := s.bucket(ctx, container)
	if err != nil {
		return err
	}
	return b.failed(ctx, do(ctx, b))
}

// full are the words of NATS for a bound that is reached.
var full = []string{"maximum bytes exceeded", "resource limits exceeded", "insufficient"}

// failed is failed with what an error means here: that the container has gone, or
// that it is full.
func (b *bucket) failed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return blobstore.NoContainer(b.container)
	case errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse):
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if _, gone := b.s.js.Stream(ctx, streamPrefix+b.name); errors.Is(gone, jetstream.ErrStreamNotFound) {
			return blobstore.NoContainer(b.container)
		}
	}
	if api, ok := errors.AsType[*jetstream.APIError](err); ok {
		for _, words := range full {
			if strings.Contains(api.Description, words) {
				return blobstore.Errorf("container %.100q is at a limit of its NATS server: %s", b.container, api.Description)
			}
		}
	}
	return failed(err)
}

// CreateContainer implements contract.Store.
func (s *Store) CreateContainer(ctx context.Context, container string) error {
	if err := s.enter(ctx, container); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longTimeout)
	defer cancel()
	s.making.Lock()
	defer s.making.Unlock()
	if is, err := s.ContainerExists(ctx, container); is || err != nil {
		return err
	}
	n, err := s.count(ctx)
	switch {
	case err != nil:
		return failed(err)
	case n >= s.cfg.MaxContainers:
		return blobstore.Errorf("one more container is over the limit of %d", s.cfg.MaxContainers)
	}
	_, err = s.js.CreateObjectStore(ctx, s.cfg.bucket(container))
	if errors.Is(err, jetstream.ErrBucketExists) {
		return nil // somebody else was faster
	}
	return failed(err)
}

// count counts the containers, until there are too many.
func (s *Store) count(ctx context.Context) (n int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	list := s.js.StreamNames(ctx)
	for name := range list.Name() {
		if strings.HasPrefix(name, streamPrefix+s.cfg.Prefix) {
			n++
		}
	}
	return n, list.Err()
}

// ContainerExists implements contract.Store.
func (s *Store) ContainerExists(ctx context.Context, container string) (bool, error) {
	_, err := s.GetContainerInfo(ctx, container)
	if _, no := errors.AsType[contract.Error](err); no && s.cfg.CheckNames(container) == nil {
		return false, nil
	}
	return err == nil, err
}

// GetContainerInfo implements contract.Store.
func (s *Store) GetContainerInfo(ctx context.Context, container string) (m contract.ContainerMetadata, err error) {
	err = s.in(ctx, container, timeout, func(_ context.Context, b *bucket) error {
		m.CreatedAt = seconds(b.stream.CachedInfo().Created)
		return nil
	})
	return m, err
}

func seconds(t time.Time) uint64 { return uint64(max(0, t.Unix())) }

// DeleteContainer implements contract.Store.
func (s *Store) DeleteContainer(ctx context.Context, container string) error {
	if err := s.enter(ctx, container); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, longTimeout)
	defer cancel()
	err := s.js.DeleteStream(ctx, streamPrefix+s.cfg.bucketOf(container))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	return failed(err)
}

// HasObject implements contract.Store.
func (s *Store) HasObject(ctx context.Context, id contract.ObjectID) (is bool, err error) {
	err = s.in(ctx, id.Container, timeout, func(ctx context.Context, b *bucket) error {
		v, err := b.find(ctx, id.Object)
		is = v.there()
		return err
	})
	return is, err
}

// GetObjectInfo implements contract.Store.
func (s *Store) GetObjectInfo(ctx context.Context, id contract.ObjectID) (m contract.ObjectMetadata, err error) {
	err = s.in(ctx, id.Container, timeout, func(ctx context.Context, b *bucket) error {
		v, err := b.get(ctx, id.Object)
		if err != nil {
			return err
		}
		m = contract.ObjectMetadata{CreatedAt: seconds(v.at), Size: v.info.Size}
		return nil
	})
	return m, err
}

// DeleteObject implements contract.Store.
func (s *Store) DeleteObject(ctx context.Context, id contract.ObjectID) error {
	return s.DeleteObjects(ctx, id.Container, []string{id.Object})
}

// DeleteObjects implements contract.Store.
func (s *Store) DeleteObjects(ctx context.Context, container string, objects []string) error {
	return s.in(ctx, container, longTimeout, func(ctx context.Context, b *bucket) error {
		for _, name := range objects {
			if s.cfg.CheckNames(name) != nil {
				continue // a name that no object can have
			}
			if err := b.remove(ctx, name, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// CopyObject implements contract.Store.
func (s *Store) CopyObject(ctx context.Context, src, dest contract.ObjectID) error {
	_, _, err := s.copy(ctx, src, dest)
	return err
}

// MoveObject implements contract.Store. A source that was written to meanwhile
// stays.
func (s *Store) MoveObject(ctx context.Context, src, dest contract.ObjectID) error {
	b, v, err := s.copy(ctx, src, dest)
	if err != nil || src == dest {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return b.failed(ctx, b.remove(ctx, src.Object, v.seq))
}

// copy copies an object, and returns where from and what it was.
func (s *Store) copy(ctx context.Context, src, dest contract.ObjectID) (*bucket, *version, error) {
	b, v, r, err := s.reader(ctx, src, 0, math.MaxUint64)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close() //nolint:errcheck // always nil
	if src == dest {
		return b, v, nil
	}
	return b, v, s.WriteContainerData(ctx, dest, r)
}
