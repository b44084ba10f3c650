package serve_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/serve"
)

// net/http gives a client whose request it refused half a second to read that, on a
// goroutine that nobody can wait for.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// record keeps what guests said and how calls failed.
type record struct {
	mu       sync.Mutex
	lines    []string
	failures []error
	changed  chan struct{} // holds one
}

func newRecord() *record { return &record{changed: make(chan struct{}, 1)} }

func (r *record) note(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (r *record) line(stream, line string) {
	r.note(func() { r.lines = append(r.lines, stream+": "+line) })
}

func (r *record) failed(_ *http.Request, err error) {
	r.note(func() { r.failures = append(r.failures, err) })
}

// waitFor waits for a line of a guest's.
func (r *record) waitFor(t testing.TB, line string) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		r.mu.Lock()
		found := slices.Contains(r.lines, line)
		r.mu.Unlock()
		if found {
			return
		}
		select {
		case <-r.changed:
		case <-late:
			require.Fail(t, "no line", line)
		}
	}
}

// failure returns how the last call failed.
func (r *record) failure(t testing.TB) error {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NotEmpty(t, r.failures)
	return r.failures[len(r.failures)-1]
}

// link compiles a component.
func link(t testing.TB, path string, cfg wasi.Config) *component.Template {
	t.Helper()
	wasm, err := os.ReadFile(path)
	require.NoError(t, err)
	rt, err := component.New(context.Background(), component.Config{})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Zero(t, rt.MemoryInUse()+rt.MemoryIdle())
		require.NoError(t, rt.Close(context.Background()))
	})
	c, err := rt.Compile(wasm)
	require.NoError(t, err)
	tm, err := c.Link(t.Context(), component.LinkConfig{Name: "web", Host: wasi.Interfaces(cfg)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tm.Close(context.Background())) })
	return tm
}

// site is a server whose pages are a component's.
type site struct {
	*httptest.Server
	*record
	tmpl    *component.Template
	handler *serve.Handler
	arrived chan struct{} // holds one: a request has begun to arrive
}

const web = "testdata/web.wasm"

// newSite serves testdata/web.c on this machine, by HTTP/2 with TLS or by
// HTTP/1.1 without. Its guests may reach this machine.
func newSite(t testing.TB, opts serve.Options, secure bool) *site {
	t.Helper()
	rules, err := egress.Parse([]string{"127.0.0.0/8"})
	require.NoError(t, err)
	s := &site{record: newRecord(), arrived: make(chan struct{}, 1)}
	opts.Failed = s.failed
	s.tmpl = link(t, web, wasi.Config{Line: s.line, Grants: wasi.Grants{HTTP: rules}})
	h, err := serve.NewHandler(s.tmpl, opts)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	s.handler = h
	s.Server = httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, now http.ConnState) {
		if now == http.StateActive {
			select {
			case s.arrived <- struct{}{}:
			default:
			}
		}
	}
	if s.EnableHTTP2 = secure; secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Server.Close)
	return s
}

// get fetches a page.
func (s *site) get(t testing.TB, path string) (int, string) {
	t.Helper()
	resp, err := s.Client().Get(s.URL + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

// inProcess is a client of a handler without a server.
type inProcess struct{ h *serve.Handler }

// RoundTrip implements [http.RoundTripper].
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	return serve.RoundTrip(r, func(w http.ResponseWriter, r *http.Request) error { return p.h.Serve(w, r, 0) })
}

// newInProcess is newSite for clients of the same process, who have to close the
// bodies that they send.
func newInProcess(t testing.TB, opts serve.Options) *site {
	t.Helper()
	s := newSite(t, opts, false)
	s.URL = "http://site.example"
	s.Client().Transport = inProcess{s.handler}
	return s
}

// everyWay runs a test over HTTP/1.1, HTTP/2 and without either.
func everyWay(t *testing.T, opts serve.Options, test func(t *testing.T, s *site)) {
	t.Helper()
	both(t, opts, test)
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		test(t, newInProcess(t, opts))
	})
}

// both runs a test over HTTP/1.1 and HTTP/2.
func both(t *testing.T, opts serve.Options, test func(t *testing.T, s *site)) {
	t.Helper()
	t.Parallel()
	for name, secure := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSite(t, opts, secure))
		})
	}
}
