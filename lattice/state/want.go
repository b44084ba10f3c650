package state

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
)

// Want is what a host is to run: what commands have started on it and not stopped,
// whether it runs just now or not. v1 has no place for it.
type Want struct {
	Components []WantedComponent `json:"components"`
	Providers  []WantedProvider  `json:"providers"`
}

// WantedComponent is a component as its last command has it.
type WantedComponent struct {
	ID           string                   `json:"id"`
	Image        string                   `json:"image"`
	MaxInstances uint32                   `json:"count"`
	Config       []string                 `json:"config,omitempty"`
	Annotations  map[string]string        `json:"annotations,omitempty"`
	Limits       *lattice.ComponentLimits `json:"limits,omitempty"`
}

// WantedProvider is a provider as the command has it that started it.
type WantedProvider struct {
	ID          string            `json:"id"`
	Reference   string            `json:"reference"`
	Config      []string          `json:"config,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Want reads what a host is to run; nothing is stored for one that never ran
// anything.
func (s *Store) Want(ctx context.Context, host string) (*Want, error) {
	ctx, cancel := s.request(ctx)
	defer cancel()
	bucket, key := lattice.LathBucket(s.lattice), lattice.WantKey(host)
	is, err := s.last(ctx, bucket, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return &Want{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what host %s is to run: %w", host, s.explain(ctx, err))
	}
	w := &Want{}
	if err := lattice.DecodeJSON(is.value, s.opts.MaxSpecSize, w); err != nil {
		return nil, fmt.Errorf("key %s in bucket %s (delete it there to begin with nothing): %w", key, bucket, err)
	}
	return w, nil
}

// PutWant stores what a host is to run. Only that host may. Errors are PutLink's.
func (s *Store) PutWant(ctx context.Context, host string, w *Want) error {
	data, err := lattice.EncodeJSON(w)
	if err != nil {
		return fmt.Errorf("store what host %s is to run: %w", host, err)
	}
	if limit := s.maxValue(); len(data) > limit {
		return fmt.Errorf("store what host %s is to run: %w: it would have %d bytes, the limit is %d", host, lattice.ErrInvalid, len(data), limit)
	}
	ctx, cancel := s.request(ctx)
	defer cancel()
	if _, err := s.lathBucket.Put(ctx, lattice.WantKey(host), data); err != nil {
		return fmt.Errorf("store what host %s is to run: %w", host, s.explain(ctx, err))
	}
	return nil
}
