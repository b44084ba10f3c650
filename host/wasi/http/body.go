package http

import (
	"errors"
	goio "io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// RequestBody is the body of a request that a server's handler has, for others
// than the handler's goroutine to read. A server's own body is not to be closed
// while it is read, nor read any more when the handler has returned; this one may
// be closed at any time, and End leaves the connection in step.
type RequestBody struct {
	w http.ResponseWriter
	r *http.Request

	mu      sync.Mutex
	reading bool
	idle    *sync.Cond // not reading
	stopped bool       // nobody wants the body any more
	ended   bool       // the body was read to its end
	cut     bool       // a read was broken off: the connection is out of step
}

// NewRequestBody makes a body of what a handler got. Nothing is read yet.
func NewRequestBody(w http.ResponseWriter, r *http.Request) *RequestBody {
	b := &RequestBody{w: w, r: r}
	b.idle = sync.NewCond(&b.mu)
	// Else the server would read the whole body before the first byte of a
	// response. HTTP/2 needs no such thing and says so.
	if r.Body != http.NoBody {
		_ = http.NewResponseController(w).EnableFullDuplex()
	}
	return b
}

// Read implements [goio.Reader], for one goroutine at a time.
func (b *RequestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.stopped {
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	b.reading = true
	b.mu.Unlock()
	n, err := b.r.Body.Read(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	b.ended = b.ended || errors.Is(err, goio.EOF)
	b.idle.Broadcast()
	return n, err
}

// patience is how long a read of the request's body that nobody wants may still
// take before it is broken off, at the price of the connection.
const patience = 100 * time.Millisecond

// Close ends a read that is under way, and fails those that have yet to begin.
// It always returns nil.
func (b *RequestBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	if !b.reading {
		return nil
	}
	if b.r.ProtoMajor >= 2 {
		_ = b.r.Body.Close() // one stream's alone
	}
	defer time.AfterFunc(patience, b.breakOff).Stop()
	for b.reading {
		b.idle.Wait()
	}
	return nil
}

// breakOff ends a read that is under way. It does so again while it takes: what is
// read may be about to set a deadline of its own.
func (b *RequestBody) breakOff() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reading {
		b.cut = true
		_ = http.NewResponseController(b.w).SetReadDeadline(time.Unix(1, 0)) // else the client's next bytes end the read
		time.AfterFunc(patience, b.breakOff)
	}
}

// End closes the body, reads the little that may be left of it, and else has the
// server close the connection. It is the handler's last word to it; began says
// that the response has.
func (b *RequestBody) End(began bool) {
	_ = b.Close()
	if b.r.ProtoMajor < 2 && b.r.Body != http.NoBody && !b.drain(began) {
		closeAfter(b.w)
	}
}

// maxDrain is how many bytes of a body that nobody wants are read, so that the
// connection can be used again.
const maxDrain = 256 << 10

// drain reads what is left of an HTTP/1 request's body, if it is little and
// there. It reports whether the next request follows. The server would do the
// same after ServeHTTP, but there it takes the end of the body, with full
// duplex, for the time to watch the connection, and fails the next request.
func (b *RequestBody) drain(began bool) bool {
	b.mu.Lock()
	ended := b.ended && !b.cut
	b.reading = !b.ended && !b.cut && b.r.Header.Get("Expect") == "" // else nobody sends it
	drains := b.reading
	b.mu.Unlock()
	if !drains {
		return ended
	}
	if began {
		_ = http.NewResponseController(b.w).Flush()
	}
	defer time.AfterFunc(patience, b.breakOff).Stop()
	buf := make([]byte, 4<<10)
	for left := maxDrain; left > 0; {
		n, err := b.r.Body.Read(buf)
		if err != nil {
			return b.rest() && errors.Is(err, goio.EOF)
		}
		if left -= n; b.broken() {
			break
		}
	}
	b.rest()
	return false
}

// rest notes that nothing is read any more, tells who waits for that, and reports
// whether patience has lasted.
func (b *RequestBody) rest() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	b.idle.Broadcast()
	return !b.cut
}

// broken reports whether patience has run out.
func (b *RequestBody) broken() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cut
}

// closeAfter has the server close an HTTP/1 connection after the response: the
// rest of the request's body would be taken for the next request. The server
// does so when a body is larger than [http.MaxBytesReader] allows, so that this
// reads one that is.
func closeAfter(w http.ResponseWriter) {
	for {
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	_, _ = goio.ReadAll(http.MaxBytesReader(w, goio.NopCloser(strings.NewReader("more")), 0)) // fails, as it should
}
