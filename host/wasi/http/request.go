package http

import (
	"context"
	"errors"
	"fmt"

	"github.com/lathhost/lath/wit"
	wasiclocks "github.com/lathhost/lath/wit/wasi/clocks"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// maxText bounds a method, path, scheme or authority, in bytes.
const maxText = 64 << 10

// outgoingRequest is the resource of that name: what the guest has set.
type outgoingRequest struct {
	headers   *fields
	method    contract.Method
	path      wit.Option[string]
	scheme    wit.Option[contract.Scheme]
	authority wit.Option[string]
	opened    bool
}

var _ contract.OutgoingRequest = (*outgoingRequest)(nil)

func newRequest(headers contract.Fields) (contract.OutgoingRequest, error) {
	f, ok := headers.(*fields)
	if !ok {
		return nil, fmt.Errorf("fields are a %T, which this host did not make", headers)
	}
	f.immutable = true
	return &outgoingRequest{headers: f}, nil
}

// Body implements the contract: once, then an error.
func (r *outgoingRequest) Body(context.Context) (contract.OutgoingBody, error) {
	if r.opened {
		return nil, errors.New("the request's body was taken before")
	}
	r.opened = true
	return &body{}, nil
}

// Method implements the contract.
func (r *outgoingRequest) Method(context.Context) (contract.Method, error) { return r.method, nil }

// SetMethod implements the contract.
func (r *outgoingRequest) SetMethod(_ context.Context, method contract.Method) error {
	if method.Tag == contract.MethodOther && (!token(method.Other) || len(method.Other) > maxText) {
		return errors.New("not a method")
	}
	r.method = method
	return nil
}

// PathWithQuery implements the contract.
func (r *outgoingRequest) PathWithQuery(context.Context) (wit.Option[string], error) {
	return r.path, nil
}

// SetPathWithQuery implements the contract.
func (r *outgoingRequest) SetPathWithQuery(_ context.Context, pathWithQuery wit.Option[string]) error {
	return setText(&r.path, pathWithQuery)
}

// Scheme implements the contract.
func (r *outgoingRequest) Scheme(context.Context) (wit.Option[contract.Scheme], error) {
	return r.scheme, nil
}

// SetScheme implements the contract.
func (r *outgoingRequest) SetScheme(_ context.Context, scheme wit.Option[contract.Scheme]) error {
	if scheme.OK && len(scheme.Value.Other) > maxText {
		return errors.New("not a scheme")
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
	return setText(&r.authority, authority)
}

// setText stores a text that can stand in a request line.
func setText(to *wit.Option[string], v wit.Option[string]) error {
	if len(v.Value) > maxText || !validValue([]byte(v.Value)) {
		return errors.New("too long or with control characters")
	}
	*to = v
	return nil
}

// Headers implements the contract: the request's own, which cannot be changed.
func (r *outgoingRequest) Headers(context.Context) (contract.Fields, error) {
	return r.headers, nil
}

// Drop implements the contract.
func (r *outgoingRequest) Drop() {}

// requestOptions is the resource of that name: what the guest has set.
type requestOptions struct {
	connect, firstByte, betweenBytes wit.Option[wasiclocks.Duration]
}

var _ contract.RequestOptions = (*requestOptions)(nil)

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
func (o *requestOptions) Drop() {}
