package wrpc

import (
	"context"
	"errors"
	"slices"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// owed is what a caller is still to be sent: results and their end, the end of a
// channel alone, or the answer to its invocation.
type owed struct {
	subject, reply string
	results        []byte
	end            nats.Header // nil to a v1 caller
}

var errBroken = &Error{Code: Lost, Detail: "the connection to NATS broke while results were sent", MayHaveRun: true}

// brokenTrailer ends a channel that may lack what was sent before. Nobody writes to it.
var brokenTrailer = trailer(statusOf(errBroken))

// send sends it. Where that fails it may be sent again.
func (o *owed) send(nc *nats.Conn) error {
	sent, err := publishBytes(nc, o.subject, o.results)
	if err == nil {
		err = publishError(nc.PublishMsg(&nats.Msg{Subject: o.subject, Reply: o.reply, Header: o.end}))
	}
	if err != nil && (sent > 0 || !errors.Is(err, ErrDisconnected)) {
		o.spoil()
	}
	return err
}

// spoil gives up results of which a part was sent, for their end: they must not arrive
// twice, and the rest must not follow what may be lost. Ends may well arrive twice.
func (o *owed) spoil() {
	if len(o.results) == 0 {
		return
	}
	if o.results = nil; o.end != nil {
		o.end = brokenTrailer
	}
}

// send sends the caller what it is owed, or has it sent when there is a connection.
func (in *incoming) send(o owed) error {
	results := len(o.results)
	err := in.greet()
	if err == nil {
		err = o.send(in.h.v.s.nc)
	}
	if err == nil {
		return nil
	}
	in.owe(o)
	if len(o.results) < results {
		return err
	}
	return nil
}

// owe keeps what could not be sent, until the call leaves.
func (s *session) owe(o owed) {
	s.mu.Lock()
	s.owed = append(s.owed, o)
	s.mu.Unlock()
}

// greet sends the handshake again, should the connection have broken since it was
// sent. Without one, the caller would take all that follows for a v1 callee's.
func (in *incoming) greet() error {
	if in.inbox == "" || !in.broke.Swap(false) {
		return nil
	}
	o := in.handshake()
	err := o.send(in.nc)
	if err != nil {
		in.broke.Store(true)
	}
	return err
}

// handshake is that of a call whose parameters are here, or are no longer waited for.
func (in *incoming) handshake() owed {
	o := owed{subject: in.caller, reply: in.inbox}
	if in.lath {
		o.end = in.h.accept
	}
	return o
}

// debt is what is owed to the caller of one call that ended while the connection was
// away. It holds none of what the call held.
type debt struct {
	s    *Server
	owed []owed
	cost int64
}

// debtCost is what a debt counts for beside the results.
const debtCost = 4 << 10

// leave ends the call's part in its serving: now, or when its caller was sent what it
// is owed. It does not wait for that.
func (in *incoming) leave() {
	v := in.h.v
	in.mu.Lock()
	list := in.owed
	in.owed = nil
	in.mu.Unlock()
	if len(list) == 0 {
		v.leave()
		return
	}
	if in.inbox != "" {
		list = slices.Insert(list, 0, in.handshake())
	}
	d := &debt{s: v.s, owed: list, cost: debtCost}
	for _, o := range list {
		d.cost += int64(len(o.results))
	}
	until, subject, meta, report := in.ctx.until, in.req.Subject, in.Meta, v.s.cfg.OnError
	if in.reported {
		report = nil
	}
	v.s.workers.wg.Go(func() {
		defer v.leave()
		ctx, cancel := context.WithDeadline(v.base, until)
		defer cancel()
		if err := d.pay(ctx); err != nil && report != nil {
			report(subject, meta, err)
		}
	})
}

// pay sends what is owed when the connection is back, unless the call's time is over
// by then or the serving's is. Nats.go subscribes anew before it lets anything be sent.
func (d *debt) pay(ctx context.Context) error {
	defer d.s.owing.Add(-d.cost)
	if d.s.owing.Add(d.cost) > int64(d.s.cfg.MaxOwed) {
		return &Error{Code: Overflow, Detail: "too many results wait for the connection to NATS", MayHaveRun: true}
	}
	nc := d.s.nc
	back := nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer nc.RemoveStatusListener(back)
	for {
		err := d.send(ctx)
		if err == nil || nc.IsClosed() || errors.Is(err, lattice.ErrInvalid) {
			return err
		}
		select {
		case <-back:
		case <-ctx.Done():
			return err
		}
	}
}

// send sends all of it and waits until the server has it.
func (d *debt) send(ctx context.Context) error {
	for i := range d.owed {
		if err := d.owed[i].send(d.s.nc); err != nil {
			return err
		}
	}
	err := d.s.nc.FlushWithContext(ctx)
	if err != nil {
		for i := range d.owed {
			d.owed[i].spoil()
		}
	}
	return err
}
