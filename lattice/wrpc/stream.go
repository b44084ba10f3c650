package wrpc

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
)

func appendDecimal(b []byte, v uint64) []byte { return strconv.AppendUint(b, v, 10) }

// Reader reads the bytes of one incoming stream or future as they were sent;
// use [ByteStream], [ElemStream] or [ReadFuture] for what they mean. It ends
// with io.EOF after the peer's end, or with the call's error. A v1 peer in Go
// never sends the end of a path: go by the value's own end.
//
// A Reader is for one goroutine at a time. Reading is what grants a Lath peer
// more credit, so a stream that nobody reads stops at its window.
type Reader struct {
	s       *session
	q       *queue
	path    string
	granted uint64 // what the peer was told

	closing sync.Once
	closed  chan struct{}
}

// Close ends a Read that is under way, and those to come, with [ErrClosed]. It
// may be called by any goroutine, and again. The call goes on; what the peer still
// sends stays unread, at most a window of it.
func (r *Reader) Close() error {
	r.closing.Do(func() { close(r.closed) })
	return nil
}

// Read waits for bytes and moves at least one to p.
func (r *Reader) Read(p []byte) (int, error) {
	select {
	case <-r.closed:
		return 0, ErrClosed
	default:
	}
	for {
		n, total, ready, err := r.q.pop(p)
		if n > 0 {
			r.grant(total)
		}
		if ready {
			return n, err
		}
		select {
		case <-r.q.wake:
		case <-r.closed:
			return 0, ErrClosed
		case <-r.s.failed:
			// What arrived before the failure comes first.
			if n, _, ready, err := r.q.pop(p); ready {
				return n, err
			}
			return 0, r.s.failError()
		}
	}
}

// grant tells a Lath peer when half of the window was consumed.
func (r *Reader) grant(total uint64) {
	if r.path == "" || total-r.granted < uint64(r.s.window/2) {
		return // the root channel has no window
	}
	select {
	case <-r.s.ready:
	default:
		return
	}
	if r.s.peerLath {
		r.granted = total
		r.s.grantCredit(r.path, total)
	}
}

// Writer writes the bytes of one outgoing stream or future. Between Lath peers
// it waits while a window's worth of bytes is not consumed yet. A Writer is for
// one goroutine at a time, except for Close.
type Writer struct {
	s    *session
	path string
	wake chan struct{}

	mu     sync.Mutex
	sent   uint64
	acked  uint64
	closed bool
}

// grant notes how many bytes the peer has consumed in all. It reports false
// for a number that cannot be.
func (w *Writer) grant(consumed uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if consumed > w.sent || consumed < w.acked {
		return false
	}
	w.acked = consumed
	w.signal()
	return true
}

// signal has a Write look again.
func (w *Writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Write sends p, waiting for the handshake and for credit. An empty p sends
// nothing. On error it returns how many bytes were sent.
func (w *Writer) Write(p []byte) (n int, err error) {
	if err := w.s.waitReady(); err != nil {
		return 0, err
	}
	subject := w.s.out + "." + w.path
	for n < len(p) {
		k, err := w.reserve(min(len(p)-n, maxPayload(w.s.nc)))
		if err != nil {
			return n, err
		}
		if _, err := publishBytes(w.s.nc, subject, p[n:n+k]); err != nil {
			return n, fmt.Errorf("write path %s: %w", w.path, err)
		}
		n += k
	}
	return n, nil
}

// waitReady waits for the peer's handshake. A failed session is not ready.
func (s *session) waitReady() error {
	select {
	case <-s.ready:
		select {
		case <-s.failed:
			return s.failError()
		default:
			return nil
		}
	case <-s.failed:
		return s.failError()
	}
}

// reserve waits until at least one of want bytes may be sent.
func (w *Writer) reserve(want int) (int, error) {
	for {
		w.mu.Lock()
		room := uint64(want)
		if w.s.peerLath {
			room = min(room, uint64(w.s.peerWindow)-(w.sent-w.acked))
		}
		closed := w.closed
		if !closed {
			w.sent += room
		}
		w.mu.Unlock()
		if closed {
			return 0, ErrClosed
		}
		if room > 0 {
			return int(room), nil
		}
		select {
		case <-w.wake:
		case <-w.s.failed:
			return 0, w.s.failError()
		}
	}
}

// Close ends the path with an empty message. Closing twice does nothing.
func (w *Writer) Close() error { return w.CloseWithError(nil) }

// CloseWithError ends the path; a Lath caller is told the error, a v1 peer and
// a Lath callee see the end only.
func (w *Writer) CloseWithError(err error) error {
	w.mu.Lock()
	closed := w.closed
	w.closed = true
	w.mu.Unlock()
	if closed {
		return nil
	}
	w.signal()
	// A call that failed still ends its channels, since to a v1 peer that is
	// the only sign there is; but only a peer that accepted has channels.
	select {
	case <-w.s.ready:
	default:
		if err := w.s.waitReady(); err != nil {
			return err
		}
	}
	subject := w.s.out + "." + w.path
	err = publishEnd(w.s.nc, subject, w.s.endHeader(err))
	if w.s.trailers && errors.Is(err, ErrDisconnected) {
		w.s.owe(owed{subject: subject, end: brokenTrailer}) // what was written may be lost
	}
	return err
}
