package nats_test

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/messaging"
	"github.com/lathhost/lath/providers/messaging/messagingtest"
	"github.com/lathhost/lath/providers/messaging/nats"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a NATS server that can be restarted.
type server struct {
	t   testing.TB
	cfg natsserver.Config
	*natsserver.Server
}

func start(t testing.TB) *server {
	t.Helper()
	s := &server{t: t, cfg: natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort}}
	s.up()
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	return s
}

func (s *server) up() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	s.Server, err = natsserver.Start(ctx, s.cfg)
	require.NoError(s.t, err)
}

// down stops the server; up has it where it was.
func (s *server) down() {
	s.t.Helper()
	u, err := url.Parse(s.URL())
	require.NoError(s.t, err)
	s.cfg.Port, err = strconv.Atoi(u.Port())
	require.NoError(s.t, err)
	require.NoError(s.t, s.Shutdown(context.Background()))
}

func (s *server) connect() *lattice.Conn {
	s.t.Helper()
	nc, err := lattice.Connect(s.t.Context(), lattice.ConnConfig{URL: s.URL()})
	require.NoError(s.t, err)
	s.t.Cleanup(nc.Close)
	return nc
}

func core(t testing.TB, nc *lattice.Conn, values map[string]string) *nats.Core {
	t.Helper()
	b, err := nats.NewCore(nats.Config{ID: "broker", Lattice: "default", Settings: provider.Settings{Config: values}, Conn: nc, Log: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func durable(t testing.TB, nc *lattice.Conn, id string, values map[string]string) *nats.Durable {
	t.Helper()
	b, err := nats.NewDurable(t.Context(), nats.Config{ID: id, Lattice: "default", Settings: provider.Settings{Config: values}, Conn: nc, Log: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func TestCore(t *testing.T) {
	t.Parallel()
	messagingtest.Run(t, func(t testing.TB, values map[string]string) messagingtest.Backend {
		return messagingtest.Backend{Broker: core(t, start(t).connect(), values)}
	})
}

func TestDurable(t *testing.T) {
	t.Parallel()
	messagingtest.Run(t, func(t testing.TB, values map[string]string) messagingtest.Backend {
		return messagingtest.Backend{Broker: durable(t, start(t).connect(), "broker", values), Durable: true,
			Values: map[string]string{"storage": "memory", "backoff_ms": "10"}}
	})
}

type handler func(ctx context.Context, msg contract.BrokerMessage) error

func (h handler) HandleMessage(ctx context.Context, msg contract.BrokerMessage) error {
	return h(ctx, msg)
}

func link(h handler, settings map[string]string) []messaging.Link {
	return []messaging.Link{{Name: "default", Target: "target", Settings: provider.Settings{Config: settings}, Handler: h}}
}

// tally counts messages by their bodies.
type tally struct {
	mu sync.Mutex
	by map[string]int
}

func (c *tally) add(body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]int{}
	}
	c.by[body]++
}

func (c *tally) distinct() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.by)
}

// TestDeadLetter: what fails is tried as often as may be, and then put aside with
// why.
func TestDeadLetter(t *testing.T) {
	t.Parallel()
	nc := start(t).connect()
	b := durable(t, nc, "broker", nil)
	var tries atomic.Int64
	fails := handler(func(context.Context, contract.BrokerMessage) error {
		tries.Add(1)
		return fmt.Errorf("no\nsuch order")
	})
	require.NoError(t, b.SetLinks(provider.Settings{}, link(fails, map[string]string{"subscriptions": "orders.>", "max_deliver": "3", "backoff_ms": "5", "dead_letter": "dead.orders"}))[0])
	require.NoError(t, b.Publish(t.Context(), contract.BrokerMessage{Subject: "orders.1", Body: []byte("b")}))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	s, err := js.Stream(t.Context(), "lath_default_broker_dead")
	require.NoError(t, err)
	var m *jetstream.RawStreamMsg
	require.Eventually(t, func() bool {
		m, err = s.GetMsg(t.Context(), 1)
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	require.Equal(t, "dead.orders", m.Subject)
	require.Equal(t, "b", string(m.Data))
	require.Equal(t, "orders.1", m.Header.Get("lath-subject"))
	require.Equal(t, "no such order", m.Header.Get("lath-reason"))
	require.Equal(t, "3", m.Header.Get("lath-deliveries"))
	require.EqualValues(t, 3, tries.Load())
	src, err := js.Stream(t.Context(), "lath_default_broker")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		info, err := src.Info(t.Context())
		return err == nil && info.State.Msgs == 0
	}, time.Minute, 10*time.Millisecond, "it is not tried again")
	require.EqualValues(t, 1, b.Counts().Dead.Load())
}

// TestCopiesShare: copies of one provider hand each message on once.
func TestCopiesShare(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t testing.TB, nc *lattice.Conn) messagingtest.Broker{
		"core":    func(t testing.TB, nc *lattice.Conn) messagingtest.Broker { return core(t, nc, nil) },
		"durable": func(t testing.TB, nc *lattice.Conn) messagingtest.Broker { return durable(t, nc, "broker", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := start(t)
			var got tally
			var deliveries atomic.Int64
			h := handler(func(_ context.Context, msg contract.BrokerMessage) error {
				got.add(string(msg.Body))
				deliveries.Add(1)
				return nil
			})
			var b messagingtest.Broker
			for range 3 {
				b = open(t, srv.connect())
				require.NoError(t, b.SetLinks(provider.Settings{}, link(h, map[string]string{"subscriptions": "shared.*"}))[0])
			}
			const n = 300
			for i := range n {
				require.NoError(t, b.Publish(t.Context(), contract.BrokerMessage{Subject: "shared.x", Body: []byte(fmt.Sprint(i))}))
			}
			require.Eventually(t, func() bool { return got.distinct() == n }, time.Minute, 10*time.Millisecond)
			require.EqualValues(t, n, deliveries.Load())
		})
	}
}

// TestNATSRestart: what a stream has taken is not lost with its server or with the
// provider, and meanwhile publishing is an error and nothing hangs.
func TestNATSRestart(t *testing.T) {
	t.Parallel()
	srv := start(t)
	nc := srv.connect()
	b := durable(t, nc, "broker", map[string]string{"subjects": "kept.>"})
	var got tally
	h := handler(func(_ context.Context, msg contract.BrokerMessage) error {
		got.add(string(msg.Body))
		return nil
	})
	values := map[string]string{"subscriptions": "kept.>"}
	require.NoError(t, b.SetLinks(provider.Settings{}, link(h, values))[0])
	publish := func(body string) error {
		return b.Publish(t.Context(), contract.BrokerMessage{Subject: "kept.1", Body: []byte(body)})
	}
	require.NoError(t, publish("before"))
	require.Eventually(t, func() bool { return got.distinct() == 1 }, time.Minute, 10*time.Millisecond)
	srv.down()
	require.Error(t, publish("meanwhile"))
	srv.up()
	require.Eventually(t, func() bool { return publish("after") == nil }, time.Minute, 50*time.Millisecond)
	require.Eventually(t, func() bool { return got.distinct() == 2 }, time.Minute, 10*time.Millisecond)

	// The provider ends, and what is published then waits for the next one.
	require.NoError(t, b.Close())
	other := durable(t, nc, "other", nil)
	require.NoError(t, other.Publish(t.Context(), contract.BrokerMessage{Subject: "kept.2", Body: []byte("while it was away")}))
	next := durable(t, nc, "broker", nil)
	require.NoError(t, next.SetLinks(provider.Settings{}, link(h, values))[0])
	require.Eventually(t, func() bool { return got.distinct() == 3 }, time.Minute, 10*time.Millisecond)
}

// TestMessageLikeAnAnswer: what others store may look like what JetStream says of a pull.
func TestMessageLikeAnAnswer(t *testing.T) {
	t.Parallel()
	nc := start(t).connect()
	b := durable(t, nc, "broker", nil)
	subjects := make(chan string, 10)
	h := handler(func(_ context.Context, msg contract.BrokerMessage) error {
		subjects <- msg.Subject
		return nil
	})
	require.NoError(t, b.SetLinks(provider.Settings{}, link(h, map[string]string{"subscriptions": "kept.>"}))[0])
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	m := natsgo.NewMsg("kept.odd")
	m.Header.Set("Status", "409")
	_, err = js.PublishMsg(t.Context(), m)
	require.NoError(t, err)
	select {
	case got := <-subjects:
		require.Equal(t, "kept.odd", got)
	case <-time.After(20 * time.Second):
		require.Fail(t, "it is not delivered")
	}
}

// TestNATSForgets: NATS comes back without what it had stored.
func TestNATSForgets(t *testing.T) {
	t.Parallel()
	srv := start(t)
	b := durable(t, srv.connect(), "broker", map[string]string{"subjects": "own.>"})
	var got tally
	h := handler(func(_ context.Context, msg contract.BrokerMessage) error {
		got.add(string(msg.Body))
		return nil
	})
	require.NoError(t, b.SetLinks(provider.Settings{}, link(h, map[string]string{"subscriptions": "kept.>"}))[0])
	publish := func(subject, body string) error {
		return b.Publish(t.Context(), contract.BrokerMessage{Subject: subject, Body: []byte(body)})
	}
	require.NoError(t, publish("kept.1", "before"))
	require.Eventually(t, func() bool { return got.distinct() == 1 }, time.Minute, 10*time.Millisecond)
	srv.down()
	srv.cfg.StoreDir = t.TempDir()
	srv.up()
	require.Eventually(t, func() bool { return publish("own.1", "nobody's") == nil }, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { return publish("kept.1", "after") == nil }, time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { return got.distinct() == 2 }, time.Minute, 10*time.Millisecond)
}

// TestLinkGoneWithoutNATS: a link that goes while there is no connection is left for
// good, and takes no messages from the other copies when there is one again.
func TestLinkGoneWithoutNATS(t *testing.T) {
	t.Parallel()
	srv := start(t)
	var got tally
	h := handler(func(_ context.Context, msg contract.BrokerMessage) error {
		got.add(string(msg.Body))
		return nil
	})
	links := link(h, map[string]string{"subscriptions": "shared.*"})
	left, stays := srv.connect(), srv.connect()
	leaving, staying := core(t, left, nil), core(t, stays, nil)
	require.NoError(t, leaving.SetLinks(provider.Settings{}, links)[0])
	require.NoError(t, staying.SetLinks(provider.Settings{}, links)[0])
	srv.down()
	require.Eventually(t, left.IsReconnecting, time.Minute, time.Millisecond)
	leaving.SetLinks(provider.Settings{}, nil)
	srv.up()
	require.Eventually(t, func() bool { return left.IsConnected() && stays.IsConnected() }, time.Minute, 10*time.Millisecond)
	require.NoError(t, left.Flush())
	require.NoError(t, stays.Flush())
	const n = 100
	for i := range n {
		require.NoError(t, staying.Publish(t.Context(), contract.BrokerMessage{Subject: "shared.x", Body: []byte(fmt.Sprint(i))}))
	}
	require.Eventually(t, func() bool { return got.distinct() == n }, time.Minute, 10*time.Millisecond, "some went to who has left")
}

// TestNobodyTakesIt: durable means that somebody keeps it.
func TestNobodyTakesIt(t *testing.T) {
	t.Parallel()
	b := durable(t, start(t).connect(), "broker", nil)
	err := b.Publish(t.Context(), contract.BrokerMessage{Subject: "nowhere"})
	require.EqualError(t, err, `publish to "nowhere": no stream takes it: name it in the provider's setting subjects, or link a component that subscribes to it`)
}

// TestOtherServer: settings may name a server, for the provider or for a link.
func TestOtherServer(t *testing.T) {
	t.Parallel()
	here, there := start(t), start(t)
	b := core(t, here.connect(), nil)
	away := core(t, nil, map[string]string{"cluster_uris": there.URL()})
	var got tally
	h := handler(func(_ context.Context, msg contract.BrokerMessage) error {
		got.add(string(msg.Body))
		return nil
	})
	require.NoError(t, b.SetLinks(provider.Settings{}, link(h, map[string]string{"subscriptions": "far", "cluster_uris": there.URL()}))[0])
	require.NoError(t, b.Publish(t.Context(), contract.BrokerMessage{Subject: "far", Body: []byte("here")}))
	require.NoError(t, away.Publish(t.Context(), contract.BrokerMessage{Subject: "far", Body: []byte("there")}))
	require.Eventually(t, func() bool { return got.distinct() > 0 }, time.Minute, 10*time.Millisecond)
	require.Equal(t, map[string]int{"there": 1}, got.by)
	require.Error(t, b.SetLinks(provider.Settings{}, link(h, map[string]string{"cluster_uris": "nats://127.0.0.1:1"}))[0])
	_, err := nats.NewCore(nats.Config{ID: "x", Lattice: "default", Log: zap.NewNop()})
	require.ErrorContains(t, err, "cluster_uris")
	require.ErrorContains(t, b.SetLinks(provider.Settings{}, link(h, map[string]string{"consumers": `[{"stream":"s","consumer":"c"}]`}))[0], "messaging-jetstream")
}
