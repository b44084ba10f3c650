package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/providers/cron"
	"github.com/lathhost/lath/test/harness"
)

// patience bounds every wait for something that has to happen.
const patience = 30 * time.Second

// node is a host that may come and go, under one identity.
type node struct {
	w        *world
	number   int
	identity *lattice.Identity
	clock    clock

	// What follows is the schedule's alone.
	up, paused, cut bool
	wire            *harness.Wire
	conn            *nats.Conn
	host            *host.Host
	cron            *cron.Provider
	stop            context.CancelFunc
	done            chan error

	// What follows is guarded by the world's mu.
	places map[string]*place
	labels map[string]*register[string]
	// lost are commands that were acknowledged and whose outcome their ids have to
	// tell, by these.
	lost map[string]pending
	gone bool // it has left in order, or is leaving
}

// start runs the host and waits until it answers.
func (n *node) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var err error
	if n.wire, err = harness.NewWire(n.w.server.URL()); err != nil {
		return err
	}
	n.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: n.wire.URL(), Name: fmt.Sprint("host ", n.number),
		OnDisconnect: func(error) { n.shaken() }})
	if err != nil {
		n.wire.Close()
		return fmt.Errorf("host %d: %w", n.number, err)
	}
	n.host, err = host.New(host.Config{Lattice: harness.Name, Identity: n.identity, Conn: n.conn, Runtime: n.w.m.runtime,
		Images: n.w.m.images, Builtins: []provider.Builtin{n.w.ledger.builtin()}, Restore: true, Drain: 2 * time.Second, Now: n.clock.now,
		Log: n.w.log.With(zap.Int("number", n.number))})
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(context.Background())
	n.stop, n.done = stop, make(chan error, 1)
	n.w.mu.Lock()
	n.gone = false
	n.w.mu.Unlock()
	go func() { n.done <- n.host.Run(run) }()
	select {
	case <-n.host.Ready():
		n.up, n.paused, n.cut = true, false, false
		n.cron, err = n.tick()
		return err
	case err = <-n.done:
	case <-ctx.Done():
		stop()
		err = <-n.done
	}
	stop()
	n.conn.Close()
	n.wire.Close()
	return fmt.Errorf("host %d did not start: %w", n.number, errors.Join(err, ctx.Err()))
}

// kill ends the host as a power cut does. Nothing of it is left but what it stored.
func (n *node) kill() error {
	n.wire.Cut()
	n.conn.Close()
	n.stop()
	if err := n.cron.Close(); err != nil {
		return err
	}
	select {
	case <-n.done: //nolint:errcheck // what it complains about is lost with it
	case <-time.After(patience):
		return fmt.Errorf("host %d does not end", n.number)
	}
	n.wire.Close()
	n.up = false
	n.shaken()
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	clear(n.labels) // a command's labels last as long as the host
	clear(n.lost)   // nobody is left to say what became of them
	return nil
}

// leave stops the host in order. What it ran is to run again when it comes back.
func (n *node) leave() error {
	n.w.mu.Lock()
	n.gone = true
	clear(n.labels)
	n.w.mu.Unlock()
	err := n.cron.Close()
	n.stop()
	defer n.wire.Close()
	defer n.conn.Close()
	n.up = false
	select {
	case ended := <-n.done:
		return errors.Join(err, ended)
	case <-time.After(patience):
		return fmt.Errorf("host %d does not stop", n.number)
	}
}

func (n *node) pause() {
	n.wire.Pause()
	n.paused = true
}

func (n *node) resume() {
	n.wire.Resume()
	n.paused = false
}

func (n *node) cutOff() {
	n.wire.Cut()
	n.cut = true
}

func (n *node) heal() {
	n.wire.Heal()
	n.cut = false
}

// shaken notes that what the host was told and tells may be lost.
func (n *node) shaken() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	until := time.Now().Add(linger)
	for _, p := range n.places {
		for _, c := range p.shaken(until) {
			n.lost[c.op] = c
		}
	}
}

// place returns what is known of an id on the host. The world's mu is held.
func (n *node) place(id string) *place {
	p := n.places[id]
	if p == nil {
		p = &place{}
		n.places[id] = p
	}
	return p
}
