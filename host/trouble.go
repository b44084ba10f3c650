package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
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
	nextClosed = "start the host again; see the log of the NATS server for why it ended the connection"
)

// natsError takes what a connection says went wrong outside any call.
func (h *Host) natsError(conn *nats.Conn, sub *nats.Subscription, err error) {
	switch {
	case errors.Is(err, nats.ErrSlowConsumer) && sub != nil:
		dropped, _ := sub.Dropped() // it fails on a subscription that is gone: none are known then
		host, subject := h.cfg.Identity.ID, sub.Subject
		h.troubled(trouble{cause: "slow " + subject, err: fmt.Errorf("%s: %w: %d in all", subject, err, dropped), next: nextSlow,
			event: func(n uint64) event.Data {
				return event.SlowConsumer{HostID: host, Subject: subject, Dropped: uint64(max(dropped, 0)), Count: n, Next: nextSlow}
			}})
	case errors.Is(err, nats.ErrPermissionViolation):
		h.troubled(trouble{cause: err.Error(), err: err, next: nextDenied})
	default:
		h.troubled(trouble{cause: err.Error(), err: fmt.Errorf("connection to %s: %w", conn.ConnectedUrlRedacted(), err), next: "see the log of the NATS server"})
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
		before := conn.ErrorHandler()
		conn.SetErrorHandler(h.natsError)
		ends = append(ends, func() { conn.SetErrorHandler(before) })
	}
	return func() {
		for _, end := range ends {
			end()
		}
	}
}

// errClosed ends a host whose connection will not come back: nats.go closes one
// for good on errors that it does not know.
var errClosed = errors.New("the connection to NATS was closed for good")

// watchClosed tells when a connection has ended that was to last as long as the
// host.
func (h *Host) watchClosed(ctx context.Context, conn *lattice.Conn) {
	closed := conn.StatusChanged(nats.CLOSED)
	defer conn.RemoveStatusListener(closed)
	if !conn.IsClosed() {
		select {
		case <-ctx.Done():
			return
		case <-closed:
		}
	}
	err := errClosed
	if last := conn.LastError(); last != nil {
		err = fmt.Errorf("%w: %w", errClosed, last)
	}
	select {
	case h.lost <- fmt.Errorf("%w: %s", err, nextClosed):
	default: // the other one was first
	}
}
