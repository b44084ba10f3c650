package wrpchttp

import (
	"errors"
	"io"
	"net/http"
	"sync"

	"github.com/lathhost/lath/lattice/wrpc"
	contract "github.com/lathhost/lath/wit/wrpc/http"
)

// maxTrailers bounds the encoded trailers of a message.
const maxTrailers = MaxHeader + 64<<10

// incoming is a body that arrives on a path of a call, with the trailers on the
// next. One goroutine reads it; any may close it.
type incoming struct {
	body, after *wrpc.Reader // nil: it came in place
	bytes       io.Reader
	head        *head
	trailers    *http.Header          // filled at the end
	ended       func(whole bool)      // called once, at the end or by Close
	failed      func(err error) error // nil: errors stay as they are

	once sync.Once
	err  error // sticky
}

// newIncoming returns the body of a message. paths opens the readers that the
// call announced.
func newIncoming(h *head, open func(path ...uint32) (*wrpc.Reader, error), trailers *http.Header) (*incoming, error) {
	in := &incoming{head: h, trailers: trailers}
	var err error
	if in.body, err = open(bodyPath...); err != nil {
		return nil, err
	}
	if in.after, err = open(trailersPath...); err != nil {
		return nil, err
	}
	if in.bytes = wrpc.NewByteStream(in.body); h.hasEarly {
		in.bytes = &early{b: h.early}
	}
	return in, nil
}

// early is a body that came in place.
type early struct{ b []byte }

// Read implements [io.Reader].
func (e *early) Read(p []byte) (int, error) {
	if len(e.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, e.b)
	e.b = e.b[n:]
	return n, nil
}

// Read implements [io.Reader]. Trailers are there at its end.
func (in *incoming) Read(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	n, err := in.bytes.Read(p)
	if err == nil {
		return n, nil
	}
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		err = in.finish()
	} else if in.failed != nil {
		err = in.failed(err)
	}
	in.err = err
	return n, err
}

// finish reads the trailers, and returns io.EOF.
func (in *incoming) finish() error {
	trailers := in.head.earlyTrailers
	if !in.head.hasTrailers {
		b, err := wrpc.ReadFuture(in.after, contract.Trailers, maxTrailers)
		if err != nil {
			return err
		}
		if trailers, err = decodeTrailers(b); err != nil {
			return err
		}
	}
	merge(in.trailers, trailers)
	in.end(true)
	return io.EOF
}

// Close implements [io.Closer]: nobody wants the rest.
func (in *incoming) Close() error {
	_, _ = in.body.Close(), in.after.Close()
	in.end(false)
	return nil
}

func (in *incoming) end(whole bool) {
	in.once.Do(func() {
		if in.ended != nil {
			in.ended(whole)
		}
	})
}
