package httpserver_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/lathhost/lath/providers/httpserver"
)

// net/http gives a client whose request it refused half a second to read that, on a
// goroutine that nobody can wait for.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}

// free is an address with a port that is free.
const free = "127.0.0.1:0"

// answerer is a target that is a handler.
type answerer func(w http.ResponseWriter, r *http.Request, most time.Duration)

func (a answerer) Answer(w http.ResponseWriter, r *http.Request, most time.Duration) { a(w, r, most) }

// says answers with a text.
func says(text string) answerer {
	return func(w http.ResponseWriter, _ *http.Request, _ time.Duration) { _, _ = io.WriteString(w, text) }
}

type server struct {
	values map[string]string
	*httpserver.Server
	t      *testing.T
	client *http.Client
}

func newServer(t *testing.T, cfg httpserver.Config) *server {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	s, err := httpserver.New(cfg)
	require.NoError(t, err)
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		require.NoError(t, s.Close())
	})
	return &server{cfg.Values, s, t, &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

func link(target string, answer httpserver.Target, settings ...string) httpserver.Link {
	values := map[string]string{"address": free}
	for _, s := range settings {
		k, v, _ := strings.Cut(s, "=")
		values[k] = v
	}
	return httpserver.Link{Name: "default", Target: target, Values: values, Answer: answer}
}

// set is SetLinks with the values that the server was made with.
func (s *server) set(links []httpserver.Link) []error { return s.SetLinks(s.values, links) }

// follow sets links that all work.
func (s *server) follow(links ...httpserver.Link) {
	s.t.Helper()
	require.NoError(s.t, errors.Join(s.set(links)...))
}

func (s *server) url() string { return "http://" + s.Address(free).String() }

// answer is a response whose body has been read.
type answer struct {
	status int
	header http.Header
}

func (s *server) do(method, path string, header http.Header, body io.Reader) (answer, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url()+path, body)
	require.NoError(s.t, err)
	if header != nil {
		req.Header = header
		req.Host = header.Get("Host")
	}
	resp, err := s.client.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return answer{resp.StatusCode, resp.Header}, string(b)
}

func (s *server) get(path string) string {
	s.t.Helper()
	resp, text := s.do(http.MethodGet, path, nil, nil)
	require.Equal(s.t, http.StatusOK, resp.status, text)
	return text
}

func TestLinksShareAnAddress(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	a, b := link("a", says("a")), link("b", says("b"), "path_prefix=/b")
	s.follow(a, b)
	require.Equal(t, "a", s.get("/"))
	require.Equal(t, "b", s.get("/b/1"))
	at := s.Address(free)
	s.follow(b)
	require.Equal(t, at, s.Address(free), "it goes on listening")
	resp, text := s.do(http.MethodGet, "/", nil, nil)
	require.Equal(t, http.StatusNotFound, resp.status)
	require.Equal(t, "no link of this HTTP server is for this host and path\n", text)

	errs := s.set([]httpserver.Link{a, link("c", says("c")), b})
	require.NoError(t, errors.Join(errs[0], errs[2]))
	require.EqualError(t, errs[1], `address in use: 127.0.0.1:0: /* is served by "a" (link "default") already: `+
		`give one of them another host, path, method, header or address, or both a weight`)
	require.Equal(t, "a", s.get("/"), "the first one stays")
	errs = s.set([]httpserver.Link{a, link("d", says("d"), "path=/d", "h2c=true")})
	require.EqualError(t, errs[1], `address in use: "a" (link "default") listens at 127.0.0.1:0 with other settings of TLS, HTTP/2, limits or the header of hosts`)
	s.follow()
	require.Nil(t, s.Address(free), "nobody needs the address")
}

func TestAnAddressOfAnotherProgram(t *testing.T) {
	t.Parallel()
	first, second := newServer(t, httpserver.Config{}), newServer(t, httpserver.Config{})
	first.follow(link("a", says("a")))
	taken := first.Address(free).String()
	l := link("b", says("b"), "address="+taken)
	errs := second.set([]httpserver.Link{l})
	require.EqualError(t, errs[0], "address in use: "+taken+", by another program on this host or another provider")
	first.follow()
	second.follow(l)
	require.NotNil(t, second.Address(taken), "it is tried again")
}

func TestWrongSettings(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{ReadFile: func(string) ([]byte, error) { return nil, errors.New("no such file") }})
	for setting, want := range map[string]string{
		"address=localhost:80":            "setting address: ",
		"path=x":                          "setting path: ",
		"path_prefix=x":                   "setting path_prefix: ",
		"host=a.*.example":                "setting host: ",
		"methods=GET POST":                "setting methods: ",
		"header.x y=1":                    "setting header.x y: ",
		"weight=-1":                       "setting weight: ",
		"timeout_ms=soon":                 "setting timeout_ms: ",
		"readonly_mode=maybe":             "setting readonly_mode: ",
		"cors_allowed_origins=[1]":        "setting cors_allowed_origins: ",
		"cors_allowed_methods=[\"a b\"]":  "setting cors_allowed_methods: ",
		"tls_cert_file=/a":                "setting tls_cert_file: it goes with tls_priv_key_file",
		"config_json=[]":                  "setting config_json: it is no JSON object",
		"config_b64=*":                    "setting config_b64: it is not base64",
		"config_json={\"cors\":1}":        "setting config_json: cors is no object",
		"routing_mode=moon":               "setting routing_mode: ",
		"max_header_bytes=99999999999999": "setting max_header_bytes: ",
	} {
		errs := s.set([]httpserver.Link{link("a", says("a"), setting)})
		require.ErrorContains(t, errs[0], want, setting)
		require.Nil(t, s.Address(free))
	}
	errs := s.set([]httpserver.Link{link("a", says("a"), "tls_cert_file=/a", "tls_priv_key_file=/b")})
	require.EqualError(t, errs[0], "setting tls_cert_file: no such file")
	errs = s.set([]httpserver.Link{{Name: "x", Target: "a"}})
	require.EqualError(t, errs[0], "an HTTP server calls wasi:http/incoming-handler, and nothing else")
	_, err := httpserver.New(httpserver.Config{Values: map[string]string{"default_address": "x"}, Log: zap.NewNop()})
	require.ErrorContains(t, err, "setting address: ")
	_, err = httpserver.New(httpserver.Config{Values: map[string]string{"Routing_Mode": "x"}, Log: zap.NewNop()})
	require.ErrorContains(t, err, "setting routing_mode: ")
}

// TestSettingsOfV1 are those of its provider, in its spellings.
func TestSettingsOfV1(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{Values: map[string]string{"routing_mode": "path", "default_address": free, "cache_control": "no-store"}})
	noAddress := func(target string, values map[string]string) httpserver.Link {
		return httpserver.Link{Name: target, Target: target, Values: values, Answer: says(target)}
	}
	errs := s.set([]httpserver.Link{noAddress("a", map[string]string{"PATH": "/a"}), noAddress("b", nil),
		noAddress("c", map[string]string{"path": "/c", "config_json": `{"readonly_mode":true,"cors":{"allowed_origins":["http://x"]},"timeout_ms":5}`})})
	require.EqualError(t, errs[1], "setting path: the provider finds targets by path (routing_mode), and the link has none")
	require.NoError(t, errors.Join(errs[0], errs[2]))
	require.Equal(t, "a", s.get("/a"))
	resp, _ := s.do(http.MethodGet, "/a/x", nil, nil)
	require.Equal(t, http.StatusNotFound, resp.status, "v1's paths are whole")
	resp, _ = s.do(http.MethodGet, "/c", http.Header{"Origin": {"http://x"}}, nil)
	require.Equal(t, "no-store", resp.header.Get("Cache-Control"))
	require.Equal(t, "http://x", resp.header.Get("Access-Control-Allow-Origin"))
	resp, _ = s.do(http.MethodPost, "/c", nil, strings.NewReader("x"))
	require.Equal(t, http.StatusMethodNotAllowed, resp.status)

	s = newServer(t, httpserver.Config{Values: map[string]string{"routing_mode": "host", "default_address": free, "header": "X-Site"}})
	s.follow(noAddress("a", map[string]string{"host": "one"}), noAddress("b", map[string]string{"host": "two"}))
	_, text := s.do(http.MethodGet, "/", http.Header{"X-Site": {"two"}}, nil)
	require.Equal(t, "b", text)
}

// text is the page at an address, or why there is none.
func (s *server) text(url string) string {
	resp, err := s.client.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return string(b)
}

func TestDrainLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	began, goOn := make(chan struct{}), make(chan struct{})
	s.follow(link("a", answerer(func(w http.ResponseWriter, _ *http.Request, _ time.Duration) {
		close(began)
		<-goOn
		_, _ = io.WriteString(w, "whole")
	})))
	url := s.url()
	got := make(chan string, 1)
	go func() { got <- s.text(url) }()
	<-began
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(t.Context()) }()
	require.Eventually(t, func() bool {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err != nil
	}, time.Minute, time.Millisecond, "no more requests")
	close(goOn)
	require.Equal(t, "whole", <-got)
	require.NoError(t, <-drained)
	require.EqualError(t, s.set([]httpserver.Link{link("a", says("a"))})[0], "the HTTP server is stopping")
}

// Requests at an address that was given up are under way like others.
func TestDrainWaitsForAddressesThatWereGivenUp(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	began, release := make(chan struct{}), make(chan struct{})
	s.follow(link("slow", answerer(func(w http.ResponseWriter, _ *http.Request, _ time.Duration) {
		close(began)
		<-release
		_, _ = io.WriteString(w, "late")
	})))
	url := s.url()
	answered, drained := make(chan string, 1), make(chan error, 1)
	go func() { answered <- s.text(url) }()
	<-began
	s.follow()
	go func() { drained <- errors.Join(s.Drain(t.Context()), s.Close()) }()
	select {
	case <-drained:
		close(release)
		require.Fail(t, "the request was not waited for", <-answered)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	require.Equal(t, "late", <-answered)
	require.NoError(t, <-drained)
}

func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	began := make(chan struct{})
	s.follow(link("a", answerer(func(_ http.ResponseWriter, r *http.Request, _ time.Duration) {
		close(began)
		<-r.Context().Done()
	})))
	url := s.url()
	ended := make(chan error, 1)
	go func() {
		resp, err := s.client.Get(url)
		if err == nil {
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	<-began
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Drain(ctx), context.DeadlineExceeded)
	require.Error(t, <-ended)
}
