package serve_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/serve"
)

// oneConn is a listener that one client has come to.
type oneConn struct {
	conns chan net.Conn // holds one
	done  chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error {
	close(l.done)
	return nil
}

func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// piped serves one connection, on which nothing is ever sent before the client
// reads it. closed is closed with the connection.
func piped(t *testing.T, opts serve.Options) (client net.Conn, closed <-chan struct{}) {
	t.Helper()
	h, err := serve.NewHandler(link(t, web, wasi.Config{}), opts)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	client, served := net.Pipe()
	t.Cleanup(func() { _ = client.Close() })
	l := &oneConn{conns: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conns <- served
	end := make(chan struct{})
	s := &http.Server{Handler: h, Protocols: new(http.Protocols), ConnState: func(_ net.Conn, now http.ConnState) {
		if now == http.StateClosed {
			close(end)
		}
	}}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	serving := make(chan struct{})
	go func() {
		defer close(serving)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		<-serving
	})
	return client, end
}

// What the server holds of a response when its handler returns waits for the
// client no longer than the handler would have.
func TestAClientThatReadsNoResponse(t *testing.T) {
	t.Parallel()
	client, closed := piped(t, serve.Options{Time: 200 * time.Millisecond, Linger: 10 * time.Millisecond})
	_, err := io.WriteString(client, "GET /info?"+strings.Repeat("q", 2500)+" HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	select {
	case <-closed:
	case <-time.After(10 * time.Second):
		require.Fail(t, "the connection is kept for who does not read")
	}
}

// frame makes a frame of HTTP/2 (RFC 9113, section 4.1).
func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	b := append([]byte{0, 0, byte(len(payload)), kind, flags}, binary.BigEndian.AppendUint32(nil, stream)...)
	return append(b, payload...)
}

// A client of HTTP/2 that leaves no room for any response, however small, and
// answers everything else.
func TestAClientThatLeavesNoRoomForAResponse(t *testing.T) {
	t.Parallel()
	const (
		headers, reset, settings = 1, 3, 4
		endStream, endHeaders    = 1, 4
	)
	client, _ := piped(t, serve.Options{Time: 200 * time.Millisecond, Linger: 10 * time.Millisecond})
	require.NoError(t, client.SetDeadline(time.Now().Add(10*time.Second)))
	go func() {
		_, _ = io.WriteString(client, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		_, _ = client.Write(frame(settings, 0, 0, 0, 4, 0, 0, 0, 0)) // streams begin with a window of 0
		get := append([]byte{0x82, 0x86, 0x04, 6}, "/hello\x01\x01a"...)
		_, _ = client.Write(frame(headers, endStream|endHeaders, 1, get...))
	}()
	for head := make([]byte, 9); ; {
		_, err := io.ReadFull(client, head)
		require.NoError(t, err, "the response waits for ever")
		_, err = io.CopyN(io.Discard, client, int64(binary.BigEndian.Uint32(head)>>8))
		require.NoError(t, err)
		if head[3] == reset {
			return
		}
	}
}
