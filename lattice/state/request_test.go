package state_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/state"
	"github.com/lathhost/lath/test/harness"
)

// A request whose answer cannot come any more ends then, and not when its time is
// over: a host has other commands to carry out.
func TestRequestEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	wire, err := harness.NewWire(b.srv.URL())
	require.NoError(t, err)
	t.Cleanup(wire.Close)
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: wire.URL()})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	s, err := state.Open(t.Context(), nc, testLattice, state.Options{})
	require.NoError(t, err)
	t.Cleanup(s.Close)

	wire.Pause()
	// Longer than a request may take on its own, so that only the connection ends it.
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	failed, sent := make(chan error, 1), nc.Stats().OutMsgs
	go func() { failed <- s.PutConfig(ctx, "c", map[string]string{"a": "b"}) }()
	require.Eventually(t, func() bool { return nc.Stats().OutMsgs > sent }, patience, 10*time.Millisecond)
	wire.Cut()
	err = <-failed
	require.ErrorIs(t, err, lattice.ErrDisconnected)
	require.NotErrorIs(t, err, lattice.ErrTimeout)
	wire.Resume()
	wire.Heal()
	require.Eventually(t, func() bool { return s.PutConfig(ctx, "c", map[string]string{"a": "c"}) == nil }, patience, 10*time.Millisecond)
}
