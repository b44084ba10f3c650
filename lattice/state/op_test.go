package state_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/state"
)

const opHost = "NAHDLC3SLFGP3WD62IBZ34KRCW53AV2OBXJK3IPCKFQF37XXS5KWSICR"

func newOp(thing string) lattice.Op {
	return lattice.Op{ID: ulid.Make().String(), Verb: "component.scale", Thing: thing, HostID: opHost, State: lattice.OpAccepted,
		Digest: strings.Repeat("ab", 32), Accepted: time.Now().UTC().Truncate(time.Millisecond)}
}

// Of all who store a command of one id, one does, and the others get that one.
func TestOneOpOfAnID(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	stores := []*state.Store{b.open(b.connect(), state.Options{}), b.open(b.connect(), state.Options{})}
	op := newOp("mine")
	var first atomic.Int32
	var done sync.WaitGroup
	for i := range 10 {
		done.Go(func() {
			earlier, err := stores[i%2].CreateOp(t.Context(), op)
			if err == nil {
				first.Add(1)
				return
			}
			require.ErrorIs(t, err, lattice.ErrConflict)
			require.Equal(t, op, earlier)
		})
	}
	done.Wait()
	require.EqualValues(t, 1, first.Load())

	op.State, op.Answered, op.Cause, op.Ended = lattice.OpFailed, true, strings.Repeat("ü", 4000), op.Accepted.Add(time.Second)
	require.NoError(t, stores[0].PutOp(t.Context(), op))
	got, err := stores[1].Op(t.Context(), strings.ToLower(op.ID))
	require.NoError(t, err)
	require.Less(t, len(got.Cause), 1100)
	require.True(t, strings.HasSuffix(got.Cause, "ü…"))
	got.Cause = op.Cause
	require.Equal(t, op, got)
}

func TestOpsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := b.open(b.connect(), state.Options{})
	var want []string
	for range 7 {
		op := newOp("c")
		_, err := s.CreateOp(t.Context(), op)
		require.NoError(t, err)
		want = append([]string{op.ID}, want...)
	}
	require.NoError(t, s.PutWant(t.Context(), opHost, &state.Want{}))
	put(t, bucket(t, b.connect(), "LATH_default"), "op.nonsense", "{}")
	var got []string
	before, pages := "", 0
	for more := true; more; pages++ {
		var list []lattice.Op
		var err error
		list, more, err = s.Ops(t.Context(), before, 3)
		require.NoError(t, err)
		for _, op := range list {
			got, before = append(got, op.ID), op.ID
		}
	}
	require.Equal(t, want, got)
	require.Equal(t, 3, pages)

	_, err := s.Op(t.Context(), ulid.Make().String())
	require.ErrorIs(t, err, lattice.ErrNotFound)
	for _, bad := range []string{"", "x", "*", want[0] + "0", "80000000000000000000000000"} {
		_, err := s.Op(t.Context(), bad)
		require.ErrorIs(t, err, lattice.ErrInvalid, bad)
	}
}

// The server forgets outcomes: they are stored with their time, in a bucket that
// another version may have made.
func TestOpsExpire(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	_, err = js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "LATH_default", History: 1})
	require.NoError(t, err)
	s := b.open(nc, state.Options{})
	op := newOp("c")
	ttl := func() string {
		t.Helper()
		stream, err := js.Stream(t.Context(), "KV_LATH_default")
		require.NoError(t, err)
		msg, err := stream.GetLastMsgForSubject(t.Context(), "$KV.LATH_default.op."+op.ID)
		require.NoError(t, err)
		return msg.Header.Get(nats.MsgTTLHdr)
	}
	_, err = s.CreateOp(t.Context(), op)
	require.NoError(t, err)
	require.Equal(t, "1h0m0s", ttl())
	op.State, op.Ended = lattice.OpDone, op.Accepted
	require.NoError(t, s.PutOp(t.Context(), op))
	require.Equal(t, "10m0s", ttl())
}
