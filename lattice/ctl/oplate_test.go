package ctl_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// Outcomes that the store does not take at once are stored when it does, unless the
// host leaves.
func TestOutcomeIsStoredLate(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	store := &shakyStore{ops: map[string]lattice.Op{}}
	host, srv := newHost(t, nc, func(cfg *ctl.ServerConfig) { cfg.Ops = store })
	lists, err := ctl.ServeLists(nc, testLattice, host.id, ctl.Lists{Ops: store})
	require.NoError(t, err)
	defer lists.Close()
	client := newClient(t, nc)
	scale := func(c *ctl.Client) error {
		_, err := c.ScaleComponent(bounded(t), host.id, ctl.ScaleComponent{ComponentRef: "r", ComponentID: "c"})
		return err
	}
	id := ctl.NewCommandID()
	require.NoError(t, scale(client.WithCommandID(id)))
	store.fail(2)
	host.finish(nil)
	require.Eventually(t, func() bool {
		op, err := client.Op(bounded(t), id)
		return err == nil && op.State == lattice.OpDone
	}, time.Minute, 10*time.Millisecond)

	// One that cannot be recorded is not carried out.
	store.fail(1)
	err = scale(client.WithCommandID(ctl.NewCommandID()))
	require.ErrorContains(t, err, "not carried out, because it cannot be recorded: full")
	require.Len(t, host.recorded(), 1)

	require.NoError(t, scale(client))
	store.fail(1 << 30)
	host.finish(nil)
	require.NoError(t, srv.Shutdown(bounded(t)), "it does not wait for a store that is gone")
}

// A host that leaves before it has tried again tries once more: the store may be back.
func TestOutcomeIsStoredByWhoLeaves(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	store := &shakyStore{ops: map[string]lattice.Op{}}
	host, srv := newHost(t, nc, func(cfg *ctl.ServerConfig) { cfg.Ops = store })
	id := ctl.NewCommandID()
	_, err := newClient(t, nc).WithCommandID(id).ScaleComponent(bounded(t), host.id, ctl.ScaleComponent{ComponentRef: "r", ComponentID: "c"})
	require.NoError(t, err)
	store.fail(1)
	host.finish(nil)
	require.NoError(t, srv.Shutdown(bounded(t)))
	op, err := store.Op(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, lattice.OpDone, op.State)
}

// shakyStore fails some writes.
type shakyStore struct {
	mu    sync.Mutex
	ops   map[string]lattice.Op
	fails int
}

// fail has the next n writes fail.
func (s *shakyStore) fail(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails = n
}

func (s *shakyStore) PutOp(_ context.Context, op lattice.Op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails > 0 {
		s.fails--
		return errors.New("full")
	}
	s.ops[op.ID] = op
	return nil
}

func (s *shakyStore) CreateOp(ctx context.Context, op lattice.Op) (lattice.Op, error) {
	return lattice.Op{}, s.PutOp(ctx, op)
}

func (s *shakyStore) Op(_ context.Context, id string) (lattice.Op, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	op, ok := s.ops[id]
	if !ok {
		return op, lattice.ErrNotFound
	}
	return op, nil
}

func (s *shakyStore) Ops(context.Context, string, int) ([]lattice.Op, bool, error) {
	return nil, false, nil
}
