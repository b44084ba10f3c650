package http

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// outgoingBody is the resource of that name: a pipe from the guest to whoever
// sends the body, and trailers for its end. What it takes is given back when
// both have left.
type outgoingBody struct {
	pipe   *io.Pipe
	length int64                 // what the headers announce; -1: nothing
	wrong  contract.ErrorCodeTag // what another length is
	budget *component.HostBudget

	mu       sync.Mutex
	written  uint64
	stream   *sendStream
	charged  int
	sealed   bool        // finished, and well
	grown    func()      // told once that this is more than is held back; nil: nobody is
	holders  int         // the guest and the sender
	trailers http.Header // set before the pipe's end
}

var _ contract.OutgoingBody = (*outgoingBody)(nil)

// newOutgoingBody makes the body of a message with these headers. Headers that
// announce two lengths have none.
func newOutgoingBody(ctx context.Context, headers *fields, wrong contract.ErrorCodeTag) (*outgoingBody, error) {
	length, err := contentLength(headers)
	if err != nil {
		return nil, err
	}
	b := &outgoingBody{length: length, wrong: wrong, holders: 2, budget: component.HostBudgetOf(ctx)}
	if err := b.charge(objectCost); err != nil {
		return nil, err
	}
	b.pipe = io.NewPipe(b.count)
	return b, nil
}

// contentLength is what headers announce, or -1.
func contentLength(headers *fields) (int64, error) {
	values, _ := headers.Get(context.Background(), "content-length")
	length := int64(-1)
	for i, v := range values {
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil || i > 0 && n != length {
			return 0, errors.New("the headers announce no valid length")
		}
		length = n
	}
	return length, nil
}

func (b *outgoingBody) charge(n int) error {
	if err := b.budget.Take(n); err != nil {
		return err
	}
	b.charged += n
	return nil
}

// count checks a write of n bytes against the length that was announced.
func (b *outgoingBody) count(n int) error {
	b.mu.Lock()
	if b.written += uint64(n); b.length >= 0 && b.written > uint64(b.length) {
		defer b.mu.Unlock()
		return b.wrongLength()
	}
	var grown func()
	if b.written > copyBytes {
		grown, b.grown = b.grown, nil
	}
	b.mu.Unlock()
	if grown != nil {
		grown()
	}
	return nil
}

// small reports whether little of the body was written, and has grown be called
// when it becomes more. grown must not use the body.
func (b *outgoingBody) small(grown func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.written > copyBytes {
		return false
	}
	b.grown = grown
	return true
}

func (b *outgoingBody) wrongLength() error {
	e := contract.ErrorCode{Tag: b.wrong}
	if b.wrong == contract.ErrorCodeHTTPRequestBodySize {
		e.HTTPRequestBodySize = wit.Some(b.written)
	} else {
		e.HTTPResponseBodySize = wit.Some(b.written)
	}
	return e
}

// sendStream is the stream of a body, which the body outlives.
type sendStream struct {
	*io.OutputStream
	dropped bool
}

// Drop implements the contract.
func (s *sendStream) Drop() {
	s.OutputStream.Drop()
	s.dropped = true
}

// errStreamLeft is a trap: the stream must be dropped before its body.
var errStreamLeft = trap.New(trap.Import, "the body's stream is still there")

// Write implements the contract: the stream, once.
func (b *outgoingBody) Write(context.Context) (wasiio.OutputStream, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stream != nil {
		return nil, errors.New("the body's stream was taken before")
	}
	if err := b.charge(io.PipeBytes); err != nil {
		return nil, err
	}
	b.stream = &sendStream{OutputStream: b.pipe.OutputStream()}
	return b.stream, nil
}

// finish ends the body for the guest, with trailers or nil.
func (b *outgoingBody) finish(trailers *fields) error {
	err := b.seal(trailers)
	b.pipe.CloseWrite(err)
	b.leave()
	return err
}

func (b *outgoingBody) seal(trailers *fields) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.length >= 0 && b.written != uint64(b.length) {
		return b.wrongLength()
	}
	if trailers != nil {
		if err := b.charge(trailers.size); err != nil {
			return err
		}
		b.trailers = trailers.header()
	}
	b.sealed = true
	return nil
}

// whole reports whether the body has ended as its guest meant it to.
func (b *outgoingBody) whole() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sealed
}

// sent returns the trailers, after the pipe's end.
func (b *outgoingBody) sent() http.Header {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.trailers
}

// Drop implements the contract: whoever sends the body tells the peer that it
// is incomplete.
func (b *outgoingBody) Drop() {
	b.pipe.CloseWrite(code(contract.ErrorCodeHTTPProtocolError))
	b.leave()
}

// close is the end of the sender, who finds out by err why, if it is not nil.
func (b *outgoingBody) close(err error) {
	b.pipe.CloseRead(err)
	b.leave()
}

func (b *outgoingBody) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.holders--; b.holders == 0 {
		b.budget.Give(b.charged)
		b.charged = 0
	}
}
