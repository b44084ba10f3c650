package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/lathhost/lath/providers/sdk"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// store keeps the values of all buckets in one map. The configuration of a link
// may have a "prefix", which parts the keys of those who use it from others'; the
// provider's own may have a "limit" of how many keys there are, live.
type store struct {
	session *sdk.Session

	mu     sync.Mutex
	values map[string][]byte
	limit  int // 0: none
}

var (
	_ keyvalue.Store   = (*store)(nil)
	_ keyvalue.Atomics = (*store)(nil)
)

func (s *store) init(ctx context.Context, session *sdk.Session) error {
	s.session = session
	s.configure(ctx, session.Config())
	return nil
}

func (s *store) configure(_ context.Context, values map[string]string) {
	limit, err := strconv.Atoi(values["limit"])
	if err != nil && values["limit"] != "" {
		s.session.Log().Warn("limit is no number, and stays as it is")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
}

// place is where the caller's keys of a bucket are.
func (s *store) place(ctx context.Context, bucket string) string {
	link, _ := s.session.Link(ctx, "wrpc:keyvalue")
	return link.Config["prefix"] + "\x00" + bucket + "\x00"
}

func (s *store) Get(ctx context.Context, bucket, key string) (wit.Option[[]byte], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[s.place(ctx, bucket)+key]
	return wit.Option[[]byte]{Value: v, OK: ok}, nil
}

func (s *store) Set(ctx context.Context, bucket, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(s.place(ctx, bucket)+key, value)
}

func (s *store) set(at string, value []byte) error {
	if _, is := s.values[at]; !is && s.limit > 0 && len(s.values) >= s.limit {
		return keyvalue.Error{Tag: keyvalue.ErrorOther, Other: fmt.Sprintf("the limit of %d keys is reached", s.limit)}
	}
	s.values[at] = value
	return nil
}

func (s *store) Delete(ctx context.Context, bucket, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, s.place(ctx, bucket)+key)
	return nil
}

func (s *store) Exists(ctx context.Context, bucket, key string) (bool, error) {
	v, err := s.Get(ctx, bucket, key)
	return v.OK, err
}

func (s *store) ListKeys(ctx context.Context, bucket string, _ wit.Option[uint64]) (keyvalue.KeyResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := []string{}
	for at := range s.values {
		if key, is := strings.CutPrefix(at, s.place(ctx, bucket)); is {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keyvalue.KeyResponse{Keys: keys}, nil
}

func (s *store) Increment(ctx context.Context, bucket, key string, delta uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.place(ctx, bucket) + key
	var n uint64
	if v, is := s.values[at]; is {
		var err error
		if n, err = strconv.ParseUint(string(v), 10, 64); err != nil {
			return 0, keyvalue.Error{Tag: keyvalue.ErrorOther, Other: "the value is no number"}
		}
	}
	n += delta
	return n, s.set(at, []byte(strconv.FormatUint(n, 10)))
}
