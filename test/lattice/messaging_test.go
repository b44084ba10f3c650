package lattice_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/cmd/builtin"
	"github.com/lathhost/lath/host"
	messagingnats "github.com/lathhost/lath/providers/messaging/nats"
	"github.com/lathhost/lath/test/harness"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// TestMessaging: a component takes messages and answers them, on the host of its
// broker and on another; what it does wrong ends with its message.
func TestMessaging(t *testing.T) {
	t.Parallel()
	for _, builtin := range []string{"messaging-memory", "messaging-nats", "messaging-jetstream"} {
		for _, remote := range []bool{false, true} {
			route := map[bool]string{false: "in process", true: "over NATS"}[remote]
			t.Run(builtin+" "+route, func(t *testing.T) {
				t.Parallel()
				l := harness.New(t)
				a := l.Host(func(c *host.Config) { harness.OfferBrokers(c, nil) })
				runner := a
				if remote {
					runner = l.Host(nil)
				}
				require.NoError(t, runner.Start("ping-pong", "ping-pong", 4))
				require.NoError(t, a.StartProvider("broker", builtin))
				require.NoError(t, l.Link("ping-pong", "broker", "wasmcloud:messaging/consumer"))
				settings := map[string]string{"subscriptions": "ping.*", "timeout_ms": "1000"}
				if builtin == "messaging-jetstream" {
					settings["max_deliver"], settings["dead_letter"], settings["backoff_ms"] = "2", "dead.ping", "10"
				}
				l.LinkHandler("broker", "ping-pong", settings)
				send := l.Sender("broker")
				ask := func(body string, timeoutMs uint32) (string, error) {
					got, err := send.Request(t.Context(), "ping.me", []byte(body), timeoutMs)
					return string(got.Body), err
				}
				l.Eventually("it answers", func() bool { got, err := ask("hi", 1000); return err == nil && got == "pong: hi" })
				for _, body := range []string{"fail", "trap", "hang"} {
					_, err := ask(body, 50)
					require.ErrorContains(t, err, "no answer in 50 ms", body)
				}
				got, err := ask("still there?", 30_000)
				require.NoError(t, err)
				require.Equal(t, "pong: still there?", got)
				if builtin == "messaging-jetstream" {
					requireBuried(t, l, "fail", "trap", "hang")
				}
				err = send.Publish(t.Context(), contract.BrokerMessage{Subject: "wasmbus.ctl.v1.default.host.ping"})
				require.ErrorContains(t, err, "the lattice's own")
			})
		}
	}
}

// requireBuried waits for messages that were given up.
func requireBuried(t *testing.T, l *harness.Lattice, want ...string) {
	t.Helper()
	js, err := jetstream.New(l.Conn)
	require.NoError(t, err)
	s, err := js.Stream(t.Context(), "lath_default_broker_dead")
	require.NoError(t, err)
	buried := map[string]string{}
	l.Eventually("they are put aside", func() bool {
		for seq := range uint64(len(want)) {
			if m, err := s.GetMsg(t.Context(), seq+1); err == nil {
				buried[string(m.Data)] = m.Header.Get("lath-reason")
			}
		}
		return len(buried) == len(want)
	})
	require.Contains(t, buried["fail"], "it was asked to fail")
	require.Contains(t, buried["trap"], "unreachable")
	require.NotEmpty(t, buried["hang"])
}

// TestMessagesOutliveAHost: see crash.
func TestMessagesOutliveAHost(t *testing.T) {
	t.Parallel()
	crash(t, 2000)
}

// BenchmarkMessagesOutliveAHost is the same with a hundred thousand messages.
func BenchmarkMessagesOutliveAHost(b *testing.B) {
	for b.Loop() {
		began := time.Now()
		n := 100_000
		redelivered := crash(b, n)
		b.ReportMetric(float64(redelivered), "redelivered/op")
		b.ReportMetric(0, "lost/op") // or crash had failed
		b.ReportMetric(float64(n)/time.Since(began).Seconds(), "messages/s")
	}
}

// crash publishes messages into a stream whose provider runs, with the component
// that handles them, on two hosts, one of which is killed when half of them are
// handled. None is lost; it returns how many were delivered again.
func crash(t testing.TB, n int) (redelivered uint64) {
	t.Helper()
	l := harness.New(t)
	var mu sync.Mutex
	var brokers []*messagingnats.Durable
	offer := func(c *host.Config) {
		harness.OfferBrokers(c, func(b builtin.Messenger) {
			if d, ok := b.(*messagingnats.Durable); ok {
				mu.Lock()
				defer mu.Unlock()
				brokers = append(brokers, d)
			}
		})
	}
	dies, lives := l.Distant(offer), l.Host(offer)
	for _, host := range []*harness.Node{dies, lives} {
		require.NoError(t, host.Start("ping-pong", "ping-pong", 16))
		require.NoError(t, host.StartProvider("plain", "messaging-nats"))
		host.ProviderConfigured("streams", "messaging-jetstream", map[string]string{"subjects": "jobs.>"})
	}
	require.NoError(t, l.Link("ping-pong", "plain", "wasmcloud:messaging/consumer"))

	// A component's answer is sent before its message is acknowledged.
	answered := map[string]int{}
	half, all := make(chan struct{}), make(chan struct{})
	sub, err := l.Conn.Subscribe("pong", func(m *nats.Msg) {
		mu.Lock()
		defer mu.Unlock()
		if answered[string(m.Data)]++; answered[string(m.Data)] > 1 {
			return
		}
		switch len(answered) {
		case n / 2:
			close(half)
		case n:
			close(all)
		}
	})
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	defer sub.Unsubscribe()

	l.LinkHandler("streams", "ping-pong", map[string]string{"subscriptions": "jobs.>", "timeout_ms": "2000"})
	js, err := jetstream.New(l.Conn)
	require.NoError(t, err)
	l.Eventually("the stream is there", func() bool {
		s, err := js.Stream(t.Context(), "lath_default_streams")
		return err == nil && s.CachedInfo().State.Consumers == 1
	})
	for i := range n {
		_, err := js.PublishAsync("jobs."+fmt.Sprint(i%10), fmt.Appendf(nil, "%d", i))
		require.NoError(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	await := func(what string, done <-chan struct{}) {
		t.Helper()
		select {
		case <-done:
		case <-ctx.Done():
			mu.Lock()
			defer mu.Unlock()
			require.Fail(t, what, "%d of %d messages were handled", len(answered), n)
		}
	}
	await("not published", js.PublishAsyncComplete())
	await("not half of them", half)
	dies.Kill()
	await("lost", all)
	for _, b := range brokers {
		redelivered += b.Counts().Redelivered.Load()
	}
	return redelivered
}
