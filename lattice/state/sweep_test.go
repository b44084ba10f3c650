package state

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
)

// Where the server does not forget commands, a host takes away those whose time has
// come, by the server's clock, and no others; and it does so unasked.
func TestOpsAreSwept(t *testing.T) {
	t.Parallel()
	srv, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: srv.URL()})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	s, err := Open(t.Context(), nc, "default", Options{})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	s.ops.expire.Store(false)
	s.ops.swept = time.Now() // not before it is told to

	create := func(state lattice.OpState) string {
		t.Helper()
		op := lattice.Op{ID: ulid.Make().String(), Verb: "link.put", HostID: "NAHDLC3SLFGP3WD62IBZ34KRCW53AV2OBXJK3IPCKFQF37XXS5KWSICR",
			State: lattice.OpAccepted, Digest: strings.Repeat("0", 64), Accepted: time.Now().Add(-24 * time.Hour)}
		_, err := s.CreateOp(t.Context(), op)
		require.NoError(t, err)
		if op.State = state; state != lattice.OpAccepted {
			require.NoError(t, s.PutOp(t.Context(), op))
		}
		return op.ID
	}
	var ids []string
	for _, state := range []lattice.OpState{lattice.OpDone, lattice.OpFailed, lattice.OpAccepted} {
		ids = append(ids, create(state))
	}
	require.NoError(t, s.PutWant(t.Context(), "h", &Want{}))
	left := func(kept, open time.Duration) []string {
		t.Helper()
		require.NoError(t, s.dropOps(t.Context(), kept, open))
		left, err := s.opIDs(t.Context())
		require.NoError(t, err)
		return left
	}
	require.Len(t, left(OpKept, OpOpen), 3)
	require.Equal(t, []string{ids[2]}, left(0, OpOpen))
	require.Empty(t, left(0, 0))
	_, err = s.Want(t.Context(), "h")
	require.NoError(t, err)

	s.ops.mu.Lock()
	s.ops.swept = time.Time{}
	s.ops.mu.Unlock()
	create(lattice.OpDone)
	s.ops.mu.Lock()
	defer s.ops.mu.Unlock()
	require.False(t, s.ops.swept.IsZero(), "a command has it look")
}
