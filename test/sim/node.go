package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/providers/cron"
	"github.com/lathhost/lath/test/harness"
)

// node is a host that may come and go, under one identity.
type node struct {
	w        *world
	number   int
	identity *lattice.Identity
	clock    clock

	// What follows is the schedule's alone.
	up, paused, cut bool
	wires           []*harness.Wire // to each NATS server
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
	ctx, cancel := context.WithTimeout(ctx, n.w.patience)
	defer cancel()
	url, err := n.wireUp()
	if err != nil {
		return err
	}
	n.conn, err = lattice.Connect(ctx, lattice.ConnConfig{URL: url, Name: fmt.Sprint("host ", n.number),
		OnDisconnect: func(error) { n.shaken() }})
	if err != nil {
		n.all((*harness.Wire).Close)
		return fmt.Errorf("host %d: %w", n.number, err)
	}
	n.host, err = host.New(host.Config{Lattice: harness.Name, Identity: n.identity, Conn: n.conn, Runtime: n.w.m.runtime,
		Images: n.w.m.images, Builtins: []provider.Builtin{n.w.ledger.builtin()}, Restore: true, Drain: n.w.drain,
		Now: n.clock.now, StoreWait: n.w.patience,
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
		n.cron, err = n.tick(ctx)
		return err
	case err = <-n.done:
	case <-ctx.Done():
		stop()
		err = <-n.done
	}
	stop()
	n.conn.Close()
	n.all((*harness.Wire).Close)
	return fmt.Errorf("host %d did not start: %w", n.number, errors.Join(err, ctx.Err()))
}

// wireUp makes the wires to the NATS servers, and returns where they begin.
func (n *node) wireUp() (string, error) {
	n.wires = nil
	var urls []string
	for _, url := range n.w.servers.urls() {
		wire, err := harness.NewWire(url)
		if err != nil {
			n.all((*harness.Wire).Close)
			return "", err
		}
		n.wires, urls = append(n.wires, wire), append(urls, wire.URL())
	}
	return strings.Join(urls, ","), nil
}

// all does something to all wires.
func (n *node) all(do func(*harness.Wire)) {
	for _, w := range n.wires {
		do(w)
	}
}

// kill ends the host as a power cut does. Nothing of it is left but what it stored.
func (n *node) kill() error {
	n.all((*harness.Wire).Cut)
	n.conn.Close()
	n.stop()
	if err := n.cron.Close(); err != nil {
		return err
	}
	select {
	case <-n.done: //nolint:errcheck // what it complains about is lost with it
	case <-time.After(n.w.patience):
		return fmt.Errorf("host %d does not end", n.number)
	}
	n.all((*harness.Wire).Close)
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
	defer n.all((*harness.Wire).Close)
	defer n.conn.Close()
	n.up = false
	select {
	case ended := <-n.done:
		return errors.Join(err, ended)
	case <-time.After(n.w.patience):
		return fmt.Errorf("host %d does not stop", n.number)
	}
}

func (n *node) pause() {
	n.all((*harness.Wire).Pause)
	n.paused = true
}

func (n *node) resume() {
	n.all((*harness.Wire).Resume)
	n.paused = false
}

func (n *node) cutOff() {
	n.all((*harness.Wire).Cut)
	n.cut = true
}

func (n *node) heal() {
	n.all((*harness.Wire).Heal)
	n.cut = false
}

// shaken notes that what the host was told and tells may be lost.
func (n *node) shaken() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	for _, p := range n.places {
		n.shakenBy(p)
	}
}

// shakenBy is shaken for one place. The world's mu is held.
func (n *node) shakenBy(p *place) {
	for _, c := range p.shaken(n.w.timeout()) {
		n.lost[c.op] = c
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
