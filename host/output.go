package host

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// output takes the lines that the instances of one component write and passes
// them on to the log, up to a rate: a guest that floods its output costs its
// own words, not the host's log. It is safe for concurrent use.
type output struct {
	log  *zap.Logger
	rate float64 // bytes a second
	now  func() time.Time

	mu           sync.Mutex
	room         float64 // bytes; a line that has some of it passes whole
	filled       time.Time
	lines, bytes int // left out since the last line that passed
}

// newOutput makes an output for rate bytes a second, with room for one second.
func newOutput(log *zap.Logger, rate uint64) *output {
	return &output{log: log, rate: float64(rate), now: time.Now, room: float64(rate), filled: time.Now()}
}

// line takes a line. What was left out is told with the next line that passes.
func (o *output) line(stream, line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	o.room = min(o.rate, o.room+now.Sub(o.filled).Seconds()*o.rate)
	o.filled = now
	if o.room <= 0 {
		o.lines++
		o.bytes += len(line)
		return
	}
	o.room -= float64(len(line) + 1) // its end
	if o.lines > 0 {
		o.log.Warn("output left out: the component wrote more than it may to the log",
			zap.Int("lines", o.lines), zap.Int("bytes", o.bytes), zap.Float64("bytes a second", o.rate))
		o.lines, o.bytes = 0, 0
	}
	o.log.Info(line, zap.String("stream", stream))
}
