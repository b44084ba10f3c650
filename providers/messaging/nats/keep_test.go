package nats_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/messaging"
	"github.com/lathhost/lath/providers/messaging/nats"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

const keptStream = "lath_default_broker"

// keeping is a broker whose stream takes jobs and orders, and forgets soon.
func keeping(t *testing.T, nc *lattice.Conn) *nats.Durable {
	t.Helper()
	b, err := nats.NewDurable(t.Context(), nats.Config{ID: "broker", Lattice: "default", Conn: nc, Log: zap.NewNop(), Forget: 20 * time.Millisecond,
		Settings: provider.Settings{Config: map[string]string{"subjects": "jobs.>,orders.>"}}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func publish(t *testing.T, b *nats.Durable, subject string, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		require.NoError(t, b.Publish(t.Context(), contract.BrokerMessage{Subject: subject, Body: []byte(body)}))
	}
}

func consumers(t *testing.T, nc *lattice.Conn) (names []string) {
	t.Helper()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	s, err := js.Stream(t.Context(), keptStream)
	require.NoError(t, err)
	list := s.ConsumerNames(t.Context())
	for name := range list.Name() {
		names = append(names, name)
	}
	require.NoError(t, list.Err())
	return names
}

func stored(t *testing.T, nc *lattice.Conn) uint64 {
	t.Helper()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	s, err := js.Stream(t.Context(), keptStream)
	require.NoError(t, err)
	return s.CachedInfo().State.Msgs
}

// What is published before the first link, and between two, is delivered to the next
// one; what is handled does not stay.
func TestMessagesWaitForALink(t *testing.T) {
	t.Parallel()
	nc := start(t).connect()
	b := keeping(t, nc)
	publish(t, b, "jobs.a", "1", "2")
	publish(t, b, "orders.a", "o1")
	var got tally
	h := handler(func(_ context.Context, m contract.BrokerMessage) error {
		got.add(string(m.Body))
		return nil
	})
	wait := func(n int) {
		t.Helper()
		require.Eventually(t, func() bool { return got.distinct() == n }, time.Minute, time.Millisecond)
	}
	jobs := link(h, map[string]string{"subscriptions": "jobs.*"})
	require.NoError(t, b.SetLinks(provider.Settings{}, jobs)[0])
	wait(2)
	require.Eventually(t, func() bool { return stored(t, nc) == 1 }, time.Minute, time.Millisecond, "only what nobody takes is kept")
	require.Len(t, consumers(t, nc), 2)

	require.Empty(t, b.SetLinks(provider.Settings{}, nil))
	publish(t, b, "jobs.a", "3") // whoever takes it now, or keeps it later
	require.Eventually(t, func() bool {
		names := consumers(t, nc)
		return len(names) == 2 && names[0] != "broker-default-target" && names[1] != "broker-default-target"
	}, time.Minute, time.Millisecond, "the consumer of the link is gone")
	publish(t, b, "jobs.a", "4")
	both := append(jobs, messaging.Link{Name: "other", Target: "target", Handler: h, Settings: provider.Settings{Config: map[string]string{"subscriptions": "orders.>"}}})
	require.Equal(t, make([]error, 2), b.SetLinks(provider.Settings{}, both))
	wait(5)
	require.Eventually(t, func() bool { return stored(t, nc) == 0 }, time.Minute, time.Millisecond)
	require.ElementsMatch(t, []string{"broker-default-target", "broker-other-target"}, consumers(t, nc))
}

// A link that comes back, or changes, keeps its consumer, and what it has not handled.
func TestLinksThatComeBackKeepTheirConsumer(t *testing.T) {
	t.Parallel()
	nc := start(t).connect()
	here, there := keeping(t, nc), keeping(t, nc)
	var got tally
	h := handler(func(_ context.Context, m contract.BrokerMessage) error {
		got.add(string(m.Body))
		return nil
	})
	for i := range 10 {
		settings := map[string]string{"subscriptions": "jobs.>", "max_in_flight": fmt.Sprint(i + 1)}
		for _, b := range []*nats.Durable{here, there} {
			if i%3 == 0 {
				require.Empty(t, b.SetLinks(provider.Settings{}, nil))
			}
			require.NoError(t, b.SetLinks(provider.Settings{}, link(h, settings))[0])
		}
		publish(t, here, "jobs.a", fmt.Sprint(i))
		require.Eventually(t, func() bool { return got.distinct() == i+1 }, time.Minute, time.Millisecond)
	}
	for i := 10; i < 60; i++ { // for longer than it takes to forget
		publish(t, here, "jobs.a", fmt.Sprint(i))
		require.Eventually(t, func() bool { return got.distinct() == i+1 }, time.Minute, time.Millisecond)
	}
	require.Contains(t, consumers(t, nc), "broker-default-target")
}

// A consumer that somebody deletes is made again.
func TestConsumerThatIsDeleted(t *testing.T) {
	t.Parallel()
	nc := start(t).connect()
	b := keeping(t, nc)
	var got tally
	h := handler(func(_ context.Context, m contract.BrokerMessage) error {
		got.add(string(m.Body))
		return nil
	})
	require.NoError(t, b.SetLinks(provider.Settings{}, link(h, map[string]string{"subscriptions": "jobs.>"}))[0])
	publish(t, b, "jobs.a", "1")
	require.Eventually(t, func() bool { return got.distinct() == 1 }, time.Minute, time.Millisecond)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	require.NoError(t, js.DeleteConsumer(t.Context(), keptStream, "broker-default-target"))
	require.Eventually(t, func() bool {
		err := b.Publish(t.Context(), contract.BrokerMessage{Subject: "jobs.a", Body: []byte("2")})
		return !errors.Is(err, context.Canceled) && got.distinct() == 2
	}, time.Minute, 10*time.Millisecond)
}
