package nats

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// Store keeps values in NATS. It is safe for concurrent use. Each call about one
// key is one step; a batch is as many as it has keys.
type Store struct {
	batch
	cfg  Config
	conn *nats.Conn
	own  bool // the connection is the store's
	js   jetstream.JetStream

	mu      sync.Mutex
	buckets map[string]jetstream.KeyValue

	// Increments of a key take turns here, before they meet those of others.
	seed  maphash.Seed
	turns [64]sync.Mutex
}

// batch is embedded without being seen.
type batch = keyvalue.Batch

var (
	_ contract.Store   = (*Store)(nil)
	_ contract.Atomics = (*Store)(nil)
	_ contract.Batch   = (*Store)(nil)
)

// New returns a store on conn, which stays the caller's, or on a connection of its
// own where cfg names a server. Close it.
func New(ctx context.Context, conn *nats.Conn, cfg Config) (*Store, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, conn: conn, buckets: map[string]jetstream.KeyValue{}, seed: maphash.MakeSeed()}
	s.batch = keyvalue.Batch{Store: s, Limits: &s.cfg.Limits}
	var err error
	if cfg.URL != "" {
		if s.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: cfg.URL, Auth: cfg.Auth, Name: "lath key-value"}); err != nil {
			return nil, err
		}
		s.own = true
	}
	if s.conn == nil {
		return nil, errors.New("key-value configuration: cluster_uri: no server is named, and there is no connection to use")
	}
	if cfg.JSDomain != "" {
		s.js, err = jetstream.NewWithDomain(s.conn, cfg.JSDomain)
	} else {
		s.js, err = jetstream.New(s.conn)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("key-value: %w", err), s.Close())
	}
	return s, nil
}

// Close ends the store's own connection.
func (s *Store) Close() error {
	if s.own {
		s.conn.Close()
	}
	return nil
}

// failed names what does not answer.
func failed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("NATS key-value: %w", lattice.Disconnected(err))
}

// timeout bounds one question to NATS whose caller has more time.
const timeout = 5 * time.Second

// bucket opens a bucket, and makes it if it is to be written to; nil where it is
// not there and that is the same as empty.
func (s *Store) bucket(ctx context.Context, bucket string, write bool) (jetstream.KeyValue, error) {
	name := s.cfg.nameOf(bucket)
	s.mu.Lock()
	kv, n := s.buckets[name], len(s.buckets)
	s.mu.Unlock()
	if kv != nil {
		return kv, nil
	}
	kv, err := s.js.KeyValue(ctx, name)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		switch {
		case s.cfg.NoCreate:
			return nil, contract.Error{Tag: contract.ErrorNoSuchStore}
		case !write:
			return nil, nil //nolint:nilnil // there is none
		case int64(n) >= s.cfg.MaxBuckets:
			return nil, keyvalue.Other("one more bucket is over the limit of %d", s.cfg.MaxBuckets)
		}
		kv, err = s.create(ctx, name)
	}
	if err != nil {
		return nil, failed(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if int64(len(s.buckets)) < s.cfg.MaxBuckets {
		s.buckets[name] = kv
	}
	return kv, nil
}

// create makes a bucket. Somebody else may have been faster; a server before 2.11
// keeps no times of deletion.
func (s *Store) create(ctx context.Context, name string) (jetstream.KeyValue, error) {
	cfg := s.cfg.bucket(name)
	kv, err := s.js.CreateKeyValue(ctx, cfg)
	if errors.Is(err, jetstream.ErrLimitMarkerTTLNotSupported) {
		cfg.LimitMarkerTTL = 0
		kv, err = s.js.CreateKeyValue(ctx, cfg)
	}
	if errors.Is(err, jetstream.ErrBucketExists) {
		return s.js.KeyValue(ctx, name)
	}
	return kv, err
}

// in does something in a bucket; none is nil. A bucket that went away since it was
// opened is opened anew.
func (s *Store) in(ctx context.Context, bucket, key string, write bool, do func(ctx context.Context, kv jetstream.KeyValue) error) error {
	if err := s.cfg.CheckNames(bucket, key); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for again := true; ; again = false {
		kv, err := s.bucket(ctx, bucket, write)
		if err != nil {
			return err
		}
		err = do(ctx, kv)
		if !again || !errors.Is(err, jetstream.ErrNoStreamResponse) && !errors.Is(err, jetstream.ErrStreamNotFound) && !errors.Is(err, nats.ErrNoResponders) {
			return err
		}
		s.mu.Lock()
		delete(s.buckets, s.cfg.nameOf(bucket))
		s.mu.Unlock()
	}
}

// Get implements the contract.
func (s *Store) Get(ctx context.Context, bucket, key string) (v wit.Option[[]byte], err error) {
	return v, s.in(ctx, bucket, key, false, func(ctx context.Context, kv jetstream.KeyValue) error {
		if kv == nil {
			return nil
		}
		e, err := kv.Get(ctx, keyTo(key))
		switch {
		case errors.Is(err, jetstream.ErrKeyNotFound):
			return nil
		case err != nil:
			return failed(err)
		}
		v = wit.Some(e.Value())
		return nil
	})
}

// Exists implements the contract.
func (s *Store) Exists(ctx context.Context, bucket, key string) (bool, error) {
	v, err := s.Get(ctx, bucket, key)
	return v.OK, err
}

// overhead is what a message takes beside its value.
const overhead = 4 << 10

// checkValue refuses what is more than a message can carry.
func (s *Store) checkValue(n int) error {
	if most := s.conn.MaxPayload() - overhead; int64(n) > most && most > 0 {
		return keyvalue.Other("value of %d bytes is over the limit of %d, which the server's max_payload sets", n, most)
	}
	return s.cfg.CheckValue(n)
}

// Set implements the contract.
func (s *Store) Set(ctx context.Context, bucket, key string, value []byte) error {
	if err := s.checkValue(len(value)); err != nil {
		return err
	}
	return s.in(ctx, bucket, key, true, func(ctx context.Context, kv jetstream.KeyValue) error {
		_, err := kv.Put(ctx, keyTo(key), value)
		return failed(err)
	})
}

// Delete implements the contract.
func (s *Store) Delete(ctx context.Context, bucket, key string) error {
	is, err := s.Exists(ctx, bucket, key) // else each try to delete would be stored
	if err != nil || !is {
		return err
	}
	return s.in(ctx, bucket, key, false, func(ctx context.Context, kv jetstream.KeyValue) error {
		if kv == nil {
			return nil
		}
		err := kv.Purge(ctx, keyTo(key), jetstream.PurgeTTL(markerTTL))
		if noTTL := new(jetstream.APIError); errors.As(err, &noTTL) {
			err = kv.Purge(ctx, keyTo(key)) // a bucket of another program
		}
		return failed(err)
	})
}

// Increment implements the contract.
func (s *Store) Increment(ctx context.Context, bucket, key string, delta uint64) (n uint64, err error) {
	turn := &s.turns[maphash.String(s.seed, key)%uint64(len(s.turns))]
	turn.Lock()
	defer turn.Unlock()
	return n, s.in(ctx, bucket, key, true, func(ctx context.Context, kv jetstream.KeyValue) error {
		for {
			e, err := kv.Get(ctx, keyTo(key))
			n = 0
			switch {
			case errors.Is(err, jetstream.ErrKeyNotFound):
			case err != nil:
				return failed(err)
			default:
				if n, err = keyvalue.ParseCounter(e.Value()); err != nil {
					return err
				}
			}
			if n, err = keyvalue.AddCounter(n, delta); err != nil {
				return err
			}
			value := strconv.AppendUint(nil, n, 10)
			if err := s.checkValue(len(value)); err != nil {
				return err
			}
			if e == nil {
				_, err = kv.Create(ctx, keyTo(key), value)
			} else {
				_, err = kv.Update(ctx, keyTo(key), value, e.Revision())
			}
			if !errors.Is(err, jetstream.ErrKeyExists) {
				return failed(err)
			}
			// Another provider was faster: again, until the context ends.
		}
	})
}

// ListKeys implements the contract, in the order in which keys were last set. The
// cursor is a sequence number of the bucket's stream.
func (s *Store) ListKeys(ctx context.Context, bucket string, cursor wit.Option[uint64]) (page contract.KeyResponse, err error) {
	return page, s.in(ctx, bucket, "", false, func(ctx context.Context, kv jetstream.KeyValue) error {
		if kv == nil {
			return nil
		}
		for at, more := cursor.Value, true; more && len(page.Keys) == 0; {
			var err error
			if at, more, err = s.page(ctx, kv.Bucket(), at, &page.Keys); err != nil {
				return failed(err)
			}
			page.Cursor = wit.Option[uint64]{Value: at, OK: more}
		}
		if len(page.Keys) == 0 {
			page.Cursor = wit.None[uint64]()
		}
		return nil
	})
}

// page adds the keys of the messages after a sequence number, as many as a page
// has at most. It returns the last number, and whether there is more.
func (s *Store) page(ctx context.Context, bucket string, after uint64, keys *[]string) (last uint64, more bool, err error) {
	subjects := "$KV." + bucket + "."
	c, err := s.js.CreateConsumer(ctx, "KV_"+bucket, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1, FilterSubject: subjects + ">", HeadersOnly: true,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: timeout,
	})
	if err != nil {
		return 0, false, err
	}
	info := c.CachedInfo()
	defer s.js.DeleteConsumer(context.WithoutCancel(ctx), "KV_"+bucket, info.Name) //nolint:errcheck // it ends by itself, later
	n := min(info.NumPending, uint64(s.cfg.PageKeys))
	if n == 0 {
		return after, false, nil
	}
	msgs, err := c.Fetch(int(n), jetstream.FetchMaxWait(timeout))
	if err != nil {
		return 0, false, err
	}
	got := uint64(0)
	for m := range msgs.Messages() {
		meta, err := m.Metadata()
		if err != nil {
			return 0, false, err
		}
		last, got = meta.Sequence.Stream, got+1
		if h := m.Headers(); h.Get("KV-Operation") == "" && h.Get(jetstream.MarkerReasonHeader) == "" {
			*keys = append(*keys, keyFrom(strings.TrimPrefix(m.Subject(), subjects)))
		}
		if more = meta.NumPending > 0; got == n {
			break
		}
	}
	if err := msgs.Error(); err != nil && got < n {
		return 0, false, err
	}
	if got == 0 {
		return 0, false, context.DeadlineExceeded
	}
	return last, more, nil
}
