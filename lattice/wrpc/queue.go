package wrpc

import (
	"io"
	"sync"
)

// smallBlock is the size up to which payloads are copied together, so that a
// peer that sends single bytes does not make this side keep a slice for each.
const smallBlock = 4 << 10

// queue is the bounded buffer of one channel: the inbox puts messages in, one
// reader takes bytes out. The end, which is an empty message, is seen after
// all bytes before it.
type queue struct {
	limit int // bytes

	mu     sync.Mutex
	blocks [][]byte
	owned  bool // the last block is ours to append to
	size   int
	total  uint64 // bytes ever taken out
	ended  bool
	endErr error // after the end; nil: io.EOF

	// wake has one token while there may be something new for the reader.
	wake chan struct{}
}

func newQueue(limit int) *queue {
	return &queue{limit: limit, wake: make(chan struct{}, 1)}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// push adds a payload, which the queue may keep. It reports false where it
// does not fit; late is true for a payload after the end.
func (q *queue) push(p []byte) (fits, late bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ended:
		return true, true
	case len(p) > q.limit-q.size:
		return false, false
	}
	q.size += len(p)
	last := len(q.blocks) - 1
	switch {
	case last >= 0 && q.owned && len(p) <= cap(q.blocks[last])-len(q.blocks[last]):
		q.blocks[last] = append(q.blocks[last], p...)
	case len(p) < smallBlock && last >= 0:
		q.blocks = append(q.blocks, append(make([]byte, 0, smallBlock), p...))
		q.owned = true
	default:
		q.blocks = append(q.blocks, p)
		q.owned = false
	}
	q.signal()
	return true, false
}

// end marks the end of the channel; the first call counts.
func (q *queue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.ended, q.endErr = true, err
		q.signal()
	}
}

// isEnded reports whether the end has arrived.
func (q *queue) isEnded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ended
}

// pop moves bytes to p. With none to move it returns ready false, or at the
// end io.EOF or the end's error.
func (q *queue) pop(p []byte) (n int, total uint64, ready bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n < len(p) && len(q.blocks) > 0 {
		k := copy(p[n:], q.blocks[0])
		n += k
		if q.blocks[0] = q.blocks[0][k:]; len(q.blocks[0]) == 0 {
			q.blocks[0] = nil
			if q.blocks = q.blocks[1:]; len(q.blocks) == 0 {
				q.blocks, q.owned = nil, false
			}
		}
	}
	q.size -= n
	q.total += uint64(n)
	switch {
	case n > 0:
		return n, q.total, true, nil
	case len(q.blocks) > 0:
		return 0, q.total, true, nil // p is empty
	case !q.ended:
		return 0, q.total, false, nil
	case q.endErr != nil:
		return 0, q.total, true, q.endErr
	}
	return 0, q.total, true, io.EOF
}

// all takes everything out as one slice, without a copy where it is one block.
func (q *queue) all() (b []byte, ended bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch len(q.blocks) {
	case 0:
	case 1:
		b = q.blocks[0]
	default:
		b = make([]byte, 0, q.size)
		for _, p := range q.blocks {
			b = append(b, p...)
		}
	}
	q.total += uint64(q.size)
	q.blocks, q.owned, q.size = nil, false, 0
	return b, q.ended, q.endErr
}
