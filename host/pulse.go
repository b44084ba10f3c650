package host

import (
	"context"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice/beat"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
)

// listen begins to hear the other hosts, which calls along links then go to.
func (h *Host) listen(ctx context.Context) error {
	var err error
	h.peers, err = beat.Listen(ctx, beat.ListenerConfig{Conn: h.cfg.RPCConn, Lattice: h.cfg.Lattice, Self: h.cfg.Identity.ID,
		OnLost: func(p beat.Peer) {
			h.log.Warn("a host is unreachable", zap.String("peer", p.ID), zap.Duration("silent", p.Silence()))
			h.client.Lost(h.cfg.Lattice, p.ID, p.Inbox, p.IDs())
		}})
	if err == nil {
		h.caller = wrpc.NewCaller(h.client, h.cfg.Lattice, h.peers)
	}
	return err
}

// startPulse begins to tell others that this host is there, on the connection by
// which it is called.
func (h *Host) startPulse() error {
	var err error
	h.pulse, err = beat.NewBeater(beat.BeaterConfig{Conn: h.cfg.RPCConn, Lattice: h.cfg.Lattice, Host: h.cfg.Identity.ID, Now: h.cfg.Now, Fill: h.fillBeat,
		OnError: func(err error) {
			h.log.Warn("beat not sent: other hosts will take this one for unreachable", zap.Error(err))
		}})
	return err
}

// fillBeat writes what the host has to say into a beat.
func (h *Host) fillBeat(b *beat.Beat) {
	b.Name, b.Inbox = h.cfg.Identity.Name, h.server.Inbox()
	for _, d := range h.listComponents() {
		b.Components = append(b.Components, d.Load())
	}
	for _, p := range h.listProviders() {
		b.Components = append(b.Components, beat.Load{ID: p.id})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	b.Draining = h.stopping
}

// peerList is what this host tells of others that ask.
func (h *Host) peerList() []ctl.Peer {
	var all []ctl.Peer
	for _, p := range h.peers.Peers() {
		all = append(all, ctl.Peer{ID: p.ID, FriendlyName: p.Name, State: p.State.String(), SilentMS: p.Silence().Milliseconds()})
	}
	return all
}

// Peers returns the hosts of the lattice that this one has heard, itself
// included, by id.
func (h *Host) Peers() []beat.Peer { return h.peers.Peers() }
