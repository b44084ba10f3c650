package io

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	contract "github.com/lathhost/lath/wit/wasi/io"
)

// chunk is how many bytes a source reads ahead at most.
const chunk = 32 << 10

// Source lets guests read from an [io.Reader] without blocking. A goroutine
// reads one chunk ahead when a guest has asked for more than is there, and ends
// when it has one. A source may feed many streams, one after another or at the
// same time; each byte goes to one of them. It is safe for concurrent use.
type Source struct {
	r       io.Reader
	scratch []byte // the goroutine's

	mu      sync.Mutex
	buf     []byte
	fate    fate
	pumping bool
	waiting waiters
	pumps   sync.WaitGroup
}

// NewSource makes a source; a nil reader is one that has ended. An error of r
// other than [io.EOF] is told to one guest as the failure of its stream, and
// ends the source.
func NewSource(r io.Reader) *Source {
	s := &Source{r: r}
	if r == nil {
		s.fate.end(nil)
	}
	return s
}

// Close ends the source and waits for its goroutine. A reader that is an
// [io.Closer] is closed, which must end a Read that is under way; with any
// other reader Close takes as long as that Read does. Idempotent.
func (s *Source) Close() error {
	s.mu.Lock()
	s.buf = nil
	s.fate.end(nil)
	s.fate.cause = nil
	s.waiting.wakeAll()
	s.mu.Unlock()
	var err error
	if c, ok := s.r.(io.Closer); ok {
		err = c.Close()
	}
	s.pumps.Wait()
	return err
}

// read takes up to n bytes that are there. The bytes are never written to
// again.
func (s *Source) read(n uint64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.buf) > 0:
		b := s.buf[:min(n, uint64(len(s.buf)))]
		s.buf = s.buf[len(b):]
		return b, nil
	case s.fate.ended:
		return nil, s.fate.answer()
	case n == 0:
		return nil, nil
	}
	s.demand()
	return nil, nil
}

// demand starts the goroutine if it is needed; mu is held.
func (s *Source) demand() {
	if s.pumping || s.fate.ended || len(s.buf) > 0 {
		return
	}
	s.pumping = true
	s.pumps.Go(s.pump)
}

func (s *Source) pump() {
	if s.scratch == nil {
		s.scratch = make([]byte, chunk)
	}
	n, err := readSome(s.r, s.scratch)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pumping = false
	if !s.fate.ended {
		s.buf = bytes.Clone(s.scratch[:n]) // a guest may be copying the last one
	}
	if errors.Is(err, io.EOF) {
		s.fate.end(nil)
	} else if err != nil {
		s.fate.end(err)
	}
	s.waiting.wakeAll()
}

// readSome reads until there is a byte or an error.
func readSome(r io.Reader, b []byte) (int, error) {
	for range 100 {
		if n, err := r.Read(b); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// Ready implements [Condition]: there are bytes, or there will be none.
func (s *Source) Ready() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.buf) > 0 || s.fate.ended
}

// Subscribe implements [Condition]. It asks for more if nothing is there.
func (s *Source) Subscribe(w *Waiter) (stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting.add(w)
	s.demand()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.waiting, w)
	}
}

// bytesFrom is where a stream's bytes come from.
type bytesFrom interface {
	Condition
	// read takes up to n bytes that are there: none means none yet. The bytes
	// are never written to again.
	read(n uint64) ([]byte, error)
	Close() error
}

// InputStream is the resource of that name, on a [Source] or a reader.
type InputStream struct {
	src  bytesFrom
	owns bool
}

var _ contract.InputStream = (*InputStream)(nil)

// NewInputStream makes a stream that owns its source: Drop closes it.
func NewInputStream(src *Source) *InputStream { return &InputStream{src, true} }

// SharedInputStream makes a stream on a source that outlives it.
func SharedInputStream(src *Source) *InputStream { return &InputStream{src, false} }

// DirectInputStream makes a stream on a reader that does not block, such as a
// file, which is read on the guest's goroutine, 64 KiB at a time at most. Drop
// closes the reader if it is an [io.Closer].
func DirectInputStream(r io.Reader) *InputStream { return &InputStream{&directSource{r: r}, true} }

// Read implements the contract. A length of 0 always succeeds; no more than
// 32 KiB of a source and 64 KiB of a reader are returned at a time, whatever
// the length.
func (s *InputStream) Read(_ context.Context, length uint64) ([]byte, error) {
	return s.src.read(length)
}

// BlockingRead implements the contract. The end of ctx is a trap.
func (s *InputStream) BlockingRead(ctx context.Context, length uint64) ([]byte, error) {
	for {
		// Somebody else who reads from the source may be first.
		b, err := s.src.read(length)
		if err != nil || len(b) > 0 || length == 0 {
			return b, err
		}
		if err := waitFor(ctx, s.src); err != nil {
			return nil, err
		}
	}
}

// Skip implements the contract.
func (s *InputStream) Skip(ctx context.Context, length uint64) (uint64, error) {
	b, err := s.Read(ctx, length)
	return uint64(len(b)), err
}

// BlockingSkip implements the contract.
func (s *InputStream) BlockingSkip(ctx context.Context, length uint64) (uint64, error) {
	b, err := s.BlockingRead(ctx, length)
	return uint64(len(b)), err
}

// Subscribe implements the contract.
func (s *InputStream) Subscribe(context.Context) (contract.Pollable, error) {
	return NewPollable(s.src), nil
}

// Drop implements the contract.
func (s *InputStream) Drop() {
	if s.owns {
		_ = s.src.Close() // nobody is left to be told
	}
}
