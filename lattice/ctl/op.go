package ctl

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
)

// OpStore keeps commands with their ids, for all hosts of a lattice together. Its
// methods are called concurrently.
type OpStore interface {
	// CreateOp stores a command that nobody has stored before. If someone has, it
	// returns what is stored, with an error that matches lattice.ErrConflict.
	CreateOp(ctx context.Context, op lattice.Op) (earlier lattice.Op, err error)
	// PutOp stores how far a command is that this host has created.
	PutOp(ctx context.Context, op lattice.Op) error
	// Op reads a command, or returns an error that matches lattice.ErrNotFound.
	Op(ctx context.Context, id string) (lattice.Op, error)
	// Ops reads commands, the newest first, at most so many, and of those with a
	// smaller id than before, unless that is empty.
	Ops(ctx context.Context, before string, most int) (list []lattice.Op, more bool, err error)
}

// repeatWait bounds how long a repeated command waits for the answer of the first,
// and repeatPoll is how often it looks.
const (
	repeatWait = 2 * time.Second
	repeatPoll = 20 * time.Millisecond
)

// An outcome that cannot be stored is tried again every storeRetry, for storeWait.
const (
	storeRetry = 500 * time.Millisecond
	storeWait  = 2 * time.Minute
	// storeLast bounds the last attempt of a server that ends.
	storeLast = 2 * time.Second
)

// commandID is the id of a request. One that is malformed counts as none: v1 gives
// the header no meaning.
func commandID(msg *nats.Msg) string {
	if values := msg.Header[lattice.HeaderCommandID]; len(values) == 1 {
		if id, err := lattice.ParseOpID(values[0]); err == nil {
			return id
		}
	}
	return ""
}

// once carries out a command that has ended when it is answered.
func (s *Server) once(ctx context.Context, r *request, thing string, do func() (answer, error)) (answer, error) {
	return s.begin(ctx, r, thing, func(ended Outcome) (answer, error) {
		a, err := do()
		if err == nil {
			ended(nil)
		}
		return a, err
	})
}

// begin carries out a command, unless it is a repeat: that gets the answer of the
// first one. do may leave work behind, of which it tells ended the outcome.
func (s *Server) begin(ctx context.Context, r *request, thing string, do func(ended Outcome) (answer, error)) (answer, error) {
	if r.id == "" || s.cfg.Ops == nil {
		return do(func(error) {})
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n", r.verb, r.name)
	sum.Write(r.body)
	c := &command{s: s, op: lattice.Op{ID: r.id, Verb: r.verb, Thing: thing, HostID: s.cfg.HostID, State: lattice.OpAccepted,
		Digest: hex.EncodeToString(sum.Sum(nil)), Accepted: s.cfg.Now().UTC()}}
	switch earlier, err := s.cfg.Ops.CreateOp(ctx, c.op); {
	case errors.Is(err, lattice.ErrConflict):
		return s.repeated(ctx, c.op, earlier)
	case errors.Is(err, lattice.ErrFull) && r.ends:
		s.cfg.Log.Warn("a command is carried out without a record: lath get ops will not tell it", zap.String("command", r.id), zap.String("verb", r.verb), zap.Error(err))
	case err != nil:
		return answer{}, fmt.Errorf("not carried out, because it cannot be recorded: %w", err)
	}
	c.tell()
	a, err := answer{}, errors.New("internal error of host "+s.cfg.HostID+", see its log") // of a panic
	defer func() { c.answered(a.message, err) }()
	a, err = do(c.end)
	return a, err
}

// repeated gives a command the answer of the one with its id that came first.
func (s *Server) repeated(ctx context.Context, now, op lattice.Op) (answer, error) {
	if op.Digest != now.Digest {
		return answer{}, fmt.Errorf("command id %s: %w: it is that of another request (%s %.80s on host %s); each command has its own",
			op.ID, lattice.ErrConflict, op.Verb, op.Thing, op.HostID)
	}
	ctx, cancel := context.WithTimeout(ctx, repeatWait)
	defer cancel()
	for !op.Answered {
		select {
		case <-ctx.Done():
			return answer{}, fmt.Errorf("command %s was accepted by host %s, which has not answered it: it may have been carried out; see: lath get ops %[1]s", op.ID, op.HostID)
		case <-time.After(repeatPoll):
		}
		if stored, err := s.cfg.Ops.Op(ctx, op.ID); err == nil {
			op = stored
		}
	}
	if op.Refused {
		return answer{}, errors.New(op.Cause)
	}
	return answer{message: op.Message}, nil
}

// command is one that this host carries out.
type command struct {
	s *Server

	mu   sync.Mutex // held while storing, so that what is stored last is last
	op   lattice.Op
	late bool // a goroutine stores it
}

// answered notes the answer. A command that ended before is stored only now.
func (c *command) answered(message string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.op.Answered, c.op.Message = true, message
	if err != nil && c.op.State == lattice.OpAccepted {
		c.op.Refused = true
		c.over(err)
	}
	c.store()
}

// end is the Outcome of the command.
func (c *command) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.op.State != lattice.OpAccepted {
		return
	}
	c.over(err)
	if c.op.Answered {
		c.store()
	}
}

func (c *command) over(err error) {
	c.op.State, c.op.Ended = lattice.OpDone, c.s.cfg.Now().UTC()
	if err != nil {
		c.op.State, c.op.Cause = lattice.OpFailed, err.Error()
	}
}

// store stores and tells how far the command is; without NATS, as soon as it is
// back. The caller holds mu.
func (c *command) store() {
	c.tell()
	if c.late {
		return
	}
	err := c.s.cfg.Ops.PutOp(context.WithoutCancel(c.s.ctx), c.op)
	if err == nil {
		return
	}
	log := c.s.cfg.Log.With(zap.String("command", c.op.ID), zap.String("verb", c.op.Verb))
	log.Warn("outcome not stored yet", zap.Error(err))
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.s.closed {
		return
	}
	c.late = true
	c.s.late.Go(func() { c.storeLate(log) })
}

func (c *command) storeLate(log *zap.Logger) {
	ctx, cancel := context.WithTimeout(c.s.ctx, storeWait)
	defer cancel()
	for {
		select {
		case <-ctx.Done():
			// The host may be about to leave with a connection that is back by now.
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLast)
			defer cancel()
			if err := c.storeNow(last); err != nil {
				log.Error("outcome not stored: lath get ops will not tell it", zap.Error(err))
			}
			return
		case <-time.After(storeRetry):
		}
		if c.storeNow(ctx) == nil {
			return
		}
	}
}

// storeNow is one more attempt to store how far the command is.
func (c *command) storeNow(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.s.cfg.Ops.PutOp(ctx, c.op); err != nil {
		return err
	}
	c.late = false
	c.tell()
	return nil
}

// tell publishes how far the command is, for who waits for it.
func (c *command) tell() {
	op := c.op
	op.Clip()
	data, err := lattice.EncodeJSON(op)
	if err == nil {
		err = c.s.cfg.Conn.Publish(lattice.OpSubject(c.s.cfg.Lattice, op.ID), data)
	}
	if err != nil {
		c.s.cfg.Log.Debug("command not told", zap.String("command", op.ID), zap.Error(err))
	}
}
