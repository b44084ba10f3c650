package http

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/internal/resolve"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

const (
	// maxHeaderBytes bounds the headers of a response.
	maxHeaderBytes = 128 << 10
	// idleTime is how long a connection waits for another request.
	idleTime = 30 * time.Second
	// streamWindow and connWindow are what HTTP/2 keeps of what a guest does not
	// read, of one response and of one connection's responses together.
	streamWindow = 256 << 10
	connWindow   = 4 << 20
)

// dialer makes connections to what rules allow, whatever a name resolves to at
// the moment, and to the proxy.
type dialer struct {
	rules    *egress.Rules
	out      *Outbound
	resolver *net.Resolver
}

// transport returns a transport of the dialer's own: nothing from the environment,
// no cookies, no compression that the guest did not ask for.
func (d *dialer) transport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		Proxy:                  d.out.proxyOf,
		DialContext:            d.dial,
		DialTLSContext:         d.dialTLS,
		Protocols:              protocols,
		DisableCompression:     true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        idleTime,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		HTTP2:                  &http.HTTP2Config{MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: connWindow},
	}
}

// exchangeKey is the key of the [exchange] that a connection is made for. The
// transport keeps the values of its context, and neither end nor deadline.
type exchangeKey struct{}

// connecting returns the context of making a connection, which ends with the
// exchange that it is for or after its time for connecting.
func connecting(ctx context.Context) (context.Context, context.CancelFunc) {
	ex, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return context.WithCancel(ctx)
	}
	both, cancel := context.WithTimeoutCause(ex.ctx, ex.connect, code(contract.ErrorCodeConnectionTimeout))
	stop := context.AfterFunc(ctx, cancel)
	return both, func() { stop(); cancel() }
}

// dial connects without TLS: to a server, or to an http proxy.
func (d *dialer) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := connecting(ctx)
	defer cancel()
	if addr == d.out.address() {
		return d.toProxy(ctx, network)
	}
	return d.connect(ctx, network, addr)
}

// connect reaches a server that the rules allow.
func (d *dialer) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return d.reach(ctx, network, addr, d.rules.Control(host))
}

// reach connects to an address, each of which control is asked about.
func (d *dialer) reach(ctx context.Context, network, addr string, control func(context.Context, string, string, syscall.RawConn) error) (net.Conn, error) {
	resolver := d.resolver
	if resolver == nil {
		resolver = resolve.New(nil) // a guest that gives up leaves no look-up behind
	}
	nd := net.Dialer{Resolver: resolver, ControlContext: control}
	conn, err := nd.DialContext(ctx, network, addr)
	if err != nil {
		return nil, whyEnded(ctx, err)
	}
	return watch(conn), nil
}

// watched is a connection whose end can be waited for.
type watched struct {
	net.Conn
	closed context.Context //nolint:containedctx // the connection's life
	end    context.CancelFunc
}

func watch(conn net.Conn) *watched {
	w := &watched{Conn: conn}
	w.closed, w.end = context.WithCancel(context.Background())
	return w
}

// Close implements [net.Conn]. The transport closes what its peer has closed.
func (w *watched) Close() error {
	w.end()
	return w.Conn.Close()
}

// watchedOf finds what watches a connection, also under TLS.
func watchedOf(conn net.Conn) *watched {
	for { // a proxy may have TLS of its own
		secure, ok := conn.(*tls.Conn)
		if !ok {
			break
		}
		conn = secure.NetConn()
	}
	w, _ := conn.(*watched)
	return w
}

// dialTLS connects with TLS and finds out which protocol is spoken: to a server, or
// to an https proxy.
func (d *dialer) dialTLS(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, cancel := connecting(ctx)
	defer cancel()
	if addr == d.out.address() && d.out.Proxy.Scheme == "https" {
		return d.toProxy(ctx, network)
	}
	host, port, ok := hostPort(addr)
	if !ok {
		return nil, fmt.Errorf("%q is no address", addr)
	}
	connect := d.connect
	if d.out.via(host, port) {
		connect = d.tunnel
	}
	raw, err := connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return d.secure(ctx, raw, host, "h2", "http/1.1")
}

// whyEnded returns the cause of ctx, if it has ended, or else err.
func whyEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
