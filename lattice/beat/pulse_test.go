package beat

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A pulse in a bubble of its own time: no NATS in between.
func TestPulse(t *testing.T) {
	t.Parallel()
	host := newHost(t)
	synctest.Test(t, func(t *testing.T) {
		lost := make(chan Peer, 1)
		l := newListener(ListenerConfig{Lattice: "default", OnLost: func(p Peer) { lost <- p }})
		l.done.Go(l.watch)
		var cut, draining atomic.Bool
		var last atomic.Int64
		b := newBeater(func(data []byte) error {
			if cut.Load() {
				return lattice.ErrDisconnected
			}
			last.Store(time.Now().UnixNano())
			l.hear(lattice.BeatSubject("default", host), data)
			return nil
		}, func(b *Beat) {
			b.Draining, b.Inbox, b.Components = draining.Load(), "_INBOX.x", []Load{{ID: "x", Limit: 1}}
		},
			func(err error) { t.Errorf("a lost connection is not told: %v", err) })
		b.done.Go(b.run)
		synctest.Wait()
		require.Len(t, l.Peers(), 1, "the first beat is at once")
		time.Sleep(time.Minute)
		require.Empty(t, lost)
		require.False(t, l.Suspect("x"))

		cut.Store(true)
		p := <-lost
		require.LessOrEqual(t, time.Since(time.Unix(0, last.Load())), 5*time.Second)
		require.Equal(t, []any{host, Unreachable, "_INBOX.x"}, []any{p.ID, p.State, p.Inbox})
		synctest.Wait()
		require.True(t, l.Suspect("x"))
		require.False(t, l.Suspect("y"))

		cut.Store(false)
		time.Sleep(Interval)
		synctest.Wait()
		require.False(t, l.Suspect("x"))

		draining.Store(true)
		before := time.Now()
		b.Soon()
		b.Soon()
		for l.Peers()[0].State != Draining {
			time.Sleep(10 * time.Millisecond)
		}
		require.Less(t, time.Since(before), Interval/2, "news does not wait for the next beat")
		b.Close()
		require.Empty(t, l.Peers())
		l.sub = nil
		close(l.stop)
		l.done.Wait()
	})
}

func TestOverNATS(t *testing.T) {
	t.Parallel()
	s, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	conn, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: s.URL()})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	host := newHost(t)
	l, err := Listen(t.Context(), ListenerConfig{Conn: conn, Lattice: "default", Self: host})
	require.NoError(t, err)
	b, err := NewBeater(BeaterConfig{Conn: conn, Lattice: "default", Host: host,
		Fill: func(b *Beat) { b.Components = []Load{{ID: "x", Running: 1, Limit: 2}} }, OnError: func(err error) { t.Error(err) }})
	require.NoError(t, err)
	heard := func(want int) {
		t.Helper()
		require.Eventually(t, func() bool { return len(l.Peers()) == want }, time.Minute, 5*time.Millisecond)
	}
	heard(1)
	require.Equal(t, []Load{{ID: "x", Running: 1, Limit: 2}}, l.Peers()[0].Loads)

	for _, bad := range []string{host, host + ".x", "someone"} {
		require.NoError(t, conn.Publish(lattice.BeatSubject("default", bad), []byte(`{"start_ms":"now"}`)))
	}
	require.NoError(t, conn.Publish(lattice.BeatSubject("default", "someone"), []byte(`{"start_ms":1,"at_ms":1}`)))
	require.Eventually(t, func() bool {
		_, malformed := l.Ignored()
		return malformed == 2 && len(l.Peers()) == 1
	}, time.Minute, 5*time.Millisecond, "what is no beat, or of no host, does nothing")
	b.Close()
	heard(0)
	require.NoError(t, l.Close())

	_, err = Listen(t.Context(), ListenerConfig{Conn: conn, Lattice: "a.b"})
	require.ErrorIs(t, err, lattice.ErrInvalid)
	_, err = NewBeater(BeaterConfig{Conn: conn, Lattice: "default", Host: "x"})
	require.True(t, errors.Is(err, lattice.ErrInvalid))
}
