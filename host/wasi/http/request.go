package http

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/wit"
	wasiclocks "github.com/lathhost/lath/wit/wasi/clocks"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// outgoingRequest is the resource of that name: what the guest has set.
type outgoingRequest struct {
	headers   *fields
	method    contract.Method
	path      wit.Option[string]
	scheme    wit.Option[contract.Scheme]
	authority wit.Option[string]
	body      *outgoingBody
	budget    *component.HostBudget
	charged   int
}

var _ contract.OutgoingRequest = (*outgoingRequest)(nil)

// Body implements the contract: once, then an error.
func (r *outgoingRequest) Body(ctx context.Context) (_ contract.OutgoingBody, err error) {
	if r.body != nil {
		return nil, errors.New("the request's body was taken before")
	}
	b, err := newOutgoingBody(ctx, r.headers, contract.ErrorCodeHTTPRequestBodySize)
	if err != nil {
		return nil, err
	}
	r.body = b
	return b, nil
}

// Method implements the contract.
func (r *outgoingRequest) Method(context.Context) (contract.Method, error) { return r.method, nil }

// SetMethod implements the contract.
func (r *outgoingRequest) SetMethod(_ context.Context, method contract.Method) error {
	if method.Tag == contract.MethodOther && (!token(method.Other) || len(method.Other) > maxText) {
		return errors.New("not a method")
	}
	if err := r.charge(len(method.Other), len(r.method.Other)); err != nil {
		return err
	}
	r.method = method
	return nil
}

// PathWithQuery implements the contract.
func (r *outgoingRequest) PathWithQuery(context.Context) (wit.Option[string], error) {
	return r.path, nil
}

// SetPathWithQuery implements the contract.
func (r *outgoingRequest) SetPathWithQuery(_ context.Context, path wit.Option[string]) error {
	if !validTarget(path.Value) {
		return errors.New("not a path with a query")
	}
	if err := r.charge(len(path.Value), len(r.path.Value)); err != nil {
		return err
	}
	r.path = path
	return nil
}

// Scheme implements the contract.
func (r *outgoingRequest) Scheme(context.Context) (wit.Option[contract.Scheme], error) {
	return r.scheme, nil
}

// SetScheme implements the contract.
func (r *outgoingRequest) SetScheme(_ context.Context, scheme wit.Option[contract.Scheme]) error {
	if scheme.OK && scheme.Value.Tag == contract.SchemeOther && !validScheme(scheme.Value.Other) {
		return errors.New("not a scheme")
	}
	if err := r.charge(len(scheme.Value.Other), len(r.scheme.Value.Other)); err != nil {
		return err
	}
	r.scheme = scheme
	return nil
}

// Authority implements the contract.
func (r *outgoingRequest) Authority(context.Context) (wit.Option[string], error) {
	return r.authority, nil
}

// SetAuthority implements the contract.
func (r *outgoingRequest) SetAuthority(_ context.Context, authority wit.Option[string]) error {
	if _, _, ok := hostPort(authority.Value); authority.OK && !ok {
		return errors.New("not an authority")
	}
	if err := r.charge(len(authority.Value), len(r.authority.Value)); err != nil {
		return err
	}
	r.authority = authority
	return nil
}

// charge accounts for a text of n bytes in the place of one of old bytes.
func (r *outgoingRequest) charge(n, old int) error {
	if err := r.budget.Take(n); err != nil {
		return err
	}
	r.budget.Give(old)
	r.charged += n - old
	return nil
}

// Headers implements the contract: the request's own, which cannot be changed.
func (r *outgoingRequest) Headers(ctx context.Context) (contract.Fields, error) {
	return r.headers.view(ctx)
}

// Drop implements the contract. A body that was taken has nobody to go to.
func (r *outgoingRequest) Drop() {
	if r.body != nil {
		r.body.close(nil)
	}
	r.release()
}

// release gives up everything but the body.
func (r *outgoingRequest) release() {
	r.headers.Drop()
	r.budget.Give(r.charged)
	r.charged = 0
}

// requestOptions is the resource of that name: what the guest has set.
type requestOptions struct {
	connect, firstByte, betweenBytes wit.Option[wasiclocks.Duration]
	budget                           *component.HostBudget
}

var _ contract.RequestOptions = (*requestOptions)(nil)

// defaultTimeout is how long each part of an exchange may take where the guest
// does not say; the call's own deadline comes first.
const defaultTimeout = 10 * time.Minute

// timeout is a duration of a guest's, which may be longer than Go can tell.
func timeout(d wit.Option[wasiclocks.Duration]) time.Duration {
	if !d.OK {
		return defaultTimeout
	}
	return time.Duration(min(d.Value, math.MaxInt64))
}

// ConnectTimeout implements the contract.
func (o *requestOptions) ConnectTimeout(context.Context) (wit.Option[wasiclocks.Duration], error) {
	return o.connect, nil
}

// SetConnectTimeout implements the contract.
func (o *requestOptions) SetConnectTimeout(_ context.Context, duration wit.Option[wasiclocks.Duration]) error {
	o.connect = duration
	return nil
}

// FirstByteTimeout implements the contract.
func (o *requestOptions) FirstByteTimeout(context.Context) (wit.Option[wasiclocks.Duration], error) {
	return o.firstByte, nil
}

// SetFirstByteTimeout implements the contract.
func (o *requestOptions) SetFirstByteTimeout(_ context.Context, duration wit.Option[wasiclocks.Duration]) error {
	o.firstByte = duration
	return nil
}

// BetweenBytesTimeout implements the contract.
func (o *requestOptions) BetweenBytesTimeout(context.Context) (wit.Option[wasiclocks.Duration], error) {
	return o.betweenBytes, nil
}

// SetBetweenBytesTimeout implements the contract.
func (o *requestOptions) SetBetweenBytesTimeout(_ context.Context, duration wit.Option[wasiclocks.Duration]) error {
	o.betweenBytes = duration
	return nil
}

// Drop implements the contract.
func (o *requestOptions) Drop() { o.budget.Give(objectCost) }
