package harness

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
)

// Distant is Host with a [Wire] of the host's own, which a test may pause and cut.
func (l *Lattice) Distant(edit func(*host.Config)) *Node {
	l.T.Helper()
	wire, err := NewWire(l.URL)
	require.NoError(l.T, err)
	l.T.Cleanup(wire.Close)
	n := l.start(wire, edit)
	l.T.Cleanup(wire.Resume) // before the host is stopped
	return n
}

// Kill ends a distant host as a power cut does: its connections break, and it
// tells nobody. What it held is released, which nobody else can see. It returns when
// NATS knows, so that nothing is sent to the dead any more.
func (n *Node) Kill() {
	n.l.T.Helper()
	n.Wire.Cut()
	n.Conn.Close()
	n.stop()
	if n.done == nil {
		return
	}
	select {
	case <-n.done: //nolint:errcheck // what it complains about would be lost with it
		n.done = nil
	case <-time.After(Wait):
		n.done = nil
		n.l.T.Fatal("host does not end")
	}
	n.l.Eventually("NATS has seen that it is gone", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		_, err := n.l.Control.Inventory(ctx, n.ID)
		return errors.Is(err, lattice.ErrNotFound)
	})
}

// Restart starts a host that was killed or has stopped again, with the same
// configuration and identity.
func (n *Node) Restart() *Node {
	n.l.T.Helper()
	old := n.cfg
	edit := func(c *host.Config) {
		conn, rt, images, log := c.Conn, c.Runtime, c.Images, c.Log
		*c = old
		c.Conn, c.Runtime, c.Images, c.Log = conn, rt, images, log
	}
	if n.Wire == nil {
		return n.l.Host(edit)
	}
	return n.l.Distant(edit)
}
