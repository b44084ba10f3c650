package ctl

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/oklog/ulid/v2"

	"github.com/lathhost/lath/lattice"
)

// opPoll is how often a client that waits for an outcome asks, in case that the
// message that tells it is lost; opUnknown how often a command that was accepted
// may be unknown to the host that is asked.
const (
	opPoll    = time.Second
	opUnknown = 10
)

// hostGone is how many times in a row, opPoll apart, the host that accepted a
// command must not answer to be taken for gone.
const hostGone = 3

// ErrHostGone tells that the host which accepted a command does not answer any more,
// and has told no outcome: the command may have been carried out.
var ErrHostGone = errors.New("the host that accepted it does not answer any more")

// NewCommandID returns an id for a command, a ULID.
func NewCommandID() string { return ulid.Make().String() }

// WithCommandID returns a client whose commands have that id. It is for one
// command, and for repeating it when no answer came: also through another host, a
// repeat gets the first one's answer, and nothing is done twice, as long as the
// command is remembered: for ten minutes after its end.
func (c *Client) WithCommandID(id string) *Client {
	named := *c
	named.commandID = id
	return &named
}

// CommandID is the id that all commands of this client have; empty: each has its
// own.
func (c *Client) CommandID() string { return c.commandID }

// Op asks a host of the lattice for a command and what became of it. The error
// matches lattice.ErrNotFound if no host has accepted one of that id, or only hosts
// that speak v1 alone, or if it ended more than ten minutes ago.
func (c *Client) Op(ctx context.Context, id string) (*lattice.Op, error) {
	id, err := lattice.ParseOpID(id)
	if err != nil {
		return nil, err
	}
	all, err := c.listOps(ctx, listQuery{ID: id}, 1)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("command %s: %w: no host that keeps commands has accepted it, or it ended more than ten minutes ago", id, lattice.ErrNotFound)
	}
	if all[0].ID != id {
		return nil, fmt.Errorf("command %s: %w: the answer is of another", id, lattice.ErrInvalid)
	}
	return &all[0], nil
}

// Ops returns the newest commands of the lattice, the newest first, at most so many.
func (c *Client) Ops(ctx context.Context, most int) ([]lattice.Op, error) {
	return c.listOps(ctx, listQuery{}, most)
}

func (c *Client) listOps(ctx context.Context, q listQuery, most int) ([]lattice.Op, error) {
	at := c.aboutList("op.list", lattice.OpListSubject(c.cfg.Lattice))
	return listOf(ctx, c, at, q, most, func(op lattice.Op) error { return op.Validate() })
}

// Await sends a command and waits for its outcome, which State and Cause of the Op
// tell. send gets a client for this one command. The errors are those of send, and
// WaitOp's.
func (c *Client) Await(ctx context.Context, send func(c *Client) error) (*lattice.Op, error) {
	named := c.WithCommandID(NewCommandID())
	w, err := c.WatchOps(ctx, named.commandID)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if err := send(named); err != nil {
		return nil, err
	}
	return c.wait(ctx, w, named.commandID)
}

// WaitOp waits until a command that was accepted has ended. When ctx ends first,
// the error matches lattice.ErrTimeout, or is the context's, and the command is
// returned as it was last seen, if it was; likewise when its host does not answer
// for some seconds, with ErrHostGone. The error matches lattice.ErrNotFound where
// the host that accepted it keeps no record, as those of v1.
func (c *Client) WaitOp(ctx context.Context, id string) (*lattice.Op, error) {
	id, err := lattice.ParseOpID(id)
	if err != nil {
		return nil, err
	}
	w, err := c.WatchOps(ctx, id)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("command %s: %w: %w", id, lattice.ErrTimeout, err)
	}
	if err != nil {
		return nil, err
	}
	defer w.Close()
	return c.wait(ctx, w, id)
}

func (c *Client) wait(ctx context.Context, w *OpWatch, id string) (*lattice.Op, error) {
	var seen *lattice.Op
	unknown, silent := 0, 0
	for {
		op, err := c.Op(ctx, id)
		if err == nil {
			if seen = op; op.State != lattice.OpAccepted {
				return op, nil
			}
			if silent >= hostGone { // it was asked for after that
				return op, fmt.Errorf("command %s: %w: %s", id, ErrHostGone, op.HostID)
			}
		}
		pause := opPoll
		if errors.Is(err, lattice.ErrNotFound) && seen == nil {
			// A replica of the store may not have it yet.
			if unknown++; unknown == opUnknown {
				return nil, err
			}
			pause = opPoll / opUnknown
		}
		told, err := w.nextWithin(ctx, pause)
		switch {
		case err == nil && told.State != lattice.OpAccepted:
			return told, nil
		case err == nil:
			seen = told
		case ctx.Err() != nil:
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				err = lattice.ErrTimeout
			}
			return seen, fmt.Errorf("command %s: no outcome yet: %w", id, err)
		case errors.Is(err, lattice.ErrDisconnected):
			return seen, err
		case seen != nil && c.gone(ctx, seen.HostID):
			silent++
		default:
			silent = 0
		}
	}
}

// gone says whether NATS knows of nobody who would answer for a host: one that
// leaves in order answers until it has told its outcomes.
func (c *Client) gone(ctx context.Context, host string) bool {
	var p inventoryPage
	at := &CallError{Verb: "inventory", ID: host, What: "host", Subject: lattice.InventorySubject(c.cfg.Lattice, host)}
	_, err := c.call(ctx, at, listQuery{After: "~"}, &p) // which is after all there is
	return errors.Is(err, lattice.ErrNotFound)
}

// OpWatch hears of commands as they are accepted and end.
type OpWatch struct {
	lattice string
	sub     *nats.Subscription
}

// WatchOps begins to hear of the command of an id, or, with an empty one, of all.
// The caller closes it.
func (c *Client) WatchOps(ctx context.Context, id string) (*OpWatch, error) {
	if id == "" {
		id = "*"
	} else if _, err := lattice.ParseOpID(id); err != nil {
		return nil, err
	}
	sub, err := c.cfg.Conn.SubscribeSync(lattice.OpSubject(c.cfg.Lattice, id))
	if err != nil {
		return nil, fmt.Errorf("watch commands: %w", lattice.Disconnected(err))
	}
	w := &OpWatch{lattice: c.cfg.Lattice, sub: sub}
	if err := lattice.Flush(ctx, c.cfg.Conn); err != nil {
		w.Close()
		return nil, fmt.Errorf("watch commands: %w", err)
	}
	return w, nil
}

// Next waits for the next command that was accepted or has ended. What is no such
// message is passed over, and what comes faster than it is read may be lost. When
// ctx ends, the error is the context's.
func (w *OpWatch) Next(ctx context.Context) (*lattice.Op, error) {
	for {
		msg, err := w.sub.NextMsgWithContext(ctx)
		switch {
		case errors.Is(err, nats.ErrSlowConsumer):
			continue
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			return nil, fmt.Errorf("watch commands: %w", lattice.Disconnected(err))
		}
		if op, err := lattice.DecodeOp(msg.Data); err == nil && lattice.OpSubject(w.lattice, op.ID) == msg.Subject {
			return &op, nil
		}
	}
}

func (w *OpWatch) nextWithin(ctx context.Context, d time.Duration) (*lattice.Op, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	return w.Next(ctx)
}

// Close ends the watch. It may be called again.
func (w *OpWatch) Close() {
	// It fails on a closed connection, which has ended the watch too.
	_ = w.sub.Unsubscribe()
}
