package host

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
)

// What goes wrong between this host and NATS outside any call is told twice: in
// the log, and to the lattice as an event, each at most once per troubleEvery for
// one cause, with how often it happened.
const (
	troubleEvery = time.Second
	// maxTroubles bounds those that wait to be told, and the causes that are told
	// apart at a time; what is more is not told.
	maxTroubles = 64
)

// trouble is one thing that went wrong.
type trouble struct {
	cause string // troubles of one cause are told together
	err   error
	next  string // what to do about it
	// event is what the lattice is told of n of them; nil: only the log is.
	event func(n uint64) event.Data
}

// troubled takes a trouble to be told. It never waits.
func (h *Host) troubled(t trouble) {
	select {
	case h.troubles <- t:
	default: // those before it are told
	}
}

// recentTrouble is a cause of troubles that was told not long ago.
type recentTrouble struct {
	last trouble
	n    uint64
}

// watchTroubles tells of troubles until ctx ends.
func (h *Host) watchTroubles(ctx context.Context) {
	recent := map[string]*recentTrouble{}
	tick := time.NewTicker(troubleEvery)
	tick.Stop()
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-h.troubles:
			switch u := recent[t.cause]; {
			case u != nil:
				u.last = t
				u.n++
			case len(recent) < maxTroubles:
				if len(recent) == 0 {
					tick.Reset(troubleEvery)
				}
				recent[t.cause] = &recentTrouble{}
				h.tellTrouble(t, 1)
			}
		case <-tick.C:
			for cause, u := range recent {
				if u.n == 0 {
					delete(recent, cause)
					continue
				}
				h.tellTrouble(u.last, u.n)
				u.n = 0
			}
			if len(recent) == 0 {
				tick.Stop()
			}
		}
	}
}

func (h *Host) tellTrouble(t trouble, n uint64) {
	h.log.Error("trouble with NATS", zap.Error(t.err), zap.Uint64("times", n), zap.String("next", t.next))
	if t.event == nil {
		return
	}
	if err := h.events.Publish(t.event(n)); err != nil {
		h.log.Warn("event not published", zap.Error(err))
	}
}

// What to do about each.
const (
	nextSlow   = "give the host more of its machine, or spread what it runs over more hosts"
	nextLarge  = "raise max_payload of the NATS servers, up to 8 MiB, on leaf nodes and their hub alike"
	nextFull   = "free room on the disk of the NATS server, or raise its limits: max_file_store, or those of the account"
	nextDenied = "have the NATS user's permissions include the subject: examples/nats has what a host needs"
	nextOther  = "see the log of the NATS server"
	nextClosed = "start the host again; see the log of the NATS server for why it ended the connection"
)

// natsTrouble takes what a connection says went wrong outside any call.
func (h *Host) natsTrouble(t lattice.Trouble) {
	host := h.cfg.Identity.ID
	switch t.Kind {
	case lattice.SlowConsumer:
		h.troubled(trouble{cause: "slow " + t.Subject, err: fmt.Errorf("%s: %w: %d in all", t.Subject, t.Err, t.Dropped), next: nextSlow,
			event: func(n uint64) event.Data {
				return event.SlowConsumer{HostID: host, Subject: t.Subject, Dropped: t.Dropped, Count: n, Next: nextSlow}
			}})
	case lattice.Forbidden:
		h.troubled(trouble{cause: t.Err.Error(), err: t.Err, next: nextDenied})
	default:
		h.troubled(trouble{cause: t.Err.Error(), err: t.Err, next: nextOther})
	}
}

// tooLarge takes what was not sent because of its size.
func (h *Host) tooLarge(what string, err *lattice.TooLargeError) {
	host, large := h.cfg.Identity.ID, *err
	h.troubled(trouble{cause: "large " + what, err: err, next: nextLarge, event: func(n uint64) event.Data {
		return event.PayloadTooLarge{HostID: host, What: what, Bytes: large.Bytes, Limit: large.Limit, Count: n, Next: nextLarge}
	}})
}

// storageFull takes a write for which JetStream had no room.
func (h *Host) storageFull(err error) {
	host, server := h.cfg.Identity.ID, h.cfg.Conn.ConnectedUrlRedacted()
	h.troubled(trouble{cause: "full", err: err, next: nextFull, event: func(n uint64) event.Data {
		return event.StorageFull{HostID: host, Server: server, Cause: err.Error(), Count: n, Next: nextFull}
	}})
}

// conns are the host's connections, one or two.
func (h *Host) conns() []*lattice.Conn {
	if h.cfg.RPCConn == h.cfg.Conn {
		return []*lattice.Conn{h.cfg.Conn}
	}
	return []*lattice.Conn{h.cfg.RPCConn, h.cfg.Conn}
}

// hearConns hears of troubles with the connections until the function that it
// returns is called.
func (h *Host) hearConns() (end func()) {
	var ends []func()
	for _, conn := range h.conns() {
		ends = append(ends, lattice.HearTroubles(conn, h.natsTrouble))
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// watchClosed tells when a connection has ended that was to last as long as the
// host.
func (h *Host) watchClosed(ctx context.Context, conn *lattice.Conn) {
	err := lattice.AwaitClosed(ctx, conn)
	if err == nil {
		return
	}
	select {
	case h.lost <- fmt.Errorf("%w: %s", err, nextClosed):
	default: // the other one was first
	}
}
