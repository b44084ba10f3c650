package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	fetchWasm  = "../../examples/fetch/fetch.wasm"
	divideWasm = "../../examples/divide/divide.wasm"
)

// server answers requests, and tells their paths and what sent them.
func server(t *testing.T, handle http.HandlerFunc) (address string, seen <-chan string) {
	t.Helper()
	requests := make(chan string, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.URL.RequestURI() + " by " + r.UserAgent()
		handle(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), requests
}

func TestRequestsGoToServersThatWereGranted(t *testing.T) {
	t.Parallel()
	big := bytes.Repeat([]byte("0123456789abcde\n"), 1<<20/16)
	address, seen := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/none" {
			http.Error(w, "none", http.StatusNotFound)
			return
		}
		_, _ = w.Write(big)
	})
	host, port, _ := strings.Cut(address, ":")
	for _, rule := range []string{address, host, "127.0.0.0/8:" + port} {
		code, out, stderr := guest(t, "--allow-http", rule, fetchWasm, "http://"+address+"/a?b=c")
		require.Equal(t, 0, code, stderr)
		require.True(t, string(big) == out, "%d bytes", len(out))
		require.Empty(t, stderr)
		require.Equal(t, "/a?b=c by ", <-seen, "a guest says itself who it is")
	}
	code, out, stderr := guest(t, "--allow-http", address, fetchWasm, "http://"+address+"/none")
	require.Equal(t, 1, code)
	require.Equal(t, "none\n", out)
	require.Equal(t, "fetch: http://"+address+"/none: status 404\n", stderr)
	<-seen

	for _, flags := range [][]string{{}, {"--allow-http", host + ":1"}, {"--allow-http", "*"}, {"--allow-net", address}} {
		code, out, stderr = guest(t, append(flags, fetchWasm, "http://"+address)...)
		require.Equal(t, 1, code, flags)
		require.Empty(t, out, flags)
		require.Contains(t, stderr, "lath: wasi:http: tcp "+address+" is not granted", flags)
		require.Contains(t, stderr, "grant it by --allow-http "+address+"\n", flags)
		require.Contains(t, stderr, "fetch: http://"+address+": HTTP-request-denied\n", flags)
	}
	require.Empty(t, seen, "nothing was sent")
}

func TestSettingsReachThePrograms(t *testing.T) {
	t.Parallel()
	address, seen := server(t, func(http.ResponseWriter, *http.Request) {})
	code, _, stderr := guest(t, "--allow-http", address, "--config", "user-agent=first", "--config", "other=x",
		"--config", "user-agent=a=b", fetchWasm, "http://"+address)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "/ by a=b", <-seen)
	code, _, stderr = guest(t, "--allow-http", address, "--config", "user-agent=a\nb", fetchWasm, "http://"+address)
	require.Equal(t, 1, code)
	require.Equal(t, "fetch: user-agent: its value cannot be a header's\n", stderr)
}

func TestRequestsEndWithTheRun(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 2)
	address, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "some")
		_ = http.NewResponseController(w).Flush()
		begun <- struct{}{}
		<-r.Context().Done() // the connection is closed with the run
	})
	args := []string{"--allow-http", address, fetchWasm, "http://" + address}
	code, out, stderr := guest(t, append([]string{"--timeout", "500ms"}, args...)...)
	require.Equal(t, 1, code)
	require.Equal(t, "some", out)
	require.Contains(t, stderr, "fetch.wasm did not end within 500ms (--timeout)")
	<-begun

	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-begun
		interrupt()
	}()
	code, _, stderr = runsWith(ctx, strings.NewReader(""), append([]string{"run", "--cache-dir", guestCache}, args...)...)
	require.Equal(t, exitInterrupted, code)
	require.Empty(t, stderr)
}

func TestServersAreNotTrustedBlindly(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	code, out, stderr := guest(t, "--allow-http", strings.TrimPrefix(s.URL, "https://"), fetchWasm, s.URL)
	require.Equal(t, 1, code)
	require.Empty(t, out)
	require.Equal(t, "fetch: "+s.URL+": TLS-certificate-error\n", stderr)
}

func TestDebugShowsSourceLines(t *testing.T) {
	t.Parallel()
	const failed = "error: divide.wasm: example:divide/divide.mean: integer divide by zero\nbacktrace, innermost first:\n"
	code, out, stderr := guest(t, "--debug", "--invoke", "mean([])", divideWasm)
	require.Equal(t, exitFailed, code)
	require.Empty(t, out)
	require.Equal(t, failed+"    quotient (divide.c:13:13)\n    mean (divide.c:30:20)\n", stderr)
	code, _, stderr = guest(t, "--invoke", "mean([])", divideWasm)
	require.Equal(t, exitFailed, code)
	require.Equal(t, failed+"    quotient (core.wasm)\n    mean (core.wasm)\n", stderr)
	code, out, stderr = guest(t, "--debug", "--invoke", "mean([1, 2, 6])", divideWasm)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "3\n", out)
}

// TestHowRequestsGoOut: by a proxy, to servers of an authority of one's own, and on
// where they are sent.
func TestHowRequestsGoOut(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/old" {
			http.Redirect(w, r, "/new", http.StatusMovedPermanently)
			return
		}
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	t.Cleanup(s.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	allowed := []string{"--allow-http", strings.TrimPrefix(s.URL, "https://"), "--http-roots", ca}
	code, out, stderr := guest(t, append(allowed, fetchWasm, s.URL+"/old")...)
	require.Equal(t, 1, code, out)
	require.Contains(t, stderr, "status 301")
	require.NotContains(t, out, "/new\n")
	code, out, stderr = guest(t, append(allowed, "--http-redirects", "1", fetchWasm, s.URL+"/old")...)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "/new", out)

	address, seen := server(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) })
	proxied := []string{"--allow-http", "web.example.org", "--http-proxy", "http://" + address, "--config", "user-agent=me"}
	code, out, stderr = guest(t, append(proxied, fetchWasm, "http://web.example.org/a")...)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "web.example.org", out)
	require.Equal(t, "/a by me", <-seen)

	for flag, value := range map[string]string{"--http-proxy": "ftp://x", "--http-direct": "a:b", "--http-roots": "none.pem", "--http-redirects": "99"} {
		code, _, stderr = guest(t, flag, value, fetchWasm)
		require.Equal(t, 2, code, flag)
		require.Contains(t, stderr, flag)
	}
}
