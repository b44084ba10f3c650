package http

import (
	"context"
	"errors"
	goio "io"
	"net/http"
	"sync"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// sourceBytes is what reading a body ahead takes.
const sourceBytes = 64 << 10

// incoming is a message body as it comes in: its bytes, their end, and what
// comes after. It is an [goio.ReadCloser] for an [io.Source].
type incoming struct {
	r        goio.Reader
	failed   func(error) error  // makes an error of r an error code
	trailers func() http.Header // to be asked after the end
	stop     func()             // ends a Read that is under way, and everything else

	mu   sync.Mutex
	once sync.Once
	end  error // io.EOF, or an error code
}

// Read implements [goio.Reader].
func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, goio.EOF) {
		err = b.failed(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.end == nil {
		b.end = err
	}
	return n, err
}

// ended returns how the body ended.
func (b *incoming) ended() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.end
}

// Close implements [goio.Closer].
func (b *incoming) Close() error {
	b.once.Do(b.stop)
	return nil
}

// incomingBody is the resource of that name.
type incomingBody struct {
	from    *incoming
	src     *io.Source
	budget  *component.HostBudget
	charged int
	stream  *bodyStream
}

var _ contract.IncomingBody = (*incomingBody)(nil)

func newIncomingBody(ctx context.Context, from *incoming) (*incomingBody, error) {
	b := &incomingBody{from: from, src: io.NewSource(from), budget: component.HostBudgetOf(ctx)}
	if err := b.budget.Take(sourceBytes); err != nil {
		return nil, err
	}
	b.charged = sourceBytes
	return b, nil
}

// bodyStream is the stream of a body, which the body outlives.
type bodyStream struct {
	*io.InputStream
	dropped bool
}

// Drop implements the contract.
func (s *bodyStream) Drop() {
	s.InputStream.Drop()
	s.dropped = true
}

// Stream implements the contract: once, then an error.
func (b *incomingBody) Stream(context.Context) (wasiio.InputStream, error) {
	if b.stream != nil {
		return nil, errors.New("the body's stream was taken before")
	}
	b.stream = &bodyStream{InputStream: io.SharedInputStream(b.src)}
	return b.stream, nil
}

// Drop implements the contract: nobody wants the rest.
func (b *incomingBody) Drop() {
	_ = b.src.Close() // closes b.from
	b.budget.Give(b.charged)
	b.charged = 0
}

// futureTrailers is the resource of that name. A goroutine reads what is left
// of the body, from when a guest first asks.
type futureTrailers struct {
	body  *incomingBody
	ready io.Event
	asked sync.Once
	stop  context.CancelFunc
	work  sync.WaitGroup
	taken bool
}

var _ contract.FutureTrailers = (*futureTrailers)(nil)

// demand starts the reading.
func (f *futureTrailers) demand(ctx context.Context) {
	f.asked.Do(func() {
		if f.body.from.ended() != nil {
			f.ready.Set()
			return
		}
		ctx, f.stop = context.WithCancel(ctx)
		f.work.Go(func() {
			defer f.ready.Set()
			s := io.SharedInputStream(f.body.src)
			for {
				if _, err := s.BlockingSkip(ctx, sourceBytes); err != nil {
					return
				}
			}
		})
	})
}

// Subscribe implements the contract.
func (f *futureTrailers) Subscribe(ctx context.Context) (wasiio.Pollable, error) {
	f.demand(ctx)
	return io.NewPollable(&f.ready), nil
}

// trailersResult is what [futureTrailers.Get] returns.
type trailersResult = wit.Option[wit.Result[wit.Result[wit.Option[contract.Fields], contract.ErrorCode], struct{}]]

// Get implements the contract.
func (f *futureTrailers) Get(ctx context.Context) (trailersResult, error) {
	f.demand(ctx)
	if !f.ready.Ready() {
		return trailersResult{}, nil
	}
	var out wit.Result[wit.Result[wit.Option[contract.Fields], contract.ErrorCode], struct{}]
	if f.taken {
		out.IsErr = true
		return wit.Some(out), nil
	}
	f.taken = true
	switch end := f.body.from.ended(); {
	case end == nil: // the call ended meanwhile
		out.Value.IsErr, out.Value.Err = true, code(contract.ErrorCodeConnectionTerminated)
	case !errors.Is(end, goio.EOF):
		out.Value.IsErr, out.Value.Err = true, errorCode(end)
	default:
		t, err := fieldsOf(ctx, f.body.from.trailers())
		if err != nil {
			return trailersResult{}, err
		}
		if len(t.entries) > 0 {
			out.Value.Value = wit.Some[contract.Fields](t)
		} else {
			t.Drop()
		}
	}
	return wit.Some(out), nil
}

// Drop implements the contract.
func (f *futureTrailers) Drop() {
	f.asked.Do(func() {})
	if f.stop != nil {
		f.stop()
	}
	f.body.Drop()
	f.work.Wait()
}

// incomingResponse is the resource of that name.
type incomingResponse struct {
	status  contract.StatusCode
	headers *fields
	from    *incoming
	taken   bool
}

var _ contract.IncomingResponse = (*incomingResponse)(nil)

// Status implements the contract.
func (r *incomingResponse) Status(context.Context) (contract.StatusCode, error) {
	return r.status, nil
}

// Headers implements the contract.
func (r *incomingResponse) Headers(ctx context.Context) (contract.Fields, error) {
	return r.headers.view(ctx)
}

// Consume implements the contract: once, then an error.
func (r *incomingResponse) Consume(ctx context.Context) (contract.IncomingBody, error) {
	if r.taken {
		return nil, errors.New("the response's body was taken before")
	}
	b, err := newIncomingBody(ctx, r.from)
	if err != nil {
		return nil, err
	}
	r.taken = true
	return b, nil
}

// Drop implements the contract. A body that nobody took is given up.
func (r *incomingResponse) Drop() {
	r.headers.Drop()
	if !r.taken {
		_ = r.from.Close()
	}
}
