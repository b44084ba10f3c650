package http

import (
	"context"
	"errors"
	goio "io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// methods are the names of the methods that have a case.
var methods = [...]string{
	contract.MethodGet: http.MethodGet, contract.MethodHead: http.MethodHead, contract.MethodPost: http.MethodPost,
	contract.MethodPut: http.MethodPut, contract.MethodDelete: http.MethodDelete, contract.MethodConnect: http.MethodConnect,
	contract.MethodOptions: http.MethodOptions, contract.MethodTrace: http.MethodTrace, contract.MethodPatch: http.MethodPatch,
}

// methodName returns the method as it is sent.
func methodName(m contract.Method) string {
	if int(m.Tag) < len(methods) {
		return methods[m.Tag]
	}
	return m.Other
}

// methodOf returns the case of a method that came in.
func methodOf(name string) contract.Method {
	for tag, n := range methods {
		if n == name {
			return contract.Method{Tag: contract.MethodTag(tag)}
		}
	}
	return contract.Method{Tag: contract.MethodOther, Other: name}
}

// Handle implements the contract. What the rules refuse is HTTP-request-denied,
// before any name is looked up; what only the address tells is found out when
// it is dialled, by the future.
func (h *Host) Handle(ctx context.Context, request contract.OutgoingRequest, options wit.Option[contract.RequestOptions]) (contract.FutureIncomingResponse, error) {
	var opts requestOptions
	if options.OK {
		o, ok := options.Value.(*requestOptions)
		if !ok {
			return nil, foreign("request-options", options.Value)
		}
		opts = *o
		defer o.Drop()
	}
	r, ok := request.(*outgoingRequest)
	if !ok {
		return nil, foreign("outgoing-requests", request)
	}
	ex, req, err := h.prepare(ctx, r, &opts)
	if err != nil {
		r.Drop()
		return nil, err
	}
	r.release()
	ex.start(req)
	return &futureResponse{ex: ex}, nil
}

// prepare checks a request and makes the exchange for it.
func (h *Host) prepare(ctx context.Context, r *outgoingRequest, opts *requestOptions) (*exchange, *http.Request, error) {
	linked := h.linked(ctx)
	req, err := h.request(r, linked != nil)
	if err != nil {
		return nil, nil, err
	}
	if h.underWay.Add(1) > h.max {
		h.underWay.Add(-1)
		return nil, nil, code(contract.ErrorCodeConnectionLimitReached)
	}
	ex := &exchange{
		host: h, linked: linked, body: r.body, budget: component.HostBudgetOf(ctx),
		connect: timeout(opts.connect), firstByte: timeout(opts.firstByte), betweenBytes: timeout(opts.betweenBytes),
	}
	if ex.budget.Take(exchangeCost) != nil { // no trap: the guest can try later
		h.underWay.Add(-1)
		return nil, nil, code(contract.ErrorCodeConnectionLimitReached)
	}
	ex.ctx, ex.cancel = context.WithCancelCause(ctx)
	return ex, req, nil
}

// request makes Go's form of a request that the rules allow, or that a link carries.
func (h *Host) request(r *outgoingRequest, linked bool) (*http.Request, error) {
	if methodName(r.method) == http.MethodConnect {
		return nil, code(contract.ErrorCodeHTTPProtocolError) // a tunnel is no request
	}
	scheme := "https"
	if r.scheme.OK {
		switch r.scheme.Value.Tag {
		case contract.SchemeHTTP:
			scheme = "http"
		case contract.SchemeHTTPS:
		default:
			return nil, code(contract.ErrorCodeHTTPProtocolError)
		}
	}
	host, port, ok := hostPort(r.authority.Value)
	if !ok || !r.path.OK {
		return nil, code(contract.ErrorCodeHTTPRequestURIInvalid)
	}
	if port == 0 {
		port = defaultPort(scheme)
	}
	verbatim := false
	if !linked {
		if err := h.allowed(host, port); err != nil {
			return nil, h.told(err)
		}
		verbatim = h.out.Redirects == 0 && (scheme == "https" || !h.out.via(host, port))
	}
	u, err := target(scheme, r.authority.Value, r.path.Value, verbatim)
	if err != nil {
		return nil, err
	}
	req := &http.Request{Method: methodName(r.method), URL: u, Host: r.authority.Value, Header: r.headers.header()}
	if !r.headers.has("user-agent") {
		req.Header["User-Agent"] = nil // or the host's library would name itself
	}
	r.attach(req)
	return req, nil
}

// allowed asks the rules what can be known before a name is looked up.
func (h *Host) allowed(host string, port uint16) error {
	if h.out.via(host, port) {
		return h.rules.Server(egress.TCP, host, port)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return h.rules.Addr(egress.TCP, netip.AddrPortFrom(ip, port), "")
	}
	return h.rules.Name(egress.TCP, host)
}

// told returns the code of an error, and tells of a refusal.
func (h *Host) told(err error) error {
	if errors.Is(err, egress.ErrDenied) {
		h.refused("wasi:http: " + egress.Words(err, "--allow-http"))
	}
	return errorCode(err)
}

// attach gives the request its body, if it has one that is not empty.
func (r *outgoingRequest) attach(req *http.Request) {
	req.Header.Del("Trailer") // the transport writes it
	if r.body == nil {
		return
	}
	if n, _ := r.body.pipe.Buffered(); r.body.length == 0 || n == 0 && r.body.whole() && r.body.sent() == nil {
		return
	}
	req.Trailer = http.Header{}
	announced, _ := r.headers.Get(context.Background(), "trailer")
	for _, list := range announced {
		for name := range strings.SplitSeq(string(list), ",") {
			if name = strings.TrimSpace(name); token(name) && !isForbidden(name) && !unsuited(name) {
				req.Trailer[http.CanonicalHeaderKey(name)] = nil
			}
		}
	}
	req.ContentLength = r.body.length
	req.Body = &requestBody{body: r.body, trailer: req.Trailer}
}

// unsuited are fields that no trailer section may have (RFC 9110, section
// 6.5.1): Go's transport would fail of them, and its server would send them.
func unsuited(name string) bool {
	return strings.EqualFold(name, "trailer") || strings.EqualFold(name, "content-length")
}

// requestBody is an outgoing body as the transport reads it.
type requestBody struct {
	body    *outgoingBody
	trailer http.Header

	mu      sync.Mutex
	conn    *watched // what it is sent on; nil: not known
	reading bool
}

// Read implements [goio.Reader]. The transport sends the trailers after the end.
func (b *requestBody) Read(p []byte) (int, error) {
	if !b.begin() {
		return 0, net.ErrClosed
	}
	n, err := b.body.pipe.Read(p)
	b.mu.Lock()
	b.reading = false
	b.mu.Unlock()
	switch {
	case errors.Is(err, goio.EOF):
		for name, values := range b.body.sent() {
			if !unsuited(name) {
				b.trailer[name] = values
			}
		}
	case err != nil && !isAny[contract.ErrorCode](err):
		err = net.ErrClosed // it was cut off
	}
	return n, err
}

// begin notes that a read is under way, unless the connection has ended.
func (b *requestBody) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = b.conn == nil || b.conn.closed.Err() == nil
	return b.reading
}

// on notes which connection the body is sent on.
func (b *requestBody) on(conn *watched) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.conn = conn
}

// cut ends a read that is under way for a connection that has ended. A body
// that was not read yet may be sent on another.
func (b *requestBody) cut(conn *watched) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == conn && b.reading {
		b.body.pipe.CloseRead(nil)
	}
}

// Close implements [goio.Closer]: the guest finds its stream closed.
func (b *requestBody) Close() error {
	b.body.pipe.CloseRead(nil)
	return nil
}
