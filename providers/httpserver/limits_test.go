package httpserver_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lathhost/lath/providers/httpserver"
)

// reads answers with how reading the body ended.
var reads = answerer(func(w http.ResponseWriter, r *http.Request, _ time.Duration) {
	_ = http.NewResponseController(w).EnableFullDuplex() // as hosts do
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, err.Error())
		return
	}
	_, _ = fmt.Fprint(w, n)
})

// dial opens a connection that is not an HTTP client's.
func (s *server) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.Address(free).String())
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = conn.Close() })
	require.NoError(s.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return conn
}

func TestAHeaderThatComesSlowly(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	s.follow(link("a", says("a"), "header_timeout_ms=50"))
	conn := s.dial()
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
	require.NoError(t, err)
	_, err = io.ReadAll(conn)
	require.NoError(t, err, "the server has closed the connection")
	require.Equal(t, "a", s.get("/"))
}

func TestABodyThatComesSlowly(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	s.follow(link("a", reads, "body_timeout_ms=50"))
	conn := s.dial()
	_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab")
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "the request's body came too slowly", string(b))
	_, text := s.do(http.MethodPost, "/", nil, strings.NewReader("abc"))
	require.Equal(t, "3", text)
}

func TestIdleConnectionsEnd(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	s.follow(link("a", says("a"), "idle_timeout_ms=50"))
	conn := s.dial()
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	b, err := io.ReadAll(conn)
	require.NoError(t, err, "the server has closed the connection")
	require.True(t, bytes.HasPrefix(b, []byte("HTTP/1.1 200 OK\r\n")))
}

// A client that sends requests all the time and takes none of their answers off the
// network, each of which would fit, is as idle as one that sends nothing: its place is
// somebody else's.
func TestAClientThatReadsNoAnswers(t *testing.T) {
	t.Parallel()
	files, pool := pair(t)
	readFile := func(name string) ([]byte, error) { return files[name], nil }
	for name, settings := range map[string][]string{"plain": nil, "TLS": {"tls_cert_file=/cert", "tls_priv_key_file=/key", "http2=false"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, httpserver.Config{ReadFile: readFile})
			s.follow(link("a", says(strings.Repeat("a", 1000)), append(settings, "idle_timeout_ms=100", "max_connections=1")...))
			reach := func() net.Conn {
				conn := s.dial()
				if settings == nil {
					return conn
				}
				return tls.Client(conn, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
			}
			conn := reach()
			const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
			for requests := []byte(strings.Repeat(get, 1000)); ; {
				if _, err := conn.Write(requests); err != nil {
					require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is kept for who does not read")
					break
				}
			}
			other := reach()
			_, err := io.WriteString(other, get)
			require.NoError(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(other), nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, resp.StatusCode)
			require.NoError(t, resp.Body.Close())
		})
	}
}

// A client of HTTP/2 that leaves all the room there is for a response, and takes none
// of it off the network, is as idle as one that sends nothing.
func TestAClientThatTakesNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	began, ended := make(chan struct{}), make(chan error, 1)
	s.follow(link("a", answerer(func(w http.ResponseWriter, _ *http.Request, _ time.Duration) {
		close(began)
		for b := make([]byte, 1<<20); ; {
			if _, err := w.Write(b); err != nil {
				ended <- err
				return
			}
		}
	}), "h2c=true", "idle_timeout_ms=50"))
	conn := s.dial()
	const most = "\x7f\xff\xff\xff"
	_, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+
		"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04"+most+ // SETTINGS: the window of a stream
		"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\xff\x00\x00"+ // WINDOW_UPDATE of the connection
		"\x00\x00\x06\x01\x05\x00\x00\x00\x01\x82\x86\x84\x01\x01a") // HEADERS: GET http://a/
	require.NoError(t, err)
	<-began
	select {
	case err := <-ended:
		require.Error(t, err)
	case <-time.After(20 * time.Second):
		require.Fail(t, "the response waits for ever")
	}
}

func TestHeadersThatAreTooLarge(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	s.follow(link("a", says("a"), "max_header_bytes=1000"))
	resp, _ := s.do(http.MethodGet, "/", http.Header{"X": {strings.Repeat("x", 20_000)}}, nil)
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, resp.status)
	require.Equal(t, "a", s.get("/"))
}

func TestBodiesThatAreTooLarge(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	s.follow(link("a", reads, "max_body_bytes=100"))
	_, text := s.do(http.MethodPost, "/", nil, strings.NewReader(strings.Repeat("x", 100)))
	require.Equal(t, "100", text)
	resp, text := s.do(http.MethodPost, "/", nil, strings.NewReader(strings.Repeat("x", 101)))
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.status)
	require.Equal(t, "the request's body is too large\n", text)
	// Of one that does not say its length, so much is read as is allowed.
	resp, text = s.do(http.MethodPost, "/", nil, io.MultiReader(strings.NewReader(strings.Repeat("x", 101))))
	require.Equal(t, http.StatusBadRequest, resp.status)
	require.Equal(t, "http: request body too large", text)
}

// A target reads the body on another goroutine than it answers on: the limit must
// not write to the response's header, which the target may be writing.
func TestABodyThatIsTooLargeLeavesTheResponseAlone(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	s.follow(link("a", answerer(func(w http.ResponseWriter, r *http.Request, _ time.Duration) {
		_, err := io.Copy(io.Discard, r.Body)
		_, _ = fmt.Fprintf(w, "%v %v", err, w.Header())
	}), "max_body_bytes=100"))
	_, text := s.do(http.MethodPost, "/", nil, io.MultiReader(strings.NewReader(strings.Repeat("x", 101))))
	require.Equal(t, "http: request body too large map[]", text)
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	s.follow(link("a", says("a"), "max_connections=2"))
	first, second, third := s.dial(), s.dial(), s.dial()
	ask := func(c net.Conn) {
		t.Helper()
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
	}
	answered := func(c net.Conn) {
		t.Helper()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.NoError(t, resp.Body.Close())
	}
	for _, c := range []net.Conn{first, second, third} {
		ask(c)
	}
	answered(first)
	answered(second)
	require.NoError(t, third.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err := third.Read(make([]byte, 1))
	var late net.Error
	require.ErrorAs(t, err, &late, "it waits")
	require.NoError(t, first.Close())
	require.NoError(t, third.SetReadDeadline(time.Now().Add(20*time.Second)))
	answered(third)
}

func TestWhatIsNoRequest(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	s.follow(link("a", says("a")))
	resp, text := s.do(http.MethodGet, "/", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}}, nil)
	require.Equal(t, http.StatusNotImplemented, resp.status)
	require.Contains(t, text, "no WebSockets yet")
	resp, text = s.do(http.MethodGet, "/", http.Header{"Connection": {"Upgrade"}, "Upgrade": {"h2c"}}, nil)
	require.Equal(t, http.StatusOK, resp.status, "an offer may be passed over")
	require.Equal(t, "a", text)
	conn := s.dial()
	_, err := io.WriteString(conn, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n")
	require.NoError(t, err)
	refused, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, refused.Body.Close())
	require.Equal(t, http.StatusNotImplemented, refused.StatusCode)
	for _, garbage := range []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "GET / HTTP/1.1\r\nHost: a\r\nA B: c\r\n\r\n"} {
		conn := s.dial()
		_, err := io.WriteString(conn, garbage+"\r\n\r\n")
		require.NoError(t, err)
		b, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(b, []byte("HTTP/1.1 4")) || bytes.HasPrefix(b, []byte("HTTP/1.1 5")), "%q: %q", garbage, b)
	}
	require.Equal(t, "a", s.get("/"))
}

func TestReadOnlyAndMethods(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	s.follow(link("a", says("a"), "readonly_mode=true", "path=/r"), link("b", says("b"), "methods=GET,PUT", "path=/m"))
	resp, _ := s.do(http.MethodPost, "/r", nil, strings.NewReader("x"))
	require.Equal(t, http.StatusMethodNotAllowed, resp.status)
	require.Equal(t, "GET, HEAD", resp.header.Get("Allow"))
	resp, text := s.do(http.MethodPost, "/m", nil, strings.NewReader("x"))
	require.Equal(t, http.StatusMethodNotAllowed, resp.status)
	require.Equal(t, "GET, PUT", resp.header.Get("Allow"))
	require.Equal(t, "this path takes GET, PUT\n", text)
}

func TestTimeoutsAndShares(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	tells := answerer(func(w http.ResponseWriter, _ *http.Request, most time.Duration) { _, _ = fmt.Fprint(w, most) })
	s.follow(link("a", tells, "weight=1", "timeout_ms=1500"), link("b", tells, "weight=1"))
	seen := map[string]bool{}
	require.Eventually(t, func() bool {
		seen[s.get("/")] = true
		return len(seen) == 2
	}, time.Minute, time.Microsecond)
	require.Equal(t, map[string]bool{"1.5s": true, "0s": true}, seen)
}

func TestCORS(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	own := answerer(func(w http.ResponseWriter, r *http.Request, _ time.Duration) {
		w.Header().Set("X-Method", r.Method)
	})
	s.follow(link("open", own, "path=/open", `cors_max_age_secs=7`),
		link("some", own, "path=/some", `cors_allowed_origins=["http://a","http://b"]`, `cors_allowed_methods=["PUT"]`, `cors_allowed_headers=X-A,X-B`,
			`cors_exposed_headers=X-C`, "methods=PUT,GET"),
		link("own", own, "path=/own"))
	ask := func(method, path string, header http.Header) http.Header {
		t.Helper()
		resp, _ := s.do(method, path, header, nil)
		resp.header.Set("Status", strconv.Itoa(resp.status))
		return resp.header
	}
	before := func(origin string) http.Header {
		return http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"PUT"}}
	}
	h := ask(http.MethodOptions, "/open", before("http://x"))
	require.Equal(t, "204", h.Get("Status"))
	require.Equal(t, "*", h.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "*", h.Get("Access-Control-Allow-Methods"))
	require.Equal(t, "7", h.Get("Access-Control-Max-Age"))
	h = ask(http.MethodOptions, "/some", before("http://b"))
	require.Equal(t, "204", h.Get("Status"))
	require.Equal(t, "http://b", h.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "PUT", h.Get("Access-Control-Allow-Methods"))
	require.Equal(t, "X-A, X-B", h.Get("Access-Control-Allow-Headers"))
	require.Equal(t, "300", h.Get("Access-Control-Max-Age"))
	require.Equal(t, "Origin", h.Get("Vary"))
	h = ask(http.MethodOptions, "/some", before("http://x"))
	require.Equal(t, "403", h.Get("Status"))
	require.Empty(t, h.Get("Access-Control-Allow-Origin"))
	h = ask(http.MethodGet, "/some", http.Header{"Origin": {"http://a"}})
	require.Equal(t, "GET", h.Get("X-Method"))
	require.Equal(t, "http://a", h.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "X-C", h.Get("Access-Control-Expose-Headers"))
	h = ask(http.MethodGet, "/some", http.Header{"Origin": {"http://x"}})
	require.Equal(t, "GET", h.Get("X-Method"))
	require.Empty(t, h.Get("Access-Control-Allow-Origin"))
	h = ask(http.MethodGet, "/some", nil)
	require.Empty(t, h.Get("Access-Control-Allow-Origin"))
	h = ask(http.MethodOptions, "/own", before("http://a"))
	require.Equal(t, "OPTIONS", h.Get("X-Method"), "the component answers itself")
}

// pair makes a certificate for this machine and its key, as files.
func pair(t *testing.T) (files map[string][]byte, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool = x509.NewCertPool()
	pool.AddCert(cert)
	return map[string][]byte{
		"/cert": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"/key":  pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}),
	}, pool
}

func TestTLS(t *testing.T) {
	t.Parallel()
	files, pool := pair(t)
	s := newServer(t, httpserver.Config{ReadFile: func(name string) ([]byte, error) {
		if b := files[name]; b != nil {
			return b, nil
		}
		return nil, fs.ErrNotExist
	}})
	proto := answerer(func(w http.ResponseWriter, r *http.Request, _ time.Duration) {
		_, _ = fmt.Fprint(w, r.Proto, " ", r.TLS != nil)
	})
	secure := link("a", proto, "tls_cert_file=/cert", "tls_priv_key_file=/key")
	s.follow(secure)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	get := func(c *http.Client) string {
		t.Helper()
		resp, err := c.Get("https://" + s.Address(free).String())
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(b)
	}
	require.Equal(t, "HTTP/2.0 true", get(client))

	// Clients of other kinds, or with other beliefs, hurt nobody.
	_, err := (&http.Client{Transport: &http.Transport{}}).Get("https://" + s.Address(free).String()) //nolint:bodyclose // there is none
	var unknown *tls.CertificateVerificationError
	require.ErrorAs(t, err, &unknown)
	old := &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS11} //nolint:gosec // it is to be refused
	_, err = tls.Dial("tcp", s.Address(free).String(), old)
	require.Error(t, err)
	conn := s.dial()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	b, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(b), "400 Bad Request", "plain text at an address of TLS")
	require.Equal(t, "HTTP/2.0 true", get(client))

	// A certificate that is renewed is taken with the next change, without a gap.
	at := s.Address(free)
	renewed, pool := pair(t)
	files = renewed
	s.follow(secure)
	require.Equal(t, at, s.Address(free))
	fresh := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(fresh.CloseIdleConnections)
	require.Equal(t, "HTTP/1.1 true", get(&http.Client{Transport: fresh}))

	files = map[string][]byte{"/cert": renewed["/cert"], "/key": []byte("no key")}
	require.ErrorContains(t, errors.Join(s.set([]httpserver.Link{secure})...), "settings tls_cert_file and tls_priv_key_file: tls: ")
}

func TestHTTP2WithoutTLS(t *testing.T) {
	t.Parallel()
	s := newServer(t, httpserver.Config{})
	proto := answerer(func(w http.ResponseWriter, r *http.Request, _ time.Duration) { _, _ = io.WriteString(w, r.Proto) })
	s.follow(link("a", proto, "h2c=true"))
	require.Equal(t, "HTTP/1.1", s.get("/"))
	transport := &http.Transport{Protocols: &http.Protocols{}}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := (&http.Client{Transport: transport}).Get(s.url())
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "HTTP/2.0", string(b))
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	core, logs := observer.New(zap.InfoLevel)
	s := newServer(t, httpserver.Config{Log: zap.New(core), Values: map[string]string{"access_log": "true", "colour": "blue"}})
	require.Equal(t, 1, logs.FilterMessage("a setting is not known, and has no effect").Len())
	s.follow(link("a", says("hello"), "path=/a"), link("b", says("b"), "path=/quiet", "access_log=false"))
	s.get("/a?secret=1")
	s.get("/quiet")
	s.set(nil) // the server has ended what it had
	require.NoError(t, s.Close())
	lines := logs.FilterMessage("request").All()
	require.Len(t, lines, 1)
	fields := lines[0].ContextMap()
	require.Equal(t, "/a", fields["path"])
	require.EqualValues(t, 200, fields["status"])
	require.EqualValues(t, 5, fields["bytes"])
	require.Equal(t, "a", fields["target"])
}
