package follow

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// Losses tells of work of a link that was not done, at most once a second: there
// may be as many as there are messages. It is safe for concurrent use.
type Losses struct {
	log *zap.Logger

	mu     sync.Mutex
	told   time.Time
	hidden uint64
	total  uint64
}

// lossPause is how often a loss is logged.
const lossPause = time.Second

// NewLosses tells log, which names the link.
func NewLosses(log *zap.Logger) *Losses { return &Losses{log: log} }

// Note counts n losses, of what subject names, and tells why; 0: nothing was lost, as
// yet.
func (l *Losses) Note(subject, what string, n uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total += n
	now := time.Now()
	if now.Sub(l.told) < lossPause {
		l.hidden += n
		return
	}
	l.log.Warn(what, zap.String("subject", subject), zap.Error(err), zap.Uint64("since", l.hidden+n), zap.Uint64("total", l.total))
	l.told, l.hidden = now, 0
}

// Total is how many were lost.
func (l *Losses) Total() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}
