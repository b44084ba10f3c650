package lattice_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/natsserver/natsservertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

func startNATS(t *testing.T, cfg natsserver.Config) *natsserver.Server {
	t.Helper()
	srv, err := natsserver.Start(context.Background(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	return srv
}

func TestNATSDownAtStart(t *testing.T) {
	t.Parallel()
	url := fmt.Sprintf("nats://user:secret@127.0.0.1:%d", natsservertest.FreePorts(t, 1)[0])
	_, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: url, Wait: 120 * time.Millisecond})
	require.ErrorIs(t, err, lattice.ErrTimeout)
	require.ErrorIs(t, err, nats.ErrNoServers)
	require.ErrorContains(t, err, "is a server running there?")
	require.ErrorContains(t, err, "***@127.0.0.1:")
	require.NotContains(t, err.Error(), "secret")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = lattice.Connect(ctx, lattice.ConnConfig{URL: url})
	require.ErrorIs(t, err, context.Canceled)
}

func TestNATSComesUpLate(t *testing.T) {
	t.Parallel()
	port := natsservertest.FreePorts(t, 1)[0]
	connected := make(chan error, 1)
	go func() {
		nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: fmt.Sprintf("127.0.0.1:%d", port), Wait: patience})
		if err == nil {
			nc.Close()
		}
		connected <- err
	}()
	startNATS(t, natsserver.Config{StoreDir: t.TempDir(), Port: port})
	require.NoError(t, <-connected)
}

func TestBadAddresses(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://x:1", "nats://", "nats://user:secret@:4222", "a b://c", "nats://x:port", "ok:4222,"} {
		_, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: url, Wait: time.Millisecond})
		require.ErrorIs(t, err, lattice.ErrInvalid, url)
		require.NotContains(t, err.Error(), "secret")
	}
}

// What is published while NATS is away fails at once and is never sent later;
// subscriptions live on.
func TestConnectionLostAndFoundAgain(t *testing.T) {
	t.Parallel()
	cfg := natsserver.Config{StoreDir: t.TempDir(), Port: natsservertest.FreePorts(t, 1)[0]}
	srv, err := natsserver.Start(t.Context(), cfg)
	require.NoError(t, err)
	lost, found := make(chan error, 10), make(chan string, 10)
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{
		URL:          srv.URL(),
		OnDisconnect: func(err error) { lost <- err },
		OnReconnect:  func(url string) { found <- url },
	})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync("x")
	require.NoError(t, err)
	require.NoError(t, lattice.Flush(t.Context(), nc))

	require.NoError(t, srv.Shutdown(t.Context()))
	<-lost
	err = nc.Publish("x", []byte("late"))
	require.True(t, lattice.IsDisconnected(err), "%v", err)
	require.ErrorIs(t, lattice.Disconnected(err), lattice.ErrDisconnected)
	_, err = nc.Request("x", nil, patience)
	require.True(t, lattice.IsDisconnected(err), "%v", err)

	startNATS(t, cfg)
	require.Equal(t, srv.URL(), <-found)
	require.NoError(t, nc.Publish("x", []byte("now")))
	msg, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "now", string(msg.Data))
}

func TestAsynchronousErrorsAreTold(t *testing.T) {
	t.Parallel()
	srv := startNATS(t, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	told := make(chan string, 10)
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{
		URL: srv.URL(), InboxPrefix: "_MINE",
		OnError: func(subject string, err error) { told <- subject + ": " + err.Error() },
	})
	require.NoError(t, err)
	defer nc.Close()
	require.Contains(t, nc.NewInbox(), "_MINE.")
	sub, err := nc.SubscribeSync("slow")
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(1, 1024))
	for range 3 {
		require.NoError(t, nc.Publish("slow", []byte("x")))
	}
	require.NoError(t, lattice.Flush(t.Context(), nc))
	require.Equal(t, "slow: nats: slow consumer, messages dropped", <-told)
}

func TestDisconnectedLeavesOtherErrors(t *testing.T) {
	t.Parallel()
	require.NoError(t, lattice.Disconnected(nil))
	require.Equal(t, nats.ErrTimeout, lattice.Disconnected(nats.ErrTimeout))
}
