package sim

import (
	"slices"
	"strconv"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice/event"
)

// hear takes an event of the lattice. A host tells outcomes in the order in which
// its commands took effect, so that what it told last is how things are.
func (w *world) hear(m *nats.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log.Debug("event", zap.String("subject", m.Subject), zap.ByteString("data", m.Data))
	e, err := event.Decode(m.Data)
	if err != nil {
		w.violated("event on %s: %v", m.Subject, err)
		return
	}
	switch d := e.Data.(type) {
	case event.ComponentScaled:
		w.done(d.HostID, d.ComponentID, run{count: uint32(d.MaxInstances), image: d.ImageRef, command: commandOf(d.Annotations)})
	case event.ProviderStarted:
		w.done(d.HostID, d.ProviderID, run{count: 1, image: d.ImageRef, command: commandOf(d.Annotations)})
	case event.ProviderStopped:
		// A host that leaves stops its providers, and starts them again later.
		if p := w.placeOf(d.HostID, d.ProviderID); p != nil && !w.leaving(d.HostID) {
			p.take(func(c pending) bool { return c.run.count == 0 })
			p.set(run{})
		}
	case event.ComponentScaleFailed:
		w.failed(d.HostID, d.ComponentID, commandOf(d.Annotations), d.Error)
	case event.ProviderStartFailed:
		p := w.placeOf(d.HostID, d.ProviderID)
		if p == nil {
			return
		}
		if c, known := p.take(func(c pending) bool { return c.run.count > 0 }); known && w.calm() {
			w.violated("provider start #%d failed, and nothing was wrong: %s", c.command, d.Error)
		}
	}
}

func commandOf(annotations map[string]string) int {
	n, _ := strconv.Atoi(annotations[commandAnnotation]) // 0 is none of ours
	return n
}

// done notes that a command has taken effect. mu is held.
func (w *world) done(host, id string, now run) {
	p := w.placeOf(host, id)
	if p == nil {
		return
	}
	command := now.command
	if now.count == 0 {
		now = run{}
	}
	p.allow(now)
	c, known := p.told(command)
	switch {
	case known && c.fails:
		w.violated("command #%d for %s was told as done, and should have failed", command, id)
	case known && c.run != now:
		w.violated("command #%d for %s left %s, and should have left %s", command, id, now, c.run)
	}
	p.set(now)
}

// failed notes that a command has not taken effect. mu is held.
func (w *world) failed(host, id string, command int, why string) {
	p := w.placeOf(host, id)
	if p == nil {
		return
	}
	if c, known := p.told(command); known && !c.fails && w.calm() {
		w.violated("command #%d for %s failed, and nothing was wrong: %s", command, id, why)
	}
}

// leaving reports whether the host of that key has left in order. mu is held.
func (w *world) leaving(host string) bool {
	return slices.ContainsFunc(w.nodes, func(n *node) bool { return n.identity.ID == host && n.gone })
}

// placeOf returns an id's place on the host of that key, or nil. mu is held.
func (w *world) placeOf(host, id string) *place {
	for _, n := range w.nodes {
		if n.identity.ID == host {
			return n.place(id)
		}
	}
	return nil
}
