package io

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// capacity is how many bytes a sink holds that were not written yet.
const capacity = 64 << 10

// Flusher is a writer that holds back bytes until it is flushed.
type Flusher interface{ Flush() error }

// Finisher is a writer whose stream may end before its bytes are written, such
// as one direction of a connection: see [OutputStream.End].
type Finisher interface {
	// Finish is called once, after the last byte was written; not if that
	// failed.
	Finish() error
}

// sink takes bytes without blocking, for a stream.
type sink interface {
	Condition
	// room returns how many bytes put takes now, or the stream error.
	room() (uint64, error)
	// put takes b, of which it keeps nothing; the caller has seen the room.
	put(b []byte) error
	// flush asks for a flush; room is 0 until it is done.
	flush() error
	close()
}

// direct is a sink whose writer does not block: what is put is written.
type direct struct {
	w    io.Writer
	fate fate
}

func (d *direct) room() (uint64, error) {
	if d.fate.ended {
		return 0, d.fate.answer()
	}
	return capacity, nil
}

func (d *direct) put(b []byte) error {
	if d.fate.ended {
		return d.fate.answer()
	}
	if err := writeAll(d.w, b); err != nil {
		d.fate.end(err)
		return d.fate.answer()
	}
	return nil
}

func (d *direct) flush() error {
	if d.fate.ended {
		return d.fate.answer()
	}
	if err := flushWriter(d.w); err != nil {
		d.fate.end(err)
		return d.fate.answer()
	}
	return nil
}

func (d *direct) Ready() bool              { return true }
func (d *direct) Subscribe(*Waiter) func() { return func() {} }
func (d *direct) close()                   { closeWriter(d.w) }

// pumped is a sink whose writer may block. A goroutine writes while there is
// something to write or to flush.
type pumped struct {
	w io.Writer

	mu       sync.Mutex
	buf      []byte // not written yet
	spare    []byte // the buffer that was written last
	inFlight int    // being written
	// asked and flushed count flushes: one that is asked for during another has
	// bytes of its own.
	asked, flushed uint64
	pumping        bool
	// ending is that nothing is taken any more; the fate says whether the
	// rest can still be written.
	ending   bool
	finished bool
	fate     fate
	waiting  waiters
	pumps    sync.WaitGroup
}

func (p *pumped) room() (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over():
		return 0, p.fate.answer()
	case p.flushing():
		return 0, nil
	}
	return uint64(max(0, capacity-len(p.buf)-p.inFlight)), nil // many may have put what they saw room for
}

func (p *pumped) put(b []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over() {
		return p.fate.answer()
	}
	p.buf = append(p.buf, b...)
	p.demand()
	return nil
}

func (p *pumped) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over() {
		return p.fate.answer()
	}
	p.asked++
	p.demand()
	return nil
}

// flushing tells whether a flush is not done yet; mu is held.
func (p *pumped) flushing() bool { return p.asked != p.flushed }

// over tells whether the guest can do nothing more with the sink; mu is held.
func (p *pumped) over() bool { return p.fate.ended || p.ending }

// demand starts the goroutine if it is needed; mu is held.
func (p *pumped) demand() {
	if !p.pumping && p.work() {
		p.pumping = true
		p.pumps.Go(p.pump)
	}
}

// work tells whether there is something to do for the goroutine; mu is held.
func (p *pumped) work() bool {
	return !p.fate.ended && (len(p.buf) > 0 || p.flushing() || p.ending && !p.finished)
}

func (p *pumped) pump() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.work() {
		b := p.buf
		p.buf, p.spare, p.inFlight = p.spare[:0], nil, len(b)
		flush, asked := p.flushing(), p.asked
		finish := p.ending // then b is the last
		p.mu.Unlock()
		err := writeAll(p.w, b)
		if err == nil && flush {
			err = flushWriter(p.w)
		}
		if err == nil && finish {
			err = finishWriter(p.w)
		}
		p.mu.Lock()
		p.spare, p.inFlight = b[:0], 0
		if errors.Is(err, io.ErrClosedPipe) {
			p.fate.end(nil)
		} else if err != nil {
			p.fate.end(err)
		}
		p.flushed = asked
		p.finished = p.finished || finish
		p.waiting.wakeAll()
	}
	p.pumping = false
}

func (p *pumped) Ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over() || !p.flushing() && len(p.buf)+p.inFlight < capacity
}

func (p *pumped) Subscribe(w *Waiter) (stop func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting.add(w)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.waiting, w)
	}
}

// finish takes no more; what was put is written still.
func (p *pumped) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = true
	p.waiting.wakeAll()
	p.demand()
}

// close ends the sink and waits for its goroutine. What was not flushed may be
// lost, as WASI says; a [Finisher] gets it all, and takes what it can without
// waiting.
func (p *pumped) close() {
	if _, ok := p.w.(Finisher); ok {
		p.finish()
	} else {
		p.mu.Lock()
		p.fate.end(nil)
		p.buf = nil
		p.waiting.wakeAll()
		p.mu.Unlock()
	}
	closeWriter(p.w)
	p.pumps.Wait()
}

// writeAll writes b, and does not take a writer's word for more than b.
func writeAll(w io.Writer, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	n, err := w.Write(b)
	if err == nil && n != len(b) {
		err = fmt.Errorf("wrote %d of %d bytes: %w", n, len(b), io.ErrShortWrite)
	}
	return err
}

func flushWriter(w io.Writer) error {
	if f, ok := w.(Flusher); ok {
		return f.Flush()
	}
	return nil
}

func finishWriter(w io.Writer) error {
	if f, ok := w.(Finisher); ok {
		return f.Finish()
	}
	return nil
}

func closeWriter(w io.Writer) {
	if c, ok := w.(io.Closer); ok {
		_ = c.Close() // nobody is left to be told
	}
}
