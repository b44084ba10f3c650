package keyvalue

import (
	"container/heap"
	"math"
	"time"
)

// maxSweep is how many values that are over one change takes away.
const maxSweep = 64

// due are a stripe's entries that will be over, the next one first.
type due []*entry

func (d due) Len() int           { return len(d) }
func (d due) Less(i, j int) bool { return d[i].end < d[j].end }
func (d due) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].due, d[j].due = i+1, j+1
}

// Push implements heap.Interface.
func (d *due) Push(x any) {
	e := x.(*entry) //nolint:forcetypeassert // of this package
	*d = append(*d, e)
	e.due = len(*d)
}

// Pop implements heap.Interface.
func (d *due) Pop() any {
	last := len(*d) - 1
	e := (*d)[last]
	(*d)[last], *d, e.due = nil, (*d)[:last], 0
	return e
}

func (d *due) remove(e *entry) {
	if e.due > 0 {
		heap.Remove(d, e.due-1)
	}
}

// now is the time that ends of entries are told by.
func (m *Memory) now() time.Duration {
	if m.limits.TTL == 0 {
		return 0
	}
	return time.Since(m.started)
}

// over says whether an entry's time has passed.
func (e *entry) over(now time.Duration) bool { return e.end > 0 && e.end <= now }

// live starts an entry's time anew. It needs the stripe's lock.
func (m *Memory) live(s *stripe, e *entry) {
	if m.limits.TTL == 0 {
		return
	}
	e.end = m.now() + m.limits.TTL
	if e.due == 0 {
		heap.Push(&s.due, e)
	} else {
		heap.Fix(&s.due, e.due-1)
	}
}

// change does something with a stripe's lock held, after it took away what is
// over there. Where there was no room, what is over elsewhere makes some.
func (m *Memory) change(s *stripe, do func() error) error {
	swept, err := m.swept(s, maxSweep, do)
	if err == nil || m.limits.TTL == 0 {
		return err
	}
	for i := range m.stripes {
		n, _ := m.swept(&m.stripes[i], math.MaxInt, func() error { return nil })
		swept += n
	}
	if swept == 0 {
		return err
	}
	_, err = m.swept(s, maxSweep, do)
	return err
}

// swept takes up to most entries away that are over, says how many, and does
// something, all under the stripe's lock.
func (m *Memory) swept(s *stripe, most int, do func() error) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := m.now()
	for ; n < most && len(s.due) > 0 && s.due[0].over(now); n++ {
		m.drop(s, s.due[0])
	}
	return n, do()
}
