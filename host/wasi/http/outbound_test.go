package http_test

import (
	"crypto/x509"
	"encoding/base64"
	goio "io"
	"maps"
	"net"
	gohttp "net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// proxy is a server that leads all that it is asked for to others, as if names were
// theirs.
type proxy struct {
	plain, secure string // addresses of the others
	mu            sync.Mutex
	asked         []string
	users         []string
}

func (p *proxy) ServeHTTP(w gohttp.ResponseWriter, r *gohttp.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI)
	p.users = append(p.users, r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	if r.Method == gohttp.MethodConnect {
		p.tunnel(w)
		return
	}
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Host = "", p.plain
	out.Header.Del("Proxy-Authorization") // it is for the proxy
	resp, err := gohttp.DefaultTransport.RoundTrip(out)
	if err != nil {
		gohttp.Error(w, err.Error(), gohttp.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = goio.Copy(w, resp.Body)
}

func (p *proxy) tunnel(w gohttp.ResponseWriter) {
	to, err := net.Dial("tcp", p.secure)
	if err != nil {
		gohttp.Error(w, err.Error(), gohttp.StatusBadGateway)
		return
	}
	defer to.Close()
	w.WriteHeader(gohttp.StatusOK)
	_ = gohttp.NewResponseController(w).Flush()
	from, in, err := gohttp.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close()
	var both sync.WaitGroup
	both.Go(func() { _, _ = goio.Copy(to, in); _ = to.Close() })
	_, _ = goio.Copy(from, to)
	_ = from.Close()
	both.Wait()
}

func (p *proxy) said() (asked, users []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, users, p.asked, p.users = p.asked, p.users, nil, nil
	return asked, users
}

// place is a world with servers behind a proxy.
type place struct {
	*proxy
	url   *url.URL
	roots *x509.CertPool
}

func newPlace(t testing.TB, secure bool) *place {
	t.Helper()
	hello := gohttp.HandlerFunc(func(w gohttp.ResponseWriter, r *gohttp.Request) {
		_, _ = goio.WriteString(w, r.Host+r.RequestURI+" "+r.Proto+r.Header.Get("Proxy-Authorization"))
	})
	plain := serve(t, hello)
	behind := httptest.NewUnstartedServer(hello)
	behind.EnableHTTP2 = true
	behind.StartTLS()
	t.Cleanup(behind.Close)
	p := &place{proxy: &proxy{plain: plain.Listener.Addr().String(), secure: behind.Listener.Addr().String()}, roots: x509.NewCertPool()}
	p.roots.AddCert(behind.Certificate())
	front := httptest.NewUnstartedServer(p.proxy)
	if secure {
		front.StartTLS()
	} else {
		front.Start()
	}
	t.Cleanup(front.Close)
	var err error
	p.url, err = url.Parse(front.URL)
	require.NoError(t, err)
	p.url.User = url.UserPassword("me", "secret")
	return p
}

func (p *place) host(t testing.TB, allowed string, direct ...string) *http.Host {
	t.Helper()
	return newHost(t, http.Config{Rules: rules(t, allowed), Outbound: http.Outbound{Roots: p.roots, Proxy: p.url, Direct: rules(t, direct...)}})
}

// get returns what a server says to a GET.
func get(t testing.TB, h *http.Host, m message) string {
	t.Helper()
	r, err := do(t, h, m)
	require.NoError(t, err)
	text, _ := body(t, h, r)
	return text
}

func TestProxies(t *testing.T) {
	t.Parallel()
	for name, secure := range map[string]bool{"http": false, "https": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, secure)
			h := p.host(t, "example.com")
			me := "Basic " + base64.StdEncoding.EncodeToString([]byte("me:secret"))
			for range 2 {
				require.Equal(t, "example.com/a?b=c HTTP/1.1", get(t, h, message{url: "http://example.com/a?b=c"}))
				require.Equal(t, "example.com:99/ HTTP/1.1", get(t, h, message{url: "http://example.com:99/"}))
				require.Equal(t, "example.com/s HTTP/2.0", get(t, h, message{scheme: contract.SchemeHTTPS, url: "https://example.com/s"}))
			}
			asked, users := p.said()
			require.Equal(t, []string{
				"GET http://example.com/a?b=c", "GET http://example.com:99/", "CONNECT example.com:443",
				"GET http://example.com/a?b=c", "GET http://example.com:99/",
			}, asked, "a connection through the proxy is used again")
			for _, user := range users {
				require.Equal(t, me, user)
			}
		})
	}
}

// TestRulesHoldBehindAProxy: that a proxy could reach a server is no leave to.
func TestRulesHoldBehindAProxy(t *testing.T) {
	t.Parallel()
	p := newPlace(t, false)
	var said []string
	h := newHost(t, http.Config{
		Rules: rules(t, "example.com:80", "10.0.0.0/8"), Refused: func(why string) { said = append(said, why) },
		Outbound: http.Outbound{Proxy: p.url, Roots: p.roots},
	})
	for _, url := range []string{"http://example.org/", "http://example.com:81/", "http://192.168.0.1/", p.url.Host, "http://[::1]:80/"} {
		_, err := do(t, h, message{url: url})
		requireCode(t, contract.ErrorCodeHTTPRequestDenied, err)
	}
	_, err := do(t, h, message{scheme: contract.SchemeHTTPS, url: "https://example.com/"})
	requireCode(t, contract.ErrorCodeHTTPRequestDenied, err)
	require.Contains(t, said[0], "tcp example.org:80 is not granted; grant it by --allow-http example.org:80")
	asked, _ := p.said()
	require.Empty(t, asked)
	require.Equal(t, "10.1.2.3/ HTTP/1.1", get(t, h, message{url: "http://10.1.2.3/"}))
}

func TestDirectly(t *testing.T) {
	t.Parallel()
	p := newPlace(t, false)
	h := newHost(t, http.Config{Rules: rules(t, "127.0.0.0/8", "example.com", "localhost"), Outbound: http.Outbound{Proxy: p.url, Direct: rules(t, "example.com:1")}})
	require.Equal(t, p.plain+"/ HTTP/1.1", get(t, h, message{url: "http://" + p.plain + "/"}), "what is here needs no proxy")
	asked, _ := p.said()
	require.Empty(t, asked)
	require.Equal(t, "example.com/ HTTP/1.1", get(t, h, message{url: "http://example.com/"}), "another port")
	asked, _ = p.said()
	require.Len(t, asked, 1)
}

func TestProxiesThatRefuse(t *testing.T) {
	t.Parallel()
	for answer, tag := range map[string]contract.ErrorCodeTag{
		"HTTP/1.1 407 Who\r\n\r\n":                            contract.ErrorCodeConfigurationError,
		"HTTP/1.1 403 No\r\n\r\n":                             contract.ErrorCodeHTTPRequestDenied,
		"HTTP/1.1 502 Bad\r\nContent-Length: 9\r\n\r\n":       contract.ErrorCodeDestinationUnavailable,
		"HTTP/1.1 504 Late\r\n\r\n":                           contract.ErrorCodeConnectionTimeout,
		"HTTP/1.1 200 Fine\r\n\r\nand more":                   contract.ErrorCodeInternalError,
		"HTTP/1.1 200 Fine\r\nX: " + strings.Repeat("x", 1e6): contract.ErrorCodeHTTPResponseIncomplete,
		"":      contract.ErrorCodeHTTPResponseIncomplete,
		"what?": contract.ErrorCodeHTTPProtocolError,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		var done sync.WaitGroup
		done.Go(func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = gohttpRead(conn)
			_, _ = goio.WriteString(conn, answer)
		})
		h := newHost(t, http.Config{Rules: rules(t, "*"), Outbound: http.Outbound{Proxy: &url.URL{Scheme: "http", Host: l.Addr().String()}}})
		_, err = do(t, h, message{scheme: contract.SchemeHTTPS, url: "https://example.com/"})
		var c contract.ErrorCode
		require.ErrorAs(t, err, &c, answer)
		require.Equal(t, tag.String(), c.Tag.String(), "%.40q: %v", answer, c)
		require.NoError(t, l.Close())
		done.Wait()
	}
}

// gohttpRead reads the request for a tunnel.
func gohttpRead(conn net.Conn) (string, error) {
	buf := make([]byte, 4<<10)
	n, err := conn.Read(buf)
	return string(buf[:n]), err
}

// TestAProxyThatDoesNotAnswer: its time is the guest's for connecting.
func TestAProxyThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	h := newHost(t, http.Config{Rules: rules(t, "*"), Outbound: http.Outbound{Proxy: &url.URL{Scheme: "http", Host: l.Addr().String()}}})
	_, err = do(t, h, message{scheme: contract.SchemeHTTPS, url: "https://example.com/", options: func(o contract.RequestOptions) {
		require.NoError(t, o.SetConnectTimeout(t.Context(), wit.Some(uint64(20*time.Millisecond))))
	}})
	requireCode(t, contract.ErrorCodeConnectionTimeout, err)
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	s = serve(t, func(w gohttp.ResponseWriter, r *gohttp.Request) {
		switch {
		case r.URL.Path == "/away":
			gohttp.Redirect(w, r, "http://127.0.0.2:1/", gohttp.StatusFound)
		case r.URL.Path == "/mail":
			w.Header().Set("Location", "mailto:me@example.org")
			w.WriteHeader(gohttp.StatusFound)
		case r.URL.Path == "/again":
			gohttp.Redirect(w, r, "/", gohttp.StatusTemporaryRedirect)
		case len(r.URL.Path) > 1:
			gohttp.Redirect(w, r, s.URL+r.URL.Path[:len(r.URL.Path)-1], gohttp.StatusSeeOther)
		default:
			_, _ = goio.WriteString(w, r.Method+" is there")
		}
	})
	h := newHost(t, http.Config{Rules: rules(t, s.Listener.Addr().String()), Outbound: http.Outbound{Redirects: 3}})
	require.Equal(t, "GET is there", get(t, h, message{url: s.URL + "/abc"}))
	for _, path := range []string{"/abcd", "/mail"} {
		r, err := do(t, h, message{url: s.URL + path})
		require.NoError(t, err)
		status, err := r.Status(t.Context())
		require.NoError(t, err)
		require.GreaterOrEqual(t, int(status), 300, path)
		r.Drop()
	}
	_, err := do(t, h, message{url: s.URL + "/away"})
	requireCode(t, contract.ErrorCodeHTTPRequestDenied, err)

	post := func(path string) (string, contract.StatusCode) {
		m := message{method: contract.MethodPost, url: s.URL + path}
		r := build(t, h, m)
		b, out := open(t, r)
		f, err := start(t, h, r, m)
		require.NoError(t, err)
		require.NoError(t, out.BlockingWriteAndFlush(t.Context(), []byte("a body")))
		out.Drop()
		require.NoError(t, h.OutgoingBodyFinish(t.Context(), b, noTrailers))
		got, err := await(t, f)
		require.NoError(t, err)
		status, err := got.Status(t.Context())
		require.NoError(t, err)
		text, _ := body(t, h, got)
		return text, status
	}
	text, status := post("/x")
	require.Equal(t, "GET is there", text)
	require.EqualValues(t, gohttp.StatusOK, status)
	_, status = post("/again")
	require.EqualValues(t, gohttp.StatusTemporaryRedirect, status, "its body cannot be sent again")
}
