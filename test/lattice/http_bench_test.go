package lattice_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/test/harness"
)

// BenchmarkHTTPHello asks the built-in server on connections that are kept, as many
// as there are processors.
func BenchmarkHTTPHello(b *testing.B) {
	l := harness.New(b)
	servers := l.HTTPServers()
	a := l.Host(servers.Offer)
	require.NoError(b, a.Start("hello", "http-hello", 64))
	require.NoError(b, a.StartProvider("web", "http-server"))
	l.LinkHTTP("web", "hello", map[string]string{"address": harness.Free})
	askFor(b, strings.TrimPrefix(servers.URL("web", harness.Free), "http://"))
}

// BenchmarkHTTPHelloInGo is the same of a handler in Go: what is not the component's.
func BenchmarkHTTPHelloInGo(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "Hello from Lath\n")
	}))
	defer server.Close()
	askFor(b, server.Listener.Addr().String())
}

func askFor(b *testing.B, address string) {
	b.Helper()
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		for pb.Next() {
			_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
			if err != nil {
				b.Error(err)
				return
			}
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				b.Error(resp.Status)
			}
		}
	})
}
