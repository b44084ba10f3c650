package wrpc

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Call is a call with streams or futures among its parameters or results, made
// by [Client.Invoke]. Close it when done with it; a call that has not ended by
// then is cancelled. Its methods may be used from different goroutines, each
// Reader and Writer from one.
type Call struct {
	s       session
	c       *Client
	subject string

	accepted sync.Once // answers on C after the first are ignored
	callee   string    // S, once s.ready is closed

	stop   func() bool // stops watching the context
	cancel context.CancelFunc
	done   chan struct{} // closed when the pump has ended
}

// Invoke starts a call. Params are the encoded parameters, with streams and
// futures pending; what those carry is written to [Call.Params], and what the
// result's carry is read from [Call.Results], for the paths announced here.
//
// The call lives until ctx ends, or for the client's timeout if ctx has no
// deadline: a Lath callee is then told to stop, and all Readers and Writers of
// the call end with its error. Params must not be changed before the handshake.
func (c *Client) Invoke(ctx context.Context, t Target, m Meta, params []byte, results ...Path) (*Call, error) {
	subject, err := t.subject()
	if err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	left, own, err := c.deadline(ctx)
	if err != nil {
		return nil, err
	}
	call := &Call{c: c, subject: subject, done: make(chan struct{})}
	call.s.init(c.mux, c.cfg.MaxResults, c.cfg.MaxQueued, c.cfg.Window, results)
	id, inbox, err := c.mux.register(call)
	if err != nil {
		return nil, err
	}
	call.s.id = id
	window := 0
	if len(results) > 0 {
		window = c.cfg.Window
	}
	header := m.header(left, window)
	now, rest := c.cut(inbox, header, params)
	if err := c.publishInvocation(subject, inbox, header, now); err != nil {
		c.mux.unregister(id)
		return nil, call.named(err)
	}
	call.watch(ctx, left, own)
	c.pumps.Add(1)
	go call.pump(rest, time.Now().Add(left))
	return call, nil
}

// watch ends the call when its context does.
func (call *Call) watch(ctx context.Context, left time.Duration, own bool) {
	call.cancel = func() {}
	if own {
		ctx, call.cancel = context.WithTimeout(ctx, left)
	}
	call.stop = context.AfterFunc(ctx, func() { call.s.fail(endOfContext(ctx, true)) })
}

// pump sends the rest of the parameters, and always their end, once the callee
// has accepted; and when the call has failed or is closed, it tells the callee.
func (call *Call) pump(rest []byte, deadline time.Time) {
	defer close(call.done)
	select {
	case <-call.s.ready:
		if err := call.c.sendRest(call.callee, rest, false); err != nil {
			call.s.fail(&Error{Code: Lost, Err: err, MayHaveRun: true})
		}
		<-call.s.failed
	case <-call.s.failed:
	}
	call.stop()
	call.cancel()
	failure := call.s.failure
	switch left := time.Until(deadline); {
	case call.isAccepted():
		call.c.mux.unregister(call.s.id)
		call.s.closeWriters(nil)
		if call.s.peerLath && !failure.Remote && !call.allEnded() {
			call.c.cancel(call.callee)
		}
	case left > 0 && (failure.Code == Cancelled || failure.Code == Timeout && !failure.Remote):
		call.c.abandon(call.s.id, left)
	default:
		call.c.mux.unregister(call.s.id)
	}
	call.c.pumps.Done()
}

func (call *Call) deliver(rest string, m *nats.Msg) bool {
	if rest == "" {
		return call.answer(m)
	}
	if path, ok := cutChannel(rest, tailResults); ok {
		return call.s.data(path, m, call.lath())
	}
	if len(rest) > len(tailParamsCredit) && rest[:len(tailParamsCredit)] == tailParamsCredit {
		return call.s.credit(rest[len(tailParamsCredit):], m)
	}
	return false
}

func (call *Call) answer(m *nats.Msg) (used bool) {
	call.accepted.Do(func() {
		used = true
		a := parseAnswer(m)
		if a.err != nil {
			call.s.fail(a.err)
			return
		}
		call.callee = a.reply
		call.s.open(lattice.ParamsSubject(a.reply), lattice.ResultsCreditSubject(a.reply), a.lath, a.window)
	})
	return used
}

func (call *Call) isAccepted() bool {
	select {
	case <-call.s.ready:
		return true
	default:
		return false
	}
}

// lath reports whether the callee has accepted and speaks Lath.
func (call *Call) lath() bool { return call.isAccepted() && call.s.peerLath }

func (call *Call) whereTo() (subject, callee string) {
	if call.isAccepted() {
		callee = call.callee
	}
	return call.subject, callee
}

func (call *Call) interrupt(cause *Error) bool {
	e := *cause
	call.s.fail(&e)
	return false
}

// Accepted waits until the callee has accepted the call. One that has failed since was
// accepted, too: its results may be there.
func (call *Call) Accepted() (Info, error) {
	err := call.s.waitReady()
	if call.isAccepted() {
		return Info{Lath: call.s.peerLath}, nil
	}
	return Info{}, call.named(err)
}

// Params returns the writer of a stream or future among the parameters. Each
// path must be closed.
func (call *Call) Params(path ...uint32) *Writer { return call.s.writer(path) }

// Results returns the reader of a path that was announced to [Client.Invoke].
func (call *Call) Results(path ...uint32) (*Reader, error) { return call.s.reader(path) }

// Root waits for the encoded results. It returns as soon as done says that
// they are whole, or with nil done at their end. Call it once.
func (call *Call) Root(done func(b []byte) (bool, error)) ([]byte, error) {
	r := &Reader{s: &call.s, q: call.s.root}
	var b []byte
	for failed := false; ; {
		piece, ended, endErr := r.q.all()
		if b = appendPiece(b, piece); endErr != nil {
			return nil, call.named(endErr)
		}
		if done != nil {
			if whole, err := done(b); err != nil {
				return nil, call.named(&Error{Code: Protocol, Detail: "results are malformed", MayHaveRun: true, Err: err})
			} else if whole {
				return b, nil
			}
		}
		switch {
		case ended && done == nil:
			return b, nil
		case ended:
			return nil, call.named(&Error{Code: Incomplete, MayHaveRun: true})
		case failed:
			return nil, call.named(call.s.failError())
		}
		select {
		case <-r.q.wake:
		case <-call.s.failed:
			failed = true // what arrived before the failure comes first
		}
	}
}

// appendPiece avoids the copy of results that came as one message.
func appendPiece(b, piece []byte) []byte {
	if len(b) == 0 {
		return piece
	}
	return append(b, piece...)
}

// Wait reads what nobody has read and returns when the results and all
// announced paths have ended: nil, or the first error that ended one. With a v1
// callee in Go it waits until the call's deadline, since such a callee does not
// end its paths; there, Close the call once its values are whole.
func (call *Call) Wait() error {
	readers := []*Reader{{s: &call.s, q: call.s.root}}
	for path, q := range call.s.nested {
		readers = append(readers, &Reader{s: &call.s, q: q, path: path})
	}
	for _, r := range readers {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return call.named(err)
		}
	}
	return nil
}

// Close ends the call and waits until the callee has been told: its parameters
// are ended, and if its results are not, a Lath callee is asked to stop. It
// always returns nil.
func (call *Call) Close() error {
	call.s.fail(&Error{Code: Cancelled, Err: ErrClosed, MayHaveRun: true})
	<-call.done
	return nil
}

func (call *Call) allEnded() bool {
	for _, q := range call.s.nested {
		if !q.isEnded() {
			return false
		}
	}
	return call.s.root.isEnded()
}

// named adds the call's subject to an error.
func (call *Call) named(err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Subject != "" {
		return err
	}
	c := *e
	c.Subject = call.subject
	return &c
}
