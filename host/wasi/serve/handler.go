package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	httpbind "github.com/lathhost/lath/host/bind/wasi/http"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	wasihttp "github.com/lathhost/lath/host/wasi/http"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// Interface and Func are what is called. Every 0.2.x of the interface serves.
const (
	Interface = "wasi:http/incoming-handler@0.2.0"
	Func      = "handle"
)

// Options configure a [Handler]. Zero fields mean the defaults.
type Options struct {
	// Time bounds one call of the component, from the request's arrival to the
	// guest's end, bodies included. Default: 30 s.
	Time time.Duration
	// Linger is how long a guest may go on when its client has gone away.
	// Default: 1 s.
	Linger time.Duration
	// Runner makes the calls. Default: each has an instance of the template, and
	// a request beyond Calls is answered with 503 at once.
	Runner Runner
	// Calls bounds the calls that run at a time, where there is no Runner.
	// Default: 256.
	Calls int
	// Whole has a request be answered only when its guest has ended. Otherwise
	// the guest may go on after its response.
	Whole bool
	// HeaderBytes bounds the names and values of a request's headers. A request
	// with more is answered with 431. Default: 64 KiB.
	HeaderBytes int
	// Failed is told how calls failed, a guest's trap among them; the client is
	// told only that they did. It is called by many goroutines at a time.
	// Default: nobody is told.
	Failed func(r *http.Request, err error)
}

func (o Options) withDefaults() Options {
	if o.Time <= 0 {
		o.Time = 30 * time.Second
	}
	if o.Linger <= 0 {
		o.Linger = time.Second
	}
	if o.Calls <= 0 {
		o.Calls = 256
	}
	if o.HeaderBytes <= 0 {
		o.HeaderBytes = 64 << 10
	}
	if o.Failed == nil {
		o.Failed = func(*http.Request, error) {}
	}
	return o
}

// Handler answers requests by a component. It is safe for concurrent use.
type Handler struct {
	exports httpbind.IncomingHandlerExports
	opts    Options
	workers workers

	mu     sync.Mutex
	closed bool
	guests sync.WaitGroup
	ctx    context.Context //nolint:containedctx // ends with Close
	stop   context.CancelFunc
}

// NewHandler makes a handler of a component, which must export
// wasi:http/incoming-handler and have its wasi:http from [wasi.Interfaces].
// Close it before the template.
func NewHandler(tmpl *component.Template, opts Options) (*Handler, error) {
	if tmpl.Export(Interface, Func) == nil {
		return nil, fmt.Errorf("component %s serves no HTTP: it does not export %s", tmpl.Name(), Interface)
	}
	exports, err := httpbind.NewIncomingHandlerExports(tmpl)
	if err != nil {
		return nil, err
	}
	h := &Handler{exports: exports, opts: opts.withDefaults(), workers: workers{tasks: make(chan func())}}
	if h.opts.Runner == nil {
		h.opts.Runner = &slots{tmpl: tmpl, taken: make(chan struct{}, h.opts.Calls)}
	}
	h.ctx, h.stop = context.WithCancel(context.Background())
	return h, nil
}

// Close ends the calls that run and waits for them; later requests are answered
// with 503. For a gentle end, shut the server down first.
func (h *Handler) Close() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.stop()
	h.guests.Wait()
	h.workers.all.Wait()
}

// admit takes a place for a call, whose guest is one of guests until it has left.
func (h *Handler) admit(ctx context.Context) (leave func(), err error) {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil, ErrFull
	}
	h.guests.Add(1)
	h.mu.Unlock()
	if leave, err = h.opts.Runner.Admit(ctx); err != nil {
		h.guests.Done()
	}
	return leave, err
}

// ServeHTTP implements [http.Handler]. The response goes out as the guest
// writes it; the guest may go on after it, until its time is over. It panics
// with [http.ErrAbortHandler] where a response has begun and cannot be
// completed.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h.Serve(w, r, 0); err != nil {
		h.opts.Failed(r, err)
		Refuse(w, http.StatusServiceUnavailable)
	}
}

// Serve is ServeHTTP for a request that has less time than usual, if most is
// not 0, and whose caller may take it elsewhere: an error means that there was
// no place for it, and that nothing was done.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, most time.Duration) error {
	if headerBytes(r) > h.opts.HeaderBytes {
		Refuse(w, http.StatusRequestHeaderFieldsTooLarge)
		return nil
	}
	leave, err := h.admit(r.Context())
	if err != nil {
		return err
	}
	if most <= 0 || most > h.opts.Time {
		most = h.opts.Time
	}
	call := wasihttp.NewCall(w, r)
	call.WriteBy = time.Now().Add(most + h.opts.Linger)
	g := h.start(call, r, most, leave)
	if g.left != nil {
		defer func() { <-g.left }()
	}
	defer close(g.served)
	err = call.Answer(g.over)
	if err != nil {
		err = h.cause(g, r, err)
	}
	call.Detach()
	if err != nil {
		h.fail(w, r, err)
		return nil
	}
	return nil
}

// Failer is a [http.ResponseWriter] whose client can be told an error in the
// place of a response, or in the middle of one.
type Failer interface {
	// Fail ends the response.
	Fail(err error)
}

// fail tells the client, as far as it can be told.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	h.opts.Failed(r, err)
	if f, ok := w.(Failer); ok {
		f.Fail(err)
		return
	}
	if errors.Is(err, wasihttp.ErrAborted) || errors.Is(err, wasihttp.ErrClientGone) {
		panic(http.ErrAbortHandler)
	}
	Refuse(w, Status(err))
}

// refusalTime is how long a client may take to read a refusal, or in HTTP/2 to leave
// room for it.
const refusalTime = 10 * time.Second

// Refuse answers with a status and its text, which the client has 10 s to take. One
// that is to try again is told so.
func Refuse(w http.ResponseWriter, status int) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(refusalTime)) // others than net/http's writers know none
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	http.Error(w, http.StatusText(status), status)
}

// guest is one call of the component.
type guest struct {
	cancel context.CancelFunc
	over   chan struct{}
	err    error         // after over
	served chan struct{} // closed when nothing more of the response is sent
	left   chan struct{} // closed when the guest's place is free; nil: nobody waits for it
}

// cause waits for a guest that gave no answer, or not a whole one, and returns
// why: its trap, if it ended by one. A guest whose client has gone away is not
// waited for, but has not much time left.
func (h *Handler) cause(g *guest, r *http.Request, err error) error {
	if errors.Is(err, wasihttp.ErrClientGone) {
		h.abandon(g)
		return err
	}
	if !errors.Is(err, wasihttp.ErrAborted) && !errors.Is(err, wasihttp.ErrNoAnswer) {
		return err // the guest's own error code
	}
	select {
	case <-g.over:
	case <-r.Context().Done():
		h.abandon(g)
		<-g.over
	}
	return errors.Join(err, g.err)
}

// abandon ends a guest in some time. One that ends before is not hurt.
func (h *Handler) abandon(g *guest) { time.AfterFunc(h.opts.Linger, g.cancel) }

// guestContext is a guest's: it ends with the handler, and has the values of the
// request, which the guest may outlive.
type guestContext struct {
	context.Context //nolint:containedctx // the handler's; this is a context itself
	request         context.Context
}

// Value implements [context.Context].
func (c *guestContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil { // what the context package asks a parent for
		return v
	}
	return c.request.Value(key)
}

// start begins the call on a goroutine, since the guest may outlive the
// request's response.
func (h *Handler) start(call *wasihttp.Call, r *http.Request, most time.Duration, leave func()) *guest {
	ctx, cancel := context.WithCancel(&guestContext{h.ctx, r.Context()})
	g := &guest{cancel: cancel, over: make(chan struct{}), served: make(chan struct{})}
	if h.opts.Whole {
		g.left = make(chan struct{})
	}
	h.workers.do(h.ctx, func() {
		defer h.guests.Done()
		if g.left != nil {
			defer close(g.left)
		}
		defer leave()
		defer cancel()
		err := h.opts.Runner.Run(ctx, most, h.exports[0], func(ctx context.Context, i *component.Instance) error {
			return h.call(ctx, i, call)
		}, func(err error) {
			g.err = err
			settled := call.Settle()
			close(g.over)
			if !settled {
				h.await(g.served)
			}
		})
		if err != nil {
			h.opts.Failed(r, err)
		}
	})
	return g
}

// sendTime is how long an instance waits for the end of its response: most are
// on their way by then. A guest that left a response unfinished ends it only with
// its instance, and a client that takes one slowly is not to keep an instance.
const sendTime = 20 * time.Millisecond

// await waits until a response was sent: what the host holds of it counts to the
// instance, which could not be used again before.
func (h *Handler) await(served <-chan struct{}) {
	select {
	case <-served:
		return
	default:
	}
	late := time.NewTimer(sendTime)
	defer late.Stop()
	select {
	case <-served:
	case <-late.C:
	case <-h.ctx.Done():
	}
}

// call has an instance answer.
func (h *Handler) call(ctx context.Context, i *component.Instance, call *wasihttp.Call) error {
	return h.exports.On(i).Handle(ctx, call.Request(), call.Outparam())
}

// headerBytes counts what the guest may keep of a request.
func headerBytes(r *http.Request) int {
	n := len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	return n
}

// Status is what the client is told of a call that failed before its response
// began.
func Status(err error) int {
	if errors.Is(err, component.ErrNoMemory) {
		return http.StatusServiceUnavailable
	}
	if t := trap.As(err); t != nil {
		switch t.Code {
		case trap.Deadline:
			return http.StatusGatewayTimeout
		case trap.Cancelled:
			return http.StatusServiceUnavailable
		}
		return http.StatusInternalServerError
	}
	c, ok := errors.AsType[contract.ErrorCode](err)
	if !ok {
		return http.StatusInternalServerError
	}
	return codeStatus(c.Tag)
}

// codeStatus is the status that goes with a guest's error code (RFC 9209,
// section 2.3).
func codeStatus(tag contract.ErrorCodeTag) int {
	switch tag {
	case contract.ErrorCodeHTTPRequestDenied:
		return http.StatusForbidden
	case contract.ErrorCodeHTTPRequestLengthRequired:
		return http.StatusLengthRequired
	case contract.ErrorCodeHTTPRequestBodySize:
		return http.StatusRequestEntityTooLarge
	case contract.ErrorCodeHTTPRequestMethodInvalid, contract.ErrorCodeHTTPRequestURIInvalid:
		return http.StatusBadRequest
	case contract.ErrorCodeHTTPRequestURITooLong:
		return http.StatusRequestURITooLong
	case contract.ErrorCodeHTTPRequestHeaderSectionSize, contract.ErrorCodeHTTPRequestHeaderSize,
		contract.ErrorCodeHTTPRequestTrailerSectionSize, contract.ErrorCodeHTTPRequestTrailerSize:
		return http.StatusRequestHeaderFieldsTooLarge
	case contract.ErrorCodeDNSTimeout, contract.ErrorCodeConnectionTimeout, contract.ErrorCodeConnectionReadTimeout,
		contract.ErrorCodeConnectionWriteTimeout, contract.ErrorCodeHTTPResponseTimeout:
		return http.StatusGatewayTimeout
	case contract.ErrorCodeDestinationUnavailable, contract.ErrorCodeConnectionLimitReached:
		return http.StatusServiceUnavailable
	case contract.ErrorCodeInternalError, contract.ErrorCodeConfigurationError:
		return http.StatusInternalServerError
	}
	return http.StatusBadGateway
}
