package process

import (
	"math/rand/v2"
	"time"
)

// Bounds of the pauses before a process that ended is started again.
const (
	MinPause = 100 * time.Millisecond
	MaxPause = 30 * time.Second
	// SteadyAfter is how long a process must have run for its end to count as the
	// first.
	SteadyAfter = time.Minute
	// LoopAfter is how many ends in a row are a crash loop.
	LoopAfter = 5
)

// Backoff decides when a process is started again. The zero value has seen no
// end.
type Backoff struct{ ends int }

// Ended notes that the process has ended after it ran so long, and returns the
// pause before it is started again: 100 ms, twice as much with each end in a
// row, 30 s at most. Up to a fifth more comes at random, so that processes that
// fell together do not rise together.
func (b *Backoff) Ended(ran time.Duration) time.Duration {
	if ran >= SteadyAfter {
		b.ends = 0
	}
	b.ends++
	pause := MaxPause
	if shift := b.ends - 1; shift < 10 {
		pause = min(MinPause<<shift, MaxPause)
	}
	return pause + rand.N(pause/5)
}

// Ends is how many ends in a row there were.
func (b *Backoff) Ends() int { return b.ends }

// Looping says whether the process ends again and again.
func (b *Backoff) Looping() bool { return b.ends >= LoopAfter }
