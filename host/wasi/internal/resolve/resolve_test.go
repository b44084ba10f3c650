package resolve_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/wasi/internal/resolve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// conn tells when it is closed. It is a [net.PacketConn], so that the resolver
// speaks to it as to one.
type conn struct {
	net.Conn
	closed chan<- struct{}
}

func (c conn) Close() error {
	c.closed <- struct{}{}
	return c.Conn.Close()
}

func (c conn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, err := c.Read(b)
	return n, c.RemoteAddr(), err
}

func (c conn) WriteTo(b []byte, _ net.Addr) (int, error) { return c.Write(b) }

// TestALookupEndsWithItsContext asks a server that is silent, for less than the
// seconds that a resolver waits for one.
func TestALookupEndsWithItsContext(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	closed := make(chan struct{}, 10)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		c, err := d.DialContext(ctx, "udp", silent.LocalAddr().String())
		return conn{c, closed}, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _, _ = silent.ReadFrom(make([]byte, 512)) // it is asked
		cancel()
	}()
	nd := net.Dialer{Resolver: resolve.New(dial)}
	_, err = nd.DialContext(ctx, "tcp", "nobody.invalid.:80")
	require.Error(t, err)
	select {
	case <-closed:
	case <-time.After(time.Second):
		require.Fail(t, "the look-up goes on without anybody who waits")
	}
}
