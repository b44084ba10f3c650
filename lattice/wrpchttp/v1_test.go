package wrpchttp_test

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// v1 is a peer of wasmCloud v1's: bytes, and nothing of this project.
type v1 struct {
	t    *testing.T
	nc   *nats.Conn
	in   string
	msgs chan *nats.Msg
}

func newV1(t *testing.T, url string, subjects ...string) *v1 {
	t.Helper()
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	p := &v1{t: t, nc: nc, in: nc.NewInbox(), msgs: make(chan *nats.Msg, 1024)}
	for _, s := range append(subjects, p.in, p.in+".>") {
		_, err := nc.ChanSubscribe(s, p.msgs)
		require.NoError(t, err)
	}
	require.NoError(t, nc.Flush())
	return p
}

func (p *v1) next() *nats.Msg {
	p.t.Helper()
	select {
	case m := <-p.msgs:
		return m
	case <-time.After(10 * time.Second):
		require.FailNow(p.t, "no message")
		return nil
	}
}

// expect takes the next message, which has these bytes and nothing else.
func (p *v1) expect(subject, data string) {
	p.t.Helper()
	m := p.next()
	require.Equal(p.t, subject, m.Subject)
	require.Equal(p.t, strings.ReplaceAll(data, " ", ""), hex.EncodeToString(m.Data), subject)
	require.Empty(p.t, m.Header)
	require.Empty(p.t, m.Reply)
}

func (p *v1) send(subject, reply, data string, headers ...string) {
	p.t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(data, " ", ""))
	require.NoError(p.t, err)
	m := &nats.Msg{Subject: subject, Reply: reply, Data: b, Header: nats.Header{}}
	for i := 0; i < len(headers); i += 2 {
		m.Header.Set(headers[i], headers[i+1])
	}
	require.NoError(p.t, p.nc.PublishMsg(m))
}

const (
	subject = prefix + ".wrpc.0.0.1.wrpc:http/incoming-handler@0.1.0.handle"
	getA    = "00 00 00 01022f61 0100 010e6c6f63616c686f73743a38303030 01 06616363657074 01 032a2f2a"
	okHello = "00 00 00 c801 010c636f6e74656e742d74797065010a746578742f706c61696e"
)

// TestV1Calls: v1's http-server calls a component of ours. It ends S.params only
// when it has the response, and nested paths never, as wasmCloud's Go client.
func TestV1Calls(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil || string(b) != "ping" || r.Trailer.Get("A") != "1" || r.Host != "localhost:8000" || r.RequestURI != "/a" {
			panic(err)
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "hello")
	})
	peer := newV1(t, p.url)
	peer.send(subject, peer.in, getA, "source-id", "httpserver", "target-id", "site")
	m := peer.next()
	require.Equal(t, peer.in, m.Subject)
	require.Empty(t, m.Data)
	require.Empty(t, m.Header)
	callee := m.Reply
	peer.send(callee+".params.0.0", "", "04")
	peer.send(callee+".params.0.0", "", "70 69 6e 67")
	peer.send(callee+".params.0.0", "", "00")
	peer.send(callee+".params.0.1", "", "01 01 01 61")
	peer.send(callee+".params.0.1", "", "01 01 31")
	peer.expect(peer.in+".results", okHello)
	peer.expect(peer.in+".results", "")
	peer.expect(peer.in+".results.0.0", "05 68656c6c6f")
	peer.expect(peer.in+".results.0.0", "00")
	peer.expect(peer.in+".results.0.0", "")
	peer.expect(peer.in+".results.0.1", "00")
	peer.expect(peer.in+".results.0.1", "")
}

// TestV1IsToldErrors: what a v1 caller could take for a lost connection is an error
// code.
func TestV1IsToldErrors(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(w http.ResponseWriter, _ *http.Request) { w.(failer).Fail(io.ErrClosedPipe) })
	peer := newV1(t, p.url)
	peer.send(subject, peer.in, getA)
	peer.next()
	peer.expect(peer.in+".results", "01 26 01 1d"+hex.EncodeToString([]byte("io: read/write on closed pipe")))
}

// TestV1IsCalled: an HTTP server of ours calls a component on a v1 host.
func TestV1IsCalled(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	const subject = "default.other.wrpc.0.0.1.wrpc:http/incoming-handler@0.1.0.handle"
	peer := newV1(t, p.url, subject)
	p.callAt("default.other")
	type result struct {
		resp *http.Response
		err  error
	}
	got := make(chan result, 1)
	go func() {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://localhost:8000/a", http.NoBody)
		if err == nil {
			req.Header = http.Header{"Accept": {"*/*"}}
		}
		resp, err := p.transport.RoundTrip(req) //nolint:bodyclose // it is closed where it is read
		got <- result{resp, err}
	}()
	call := peer.next()
	require.Equal(t, strings.ReplaceAll(getA, " ", ""), hex.EncodeToString(call.Data))
	peer.send(call.Reply, peer.in, "")
	sent := map[string]string{}
	for range 5 {
		m := peer.next()
		sent[m.Subject] += hex.EncodeToString(m.Data) + "|"
	}
	require.Equal(t, map[string]string{peer.in + ".params": "|", peer.in + ".params.0.0": "00||", peer.in + ".params.0.1": "00||"}, sent)
	peer.send(call.Reply+".results", "", okHello)
	r := <-got
	require.NoError(t, r.err)
	require.Equal(t, http.StatusOK, r.resp.StatusCode)
	require.Equal(t, "text/plain", r.resp.Header.Get("Content-Type"))
	peer.send(call.Reply+".results.0.0", "", "05 68656c6c6f 00")
	peer.send(call.Reply+".results.0.1", "", "00")
	b, err := io.ReadAll(r.resp.Body) // none of the paths has ended
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
	require.NoError(t, r.resp.Body.Close())
}
