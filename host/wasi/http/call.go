package http

import (
	"context"
	"errors"
	"fmt"
	goio "io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

var (
	// ErrNoAnswer means that the guest gave up its response-outparam unset.
	ErrNoAnswer = errors.New("the component gave no response")
	// ErrAborted means that the guest gave up its response's body before it
	// was finished, or finished it with another length than announced.
	ErrAborted = errors.New("the component gave up its response's body")
	// ErrClientGone means that the response could not be written.
	ErrClientGone = errors.New("the client is gone")
)

// Call is one request that a guest answers, within one ServeHTTP. Request and
// Outparam are for the guest's handle function; then, on ServeHTTP's goroutine,
// Answer sends what the guest answers while the guest goes on, and Detach ends
// what the guest has of the request: nothing of it may be used after ServeHTTP
// returns.
type Call struct {
	w      http.ResponseWriter
	r      *http.Request
	body   *incoming
	answer chan answer // holds one
	began  bool        // the response has; of ServeHTTP's goroutine

	mu      sync.Mutex
	reading bool
	idle    *sync.Cond // not reading
	gone    bool       // ServeHTTP has ended
	stopped bool       // nobody wants the body any more
	ended   bool       // the body was read to its end
	cut     bool       // a read was broken off: the connection is out of step
}

// answer is what the guest gave: a response or an error.
type answer struct {
	response *outgoingResponse
	err      error
}

// NewCall makes a call of what a server's handler got. Nothing is read before
// the guest asks.
func NewCall(w http.ResponseWriter, r *http.Request) *Call {
	c := &Call{w: w, r: r, answer: make(chan answer, 1)}
	c.idle = sync.NewCond(&c.mu)
	c.body = &incoming{
		r: callBody{c}, failed: requestCode, trailers: func() http.Header { return r.Trailer }, stop: c.stop,
	}
	// Else the server would read the whole body before the first byte of a
	// response. HTTP/2 needs no such thing and says so.
	_ = http.NewResponseController(w).EnableFullDuplex()
	return c
}

// Request returns the resource for the guest, which owns it.
func (c *Call) Request() contract.IncomingRequest { return &incomingRequest{call: c} }

// Outparam returns the resource for the guest, which owns it.
func (c *Call) Outparam() contract.ResponseOutparam { return &outparam{call: c} }

// requestCode is the code of an error of a request's body.
func requestCode(err error) error {
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return contract.ErrorCode{Tag: contract.ErrorCodeHTTPRequestBodySize, HTTPRequestBodySize: wit.Some(uint64(e.Limit))}
	}
	c := errorCode(err)
	if c.Tag == contract.ErrorCodeHTTPResponseIncomplete || c.Tag == contract.ErrorCodeInternalError {
		return code(contract.ErrorCodeConnectionTerminated)
	}
	return c
}

// callBody reads the request's body, while there is one.
type callBody struct{ *Call }

// Read implements [goio.Reader].
func (b callBody) Read(p []byte) (int, error) {
	c := b.Call
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	c.reading = true
	c.mu.Unlock()
	n, err := c.r.Body.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	c.ended = c.ended || errors.Is(err, goio.EOF)
	c.idle.Broadcast()
	return n, err
}

// patience is how long a read of the request's body that nobody wants may still
// take before it is broken off, at the price of the connection.
const patience = 100 * time.Millisecond

// stop ends a read that is under way, and fails those that have yet to begin.
func (c *Call) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	if !c.reading {
		return
	}
	if c.r.ProtoMajor >= 2 {
		_ = c.r.Body.Close() // one stream's alone
	}
	defer time.AfterFunc(patience, c.breakOff).Stop()
	for c.reading {
		c.idle.Wait()
	}
}

func (c *Call) breakOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reading {
		c.cut = true
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Unix(1, 0)) // else the client's next bytes end the read
	}
}

// Answer waits for the guest's answer and sends it, until its body ends. over
// says that the guest has ended; what it left is sent. The context of the
// request ends the sending, too.
//
// # Errors
//
// [ErrNoAnswer] or the guest's ErrorCode, where nothing was sent; [ErrAborted]
// or [ErrClientGone], where something may have been, and only the end of the
// connection tells the client that it is incomplete.
func (c *Call) Answer(over <-chan struct{}) error {
	var a answer
	select {
	case a = <-c.answer:
	case <-over:
		select {
		case a = <-c.answer:
		default:
			return ErrNoAnswer
		}
	case <-c.r.Context().Done():
		return ErrClientGone
	}
	if a.response == nil {
		return a.err
	}
	defer a.response.Drop()
	return c.send(a.response)
}

// Detach ends the guest's part of the request. An answer that comes later is
// dropped.
func (c *Call) Detach() {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	c.stop()
	select {
	case a := <-c.answer:
		a.drop()
	default:
	}
	if c.r.ProtoMajor < 2 && c.r.Body != http.NoBody && !c.drain() {
		closeAfter(c.w)
	}
}

// maxDrain is how many bytes of a body that nobody wants are read, so that the
// connection can be used again.
const maxDrain = 256 << 10

// drain reads what is left of an HTTP/1 request's body, if it is little and
// there. It reports whether the next request follows. The server would do the
// same after ServeHTTP, but there it takes the end of the body, with full
// duplex, for the time to watch the connection, and fails the next request.
func (c *Call) drain() bool {
	c.mu.Lock()
	ended := c.ended && !c.cut
	c.reading = !c.ended && !c.cut && c.r.Header.Get("Expect") == "" // else nobody sends it
	drains := c.reading
	c.mu.Unlock()
	if !drains {
		return ended
	}
	if c.began {
		c.flush()
	}
	defer time.AfterFunc(patience, c.breakOff).Stop()
	buf := make([]byte, 4<<10)
	for left := maxDrain; left > 0; {
		n, err := c.r.Body.Read(buf)
		if err != nil {
			return c.rest() && errors.Is(err, goio.EOF)
		}
		if left -= n; c.broken() {
			break
		}
	}
	c.rest()
	return false
}

// rest notes that nothing is read any more, and reports whether patience has
// lasted.
func (c *Call) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	return !c.cut
}

// broken reports whether patience has run out.
func (c *Call) broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

func (a answer) drop() {
	if a.response != nil {
		a.response.Drop()
	}
}

// closeAfter has the server close an HTTP/1 connection after the response: the
// rest of the request's body would be taken for the next request. The server
// does so when a body is larger than [http.MaxBytesReader] allows, so that this
// reads one that is.
func closeAfter(w http.ResponseWriter) {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	_, _ = goio.ReadAll(http.MaxBytesReader(w, goio.NopCloser(strings.NewReader("more")), 0)) // fails, as it should
}

// set answers the call, once.
func (c *Call) set(a answer) {
	c.mu.Lock()
	gone := c.gone
	if !gone {
		c.answer <- a // there is one outparam, and it is set once
	}
	c.mu.Unlock()
	if gone {
		a.drop()
	}
}

// outparam is the resource response-outparam.
type outparam struct {
	call *Call
	used bool
}

func (p *outparam) set(r *outgoingResponse, err error) {
	p.used = true
	p.call.set(answer{r, err})
}

// Drop implements the contract.
func (p *outparam) Drop() {
	if !p.used {
		p.set(nil, ErrNoAnswer)
	}
}

// incomingRequest is the resource of that name.
type incomingRequest struct {
	call  *Call
	taken bool
}

var _ contract.IncomingRequest = (*incomingRequest)(nil)

// Method implements the contract.
func (r *incomingRequest) Method(context.Context) (contract.Method, error) {
	return methodOf(r.call.r.Method), nil
}

// PathWithQuery implements the contract: as the client wrote it.
func (r *incomingRequest) PathWithQuery(context.Context) (wit.Option[string], error) {
	req := r.call.r
	if strings.HasPrefix(req.RequestURI, "/") || req.RequestURI == "*" {
		return wit.Some(req.RequestURI), nil
	}
	if req.Method == http.MethodConnect {
		return wit.None[string](), nil
	}
	return wit.Some(req.URL.RequestURI()), nil
}

// Scheme implements the contract.
func (r *incomingRequest) Scheme(context.Context) (wit.Option[contract.Scheme], error) {
	if r.call.r.TLS != nil {
		return wit.Some(contract.Scheme{Tag: contract.SchemeHTTPS}), nil
	}
	return wit.Some(contract.Scheme{Tag: contract.SchemeHTTP}), nil
}

// Authority implements the contract.
func (r *incomingRequest) Authority(context.Context) (wit.Option[string], error) {
	if r.call.r.Host == "" {
		return wit.None[string](), nil
	}
	return wit.Some(r.call.r.Host), nil
}

// Headers implements the contract.
func (r *incomingRequest) Headers(ctx context.Context) (contract.Fields, error) {
	f, err := fieldsOf(ctx, r.call.r.Header)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Consume implements the contract: once, then an error.
func (r *incomingRequest) Consume(ctx context.Context) (contract.IncomingBody, error) {
	if r.taken {
		return nil, errors.New("the request's body was taken before")
	}
	b, err := newIncomingBody(ctx, r.call.body)
	if err != nil {
		return nil, err
	}
	r.taken = true
	return b, nil
}

// Drop implements the contract.
func (r *incomingRequest) Drop() {}

// outgoingResponse is the resource of that name: what the guest has set.
type outgoingResponse struct {
	headers *fields
	status  contract.StatusCode
	body    *outgoingBody
}

var _ contract.OutgoingResponse = (*outgoingResponse)(nil)

// StatusCode implements the contract.
func (r *outgoingResponse) StatusCode(context.Context) (contract.StatusCode, error) {
	return r.status, nil
}

// SetStatusCode implements the contract. 1xx are no answers.
func (r *outgoingResponse) SetStatusCode(_ context.Context, status contract.StatusCode) error {
	if status < 200 || status > 999 {
		return fmt.Errorf("%d is no status of a response", status)
	}
	r.status = status
	return nil
}

// Headers implements the contract: the response's own, which cannot be changed.
func (r *outgoingResponse) Headers(ctx context.Context) (contract.Fields, error) {
	return r.headers.view(ctx)
}

// Body implements the contract: once, then an error.
func (r *outgoingResponse) Body(ctx context.Context) (contract.OutgoingBody, error) {
	if r.body != nil {
		return nil, errors.New("the response's body was taken before")
	}
	b, err := newOutgoingBody(ctx, r.headers, contract.ErrorCodeHTTPResponseBodySize)
	if err != nil {
		return nil, err
	}
	r.body = b
	return b, nil
}

// Drop implements the contract. A body that was taken has nobody to go to.
func (r *outgoingResponse) Drop() {
	if r.body != nil {
		r.body.close(nil)
	}
	r.headers.Drop()
}
