package http_test

import (
	"context"
	"crypto/x509"
	"errors"
	goio "io"
	"net"
	gohttp "net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

func TestGet(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w gohttp.ResponseWriter, r *gohttp.Request) {
		w.Header().Set("X-Seen", r.Method+" "+r.RequestURI+" "+r.Host)
		w.Header().Add("X-Two", "1")
		w.Header().Add("X-Two", "2")
		w.Header().Set("X-Agent", r.UserAgent()+"/"+r.Header.Get("Accept-Encoding"))
		w.WriteHeader(gohttp.StatusTeapot)
		_, _ = goio.WriteString(w, "short and stout")
	})
	h := newHost(t, http.Config{})
	for _, path := range []string{"/", "/a%2Fb//c?x=%20&y", "//twice?", "/?"} {
		r, err := do(t, h, message{url: s.URL + path})
		require.NoError(t, err, path)
		status, err := r.Status(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, gohttp.StatusTeapot, status)
		headers, err := r.Headers(t.Context())
		require.NoError(t, err)
		seen, err := headers.Get(t.Context(), "x-seen")
		require.NoError(t, err)
		require.Equal(t, "GET "+path+" "+strings.TrimPrefix(s.URL, "http://"), string(seen[0]))
		two, err := headers.Get(t.Context(), "X-Two")
		require.NoError(t, err)
		require.Equal(t, []contract.FieldValue{[]byte("1"), []byte("2")}, two)
		agent, err := headers.Get(t.Context(), "x-agent")
		require.NoError(t, err)
		require.Equal(t, "/", string(agent[0]), "the host adds nothing of its own")
		requireHeaderError(t, contract.HeaderErrorImmutable, headers.Append(t.Context(), "a", nil))
		headers.Drop()
		text, trailers := body(t, h, r)
		require.Equal(t, "short and stout", text)
		require.Empty(t, trailers)
	}
}

func TestRedirectsAndInformationAreTheGuests(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w gohttp.ResponseWriter, r *gohttp.Request) {
		w.WriteHeader(gohttp.StatusEarlyHints)
		gohttp.Redirect(w, r, "/elsewhere", gohttp.StatusFound)
	})
	r, err := do(t, newHost(t, http.Config{}), message{url: s.URL})
	require.NoError(t, err)
	status, err := r.Status(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, gohttp.StatusFound, status)
	r.Drop()
}

// echo sends back what it gets while it comes, and its trailers.
func echo(w gohttp.ResponseWriter, r *gohttp.Request) {
	_ = gohttp.NewResponseController(w).EnableFullDuplex()
	buf := make([]byte, 100)
	for {
		n, err := r.Body.Read(buf)
		_, _ = w.Write(buf[:n])
		_ = gohttp.NewResponseController(w).Flush()
		if err != nil {
			break
		}
	}
	for name, values := range r.Trailer {
		w.Header()[gohttp.TrailerPrefix+name] = values
	}
}

// playEcho talks to echo.
func playEcho(t *testing.T, h *http.Host, url string, scheme contract.SchemeTag, unannounced bool) {
	t.Helper()
	m := message{url: url, scheme: scheme, method: contract.MethodPost, headers: []contract.TupleStringBytes{entry("Trailer", "X-Sum, Content-Length")}}
	req := build(t, h, m)
	out, w := open(t, req)
	f, err := start(t, h, req, m)
	require.NoError(t, err)
	require.NoError(t, w.BlockingWriteAndFlush(t.Context(), []byte("one ")))
	r, err := await(t, f)
	require.NoError(t, err)
	b, err := r.Consume(t.Context())
	require.NoError(t, err)
	in, err := b.Stream(t.Context())
	require.NoError(t, err)
	// The first half comes back before the second is written.
	got, err := in.BlockingRead(t.Context(), 100)
	require.NoError(t, err)
	require.Equal(t, "one ", string(got))
	require.NoError(t, w.BlockingWriteAndFlush(t.Context(), []byte("two")))
	w.Drop()
	require.NoError(t, h.OutgoingBodyFinish(t.Context(), out, wit.Some(newFields(t, h, entry("x-sum", "7"), entry("x-more", "8")))))
	text, err := readAll(t, h, in)
	require.NoError(t, err)
	require.Equal(t, "two", text)
	in.Drop()
	trailers, err := finish(t, h, b)
	require.NoError(t, err)
	require.Contains(t, trailers, entry("x-sum", "7"))
	if unannounced {
		require.Contains(t, trailers, entry("x-more", "8"))
	}
	r.Drop()
}

func TestEchoWithTrailers(t *testing.T) {
	t.Parallel()
	plain := serve(t, echo)
	secure := httptest.NewUnstartedServer(gohttp.HandlerFunc(echo))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	t.Cleanup(secure.Close)
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	for scheme, s := range map[contract.SchemeTag]*httptest.Server{contract.SchemeHTTP: plain, contract.SchemeHTTPS: secure} {
		t.Run(scheme.String(), func(t *testing.T) {
			t.Parallel()
			h := newHost(t, http.Config{Outbound: http.Outbound{Roots: roots}})
			// Go's HTTP/2 server takes announced trailers only.
			playEcho(t, h, s.URL, scheme, scheme == contract.SchemeHTTP)
		})
	}
}

func TestContentLengthIsKept(t *testing.T) {
	t.Parallel()
	var bodies atomic.Int32
	s := serve(t, func(_ gohttp.ResponseWriter, r *gohttp.Request) {
		if b, err := goio.ReadAll(r.Body); err == nil && string(b) == "long enough" && r.ContentLength == 11 {
			bodies.Add(1)
		}
	})
	h := newHost(t, http.Config{})
	m := message{url: s.URL, method: contract.MethodPost, headers: []contract.TupleStringBytes{entry("Content-Length", "11")}}
	for _, sent := range []bool{false, true} {
		for text, size := range map[string]uint64{"long enough": 11, "msg": 3, "more than 11 bytes": 18} {
			req := build(t, h, m)
			out, w := open(t, req)
			var f contract.FutureIncomingResponse
			if sent {
				var err error
				f, err = start(t, h, req, m)
				require.NoError(t, err)
			}
			err := w.BlockingWriteAndFlush(t.Context(), []byte(text))
			if size > 11 {
				c := requireCode(t, contract.ErrorCodeHTTPRequestBodySize, streamError(t, h, err))
				require.Equal(t, wit.Some(size), c.HTTPRequestBodySize)
			} else {
				require.NoError(t, err)
			}
			w.Drop()
			err = h.OutgoingBodyFinish(t.Context(), out, noTrailers)
			if size == 11 {
				require.NoError(t, err)
			} else {
				c := requireCode(t, contract.ErrorCodeHTTPRequestBodySize, err)
				require.Equal(t, wit.Some(size), c.HTTPRequestBodySize)
			}
			if !sent {
				req.Drop()
				continue
			}
			r, err := await(t, f)
			if size == 11 {
				require.NoError(t, err)
				r.Drop()
			} else {
				requireCode(t, contract.ErrorCodeHTTPRequestBodySize, err)
			}
		}
	}
	require.EqualValues(t, 1, bodies.Load())
}

func TestAbandonedRequestBodyIsAborted(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	s := serve(t, func(_ gohttp.ResponseWriter, r *gohttp.Request) {
		_, err := goio.ReadAll(r.Body)
		ended <- err
	})
	h := newHost(t, http.Config{})
	m := message{url: s.URL, method: contract.MethodPost}
	req := build(t, h, m)
	out, w := open(t, req)
	f, err := start(t, h, req, m)
	require.NoError(t, err)
	require.NoError(t, w.BlockingWriteAndFlush(t.Context(), []byte("half")))
	w.Drop()
	out.Drop()
	_, err = await(t, f)
	requireCode(t, contract.ErrorCodeHTTPProtocolError, err)
	require.Error(t, <-ended)
}

func TestStreamOfABodyGoesFirst(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w gohttp.ResponseWriter, _ *gohttp.Request) { _, _ = goio.WriteString(w, "x") })
	h := newHost(t, http.Config{})
	r, err := do(t, h, message{url: s.URL})
	require.NoError(t, err)
	b, err := r.Consume(t.Context())
	require.NoError(t, err)
	in, err := b.Stream(t.Context())
	require.NoError(t, err)
	_, err = h.IncomingBodyFinish(t.Context(), b)
	require.ErrorContains(t, err, "stream is still there")
	in.Drop()
	r.Drop()

	req := build(t, h, message{url: s.URL})
	out, w := open(t, req)
	require.ErrorContains(t, h.OutgoingBodyFinish(t.Context(), out, noTrailers), "stream is still there")
	w.Drop()
	req.Drop()
}

func TestTrailersWithoutReading(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w gohttp.ResponseWriter, _ *gohttp.Request) {
		_, _ = goio.WriteString(w, strings.Repeat("x", 200_000))
		w.Header().Set(gohttp.TrailerPrefix+"X-End", "1")
	})
	h := newHost(t, http.Config{})
	r, err := do(t, h, message{url: s.URL})
	require.NoError(t, err)
	b, err := r.Consume(t.Context())
	require.NoError(t, err)
	trailers, err := finish(t, h, b)
	require.NoError(t, err)
	require.Equal(t, []contract.TupleStringBytes{entry("x-end", "1")}, trailers)
	r.Drop()
}

func TestDropsCancel(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{}, 3)
	s := serve(t, func(w gohttp.ResponseWriter, r *gohttp.Request) {
		if r.URL.Path != "/wait" {
			_, _ = goio.WriteString(w, "some")
			_ = gohttp.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
		gone <- struct{}{}
	})
	h := newHost(t, http.Config{})
	f, err := start(t, h, build(t, h, message{url: s.URL + "/wait"}), message{})
	require.NoError(t, err)
	got, err := f.Get(t.Context())
	require.NoError(t, err)
	require.False(t, got.OK)
	f.Drop()

	r, err := do(t, h, message{url: s.URL + "/a"})
	require.NoError(t, err)
	r.Drop()
	<-gone

	r, err = do(t, h, message{url: s.URL + "/b"})
	require.NoError(t, err)
	b, err := r.Consume(t.Context())
	require.NoError(t, err)
	in, err := b.Stream(t.Context())
	require.NoError(t, err)
	_, err = in.BlockingRead(t.Context(), 4)
	require.NoError(t, err)
	_, err = in.Read(t.Context(), 4) // a read is under way
	require.NoError(t, err)
	b.Drop()
	<-gone
	text, err := readAll(t, h, in)
	require.NoError(t, err)
	require.Empty(t, text)
	in.Drop()
	r.Drop()
}

func TestTheCallsEndEndsAll(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	s := serve(t, func(_ gohttp.ResponseWriter, r *gohttp.Request) {
		<-r.Context().Done()
		close(gone)
	})
	h := newHost(t, http.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	f, err := h.Handle(ctx, build(t, h, message{url: s.URL}), wit.None[contract.RequestOptions]())
	require.NoError(t, err)
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err = await(t, f)
	requireCode(t, contract.ErrorCodeConnectionTerminated, err)
	select {
	case <-gone:
	case <-time.After(time.Second): // or the request was never sent
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	t.Parallel()
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(gohttp.HandlerFunc(func(w gohttp.ResponseWriter, _ *gohttp.Request) { _, _ = goio.WriteString(w, "x") }))
	s.Config.ConnState = func(_ net.Conn, state gohttp.ConnState) {
		if state == gohttp.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	h := newHost(t, http.Config{})
	for range 5 {
		r, err := do(t, h, message{url: s.URL})
		require.NoError(t, err)
		text, _ := body(t, h, r)
		require.Equal(t, "x", text)
	}
	require.EqualValues(t, 1, conns.Load())
	other := newHost(t, http.Config{})
	r, err := do(t, other, message{url: s.URL})
	require.NoError(t, err)
	r.Drop()
	require.EqualValues(t, 2, conns.Load(), "nothing is shared between components")
}

func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w gohttp.ResponseWriter, r *gohttp.Request) {
		_ = gohttp.NewResponseController(w).EnableFullDuplex()
		_, _ = goio.Copy(w, r.Body)
	})
	h := newHost(t, http.Config{})
	var all errgroup.Group
	for range 8 {
		all.Go(func() error {
			for range 5 {
				m := message{url: s.URL, method: contract.MethodPut}
				req := build(t, h, m)
				out, w := open(t, req)
				f, err := start(t, h, req, m)
				require.NoError(t, err)
				require.NoError(t, w.BlockingWriteAndFlush(t.Context(), []byte(strings.Repeat("y", 4000))))
				w.Drop()
				require.NoError(t, h.OutgoingBodyFinish(t.Context(), out, noTrailers))
				r, err := await(t, f)
				require.NoError(t, err)
				text, _ := body(t, h, r)
				require.Equal(t, 4000, len(text))
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
}

func TestTooManyRequestsAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ gohttp.ResponseWriter, r *gohttp.Request) { <-r.Context().Done() })
	h := newHost(t, http.Config{Exchanges: 1})
	f, err := start(t, h, build(t, h, message{url: s.URL}), message{})
	require.NoError(t, err)
	_, err = do(t, h, message{url: s.URL})
	requireCode(t, contract.ErrorCodeConnectionLimitReached, err)
	f.Drop()
	f, err = start(t, h, build(t, h, message{url: s.URL}), message{})
	require.NoError(t, err)
	f.Drop()
}

func TestATunnelIsNoRequestByAnyName(t *testing.T) {
	t.Parallel()
	h := newHost(t, http.Config{})
	for _, m := range []contract.Method{{Tag: contract.MethodConnect}, {Tag: contract.MethodOther, Other: "CONNECT"}} {
		r := build(t, h, message{url: "http://127.0.0.1:1"})
		require.NoError(t, r.SetMethod(t.Context(), m))
		_, err := h.Handle(t.Context(), r, wit.None[contract.RequestOptions]())
		requireCode(t, contract.ErrorCodeHTTPProtocolError, err)
	}
}

// linked sends requests for anywhere to one server.
type linked string

// RoundTrip implements [gohttp.RoundTripper].
func (l linked) RoundTrip(r *gohttp.Request) (*gohttp.Response, error) {
	if l == "" {
		return nil, errors.New("nobody is there")
	}
	there := *r
	there.URL = &url.URL{Scheme: "http", Host: string(l), Path: r.URL.Path}
	return gohttp.DefaultTransport.RoundTrip(&there)
}

// TestLinked has requests go by a link: nothing need be granted for them, bodies
// stream both ways, and a link that fails is an error code.
func TestLinked(t *testing.T) {
	t.Parallel()
	s := serve(t, echo)
	t.Cleanup(gohttp.DefaultTransport.(*gohttp.Transport).CloseIdleConnections)
	h := newHost(t, http.Config{Rules: rules(t), Linked: func(context.Context) gohttp.RoundTripper { return linked(s.Listener.Addr().String()) }})
	playEcho(t, h, "shop.example/somewhere", contract.SchemeHTTP, true)

	h = newHost(t, http.Config{Rules: rules(t), Linked: func(context.Context) gohttp.RoundTripper { return linked("") }})
	_, err := do(t, h, message{url: "shop.example/"})
	require.Equal(t, wit.Some("nobody is there"), requireCode(t, contract.ErrorCodeInternalError, err).InternalError)

	h = newHost(t, http.Config{Rules: rules(t), Linked: func(context.Context) gohttp.RoundTripper { return nil }})
	_, err = do(t, h, message{url: "shop.example/"})
	requireCode(t, contract.ErrorCodeHTTPRequestDenied, err)
}
