package workload

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// Others tells of the other hosts that run the same id.
type Others interface {
	// Relief reports whether one of them answers and takes calls of the id's queue
	// group; roomy asks for one with room.
	Relief(id string, roomy bool) bool
}

// The times of a workload that has more calls than it can run.
const (
	// crowdedEvery is how often it looks again.
	crowdedEvery = 100 * time.Millisecond
	// notice is how long it says that it will step aside before it does. So of
	// two hosts that want to at once, each hears the other, and neither does.
	notice = 300 * time.Millisecond
	// stay is how long it keeps to what it has decided, at least.
	stay = 2 * time.Second
)

// stance is whether a workload takes part in its queue group.
type stance uint8

const (
	within  stance = iota
	leaving        // and says so
	aside
)

// crowding decides when a workload steps aside from its queue group: it reads no
// clock and does nothing. The zero value is within, since ever.
type crowding struct {
	stance stance
	since  time.Time
}

// crowd is what a decision is made of.
type crowd struct {
	running, waiting, limit int64
	relief                  bool // others are in the queue group
	roomy                   bool // and one of them has room
}

// threshold is how many calls wait before a workload steps aside.
func threshold(limit int64) int64 { return max(1, limit/4) }

// decide returns what to do now.
func (c *crowding) decide(o crowd, now time.Time) stance {
	next := c.stance
	switch full := o.running >= o.limit && o.waiting >= threshold(o.limit); c.stance {
	case within:
		if full && o.roomy && now.Sub(c.since) >= stay {
			next = leaving
		}
	case leaving:
		if !full || !o.relief {
			next = within
		} else if now.Sub(c.since) >= notice {
			next = aside
		}
	case aside:
		// Without others, v1 callers would find nobody.
		if !o.relief || o.waiting == 0 && o.running < o.limit && now.Sub(c.since) >= stay {
			next = within
		}
	}
	if next != c.stance {
		c.stance, c.since = next, now
	}
	return next
}

// steering carries out what crowding decides, on a goroutine that there is only
// while the workload is crowded or aside.
type steering struct {
	mu      sync.Mutex
	ready   bool // the workload is served
	active  bool
	stopped bool
	crowding
	stop chan struct{}
	done sync.WaitGroup
}

// crowdedNow is told by the limiter, under its lock, that calls wait.
func (w *Workload) crowdedNow() {
	s := &w.steering
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready && !s.active && !s.stopped {
		s.active = true
		s.done.Go(w.steer)
	}
}

// beginSteering makes the workload ready to step aside, now that it is served.
func (w *Workload) beginSteering() {
	s := &w.steering
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ready = w.cfg.Others != nil
}

func (w *Workload) steer() {
	tick := time.NewTicker(crowdedEvery)
	defer tick.Stop()
	for w.steerOnce(time.Now()) {
		select {
		case <-tick.C:
		case <-w.steering.stop:
			return
		}
	}
}

// steerOnce looks and acts; false: there is nothing more to do for now.
func (w *Workload) steerOnce(now time.Time) bool {
	running, waiting := w.admit.load()
	o := crowd{running: int64(running), waiting: int64(waiting), limit: w.admit.limit.Load(),
		relief: w.cfg.Others.Relief(w.cfg.ID, false), roomy: w.cfg.Others.Relief(w.cfg.ID, true)}
	s := &w.steering
	s.mu.Lock()
	before := s.stance
	is := s.decide(o, now)
	over := is == within && o.waiting < threshold(o.limit)
	s.mu.Unlock()
	// Again each time, should it have failed while NATS was away.
	var err error
	switch is {
	case within:
		err = w.serving.Rejoin()
	case aside:
		err = w.serving.StepAside()
	}
	if err != nil {
		w.cfg.Log.Debug("queue group not changed yet", zap.Error(err))
		return true
	}
	if is != before {
		w.cfg.Log.Info("calls wait: "+[...]string{within: "taking part in the queue group", leaving: "another host has room", aside: "stepped aside"}[is],
			zap.Int64("running", o.running), zap.Int64("waiting", o.waiting))
		w.cfg.Announce()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = !over
	return !over
}

// endSteering leaves the queue group to who drains it.
func (w *Workload) endSteering() {
	s := &w.steering
	s.mu.Lock()
	first := !s.stopped
	s.stopped = true
	s.mu.Unlock()
	if first {
		close(s.stop)
	}
	s.done.Wait()
}

// Crowded implements link.Component: a call would have to wait here, and others did
// while another host had room.
func (w *Workload) Crowded() bool { return w.admit.full() && w.isAside() }

// isAside reports whether callers should count on another host.
func (w *Workload) isAside() bool {
	s := &w.steering
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stance != within
}
