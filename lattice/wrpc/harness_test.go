package wrpc_test

import (
	"context"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of a test that is expected to succeed.
const patience = 10 * time.Second

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// startNATS starts a server on a random port; maxPayload 0 means its default.
func startNATS(t testing.TB, maxPayload int32) *natsserver.Server {
	t.Helper()
	return startNATSOn(t, natsserver.RANDOM_PORT, maxPayload)
}

// startNATSOn starts one on a port, as after one that was shut down.
func startNATSOn(t testing.TB, port int, maxPayload int32) *natsserver.Server {
	t.Helper()
	srv, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: port, MaxPayload: maxPayload, NoLog: true, NoSigs: true,
	})
	require.NoError(t, err)
	srv.Start()
	require.True(t, srv.ReadyForConnections(patience))
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	return srv
}

// connect opens a connection as a Lath peer needs it.
func connect(t testing.TB, srv *natsserver.Server, opts ...nats.Option) *nats.Conn {
	t.Helper()
	opts = append([]nats.Option{
		nats.ReconnectBufSize(-1), nats.MaxReconnects(-1), nats.ReconnectWait(10 * time.Millisecond),
		nats.ReconnectJitter(0, 0), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
	}, opts...)
	nc, err := nats.Connect(srv.ClientURL(), opts...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

func newClient(t testing.TB, srv *natsserver.Server, cfg wrpc.ClientConfig) *wrpc.Client {
	t.Helper()
	c, err := wrpc.NewClient(connect(t, srv), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func newServer(t testing.TB, srv *natsserver.Server, cfg wrpc.ServerConfig, exports ...wrpc.Export) (*wrpc.Server, *wrpc.Serving) {
	t.Helper()
	s, err := wrpc.NewServer(connect(t, srv), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	v, err := s.Serve(testContext(t), exports...)
	require.NoError(t, err)
	return s, v
}

// raw is a peer that speaks only in bytes: plain nats.go, nothing of this
// package. It hears what it listens to in the order of arrival.
type raw struct {
	t    testing.TB
	nc   *nats.Conn
	in   string // its inbox of the one call: C or S
	msgs chan *nats.Msg
}

// newRaw returns a peer that hears its inbox, all below it, and the subjects.
func newRaw(t testing.TB, srv *natsserver.Server, subjects ...string) *raw {
	t.Helper()
	nc := connect(t, srv)
	r := &raw{t: t, nc: nc, in: nc.NewInbox(), msgs: make(chan *nats.Msg, 1<<16)}
	for _, s := range append(subjects, r.in, r.in+".>") {
		_, err := nc.ChanSubscribe(s, r.msgs)
		require.NoError(t, err)
	}
	require.NoError(t, nc.Flush())
	return r
}

func (r *raw) next() *nats.Msg {
	r.t.Helper()
	select {
	case m := <-r.msgs:
		return m
	case <-time.After(patience):
		require.FailNow(r.t, "no message")
		return nil
	}
}

// expect takes the next message, which must be these bytes on that subject,
// without headers or reply.
func (r *raw) expect(subject, data string) {
	r.t.Helper()
	m := r.next()
	require.Equal(r.t, subject, m.Subject)
	require.Equal(r.t, hex.EncodeToString(unhex(r.t, data)), hex.EncodeToString(m.Data), "data on %s", subject)
	require.Empty(r.t, m.Header, "headers on %s", subject)
	require.Empty(r.t, m.Reply, "reply on %s", subject)
}

// expectEnd takes the next message, which must be an end with a status.
func (r *raw) expectEnd(subject, status string) *nats.Msg {
	r.t.Helper()
	m := r.next()
	require.Equal(r.t, subject, m.Subject)
	require.Empty(r.t, m.Data)
	require.Equal(r.t, status, m.Header.Get("lath-status"))
	return m
}

// quiet checks that nothing more has arrived.
func (r *raw) quiet() {
	r.t.Helper()
	require.NoError(r.t, r.nc.Flush())
	require.Empty(r.t, r.msgs)
}

func (r *raw) pub(subject, data string) {
	r.t.Helper()
	require.NoError(r.t, r.nc.Publish(subject, unhex(r.t, data)))
}

// send publishes with reply and headers, given as key, value, key, value.
func (r *raw) send(subject, reply string, data []byte, headers ...string) {
	r.t.Helper()
	m := &nats.Msg{Subject: subject, Reply: reply, Data: data}
	for i := 0; i+1 < len(headers); i += 2 {
		if m.Header == nil {
			m.Header = nats.Header{}
		}
		m.Header[headers[i]] = []string{headers[i+1]}
	}
	require.NoError(r.t, r.nc.PublishMsg(m))
}

// accept sends a handshake, as v1 unless headers say otherwise.
func (r *raw) accept(inv *nats.Msg, headers ...string) {
	r.t.Helper()
	r.send(inv.Reply, r.in, nil, headers...)
}

// handshake takes the next message on C and returns S.
func (r *raw) handshake() string {
	r.t.Helper()
	m := r.next()
	require.Equal(r.t, r.in, m.Subject)
	require.Empty(r.t, m.Data)
	require.NotEmpty(r.t, m.Reply)
	return m.Reply
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return v
	}
}

func list(t testing.TB, elem *wit.Type) *wit.Type { return must[*wit.Type](t)(wit.NewList(elem)) }

func readAll(t testing.TB, r io.Reader) []byte { return must[[]byte](t)(io.ReadAll(r)) }
