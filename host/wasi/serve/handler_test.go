package serve_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	wasihttp "github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/host/wasi/serve"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

func TestPages(t *testing.T) {
	everyWay(t, serve.Options{}, func(t *testing.T, s *site) {
		for range 2 {
			status, text := s.get(t, "/hello")
			require.Equal(t, http.StatusOK, status)
			require.Equal(t, "hello\n", text)
		}
		status, text := s.get(t, "/elsewhere")
		require.Equal(t, http.StatusNotFound, status)
		require.Empty(t, text)
		status, _ = s.get(t, "/empty")
		require.Equal(t, http.StatusNoContent, status)
		require.Empty(t, s.failures)
	})
}

func TestTheGuestSeesTheRequest(t *testing.T) {
	everyWay(t, serve.Options{}, func(t *testing.T, s *site) {
		req, err := http.NewRequestWithContext(t.Context(), "QUERY", s.URL+"/info?a=%20&b", http.NoBody)
		require.NoError(t, err)
		req.Host = "web.example:81"
		req.Header = http.Header{"X-Two": {"1", "2"}, "Connection": {"x-two"}, "Keep-Alive": {"no"}, "User-Agent": {"me"}, "Accept-Encoding": {""}}
		if strings.HasPrefix(s.URL, "https") {
			req.Header.Del("Connection") // HTTP/2 has none
			req.Header.Del("Keep-Alive")
		}
		resp, err := s.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		scheme, _, _ := strings.Cut(s.URL, ":")
		text := string(b)
		require.True(t, strings.HasPrefix(text, "QUERY9 "+scheme+"://web.example:81/info?a=%20&b\n"), text)
		require.Contains(t, text, "user-agent=me\nx-two=1\nx-two=2")
		for _, name := range []string{"connection", "keep-alive", "host", "transfer-encoding"} {
			require.NotContains(t, text, "\n"+name+"=")
		}
		require.Equal(t, "text/plain", resp.Header.Get("Content-Type"))
	})
}

func TestBodiesStreamBothWaysWithTrailers(t *testing.T) {
	everyWay(t, serve.Options{}, func(t *testing.T, s *site) {
		r, w := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/echo", r)
		require.NoError(t, err)
		req.Trailer = http.Header{"X-Sum": nil}
		resp, err := s.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		in := bufio.NewReader(resp.Body)
		for _, line := range []string{"one\n", "two\n", strings.Repeat("x", 300_000) + "\n"} {
			go func() { _, _ = io.WriteString(w, line) }()
			got, err := in.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, len(line), len(got))
		}
		req.Trailer.Set("X-Sum", "12")
		require.NoError(t, w.Close())
		rest, err := io.ReadAll(in)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, "12", resp.Trailer.Get("X-Sum"))
		require.Empty(t, s.failures)
	})
}

func TestRequestsThatExpectContinue(t *testing.T) {
	t.Parallel()
	s := newSite(t, serve.Options{}, false)
	for path, want := range map[string]string{"/echo": "ok", "/hello": "hello\n"} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		require.NoError(t, err)
		_, err = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
		require.NoError(t, err)
		in := bufio.NewReader(conn)
		req := &http.Request{Method: http.MethodPost}
		resp, err := http.ReadResponse(in, req)
		require.NoError(t, err)
		if path == "/echo" {
			// The guest answers before it reads: either may come first.
			_, err = io.WriteString(conn, "ok")
			require.NoError(t, err)
			if resp.StatusCode == http.StatusContinue {
				resp, err = http.ReadResponse(in, req)
				require.NoError(t, err)
			}
		}
		require.Equal(t, http.StatusOK, resp.StatusCode)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
		require.NoError(t, resp.Body.Close())
		require.NoError(t, conn.Close())
	}
}

func TestFailuresBeforeTheResponse(t *testing.T) {
	both(t, serve.Options{Time: 300 * time.Millisecond}, func(t *testing.T, s *site) {
		status, text := s.get(t, "/trap")
		require.Equal(t, http.StatusInternalServerError, status)
		require.Equal(t, "Internal Server Error\n", text, "the client is not told more")
		require.ErrorIs(t, s.failure(t), &trap.Error{Code: trap.Unreachable})

		status, _ = s.get(t, "/none")
		require.Equal(t, http.StatusInternalServerError, status)
		require.ErrorIs(t, s.failure(t), wasihttp.ErrNoAnswer)

		status, _ = s.get(t, "/loop")
		require.Equal(t, http.StatusGatewayTimeout, status)
		require.ErrorIs(t, s.failure(t), &trap.Error{Code: trap.Deadline})

		status, _ = s.get(t, "/fetch?10.0.0.1")
		require.Equal(t, http.StatusForbidden, status)
		require.ErrorIs(t, s.failure(t), contract.ErrorCode{Tag: contract.ErrorCodeHTTPRequestDenied})
		s.waitFor(t, "host: wasi:http: tcp 10.0.0.1:80 is not granted: it is a private address; grant it by --allow-http 10.0.0.1:80")

		status, _ = s.get(t, "/hello")
		require.Equal(t, http.StatusOK, status)
	})
}

func TestFailuresWithinTheResponseAbortIt(t *testing.T) {
	everyWay(t, serve.Options{}, func(t *testing.T, s *site) {
		for _, path := range []string{"/late-trap", "/abandon", "/short"} {
			resp, err := s.Client().Get(s.URL + path)
			if err == nil { // else the abort came before the header was sent
				require.Equal(t, http.StatusOK, resp.StatusCode)
				_, err = io.ReadAll(resp.Body)
				require.NoError(t, resp.Body.Close())
			}
			require.Error(t, err, path)
			require.ErrorIs(t, s.failure(t), wasihttp.ErrAborted, path)
		}
		require.NotErrorIs(t, s.failure(t), &trap.Error{Code: trap.Unreachable})
		status, _ := s.get(t, "/hello")
		require.Equal(t, http.StatusOK, status)
	})
}

func TestSlowReaderHoldsTheGuest(t *testing.T) {
	everyWay(t, serve.Options{}, func(t *testing.T, s *site) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/flood", http.NoBody)
		require.NoError(t, err)
		resp, err := s.Client().Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		_, err = io.CopyN(io.Discard, resp.Body, 1<<20)
		require.NoError(t, err)
		// A guest that is not held writes hundreds of megabytes a second.
		var before, after runtime.MemStats
		require.Eventually(t, func() bool {
			before = after
			runtime.ReadMemStats(&after)
			return after.TotalAlloc-before.TotalAlloc < 1<<20
		}, time.Minute, 20*time.Millisecond)
		cancel()
		s.waitFor(t, "stdout: the client is gone")
	})
}

func TestAClientThatGoesAwayEndsTheGuest(t *testing.T) {
	t.Parallel()
	s := newSite(t, serve.Options{Linger: 10 * time.Millisecond}, false)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/loop", http.NoBody)
	require.NoError(t, err)
	go func() { // a request is one packet: what begins to arrive is there
		<-s.arrived
		cancel()
	}()
	resp, err := s.Client().Do(req)
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
	require.Error(t, err)
	s.Server.Close() // waits for the request
	require.ErrorIs(t, s.failure(t), wasihttp.ErrClientGone)
}

func TestTheGuestMayGoOnAfterItsResponse(t *testing.T) {
	both(t, serve.Options{Time: 500 * time.Millisecond, Calls: 1}, func(t *testing.T, s *site) {
		status, text := s.get(t, "/after")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "done", text)
		s.waitFor(t, "stdout: after")
		status, _ = s.get(t, "/hello")
		require.Equal(t, http.StatusServiceUnavailable, status, "the guest still takes its place")
	})
}

func TestARequestBodyThatNobodyWants(t *testing.T) {
	t.Parallel()
	s := newSite(t, serve.Options{}, false)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /half-read HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n")
	require.NoError(t, err)
	in := bufio.NewReader(conn)
	resp, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "enough", string(b))
	require.NoError(t, resp.Body.Close())

	// The rest of the body, which is no request, and then a request: either the
	// server has lost patience and closed the connection, or it answers that one.
	smuggled := "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
	_, _ = io.WriteString(conn, smuggled+strings.Repeat(" ", 1000-len(smuggled)))
	_, _ = io.WriteString(conn, "GET /elsewhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if resp, err = http.ReadResponse(in, nil); err == nil {
		require.Equal(t, http.StatusNotFound, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
	rest, _ := io.ReadAll(in)
	require.Empty(t, rest)
}

func TestABodyThatWasLeftDoesNotCostTheConnection(t *testing.T) {
	t.Parallel()
	s := newSite(t, serve.Options{}, false)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	in := bufio.NewReader(conn)
	for _, path := range []string{"/half-read", "/hello", "/half-read", "/hello"} {
		_, err = io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"+strings.Repeat(" ", 1000))
		require.NoError(t, err)
		resp, err := http.ReadResponse(in, nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
}

func TestManyHeadersAreRefused(t *testing.T) {
	everyWay(t, serve.Options{HeaderBytes: 1000}, func(t *testing.T, s *site) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/hello", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("X-Long", strings.Repeat("x", 1000))
		resp, err := s.Client().Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.StatusCode)
	})
}

func TestProxyToAnotherComponent(t *testing.T) {
	t.Parallel()
	back, front := newSite(t, serve.Options{}, false), newSite(t, serve.Options{}, true)
	var all errgroup.Group
	for range 4 {
		all.Go(func() error {
			for range 5 {
				status, text := front.get(t, "/fetch?"+back.Listener.Addr().String())
				require.Equal(t, http.StatusNotFound, status)
				require.Empty(t, text)
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("origin ", 100_000))
	}))
	defer origin.Close()
	status, text := front.get(t, "/fetch?"+origin.Listener.Addr().String())
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, strings.Repeat("origin ", 100_000), text)
}

// Requests share instances, and none finds what another left: the guest never
// gives memory back, and has room for a hundred of these requests.
func TestInstancesServeOneRequestAfterTheOther(t *testing.T) {
	both(t, serve.Options{}, func(t *testing.T, s *site) {
		query := strings.Repeat("q", 2000)
		var all errgroup.Group
		for range 4 {
			all.Go(func() error {
				for range 100 {
					status, text := s.get(t, "/info?"+query)
					require.Equal(t, http.StatusOK, status)
					require.Contains(t, text, query)
				}
				return nil
			})
		}
		require.NoError(t, all.Wait())
		require.Empty(t, s.failures)
		p := s.tmpl.Pool()
		require.Equal(t, uint64(400), p.Hits+p.Misses)
		require.Greater(t, p.Hits, p.Misses)

		status, _ := s.get(t, "/trap")
		require.Equal(t, http.StatusInternalServerError, status)
		// Instances are given up after the answer.
		require.Eventually(t, func() bool { return s.tmpl.Pool().Discarded > 0 }, time.Minute, time.Millisecond,
			"a guest that trapped serves no other request")
	})
}

func TestCloseEndsCalls(t *testing.T) {
	t.Parallel()
	rec := newRecord()
	h, err := serve.NewHandler(link(t, web, wasi.Config{Line: rec.line}), serve.Options{Failed: rec.failed})
	require.NoError(t, err)
	served := make(chan *httptest.ResponseRecorder)
	go func() {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/loop", http.NoBody))
		served <- w
	}()
	time.AfterFunc(50*time.Millisecond, h.Close)
	require.Equal(t, http.StatusServiceUnavailable, (<-served).Code)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/hello", http.NoBody))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	h.Close()
}

func TestAComponentThatServesNothing(t *testing.T) {
	t.Parallel()
	_, err := serve.NewHandler(link(t, "../testdata/command.wasm", wasi.Config{}), serve.Options{})
	require.ErrorContains(t, err, "component web serves no HTTP: it does not export wasi:http/incoming-handler@0.2.0")
}
