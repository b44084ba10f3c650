package io

import (
	"context"
	"io"
)

// Drain is one writer that the streams of many guests write to, such as the
// standard output of the process. It outlives them: what was written to a
// stream is written after the stream is dropped too. It holds 64 KiB that are
// not written yet, and as much of each guest that writes at the same time. It is
// safe for concurrent use.
type Drain struct{ sink pumped }

// NewDrain makes a drain on a writer that may block. The writer is never
// closed; a [Flusher] is flushed when a guest asks.
func NewDrain(w io.Writer) *Drain { return &Drain{sink: pumped{w: w}} }

// Written waits until all that was put in is written, or the writer has failed,
// or ctx is done.
func (d *Drain) Written(ctx context.Context) error {
	for {
		if d.sink.idle() {
			return nil
		}
		if err := waitFor(ctx, idling{&d.sink}); err != nil {
			return err
		}
	}
}

// SharedOutputStream makes a stream on a drain that outlives it.
func SharedOutputStream(d *Drain) *OutputStream {
	return &OutputStream{sink: tap{&d.sink}, shared: true}
}

// tap is a sink that stays when its stream goes.
type tap struct{ *pumped }

func (tap) close() {}

// idling is the condition that a sink has nothing left to write.
type idling struct{ *pumped }

// Ready implements [Condition].
func (i idling) Ready() bool { return i.idle() }

func (p *pumped) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fate.ended || !p.pumping
}
