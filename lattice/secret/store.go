package secret

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
)

// history is how many versions of a secret are kept.
const history = 8

// requestTime bounds one request to NATS.
const requestTime = 5 * time.Second

// Store is the bucket of one lattice's sealed secrets. It is safe for concurrent
// use, and holds nothing open.
type Store struct {
	js       jetstream.JetStream
	bucket   string
	replicas int
	limit    int64
}

// NewStore returns the store of a lattice. It does no I/O: the bucket is made by the
// first Put, on so many servers of a cluster; 0: see lattice.CreateBucket.
func NewStore(conn *lattice.Conn, name, domain string, replicas int) (*Store, error) {
	if err := lattice.ValidLattice(name); err != nil {
		return nil, err
	}
	s := &Store{bucket: lattice.SecretBucket(name), replicas: replicas, limit: conn.MaxPayload()}
	var err error
	if domain == "" {
		s.js, err = jetstream.New(conn)
	} else {
		s.js, err = jetstream.NewWithDomain(conn, domain)
	}
	return s, err
}

// Entry is a sealed secret as it is stored.
type Entry struct {
	*Sealed
	// Version is greater in each later version.
	Version uint64
	Stored  time.Time
}

// Put stores a sealed secret under a key and returns its version. Older versions
// stay.
func (s *Store) Put(ctx context.Context, key string, sealed *Sealed) (version uint64, err error) {
	if err := lattice.ValidSecretKey(key); err != nil {
		return 0, err
	}
	data, err := lattice.EncodeJSON(sealed)
	if err != nil {
		return 0, fmt.Errorf("put secret %s: %w", key, err)
	}
	// NATS counts headers too.
	if limit := s.limit - 1024; int64(len(data)) > limit {
		return 0, fmt.Errorf("put secret %s: %w", key, &lattice.TooLargeError{What: "sealed secret", Bytes: int64(len(data)), Limit: limit})
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	kv, err := s.open(ctx, true)
	if err == nil {
		version, err = kv.Put(ctx, key, data)
	}
	if err != nil {
		return 0, fmt.Errorf("put secret %s: %w", key, explain(err))
	}
	return version, nil
}

// Get returns a version of a secret, or its latest one for "". One that is not there
// is lattice.ErrNotFound.
func (s *Store) Get(ctx context.Context, key, version string) (*Entry, error) {
	if err := lattice.ValidSecretKey(key); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	kv, err := s.open(ctx, false)
	var stored jetstream.KeyValueEntry
	switch {
	case err != nil:
	case version == "":
		stored, err = kv.Get(ctx, key)
	default:
		revision, parseErr := strconv.ParseUint(version, 10, 64)
		if parseErr != nil || revision == 0 {
			return nil, fmt.Errorf("secret %s: version %.40q: %w: want the number that lath secret put has told", key, version, lattice.ErrInvalid)
		}
		stored, err = kv.GetRevision(ctx, key, revision)
	}
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", key, explain(err))
	}
	sealed, err := DecodeSealed(stored.Value())
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", key, err)
	}
	return &Entry{Sealed: sealed, Version: stored.Revision(), Stored: stored.Created()}, nil
}

// Delete removes all versions of a secret. It is no error if there is none.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := lattice.ValidSecretKey(key); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	kv, err := s.open(ctx, false)
	if err == nil {
		err = kv.Purge(ctx, key)
	}
	if err = explain(err); err != nil && !errors.Is(err, lattice.ErrNotFound) {
		return fmt.Errorf("delete secret %s: %w", key, err)
	}
	return nil
}

// open returns the bucket, and makes it if that is wanted.
func (s *Store) open(ctx context.Context, create bool) (jetstream.KeyValue, error) {
	kv, err := s.js.KeyValue(ctx, s.bucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) && create {
		return lattice.CreateBucket(ctx, s.js, jetstream.KeyValueConfig{Bucket: s.bucket, History: history, Replicas: s.replicas,
			Description: "secrets of a lattice, sealed"})
	}
	return kv, err
}

// explain gives errors of NATS the kinds that callers tell apart.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyNotFound), errors.Is(err, jetstream.ErrBucketNotFound), errors.Is(err, jetstream.ErrKeyDeleted):
		return lattice.ErrNotFound
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, nats.ErrTimeout):
		return fmt.Errorf("%w: NATS does not answer: %w", lattice.ErrTimeout, err)
	default:
		return lattice.Disconnected(err)
	}
}
