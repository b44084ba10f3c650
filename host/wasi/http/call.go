package http

import (
	"context"
	"errors"
	"fmt"
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
// returns. Most guests end soon and have answered all by then: Settle, at a guest's
// end, makes that the host's own.
type Call struct {
	// WriteBy is when a response is cut off that its client does not read, or that its
	// guest does not finish; zero: never.
	WriteBy time.Time

	w      http.ResponseWriter
	r      *http.Request
	body   *incoming
	answer chan answer // holds one
	began  bool        // the response has; of ServeHTTP's goroutine
	timed  bool        // writes to the client are; of the same
	bytes  *RequestBody

	mu     sync.Mutex
	gone   bool              // ServeHTTP has ended
	prompt bool              // answers are wanted as they come
	held   *outgoingResponse // one that may soon be whole
	whole  *wholeResponse    // one that was settled
}

// answer is what the guest gave: a response or an error.
type answer struct {
	response *outgoingResponse
	err      error
}

// NewCall makes a call of what a server's handler got. Nothing is read before
// the guest asks.
func NewCall(w http.ResponseWriter, r *http.Request) *Call {
	c := &Call{w: w, r: r, answer: make(chan answer, 1), bytes: NewRequestBody(w, r)}
	c.body = &incoming{
		r: c.bytes, failed: requestCode, trailers: func() http.Header { return r.Trailer }, stop: func() { _ = c.bytes.Close() },
	}
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

// Answer waits for the guest's answer and sends it, until its body ends. over
// says that the guest has ended; what it left is sent. The context of the
// request ends the sending, too. For the first millisecond, a small response is
// waited for until its guest has ended: to begin earlier would be to wake twice.
//
// # Errors
//
// [ErrNoAnswer] or the guest's ErrorCode, where nothing was sent; [ErrAborted]
// or [ErrClientGone], where something may have been, and only the end of the
// connection tells the client that it is incomplete.
func (c *Call) Answer(over <-chan struct{}) error {
	a, err := c.await(over)
	switch {
	case err != nil:
		return err
	case a.err != nil:
		return a.err
	case a.response == nil:
		return c.sendWhole()
	}
	defer a.response.Drop()
	return c.send(a.response)
}

// await returns the guest's answer, or nothing where it was settled.
func (c *Call) await(over <-chan struct{}) (answer, error) {
	defer time.AfterFunc(promptly, c.hurry).Stop()
	select {
	case a := <-c.answer:
		return a, nil
	case <-over:
		if c.whole != nil { // set before over was closed
			return answer{}, nil
		}
		c.hurry()
		select {
		case a := <-c.answer:
			return a, nil
		default:
			return answer{}, ErrNoAnswer
		}
	case <-c.r.Context().Done():
		return answer{}, ErrClientGone
	}
}

// hurry has the answer, and any that is still to come, be sent at once.
func (c *Call) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prompt = true
	c.giveHeld()
}

// giveHeld hands over the response that was held, if there is one. The caller holds
// mu.
func (c *Call) giveHeld() {
	if c.held != nil {
		c.answer <- answer{response: c.held} // it is the only one
		c.held = nil
	}
}

// Settle is for the guest's end, before over is closed. It takes a response that
// waits to be sent, and is whole, off the guest's hands: what the guest and its
// instance were charged for it is given back. It reports whether nothing is left to
// be sent that is the guest's.
func (c *Call) Settle() bool {
	c.mu.Lock()
	r, gone := c.held, c.gone
	c.held, c.prompt = nil, true
	c.mu.Unlock()
	if r == nil {
		return gone
	}
	whole := r.settle()
	if whole == nil {
		c.set(answer{response: r})
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		whole.free()
	} else {
		c.whole = whole
	}
	return true
}

// Detach ends the guest's part of the request. An answer that comes later is
// dropped.
func (c *Call) Detach() {
	c.mu.Lock()
	c.gone = true
	c.giveHeld()
	if c.whole != nil {
		c.whole.free()
		c.whole = nil
	}
	c.mu.Unlock()
	_ = c.bytes.Close()
	select {
	case a := <-c.answer:
		a.drop()
	default:
	}
	if c.r.Body != http.NoBody {
		c.timeWrites() // to read what is left of it may be to write
	}
	c.bytes.End(c.began)
}

// timeWrites has writes to the client end at some time, also those of the server
// when the handler has returned, which takes the time back itself. It is not for
// nothing: the few bytes that the server keeps until then are left to what bounds the
// writes of its connections, which hold no guest; in HTTP/2 the client may leave no
// room for any.
func (c *Call) timeWrites() {
	if !c.timed && !c.WriteBy.IsZero() {
		c.timed = true
		_ = http.NewResponseController(c.w).SetWriteDeadline(c.WriteBy) // tests' writers know none
	}
}

func (a answer) drop() {
	if a.response != nil {
		a.response.Drop()
	}
}

// set answers the call, once.
func (c *Call) set(a answer) {
	c.mu.Lock()
	gone := c.gone
	switch {
	case gone:
	case a.response != nil && !c.prompt && (a.response.body == nil || a.response.body.small(c.hurry)):
		c.held = a.response
	default:
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
