package http

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// Linked returns what carries the requests of a call in place of the network, by the
// link that the operator has set; nil: there is none. Neither rules nor [Outbound]
// count for them.
type Linked func(ctx context.Context) http.RoundTripper

// Config says what the guests of one component may do with HTTP. The zero
// value is usable: every request is refused.
type Config struct {
	// Rules are the servers that requests may go to.
	Rules *egress.Rules
	// Refused is told what was refused and which grant would allow it, for the
	// log. It must not block. Default: nobody is told.
	Refused func(why string)
	// Outbound is the way that they go.
	Outbound
	// Linked are the requests that go by links. Default: none.
	Linked Linked
	// Resolver looks names up. Default: the system's.
	Resolver *net.Resolver
	// Exchanges bounds the requests that are under way at a time, of all
	// instances together. Default: 1,000.
	Exchanges int64
}

// Host carries out wasi:http for the guests of one component. Its connections
// are kept for later requests under the same rules, of any instance, and never
// used under others; [Host.CloseIdle] lets go of them. It is safe for
// concurrent use.
type Host struct {
	rules     *egress.Rules
	refused   func(string)
	out       Outbound
	linked    Linked
	transport *http.Transport
	client    http.Client // follows redirects
	max       int64
	underWay  atomic.Int64
}

var (
	_ contract.Types           = (*Host)(nil)
	_ contract.OutgoingHandler = (*Host)(nil)
)

// New makes a host. It starts nothing.
func New(cfg Config) *Host {
	h := &Host{rules: cfg.Rules, refused: cfg.Refused, linked: cfg.Linked, max: cfg.Exchanges}
	if h.linked == nil {
		h.linked = func(context.Context) http.RoundTripper { return nil }
	}
	if h.max <= 0 {
		h.max = 1000
	}
	if h.refused == nil {
		h.refused = func(string) {}
	}
	h.out = cfg.Outbound
	h.transport = (&dialer{rules: cfg.Rules, out: &h.out, resolver: cfg.Resolver}).transport()
	h.client = http.Client{Transport: h.transport, CheckRedirect: h.redirected}
	return h
}

// CloseIdle closes the connections that no request uses, and those that are in
// use after their requests, until another request is made.
func (h *Host) CloseIdle() { h.transport.CloseIdleConnections() }

// NewFields implements the contract.
func (h *Host) NewFields(ctx context.Context) (contract.Fields, error) {
	f, err := newFields(ctx)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// FieldsFromList implements the contract.
func (h *Host) FieldsFromList(ctx context.Context, entries []contract.TupleStringBytes) (contract.Fields, error) {
	f, err := newFields(ctx)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if err := f.Append(ctx, e.F0, e.F1); err != nil {
			f.Drop()
			return nil, err
		}
	}
	return f, nil
}

// NewOutgoingRequest implements the contract.
func (h *Host) NewOutgoingRequest(ctx context.Context, headers contract.Fields) (contract.OutgoingRequest, error) {
	f, err := own(headers)
	if err != nil {
		return nil, err
	}
	r := &outgoingRequest{headers: f, budget: component.HostBudgetOf(ctx)}
	if err := r.charge(objectCost, 0); err != nil {
		f.Drop()
		return nil, err
	}
	return r, nil
}

// NewRequestOptions implements the contract.
func (h *Host) NewRequestOptions(ctx context.Context) (contract.RequestOptions, error) {
	o := &requestOptions{budget: component.HostBudgetOf(ctx)}
	if err := o.budget.Take(objectCost); err != nil {
		return nil, err
	}
	return o, nil
}

// NewOutgoingResponse implements the contract.
func (h *Host) NewOutgoingResponse(ctx context.Context, headers contract.Fields) (contract.OutgoingResponse, error) {
	f, err := own(headers)
	if err != nil {
		return nil, err
	}
	return &outgoingResponse{headers: f, status: http.StatusOK}, nil
}

// ResponseOutparamSet implements the contract.
func (h *Host) ResponseOutparamSet(_ context.Context, param contract.ResponseOutparam, response wit.Result[contract.OutgoingResponse, contract.ErrorCode]) error {
	p, ok := param.(*outparam)
	if !ok {
		return foreign("response-outparams", param)
	}
	if response.IsErr {
		p.set(nil, response.Err)
		return nil
	}
	r, ok := response.Value.(*outgoingResponse)
	if !ok {
		return foreign("outgoing-responses", response.Value)
	}
	p.set(r, nil)
	return nil
}

// IncomingBodyFinish implements the contract. A stream that is not dropped is a
// trap.
func (h *Host) IncomingBodyFinish(_ context.Context, this contract.IncomingBody) (contract.FutureTrailers, error) {
	b, ok := this.(*incomingBody)
	if !ok {
		return nil, foreign("incoming-bodies", this)
	}
	if b.stream != nil && !b.stream.dropped {
		b.Drop()
		return nil, errStreamLeft
	}
	return &futureTrailers{body: b}, nil
}

// OutgoingBodyFinish implements the contract. A stream that is not dropped is a
// trap.
func (h *Host) OutgoingBodyFinish(_ context.Context, this contract.OutgoingBody, trailers wit.Option[contract.Fields]) error {
	var f *fields
	if trailers.OK {
		defer trailers.Value.Drop()
		var err error
		if f, err = own(trailers.Value); err != nil {
			return err
		}
	}
	b, ok := this.(*outgoingBody)
	if !ok {
		return foreign("outgoing-bodies", this)
	}
	if b.stream != nil && !b.stream.dropped {
		b.Drop()
		return errStreamLeft
	}
	return b.finish(f)
}

// HTTPErrorCode implements the contract.
func (h *Host) HTTPErrorCode(_ context.Context, err wasiio.Error) (wit.Option[contract.ErrorCode], error) {
	e, ok := err.(*io.Error)
	if !ok {
		return wit.None[contract.ErrorCode](), nil
	}
	if c, ok := errors.AsType[contract.ErrorCode](e); ok {
		return wit.Some(c), nil
	}
	return wit.None[contract.ErrorCode](), nil
}
