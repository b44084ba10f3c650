package guests_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/serve"
)

// server serves a guest. Failures are of no call that the tests make.
func server(t *testing.T, name string, cfg wasi.Config) *httptest.Server {
	t.Helper()
	cfg.Line = func(stream, line string) { t.Logf("%s: %s", stream, line) }
	tm := link(t, guest(t, name), component.LinkConfig{Name: name, Host: wasi.Interfaces(cfg)})
	h, err := serve.NewHandler(tm, serve.Options{
		Failed: func(r *http.Request, err error) { t.Errorf("%s %s: %v", r.Method, r.URL, err) },
	})
	require.NoError(t, err)
	t.Cleanup(h.Close)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// answer is what a server answered.
type answer struct {
	status int
	header http.Header
	text   string
}

func ask(t *testing.T, s *httptest.Server, method, path, text string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(text))
	require.NoError(t, err)
	r.Header.Set("X-Sent", "by the test")
	got, err := s.Client().Do(r)
	require.NoError(t, err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	require.NoError(t, err)
	return answer{got.StatusCode, got.Header, string(body)}
}

// TestServers asks the same of servers in two languages, which were built for
// WASI of two versions: the JavaScript one has wasi:http of 0.2.3 and the streams
// of 0.2.12. The Go one routes by a net/http.ServeMux.
func TestServers(t *testing.T) {
	for _, name := range []string{"go-http", "js-http"} {
		t.Run(name, func(t *testing.T) {
			s := server(t, name, wasi.Config{})

			got := ask(t, s, http.MethodGet, "/hello/W%C3%BCrfel?what=how%20are%20you", "")
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, "hello Würfel, how are you", got.text)
			require.Equal(t, "text/plain", got.header.Get("Content-Type"))

			large := strings.Repeat("0123456789abcdef", 64<<10)
			got = ask(t, s, http.MethodPost, "/echo", large)
			require.Equal(t, "by the test", got.header.Get("X-Seen"))
			require.Equal(t, len(large), len(got.text))
			require.True(t, large == got.text, "the body comes back as it went")

			got = ask(t, s, http.MethodPost, "/sum", "[1, 20, 300]")
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
			require.JSONEq(t, `{"sum": 321}`, got.text)
			got = ask(t, s, http.MethodPost, "/sum", "[1, 20")
			require.Equal(t, answer{http.StatusBadRequest, got.header, "no list of numbers\n"}, got)

			got = ask(t, s, http.MethodGet, "/lines", "")
			require.Len(t, strings.Split(got.text, "\n"), 10_001, "whole lines")
			require.Len(t, got.text, 1_000_000)

			got = ask(t, s, http.MethodGet, "/nothing", "")
			require.Equal(t, answer{http.StatusNotFound, got.header, "404 page not found\n"}, got)
		})
	}
}

// TestServerFetches has a server ask another one, and be refused where that is
// not granted.
func TestServerFetches(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "from "+r.URL.Path)
	}))
	t.Cleanup(other.Close)
	path := "/fetch?url=" + url.QueryEscape(other.URL+"/there")
	rules, err := egress.Parse([]string{strings.TrimPrefix(other.URL, "http://")})
	require.NoError(t, err)
	var granted wasi.Config
	granted.HTTP = rules
	got := ask(t, server(t, "js-http", granted), http.MethodGet, path, "")
	require.Equal(t, "418 from /there", got.text)

	got = ask(t, server(t, "js-http", wasi.Config{}), http.MethodGet, path, "")
	require.Equal(t, http.StatusBadGateway, got.status)
	require.Contains(t, got.text, "failed: ")
}
