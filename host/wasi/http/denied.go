package http

import (
	"context"
	"errors"

	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

const (
	noOutgoing = "outgoing HTTP is not granted: this host has no grant for it yet"
	noIncoming = "serving HTTP is not granted: this host has no grant for it yet"
)

var errNoIncoming = errors.New("wasi:http: " + noIncoming)

// Denied carries out wasi:http without any network.
type Denied struct {
	// Refused is told what was refused, for the log. Nil: nobody is told.
	Refused func(why string)
}

var (
	_ contract.Types           = Denied{}
	_ contract.OutgoingHandler = Denied{}
)

// Handle implements the contract: an internal-error that says what is missing.
func (d Denied) Handle(_ context.Context, request contract.OutgoingRequest, options wit.Option[contract.RequestOptions]) (contract.FutureIncomingResponse, error) {
	request.Drop()
	if options.OK {
		options.Value.Drop()
	}
	if d.Refused != nil {
		d.Refused("wasi:http: " + noOutgoing)
	}
	return nil, contract.ErrorCode{Tag: contract.ErrorCodeInternalError, InternalError: wit.Some(noOutgoing)}
}

// NewFields implements the contract.
func (Denied) NewFields(context.Context) (contract.Fields, error) { return &fields{}, nil }

// FieldsFromList implements the contract.
func (Denied) FieldsFromList(ctx context.Context, entries []contract.TupleStringBytes) (contract.Fields, error) {
	f := &fields{}
	for _, e := range entries {
		if err := f.Append(ctx, e.F0, e.F1); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// NewOutgoingRequest implements the contract.
func (Denied) NewOutgoingRequest(_ context.Context, headers contract.Fields) (contract.OutgoingRequest, error) {
	return newRequest(headers)
}

// NewRequestOptions implements the contract.
func (Denied) NewRequestOptions(context.Context) (contract.RequestOptions, error) {
	return &requestOptions{}, nil
}

// ResponseOutparamSet implements the contract: a trap. No guest has one.
func (Denied) ResponseOutparamSet(context.Context, contract.ResponseOutparam, wit.Result[contract.OutgoingResponse, contract.ErrorCode]) error {
	return errNoIncoming
}

// IncomingBodyFinish implements the contract: a trap. No guest has one.
func (Denied) IncomingBodyFinish(context.Context, contract.IncomingBody) (contract.FutureTrailers, error) {
	return nil, errNoIncoming
}

// NewOutgoingResponse implements the contract: a trap.
func (Denied) NewOutgoingResponse(_ context.Context, headers contract.Fields) (contract.OutgoingResponse, error) {
	headers.Drop()
	return nil, errNoIncoming
}

// OutgoingBodyFinish implements the contract. The body belongs to a request
// that is not sent.
func (Denied) OutgoingBodyFinish(_ context.Context, this contract.OutgoingBody, trailers wit.Option[contract.Fields]) error {
	this.Drop()
	if trailers.OK {
		trailers.Value.Drop()
	}
	return nil
}

// HTTPErrorCode implements the contract: no stream error comes from HTTP.
func (Denied) HTTPErrorCode(context.Context, wasiio.Error) (wit.Option[contract.ErrorCode], error) {
	return wit.None[contract.ErrorCode](), nil
}

// body is an outgoing body that goes nowhere.
type body struct{ opened bool }

// Write implements the contract: a stream once, then an error.
func (b *body) Write(context.Context) (wasiio.OutputStream, error) {
	if b.opened {
		return nil, errors.New("the body's stream was taken before")
	}
	b.opened = true
	return io.DirectOutputStream(discard{}), nil
}

// Drop implements the contract.
func (*body) Drop() {}

// discard is a writer that keeps nothing.
type discard struct{}

// Write implements [io.Writer].
func (discard) Write(b []byte) (int, error) { return len(b), nil }
