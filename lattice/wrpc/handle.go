package wrpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// handling is one function that is served.
type handling struct {
	v       *Serving
	e       Export
	limiter *Limiter
	// Of handshakes to Lath callers: more is for one whose parameters did not all
	// come with the invocation. Nobody writes to them.
	accept, more nats.Header
}

func newHandling(v *Serving, e *Export) *handling {
	h := &handling{v: v, e: *e, limiter: e.Limiter}
	if h.limiter == nil {
		h.limiter = NewLimiter(Limits{})
	}
	h.accept = nats.Header{lattice.HeaderLath: []string{lattice.LathVersion}}
	if len(e.ParamPaths) > 0 {
		h.accept[lattice.HeaderWindow] = []string{strconv.Itoa(v.s.cfg.Window)}
	}
	h.more = maps.Clone(h.accept)
	h.more[lattice.HeaderMore] = []string{wantMore}
	return h
}

// receive takes an invocation that its serving has let in, or not. It runs on the
// subscription's goroutine and never waits, so that a full component can still say so.
func (h *handling) receive(m *nats.Msg, entered bool) {
	s := h.v.s
	if !validSubject(m.Reply) {
		s.mux.noReply.Add(1)
		if entered {
			h.v.leave()
		}
		return
	}
	in, dropped := parseInvocation(m.Header)
	s.mux.badHeaders.Add(uint64(dropped))
	inc := &incoming{h: h, invocation: in, caller: m.Reply}
	limit := s.cfg.MaxTime
	if in.timeout > 0 {
		limit = min(limit, in.timeout)
	}
	inc.ctx.Context, inc.ctx.meta, inc.ctx.until = h.v.base, in.Meta, time.Now().Add(limit)
	inc.req = Request{Meta: in.Meta, Subject: m.Subject, Params: m.Data, Lath: in.lath}
	if !entered {
		inc.turnAway(&Error{Code: Busy, Detail: "host is leaving"})
		return
	}
	turn, ok := h.limiter.enter(in.lath)
	if !ok {
		inc.turnAway(&Error{Code: Busy, Detail: "too many calls"})
		inc.leave()
		return
	}
	s.workers.serve(s.base, arrival{inc, turn})
}

// incoming is one call that is being served: its session and what its caller
// said.
type incoming struct {
	session
	invocation
	h      *handling
	req    Request
	caller string // C
	ctx    serveContext
	// inbox is S, once the call is accepted; broke: the connection broke since.
	inbox    string
	broke    atomic.Bool
	reported bool // OnError was told of it

	// unary: all parameters are here, and no stream comes or goes. Then the
	// session has no channels, and of the inbox only a cancel matters.
	unary bool
}

// serve runs the call from its admission to its end.
func (in *incoming) serve(turn chan struct{}) {
	h := in.h
	defer in.leave()
	var ctx context.Context = &in.ctx
	defer in.ctx.end()
	if turn != nil && !h.limiter.wait(ctx, turn) {
		in.turnAway(&Error{Code: Busy, Detail: "too many calls"})
		return
	}
	defer h.limiter.leave()
	if h.e.Admit != nil {
		release, err := h.e.Admit(ctx, &in.req)
		if err != nil {
			in.turnAway(err)
			return
		}
		defer release()
	}
	if in.invocation.hops {
		ctx, in.session.hops = ContextWithHops(ctx)
	}
	in.run(ctx)
	if in.req.after != nil {
		runtime.Gosched() // what was published is sent first
		in.req.after()
	}
}

// turnAway tells the caller that the call is not accepted. To a v1 caller its
// results end before they began.
func (in *incoming) turnAway(err error) {
	in.report(err)
	if !in.lath {
		_ = in.send(owed{subject: lattice.ResultsSubject(in.caller)})
		return
	}
	code, detail := statusOf(err)
	if code != Busy {
		code = Refused
	}
	header := trailer(code, detail)
	header[lattice.HeaderLath] = []string{lattice.LathVersion}
	if host := in.h.v.s.cfg.Host; host != "" {
		header[lattice.HeaderHost] = []string{host}
	}
	// Where it cannot be sent in time, the caller sees its deadline pass.
	_ = in.send(owed{subject: in.caller, end: header})
}

func (in *incoming) report(err error) {
	if f := in.h.v.s.cfg.OnError; f != nil && err != nil {
		in.reported = true
		f(in.req.Subject, in.Meta, err)
	}
}

// run accepts the call, waits for its parameters and runs the handler.
func (in *incoming) run(ctx context.Context) {
	s := in.h.v.s
	in.mux, in.nc, in.trailers = s.mux, s.nc, in.lath
	results := lattice.ResultsSubject(in.caller)
	whole, err := in.h.whole(in.req.Params)
	if in.unary = err == nil && whole && in.h.e.Stream == nil; !in.unary {
		in.session.init(s.mux, s.cfg.MaxParams, s.cfg.MaxQueued, s.cfg.Window, in.h.e.ParamPaths)
		in.onFail = func(err *Error) { in.ctx.interrupt(err) }
		in.open(results, lattice.ParamsCreditSubject(in.caller), in.lath, in.invocation.window)
		// Readers and writers end with the call, also those that the handler has left to
		// somebody.
		stop := context.AfterFunc(ctx, func() { in.fail(endOfContext(ctx, true)) })
		defer func() {
			stop()
			in.fail(&Error{Code: Cancelled, Detail: "the call has ended", MayHaveRun: true, Err: ErrClosed})
		}()
	}
	id, inbox, regErr := s.mux.register(in)
	if regErr != nil {
		in.turnAway(&Error{Code: Busy, Detail: "host is leaving"})
		return
	}
	in.id = id
	defer s.mux.unregister(id)
	switch err := in.accept(inbox, whole || err != nil); {
	case errors.Is(err, ErrDisconnected):
		in.turnAway(&Error{Code: Busy, Detail: "the host had no connection to NATS", Err: err})
		return
	case err != nil:
		in.report(err)
		return
	}
	switch {
	case err != nil:
		err = malformedParams(err)
	case len(in.req.Params) > s.cfg.MaxParams:
		err = errParamsSize
	case !whole:
		err = in.awaitParams(ctx)
	}
	if err != nil {
		in.finish(results, err)
	} else {
		err = in.handle(ctx, results)
	}
	in.report(err)
}

func malformedParams(err error) error {
	return &Error{Code: Refused, Detail: "parameters are malformed: " + CleanDetail(err.Error())}
}

// whole reports whether parameters that came in one message are all of them.
func (h *handling) whole(params []byte) (bool, error) {
	if h.e.Done != nil {
		return h.e.Done(params)
	}
	return isWhole(h.e.Params, params)
}

// wholeByPieces returns the test for whole parameters that come in several.
func (h *handling) wholeByPieces() func([]byte) (bool, error) {
	if h.e.Done != nil {
		return h.e.Done
	}
	return Whole(h.e.Params...)
}

// accept sends the handshake. A v1 caller's is empty and has no headers.
func (in *incoming) accept(inbox string, whole bool) error {
	m := &nats.Msg{Subject: in.caller, Reply: inbox}
	switch {
	case in.lath && whole:
		m.Header = in.h.accept
	case in.lath:
		m.Header = in.h.more
	}
	err := publishError(in.nc.PublishMsg(m))
	if err == nil {
		in.inbox = inbox
	}
	return err
}

var errParamsSize = &Error{Code: Refused, Detail: "parameters are too large"}

// awaitParams collects parameters that did not come with the invocation. The
// end of S.params is not waited for once they are whole: a v1 client in Go
// sends it only after the response.
func (in *incoming) awaitParams(ctx context.Context) error {
	done := in.h.wholeByPieces()
	timer := time.NewTimer(in.h.v.s.cfg.ParamsTime)
	defer timer.Stop()
	params := append([]byte(nil), in.req.Params...)
	for {
		piece, ended, overflow := in.root.all()
		params = append(params, piece...)
		switch {
		case overflow != nil:
			return errParamsSize
		case len(params) > in.h.v.s.cfg.MaxParams:
			in.mux.overflows.Add(1)
			return errParamsSize
		}
		whole, err := done(params)
		switch {
		case err != nil:
			return malformedParams(err)
		case whole:
			in.req.Params = params
			return nil
		case ended:
			return &Error{Code: Refused, Detail: "parameters ended before they were whole"}
		}
		select {
		case <-in.root.wake:
		case <-in.failed:
			return in.paramsError(ctx)
		case <-ctx.Done():
			return in.paramsError(ctx)
		case <-timer.C:
			return &Error{Code: Timeout, Detail: "parameters did not arrive in time"}
		}
	}
}

// paramsError is why parameters do not arrive any more. Where the session has failed,
// its context has ended for that.
func (in *incoming) paramsError(ctx context.Context) error {
	switch err := in.failError(); {
	case errors.Is(err, ErrOverflow): // they came faster than they were taken
		return errParamsSize
	case err != nil:
		return err
	}
	return endOfContext(ctx, false)
}

// handle runs the handler and sends what it returned.
func (in *incoming) handle(ctx context.Context, results string) error {
	if in.h.e.Stream != nil {
		x := &Exchange{Request: in.req, in: in, results: results}
		err := in.outcome(ctx, guard(func() error { return in.h.e.Stream(ctx, x) }))
		_ = in.greet() // where that fails, so does what follows
		in.closeWriters(err)
		if !x.rootEnded {
			in.finish(results, err)
		}
		return err
	}
	var b []byte
	err := guard(func() (err error) {
		b, err = in.h.e.Unary(ctx, &in.req)
		return err
	})
	if err = in.outcome(ctx, err); err == nil {
		return in.send(owed{subject: results, results: b, end: in.endHeader(nil)})
	}
	in.finish(results, err)
	return err
}

// guard makes a handler's panic the failure of its one call. The caller learns
// no more than that; the stack goes to OnError.
func guard(handler func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &Error{Code: Trap, Detail: "handler panicked", Err: fmt.Errorf("panic: %v\n%s", r, debug.Stack())}
		}
	}()
	return handler()
}

// outcome is the handler's error, or why its call was interrupted: that says
// more than what the handler made of it.
func (in *incoming) outcome(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	if cause, ok := errors.AsType[*Error](context.Cause(ctx)); ok {
		return cause
	}
	return endOfContext(ctx, true)
}

// finish ends the results. Where that cannot be sent in time, the caller sees its
// deadline pass.
func (in *incoming) finish(results string, err error) {
	_ = in.send(owed{subject: results, end: in.endHeader(err)})
}

func (in *incoming) deliver(rest string, m *nats.Msg) bool {
	if path, ok := cutChannel(rest, tailParams); ok {
		if in.unary {
			return path == "" // its end, which nobody waits for
		}
		return in.data(path, m, false)
	}
	if !in.lath {
		return false
	}
	if rest == tailCancel {
		in.ctx.interrupt(&Error{Code: Cancelled, Detail: "caller gave up", MayHaveRun: true})
		return true
	}
	if len(rest) > len(tailResultsCredit) && rest[:len(tailResultsCredit)] == tailResultsCredit {
		return in.credit(rest[len(tailResultsCredit):], m)
	}
	return false
}

func (in *incoming) whereTo() (subject, callee string) { return "", "" }

// interrupt ends a call that still needs what its caller sends. One that has
// all its parameters and only results to give goes on: its caller may still be
// there.
func (in *incoming) interrupt(cause *Error) bool {
	e := *cause
	if cause.Code == Lost {
		in.broke.Store(true)
	}
	switch {
	case in.unary && cause.Code == Lost:
		return true
	case in.unary:
		in.ctx.interrupt(&e)
	default:
		in.fail(&e)
	}
	return false
}
