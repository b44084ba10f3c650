package wrpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// Call calls a function whose parameters and results are plain values, without
// streams or futures, and returns the encoded results. It waits until the
// callee has ended them, ctx ends or the connection breaks; without a deadline
// in ctx the client's timeout holds. Params are not kept. An [*Error] tells how
// the call failed and whether it may have run.
//
// A v1 callee that fails just ends the results: without t.Results, that is seen
// only by who decodes them.
func (c *Client) Call(ctx context.Context, t Target, m Meta, params []byte) (results []byte, info Info, err error) {
	w := c.waiter()
	u := &unary{most: c.cfg.MaxResults, types: t.Results, wake: w.wake}
	err = c.runUnary(ctx, u, w, &t, &m, params)
	c.waiters.Put(w)
	if err != nil {
		var e *Error
		if errors.As(err, &e) && e.Subject == "" {
			e.Subject = t.Subject
		}
		return nil, u.info(), err
	}
	return u.results, u.info(), nil
}

// waiter is what a call waits by, kept for the next one. A late message of the
// last call may wake that for nothing.
type waiter struct {
	wake  chan struct{}
	timer *time.Timer // stopped between calls
}

func (c *Client) waiter() *waiter {
	if w, ok := c.waiters.Get().(*waiter); ok {
		return w
	}
	w := &waiter{wake: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}

func (c *Client) runUnary(ctx context.Context, u *unary, w *waiter, t *Target, m *Meta, params []byte) error {
	subject, err := t.subject()
	if err != nil {
		return err
	}
	t.Subject = subject
	if err := m.check(); err != nil {
		return err
	}
	left, own, err := c.deadline(ctx)
	if err != nil {
		return err
	}
	var timeout <-chan time.Time
	if own {
		w.timer.Reset(left)
		defer w.timer.Stop()
		timeout = w.timer.C
	}
	u.subject = subject
	u.deadline = time.Now().Add(left)
	id, inbox, err := c.mux.register(u)
	if err != nil {
		return err
	}
	u.inbox = inbox
	header := m.header(left, 0)
	if u.hops = hopsFrom(ctx); u.hops != nil {
		header[lattice.HeaderHops] = []string{askHops}
	}
	now, rest := c.cut(inbox, header, params)
	u.owe(rest)
	if err = c.publishInvocation(subject, inbox, header, now); err == nil {
		err = c.awaitUnary(ctx, u, rest, timeout)
	}
	if left := time.Until(u.deadline); u.giveUp && left > 0 {
		c.abandon(id, left)
	} else {
		c.mux.unregister(id)
	}
	return err
}

// awaitUnary sends the rest of the parameters when the callee has accepted, where
// it has not got them all, and waits for the end of the results.
func (c *Client) awaitUnary(ctx context.Context, u *unary, rest []byte, timeout <-chan time.Time) error {
	var end *Error
	paramsSent := false
	for {
		select {
		case <-u.wake:
		case <-ctx.Done():
			end = endOfContext(ctx, true)
		case <-timeout:
			end = &Error{Code: Timeout, MayHaveRun: true}
		}
		callee, owes, ended, err := u.state()
		if owes && !paramsSent {
			paramsSent = true
			if sendErr := c.sendRest(callee, rest, ended); sendErr != nil && !ended {
				return mayHaveRun(sendErr)
			}
		}
		switch {
		case ended:
			if errors.Is(err, ErrOverflow) {
				c.mux.overflows.Add(1)
				c.giveUp(u, callee)
			}
			if errors.Is(err, ErrUnreachable) { // it may be back later, and should not go on then
				c.giveUp(u, callee)
			}
			return err
		case end != nil:
			c.giveUp(u, callee)
			return end
		}
	}
}

// giveUp tells a Lath callee to stop, now or when it accepts.
func (c *Client) giveUp(u *unary, callee string) {
	switch {
	case callee == "":
		u.giveUp = true
	case u.info().Lath:
		c.cancel(callee)
	}
}

// sendRest sends the parameters that did not go with the invocation, and their
// end. To a callee that has answered already only the end matters.
func (c *Client) sendRest(callee string, rest []byte, ended bool) error {
	subject := lattice.ParamsSubject(callee)
	if !ended {
		if _, err := publishBytes(c.nc, subject, rest); err != nil {
			return err
		}
	}
	return publishEnd(c.nc, subject, nil)
}

// mayHaveRun turns the error of a later message into the call's: the
// invocation itself was sent before.
func mayHaveRun(err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	return &Error{Code: Lost, Err: e.Err, MayHaveRun: true}
}

// unary is the inbox's side of [Client.Call].
type unary struct {
	most  int
	types []*wit.Type // of the results; nil: not known
	// subject is where the call was sent to; not changed once it is registered.
	subject string
	// wake has one token while there may be something new for the caller.
	wake chan struct{}

	// Of the caller's goroutine alone.
	inbox    string
	deadline time.Time
	giveUp   bool
	hops     *Hops // nil: nobody asks

	mu      sync.Mutex
	callee  string // S, once accepted
	lath    bool
	rest    bool // parameters did not all go with the invocation
	owes    bool // the rest of the parameters, or their end
	results []byte
	copied  bool // results is a buffer of this call, to append to
	ended   bool
	err     *Error
}

func (u *unary) state() (callee string, owes, ended bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.err != nil {
		err = u.err
	}
	return u.callee, u.owes, u.ended, err
}

// owe notes what the callee must still be sent when it has accepted. A v1 callee
// always gets an end; one that speaks Lath says whether it misses something.
func (u *unary) owe(rest []byte) {
	u.mu.Lock()
	u.rest = len(rest) > 0
	u.mu.Unlock()
}

func (u *unary) info() Info {
	u.mu.Lock()
	defer u.mu.Unlock()
	return Info{Lath: u.lath}
}

func (u *unary) signal() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// finish ends the call; it needs mu.
func (u *unary) finish(err *Error) {
	u.ended, u.err = true, err
	u.signal()
}

func (u *unary) interrupt(cause *Error) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.ended {
		e := *cause
		u.finish(&e)
	}
	return false
}

func (u *unary) whereTo() (subject, callee string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.subject, u.callee
}

func (u *unary) deliver(rest string, m *nats.Msg) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.ended:
		return false
	case rest == "":
		return u.answer(m)
	case rest == tailResults && len(m.Data) > 0:
		u.data(m.Data)
		return true
	case rest == tailResults:
		u.end(m.Header)
		return true
	}
	return false
}

func (u *unary) answer(m *nats.Msg) bool {
	if u.callee != "" {
		return false
	}
	a := parseAnswer(m)
	if u.lath = a.lath; a.err != nil {
		u.finish(a.err)
		return true
	}
	u.callee, u.owes = a.reply, u.rest || a.more || !a.lath
	if u.owes {
		u.signal()
	}
	return true
}

func (u *unary) data(p []byte) {
	switch {
	case len(p) > u.most-len(u.results):
		u.finish(&Error{Code: Overflow, Detail: "results are too large", MayHaveRun: true})
		return
	case len(u.results) == 0:
		u.results = p // nats.go made it for this message alone
	case !u.copied:
		u.results, u.copied = append(append(make([]byte, 0, 2*(len(u.results)+len(p))), u.results...), p...), true
	default:
		u.results = append(u.results, p...)
	}
}

// end takes the empty message that ends the results.
func (u *unary) end(h nats.Header) {
	switch {
	case u.lath:
		if u.hops != nil {
			u.hops.add(parseHops(first(h, lattice.HeaderHops))...)
		}
		u.finish(parseTrailer(h))
	case len(u.types) == 0:
		u.finish(nil)
	default:
		u.finish(checkWhole(u.types, u.results))
	}
}

// checkWhole tells results from the lack of them.
func checkWhole(types []*wit.Type, b []byte) *Error {
	_, err := wire.Skip(types, b)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Code: Incomplete, MayHaveRun: true}
	}
	return &Error{Code: Protocol, Detail: "results are malformed", MayHaveRun: true, Err: err}
}
