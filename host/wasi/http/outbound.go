package http

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	goio "io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/lathhost/lath/host/wasi/egress"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// Outbound says how requests get to their servers. The zero value sends them
// there, trusts whom the system trusts, and leaves redirects to the guest.
type Outbound struct {
	// Roots are the authorities that servers' certificates must come from, and an
	// https proxy's. Default: the system's.
	Roots *x509.CertPool
	// Proxy is an http or https URL of the proxy that requests go through, with
	// user and password if it wants them. It is connected to without leave of the
	// rules, and looks names up itself: a name then needs a rule that names it, and
	// whether it is one of a private address only the proxy can tell. Requests to
	// this machine's own loopback names and addresses go there without it.
	Proxy *url.URL
	// Direct are servers that requests go to without the proxy.
	Direct *egress.Rules
	// Redirects is how many of them, one after another, are followed for the guest,
	// each to where the rules allow. A redirect beyond that, or of a request whose
	// body would have to be sent again, is the guest's.
	Redirects int
}

// via reports whether requests to a server go through the proxy. Those to the proxy
// itself do: what is dialled there is for it.
func (o *Outbound) via(host string, port uint16) bool {
	switch {
	case o.Proxy == nil:
		return false
	case net.JoinHostPort(host, strconv.Itoa(int(port))) == o.address():
		return true
	}
	return !loopback(host) && o.Direct.Server(egress.TCP, host, port) != nil
}

// loopback reports whether a host is this machine by its very name.
func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// address is where the proxy listens.
func (o *Outbound) address() string {
	if o.Proxy == nil {
		return ""
	}
	port := o.Proxy.Port()
	if port == "" {
		port = strconv.Itoa(int(defaultPort(o.Proxy.Scheme)))
	}
	return net.JoinHostPort(o.Proxy.Hostname(), port)
}

// proxyOf is for [http.Transport.Proxy]: the proxy of requests without TLS, which
// it answers itself. Connections with TLS lead through it, see [dialer.tunnel].
func (o *Outbound) proxyOf(r *http.Request) (*url.URL, error) {
	host, port, ok := hostPort(r.URL.Host)
	if !ok || r.URL.Scheme != "http" {
		return nil, nil //nolint:nilnil // what the transport takes for "none"
	}
	if port == 0 {
		port = defaultPort(r.URL.Scheme)
	}
	if !o.via(host, port) {
		return nil, nil //nolint:nilnil // the same
	}
	return o.Proxy, nil
}

// redirected is for [http.Client.CheckRedirect].
func (h *Host) redirected(req *http.Request, via []*http.Request) error {
	if len(via) > h.out.Redirects {
		return http.ErrUseLastResponse
	}
	host, port, ok := hostPort(req.URL.Host)
	if !ok || req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	if port == 0 {
		port = defaultPort(req.URL.Scheme)
	}
	return h.allowed(host, port)
}

// proxyError is a proxy that leads nowhere.
type proxyError struct {
	addr   string
	status int
}

func (e *proxyError) Error() string {
	return fmt.Sprintf("proxy %s answers %d %s", e.addr, e.status, http.StatusText(e.status))
}

func proxyCode(err error) (contract.ErrorCode, bool) {
	e, ok := errors.AsType[*proxyError](err)
	if !ok {
		return contract.ErrorCode{}, false
	}
	switch e.status {
	case http.StatusProxyAuthRequired:
		return code(contract.ErrorCodeConfigurationError), true
	case http.StatusForbidden:
		return code(contract.ErrorCodeHTTPRequestDenied), true
	case http.StatusGatewayTimeout:
		return code(contract.ErrorCodeConnectionTimeout), true
	}
	return code(contract.ErrorCodeDestinationUnavailable), true
}

// tunnel connects to a server through the proxy.
func (d *dialer) tunnel(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := d.toProxy(ctx, network)
	if err != nil {
		return nil, err
	}
	if err := d.ask(ctx, conn, addr); err != nil {
		_ = conn.Close() // what went wrong counts
		return nil, whyEnded(ctx, err)
	}
	return conn, nil
}

// toProxy connects to the proxy itself.
func (d *dialer) toProxy(ctx context.Context, network string) (net.Conn, error) {
	conn, err := d.reach(ctx, network, d.out.address(), nil)
	if err != nil || d.out.Proxy.Scheme != "https" {
		return conn, err
	}
	return d.secure(ctx, conn, d.out.Proxy.Hostname(), "http/1.1")
}

// ask has the proxy connect (RFC 9110, section 9.3.6).
func (d *dialer) ask(ctx context.Context, conn net.Conn, addr string) error {
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{"User-Agent": nil}}
	if user := d.out.Proxy.User; user != nil {
		password, _ := user.Password()
		req.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	in := bufio.NewReader(goio.LimitReader(conn, maxHeaderBytes))
	resp, err := http.ReadResponse(in, req) //nolint:bodyclose // it ends with the connection
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return &proxyError{d.out.address(), resp.StatusCode}
	case in.Buffered() > 0:
		return errors.New("the proxy sent more than its answer")
	}
	return nil
}

// secure begins TLS on a connection, which is closed where that fails.
func (d *dialer) secure(ctx context.Context, raw net.Conn, name string, protocols ...string) (net.Conn, error) {
	conn := tls.Client(raw, &tls.Config{ServerName: name, RootCAs: d.out.Roots, MinVersion: tls.VersionTLS12, NextProtos: protocols})
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // the handshake's error counts
		return nil, whyEnded(ctx, err)
	}
	return conn, nil
}
