package lattice_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

// web is a component whose pages do what their names say: web.c has its source.
const web = "../../host/wasi/serve/testdata/web.wasm"

// site is an HTTP server and the component behind it.
type site struct {
	*harness.Lattice
	client *http.Client
	url    string
	runner *harness.Node // of the component
}

// sites runs a test of a component on the host of the HTTP server, and on another:
// what a client sees is the same.
func sites(t *testing.T, settings map[string]string, edit func(*host.Config), test func(t *testing.T, s *site)) {
	t.Helper()
	for _, remote := range []bool{false, true} {
		name := map[bool]string{false: "in process", true: "over NATS"}[remote]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := harness.New(t)
			servers := l.HTTPServers()
			a := l.Host(func(c *host.Config) {
				servers.Offer(c)
				if edit != nil {
					edit(c)
				}
			})
			s := &site{Lattice: l, client: l.Web(), runner: a}
			if remote {
				s.runner = l.Host(edit)
			}
			wasm, err := os.ReadFile(web)
			require.NoError(t, err)
			require.NoError(t, s.runner.Scale(ctl.ScaleComponent{ComponentID: "site", ComponentRef: l.File("web.wasm", wasm), MaxInstances: 4}))
			require.NoError(t, a.StartProvider("web", "http-server"))
			values := map[string]string{"address": harness.Free}
			maps.Copy(values, settings)
			l.LinkHTTP("web", "site", values)
			s.url = servers.URL("web", harness.Free)
			test(t, s)
		})
	}
}

func (s *site) get(path string) (status int, text string) {
	s.T.Helper()
	resp, err := s.client.Get(s.url + path)
	require.NoError(s.T, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(s.T, err)
	return resp.StatusCode, string(b)
}

func TestHTTPPages(t *testing.T) {
	t.Parallel()
	// Long enough for any page but the one that has no end.
	sites(t, map[string]string{"timeout_ms": "2000"}, nil, func(t *testing.T, s *site) {
		for _, page := range []struct {
			path   string
			status int
			text   string
		}{
			{"/hello", 200, "hello\n"},
			{"/elsewhere", 404, ""},
			{"/empty", 204, ""},
			{"/trap", 500, "Internal Server Error\n"},
			{"/none", 500, "Internal Server Error\n"},
			{"/loop", 504, "Gateway Timeout\n"},
			{"/fetch?127.0.0.1:1", 403, "Forbidden\n"}, // nothing is granted: an error code of the guest's
			{"/hello", 200, "hello\n"},
		} {
			status, text := s.get(page.path)
			require.Equal(t, page.status, status, page.path)
			require.Equal(t, page.text, text, page.path)
		}
		for _, path := range []string{"/late-trap", "/abandon", "/short"} {
			resp, err := s.client.Get(s.url + path)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				require.NoError(t, resp.Body.Close())
				require.Equal(t, http.StatusOK, resp.StatusCode, path) // which the guest has sent
			}
			require.Error(t, err, "%s: what there is of it is not taken for the whole", path)
		}
		state, reason := status(t, s.Lattice, "web", "site")
		require.Equal(t, lattice.LinkReady, state, reason)
	})
}

func TestHTTPTheComponentSeesTheRequest(t *testing.T) {
	t.Parallel()
	sites(t, nil, nil, func(t *testing.T, s *site) {
		req, err := http.NewRequestWithContext(t.Context(), "QUERY", s.url+"/info?a=%20&b", http.NoBody)
		require.NoError(t, err)
		req.Host = "web.example:81"
		req.Header = http.Header{"X-Two": {"1", "2"}, "Connection": {"x-two"}, "User-Agent": {"me"}, "Accept-Encoding": {""}}
		resp, err := s.client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		text := string(b)
		require.True(t, strings.HasPrefix(text, "QUERY9 http://web.example:81/info?a=%20&b\n"), text)
		require.Contains(t, text, "user-agent=me\nx-two=1\nx-two=2")
		require.NotContains(t, text, "connection=")
		require.Equal(t, "text/plain", resp.Header.Get("Content-Type"))
	})
}

func TestHTTPBodiesStreamBothWays(t *testing.T) {
	t.Parallel()
	sites(t, nil, nil, func(t *testing.T, s *site) {
		r, w := io.Pipe()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/echo", r)
		require.NoError(t, err)
		req.Trailer = http.Header{"X-Sum": nil}
		resp, err := s.client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		in := bufio.NewReader(resp.Body)
		for _, line := range []string{"one\n", "two\n", strings.Repeat("x", 3_000_000) + "\n"} {
			go func() { _, _ = io.WriteString(w, line) }()
			got, err := in.ReadString('\n')
			require.NoError(t, err, "%d bytes of %d", len(got), len(line))
			require.Equal(t, line, got)
		}
		req.Trailer.Set("X-Sum", "12")
		require.NoError(t, w.Close())
		rest, err := io.ReadAll(in)
		require.NoError(t, err)
		require.Empty(t, rest)
		require.Equal(t, "12", resp.Trailer.Get("X-Sum"))
	})
}

func TestHTTPAClientThatGoesEndsTheGuest(t *testing.T) {
	t.Parallel()
	sites(t, nil, nil, func(t *testing.T, s *site) {
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/flood", http.NoBody)
		require.NoError(t, err)
		resp, err := s.client.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		_, err = io.ReadFull(resp.Body, make([]byte, 1<<20))
		require.NoError(t, err)
		require.Equal(t, 1, s.running())
		cancel()
		s.Eventually("the guest has ended", func() bool { return s.running() == 0 })
	})
}

// running is how many calls of the component run.
func (s *site) running() int {
	for _, c := range s.runner.Host.Stats().Components {
		if c.ID == "site" {
			return c.Running
		}
	}
	return 0
}

func TestHTTPSaturated(t *testing.T) {
	t.Parallel()
	sites(t, nil, func(c *host.Config) { c.MaxWait = 50 * time.Millisecond }, func(t *testing.T, s *site) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 4 { // as many as it may run
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/flood", http.NoBody)
			require.NoError(t, err)
			resp, err := s.client.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
		}
		resp, err := s.client.Get(s.url + "/hello")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.Equal(t, "1", resp.Header.Get("Retry-After"))
		cancel()
		s.Eventually("there is room again", func() bool {
			status, _ := s.get("/hello")
			return status == http.StatusOK
		})
	})
}

// TestHTTPCollisions: the second of two links that want the same says so, whichever
// host is asked, and works when the first is gone.
func TestHTTPCollisions(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	servers := l.HTTPServers()
	a := l.Host(servers.Offer)
	require.NoError(t, a.Start("one", "http-hello", 1))
	require.NoError(t, a.Start("two", "http-hello", 1))
	require.NoError(t, a.StartProvider("web", "http-server"))
	l.LinkHTTP("web", "one", map[string]string{"address": harness.Free})
	url := servers.URL("web", harness.Free)
	l.LinkHTTP("web", "two", map[string]string{"address": harness.Free})
	const taken = `address in use: 127.0.0.1:0: /* is served by "one" (link "web-one") already: ` +
		"give one of them another host, path, method, header or address, or both a weight"
	failed := func(target, reason string) func() bool {
		return func() bool {
			s, r := status(t, l, "web", target)
			return s == lattice.LinkFailed && r == reason
		}
	}
	require.True(t, failed("two", taken)())
	s, r := status(t, l, "web", "one")
	require.Equal(t, lattice.LinkReady, s, r)

	// Another host, which has to ask.
	l.Host(nil)
	contract, err := l.Control.Contract(t.Context(), "web")
	require.NoError(t, err)
	require.Len(t, contract.Failures, 1)
	require.Equal(t, taken, contract.Failures[0].Reason)
	for range 5 { // the hosts answer by turns
		require.True(t, failed("two", taken)())
	}

	// What a file would tell is told to nobody who was granted nothing.
	l.LinkHTTP("web", "three", map[string]string{"address": "127.0.0.1:1", "tls_cert_file": "/etc/passwd", "tls_priv_key_file": "/etc/passwd"})
	l.Eventually("the provider has told of it", func() bool {
		s, r = status(t, l, "web", "three")
		return s == lattice.LinkFailed
	})
	require.Contains(t, r, "file /etc/passwd: permission denied: it is in no directory that is granted")

	// Settings are live: with shares, both are followed.
	require.NoError(t, l.Control.PutConfig(t.Context(), "web-one", map[string]string{"address": harness.Free, "weight": "1"}))
	require.NoError(t, l.Control.PutConfig(t.Context(), "web-two", map[string]string{"address": harness.Free, "weight": "1"}))
	l.Eventually("both are ready", func() bool {
		one, _ := status(t, l, "web", "one")
		two, _ := status(t, l, "web", "two")
		return one == lattice.LinkReady && two == lattice.LinkReady
	})
	resp, err := l.Web().Get(url)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	require.NoError(t, l.Control.StopProvider(t.Context(), a.ID, "web"))
	_, err = l.Web().Get(url) //nolint:bodyclose // there is none
	require.Error(t, err, "nobody listens")
}

// TestHTTPUpdateUnderLoad: no request fails while the component behind a server is
// replaced, or while the server's other links come and go.
func TestHTTPUpdateUnderLoad(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	servers := l.HTTPServers()
	a := l.Host(servers.Offer)
	require.NoError(t, a.Start("one", "http-hello", 8))
	require.NoError(t, a.StartProvider("web", "http-server"))
	l.LinkHTTP("web", "one", map[string]string{"address": harness.Free})
	stop := asking(l.Web(), servers.URL("web", harness.Free))
	for i := range 5 {
		renewHello(t, l, a, "one", i)
		require.NoError(t, a.Start("two", "http-hello", 1))
		l.LinkHTTP("web", "two", map[string]string{"address": harness.Free, "path": "/two"})
		require.NoError(t, l.Control.DeleteLink(t.Context(), lattice.LinkKey{SourceID: "web", Name: "web-two", WITNamespace: "wasi", WITPackage: "http"}))
	}
	require.NoError(t, stop())
}

// asking has a client ask for a page over and over, all of which must be there. stop
// ends that and returns why it has ended before.
func asking(client *http.Client, url string) (stop func() error) {
	over := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		for {
			select {
			case <-over:
				ended <- nil
				return
			default:
			}
			resp, err := client.Get(url)
			if err == nil && resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
			if err != nil {
				ended <- err
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}()
	return func() error {
		close(over)
		return <-ended
	}
}

// renewHello has another file, of the same bytes, take the place of a component that
// says hello.
func renewHello(t *testing.T, l *harness.Lattice, on *harness.Node, id string, i int) {
	t.Helper()
	wasm, err := os.ReadFile("../../examples/http-hello/http-hello.wasm")
	require.NoError(t, err)
	ref := l.File(fmt.Sprintf("hello-%d.wasm", i), wasm)
	require.NoError(t, on.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: ref, MaxInstances: 8, AllowUpdate: true}))
}

// TestHTTPABodyThatStops: the rest of a body that came too slowly is not taken for
// the next request.
func TestHTTPABodyThatStops(t *testing.T) {
	t.Parallel()
	sites(t, map[string]string{"body_timeout_ms": "500"}, nil, func(t *testing.T, s *site) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(harness.Wait)))
		_, err = io.WriteString(conn, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nab")
		require.NoError(t, err)
		first := make([]byte, len("HTTP/1.1 200 OK"))
		_, err = io.ReadFull(conn, first)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1 200 OK", string(first))
		rest, err := io.ReadAll(conn)
		require.NoError(t, err, "the server closes the connection")
		require.NotContains(t, string(rest), "HTTP/1.1")
		s.Eventually("the guest has ended", func() bool { return s.running() == 0 })
		status, text := s.get("/hello")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "hello\n", text)
	})
}
