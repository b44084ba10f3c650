package host

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// lineCost is what a line costs beside its bytes: the log adds when it came and
// whose it is, so that a flood of empty lines fills a disk as well.
const lineCost = 64

// tellAfter is how long it takes at most until the log tells of lines that it
// does not have.
const tellAfter = time.Second

// output takes the lines that the instances of one component write and passes
// them on to the log, up to a rate: a guest that floods its output costs its
// own words, not the host's log. It is safe for concurrent use. Close it.
type output struct {
	log  *zap.Logger
	rate float64 // bytes a second

	mu           sync.Mutex
	room         float64 // bytes; a line that has some of it passes whole
	filled       time.Time
	lines, bytes int         // left out since the log was told last
	telling      *time.Timer // not nil while something is to be told
	closed       bool
}

// newOutput makes an output for rate bytes a second, with room for one second.
func newOutput(log *zap.Logger, rate uint64) *output {
	return &output{log: log, rate: float64(rate), room: float64(rate), filled: time.Now()}
}

// line takes a line.
func (o *output) line(stream, line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	o.room = min(o.rate, o.room+now.Sub(o.filled).Seconds()*o.rate)
	o.filled = now
	if o.room <= 0 {
		o.lines++
		o.bytes += len(line)
		if o.telling == nil && !o.closed {
			o.telling = time.AfterFunc(tellAfter, o.tell)
		}
		return
	}
	o.room -= float64(len(line) + lineCost)
	o.log.Info(line, zap.String("stream", stream))
}

// tell tells the log what it does not have.
func (o *output) tell() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.telling = nil
	if o.lines == 0 {
		return
	}
	o.log.Warn("output left out: it wrote more than it may to the log (log-rate)",
		zap.Int("lines", o.lines), zap.Int("bytes", o.bytes), zap.Float64("bytes a second", o.rate))
	o.lines, o.bytes = 0, 0
}

// close tells at once what is left to tell. Lines that come later are passed on
// or lost without a word. Idempotent.
func (o *output) close() {
	o.mu.Lock()
	o.closed = true
	telling := o.telling
	o.telling = nil
	o.mu.Unlock()
	if telling != nil && telling.Stop() {
		o.tell()
	}
}
