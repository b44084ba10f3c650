package io

import (
	"errors"
	"io"
	"sync"
)

// PipeBytes is the most that a [Pipe] holds, in bytes.
const PipeBytes = capacity

// Pipe carries bytes from one guest's stream to the host's own code, through a
// buffer that fills up when the reader is slow. What a guest has written
// reaches the reader also where the guest never flushes, and after its stream
// is dropped; a flush waits for nothing, as the reader may come later. It has
// no goroutine. It is safe for concurrent use.
type Pipe struct {
	check func(n int) error

	mu      sync.Mutex
	some    sync.Cond // for the reader
	buf     []byte
	read    int   // bytes of buf that were read
	fate    fate  // of the guest's stream
	end     error // after the last byte, for the reader; nil: more may come
	waiting waiters
}

// NewPipe makes a pipe. check, if not nil, is asked about every write of n
// bytes before they are taken; its error fails the stream, and the reader's
// end.
func NewPipe(check func(n int) error) *Pipe {
	p := &Pipe{check: check}
	p.some.L = &p.mu
	return p
}

// OutputStream makes the guest's end.
func (p *Pipe) OutputStream() *OutputStream { return &OutputStream{sink: pipeSink{p}} }

// Read implements [io.Reader]: it blocks until there are bytes or the end.
func (p *Pipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == p.read && p.end == nil && len(b) > 0 {
		p.some.Wait()
	}
	n := copy(b, p.buf[p.read:])
	if n == 0 && len(b) > 0 {
		return 0, p.end
	}
	if p.read += n; p.read == len(p.buf) {
		p.buf, p.read = p.buf[:0], 0
	}
	p.waiting.wakeAll()
	return n, nil
}

// Buffered returns how many bytes Read can have without blocking, and whether
// there will be no more.
func (p *Pipe) Buffered() (n int, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.buf) - p.read, p.end != nil
}

// CloseWrite ends the guest's stream; the reader gets what is buffered and then
// err, or [io.EOF] if it is nil. Only the first call counts.
func (p *Pipe) CloseWrite(err error) {
	if err == nil {
		err = io.EOF
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fate.end(nil)
	p.finish(err)
}

// finish sets the reader's end; mu is held.
func (p *Pipe) finish(err error) {
	if p.end == nil {
		p.end = err
	}
	p.some.Broadcast()
	p.waiting.wakeAll()
}

var errReaderGone = errors.New("the pipe was closed by its reader")

// CloseRead drops what is buffered and ends a Read that is under way. The guest
// finds its stream failed with err, or closed if it is nil. Idempotent.
func (p *Pipe) CloseRead(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fate.end(err)
	p.buf, p.read = nil, 0
	p.finish(errReaderGone)
}

// pipeSink is the guest's end as a sink.
type pipeSink struct{ *Pipe }

func (p pipeSink) room() (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fate.ended {
		return 0, p.fate.answer()
	}
	return uint64(capacity - (len(p.buf) - p.read)), nil
}

func (p pipeSink) put(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fate.ended {
		return p.fate.answer()
	}
	if p.check != nil {
		if err := p.check(len(b)); err != nil {
			p.fate.end(err)
			p.finish(err)
			return p.fate.answer()
		}
	}
	if p.read > 0 && cap(p.buf)-len(p.buf) < len(b) {
		p.buf = p.buf[:copy(p.buf, p.buf[p.read:])]
		p.read = 0
	}
	p.buf = append(p.buf, b...)
	p.some.Broadcast()
	return nil
}

func (p pipeSink) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fate.ended {
		return p.fate.answer()
	}
	return nil
}

// Ready implements [Condition].
func (p pipeSink) Ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fate.ended || len(p.buf)-p.read < capacity
}

// Subscribe implements [Condition].
func (p pipeSink) Subscribe(w *Waiter) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting.add(w)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.waiting, w)
	}
}

// close leaves the end to whoever made the pipe.
func (p pipeSink) close() {}
