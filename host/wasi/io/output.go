package io

import (
	"context"
	"fmt"
	"io"
	"math"

	contract "github.com/lathhost/lath/wit/wasi/io"
)

// maxBlockingWrite is the most bytes that the blocking writes take (WASI).
const maxBlockingWrite = 4096

// zeroes is what write-zeroes writes.
var zeroes [maxBlockingWrite]byte

// OutputStream is the resource of that name, on an [io.Writer]. It may hold
// 64 KiB that are not written yet.
type OutputStream struct {
	sink sink
	// permit is what check-write allowed and was not used yet.
	permit uint64
	// shared is that others fill the sink, too: of the room that check-write
	// saw, there may be none left.
	shared bool
}

var _ contract.OutputStream = (*OutputStream)(nil)

// NewOutputStream makes a stream on a writer that may block. Drop closes the
// writer if it is an [io.Closer], which must end a Write that is under way; a
// [Flusher] is flushed when the guest asks. A [Finisher] is closed while there
// may still be something to write: its Close must leave it so that a Write
// takes what it can at once. A Write that fails with [io.ErrClosedPipe] closes
// the stream, with other errors it fails it.
func NewOutputStream(w io.Writer) *OutputStream { return &OutputStream{sink: &pumped{w: w}} }

// DirectOutputStream makes a stream on a writer that does not block, which is
// written to on the guest's goroutine.
func DirectOutputStream(w io.Writer) *OutputStream { return &OutputStream{sink: &direct{w: w}} }

// CheckWrite implements the contract.
func (s *OutputStream) CheckWrite(context.Context) (uint64, error) {
	var err error
	s.permit, err = s.sink.room()
	return s.permit, err
}

// Write implements the contract. It blocks only where many streams write to one
// [Drain], and then the end of ctx is a trap.
func (s *OutputStream) Write(ctx context.Context, contents []byte) error {
	if err := s.spend(uint64(len(contents))); err != nil {
		return err
	}
	return s.put(ctx, contents)
}

// put writes what was allowed.
func (s *OutputStream) put(ctx context.Context, b []byte) error {
	if s.shared {
		return s.fill(ctx, b)
	}
	return s.sink.put(b)
}

// fill writes b, a piece whenever there is room.
func (s *OutputStream) fill(ctx context.Context, b []byte) error {
	for len(b) > 0 {
		room, err := s.await(ctx)
		if err != nil {
			return err
		}
		n := min(room, uint64(len(b)))
		if err := s.sink.put(b[:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// WriteZeroes implements the contract; see Write.
func (s *OutputStream) WriteZeroes(ctx context.Context, length uint64) error {
	if err := s.spend(length); err != nil {
		return err
	}
	for length > 0 {
		n := min(length, uint64(len(zeroes)))
		if err := s.put(ctx, zeroes[:n]); err != nil {
			return err
		}
		length -= n
	}
	return nil
}

// spend takes n bytes off what the last check-write allowed.
func (s *OutputStream) spend(n uint64) error {
	if n > s.permit {
		return fmt.Errorf("write of %d bytes where check-write allowed %d", n, s.permit)
	}
	s.permit -= n
	return nil
}

// BlockingWriteAndFlush implements the contract. The end of ctx is a trap.
func (s *OutputStream) BlockingWriteAndFlush(ctx context.Context, contents []byte) error {
	if len(contents) > maxBlockingWrite {
		return fmt.Errorf("blocking write of %d bytes, more than %d", len(contents), maxBlockingWrite)
	}
	s.permit = 0
	if err := s.fill(ctx, contents); err != nil {
		return err
	}
	return s.BlockingFlush(ctx)
}

// BlockingWriteZeroesAndFlush implements the contract.
func (s *OutputStream) BlockingWriteZeroesAndFlush(ctx context.Context, length uint64) error {
	if length > maxBlockingWrite {
		return fmt.Errorf("blocking write of %d zeroes, more than %d", length, maxBlockingWrite)
	}
	return s.BlockingWriteAndFlush(ctx, zeroes[:length])
}

// await waits until there is room and returns how much.
func (s *OutputStream) await(ctx context.Context) (uint64, error) {
	for {
		room, err := s.sink.room()
		if err != nil || room > 0 {
			return room, err
		}
		if err := waitFor(ctx, s.sink); err != nil {
			return 0, err
		}
	}
}

// Flush implements the contract.
func (s *OutputStream) Flush(context.Context) error {
	s.permit = 0
	return s.sink.flush()
}

// BlockingFlush implements the contract.
func (s *OutputStream) BlockingFlush(ctx context.Context) error {
	if err := s.Flush(ctx); err != nil {
		return err
	}
	_, err := s.await(ctx)
	return err
}

// Subscribe implements the contract.
func (s *OutputStream) Subscribe(context.Context) (contract.Pollable, error) {
	return NewPollable(s.sink), nil
}

// Splice implements the contract.
func (s *OutputStream) Splice(ctx context.Context, src contract.InputStream, length uint64) (uint64, error) {
	s.permit = 0
	room, err := s.sink.room()
	if err != nil || min(room, length) == 0 {
		return 0, err
	}
	b, err := src.Read(ctx, min(room, length))
	if err != nil {
		return 0, err
	}
	return uint64(len(b)), s.sink.put(b)
}

// BlockingSplice implements the contract. The end of ctx is a trap.
func (s *OutputStream) BlockingSplice(ctx context.Context, src contract.InputStream, length uint64) (uint64, error) {
	s.permit = 0
	room, err := s.await(ctx)
	if err != nil || length == 0 {
		return 0, err
	}
	// Where nobody but this stream fills the sink, the room stays.
	b, err := src.BlockingRead(ctx, min(room, length))
	if err != nil {
		return 0, err
	}
	return uint64(len(b)), s.put(ctx, b)
}

// End closes a stream of [NewOutputStream] for its guest, whose every later
// operation answers so, and which has nothing to wait for any more. What was
// put into it before is still written, and then a [Finisher] is told.
func (s *OutputStream) End() {
	if p, ok := s.sink.(*pumped); ok {
		s.permit = math.MaxUint64 // a write is answered, not too much
		p.finish()
	}
}

// Drop implements the contract. What was not flushed may be lost.
func (s *OutputStream) Drop() { s.sink.close() }
