package http

import (
	"errors"
	"net/http"
	"sync"
	"time"
)

// promptly is how long what is written may wait for more to go with it: most
// responses are whole by then, and need no flush at all.
const promptly = time.Millisecond

// Prompt writes the body of a response that has begun, and has it sent soon after:
// the header, too, where the body is long in coming. It is for one goroutine.
type Prompt struct {
	w     http.ResponseWriter
	timer *time.Timer

	mu      sync.Mutex // held while w is used
	stopped bool
}

// NewPrompt makes one. Stop it before the handler returns.
func NewPrompt(w http.ResponseWriter) *Prompt {
	p := &Prompt{w: w}
	p.timer = time.AfterFunc(promptly, p.flush)
	return p
}

// Write implements [io.Writer]. Bytes of a response that may have no body are
// dropped.
func (p *Prompt) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Reset(promptly)
	if _, err := p.w.Write(b); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		return 0, err
	}
	return len(b), nil
}

// flush sends what was written. A failure shows at the next write.
func (p *Prompt) flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.stopped {
		_ = http.NewResponseController(p.w).Flush()
	}
}

// Stop ends all use of the response from here, which its handler may use again. It
// may be called again.
func (p *Prompt) Stop() {
	p.timer.Stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = true
}

// buffers are for copying bodies.
var buffers = sync.Pool{New: func() any { return new([copyBytes]byte) }}

// copyBytes is how much of a body is written at a time.
const copyBytes = 32 << 10

// Buffer returns a buffer to copy a body with, and what gives it back.
func Buffer() (b []byte, free func()) {
	a, _ := buffers.Get().(*[copyBytes]byte)
	return a[:], func() { buffers.Put(a) }
}
