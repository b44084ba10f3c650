package serve_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/trap"
	wasihttp "github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/host/wasi/serve"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

func request(ctx context.Context, t testing.TB, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	require.NoError(t, err)
	return r
}

// failing returns how a request in the process fails.
func (s *site) failing(r *http.Request) error {
	resp, err := inProcess{s.handler}.RoundTrip(r)
	if err == nil {
		err = errors.Join(errors.New("it did not fail"), resp.Body.Close())
	}
	return err
}

// TestFailuresInProcess: a client of the same process is told the failure itself.
func TestFailuresInProcess(t *testing.T) {
	t.Parallel()
	s := newInProcess(t, serve.Options{Time: 300 * time.Millisecond})
	ask := func(path string) error {
		return s.failing(request(t.Context(), t, http.MethodGet, s.URL+path, http.NoBody))
	}
	require.ErrorIs(t, ask("/trap"), &trap.Error{Code: trap.Unreachable})
	require.ErrorIs(t, ask("/none"), wasihttp.ErrNoAnswer)
	require.ErrorIs(t, ask("/loop"), &trap.Error{Code: trap.Deadline})
	require.ErrorIs(t, ask("/fetch?10.0.0.1"), contract.ErrorCode{Tag: contract.ErrorCodeHTTPRequestDenied})
	s.handler.Close()
	body := &closed{Reader: strings.NewReader("text")}
	err := s.failing(request(t.Context(), t, http.MethodPost, s.URL+"/echo", body))
	require.ErrorIs(t, err, serve.ErrFull)
	require.False(t, body.was, "the request may go elsewhere")
}

// closed is a body that knows whether it was closed.
type closed struct {
	io.Reader
	was bool
}

// Close implements [io.Closer].
func (c *closed) Close() error {
	c.was = true
	return nil
}

// TestAClientInProcessThatGoesAway: by its context, and by closing a response that it
// has not read, at which the guest is held.
func TestAClientInProcessThatGoesAway(t *testing.T) {
	t.Parallel()
	s := newInProcess(t, serve.Options{Linger: 10 * time.Millisecond})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.failing(request(ctx, t, http.MethodGet, s.URL+"/loop", http.NoBody))
	require.ErrorIs(t, err, wasihttp.ErrClientGone)

	resp, err := inProcess{s.handler}.RoundTrip(request(t.Context(), t, http.MethodGet, s.URL+"/flood", http.NoBody))
	require.NoError(t, err)
	_, err = io.CopyN(io.Discard, resp.Body, 1<<20)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	s.waitFor(t, "stdout: the client is gone")

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	resp, err = inProcess{s.handler}.RoundTrip(request(ctx, t, http.MethodGet, s.URL+"/flood", http.NoBody))
	require.NoError(t, err)
	cancel()
	_, err = io.Copy(io.Discard, resp.Body)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, resp.Body.Close())
}

// TestHandlersInProcess: what handlers may do with a response that has no connection.
func TestHandlersInProcess(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		method string
		handle func(w http.ResponseWriter)
		status int
		header http.Header
		body   string
		err    string // of the body, or in the place of a response
	}{
		"nothing":  {handle: func(http.ResponseWriter) {}, status: 200, header: http.Header{}},
		"no value": {handle: func(w http.ResponseWriter) { w.Header()["Content-Type"] = nil }, status: 200, header: http.Header{}},
		"the first counts": {handle: func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			w.Header().Set("X-Late", "1")
			w.WriteHeader(http.StatusOK)
		}, status: http.StatusTeapot, header: http.Header{}},
		"HEAD": {method: http.MethodHead, handle: func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "3")
			_, err := io.WriteString(w, "abc")
			require.ErrorIs(t, err, http.ErrBodyNotAllowed)
		}, status: 200, header: http.Header{"Content-Length": {"3"}}},
		"large": {handle: func(w http.ResponseWriter) {
			for range 100 {
				_, err := io.WriteString(w, strings.Repeat("x", 1000))
				require.NoError(t, err)
			}
		}, status: 200, header: http.Header{}, body: strings.Repeat("x", 100_000)},
		"a panic":       {handle: func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, err: "the response was given up: net/http: abort Handler"},
		"a panic, late": {handle: func(w http.ResponseWriter) { w.(http.Flusher).Flush(); panic("no") }, status: 200, header: http.Header{}, err: "the response was given up: no"},
		"a failure":     {handle: func(w http.ResponseWriter) { _, _ = io.WriteString(w, "half"); w.(serve.Failer).Fail(broken) }, err: "broken"},
		"a failure, late": {handle: func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
			w.(serve.Failer).Fail(broken)
		}, status: 200, header: http.Header{}, body: "half", err: "broken"},
		"writes after that": {handle: func(w http.ResponseWriter) {
			w.(serve.Failer).Fail(broken)
			_, err := w.Write(nil)
			require.ErrorIs(t, err, broken)
		}, err: "broken"},
	} {
		r := request(t.Context(), t, c.method, "https://site.example/a?b", strings.NewReader("text"))
		resp, err := serve.RoundTrip(r, func(w http.ResponseWriter, r *http.Request) error {
			require.Equal(t, "/a?b", r.RequestURI, name)
			require.NotNil(t, r.TLS, name)
			require.EqualValues(t, 4, r.ContentLength, name)
			c.handle(w)
			return nil
		})
		if c.status == 0 {
			require.EqualError(t, err, c.err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, c.status, resp.StatusCode, name)
		require.Equal(t, c.header, resp.Header, name)
		body, err := io.ReadAll(resp.Body)
		require.Equal(t, c.body, string(body), name)
		if c.err != "" {
			require.EqualError(t, err, c.err, name)
		} else {
			require.NoError(t, err, name)
		}
		require.NoError(t, resp.Body.Close(), name)
	}
}
