package http

import (
	"context"
	"errors"
	goio "io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/io"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// exchangeCost is what a request under way is charged: buffers of connections
// and of HTTP/2.
const exchangeCost = 256 << 10

// exchange is a request that was sent, its response and their bodies. It ends
// with the last of the resources that stand for it, or with the call's context.
type exchange struct {
	host     *Host
	linked   http.RoundTripper // nil: the host's own
	ctx      context.Context   //nolint:containedctx // the exchange's own, which outlives the call that began it
	cancel   context.CancelCauseFunc
	body     *outgoingBody // nil: none
	response *http.Response
	err      error
	ready    io.Event // response or err is there
	work     sync.WaitGroup
	budget   *component.HostBudget
	ended    sync.Once

	connect, firstByte, betweenBytes time.Duration

	// unwatch ends the look at the call's end.
	unwatch func() bool

	mu    sync.Mutex
	first *time.Timer
	// leave ends the look at the connection's end.
	leave func() bool
}

// start sends a request; it returns without waiting.
func (ex *exchange) start(req *http.Request) {
	ctx := context.WithValue(ex.ctx, exchangeKey{}, ex)
	sent, _ := req.Body.(*requestBody)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		ex.await()
		ex.uses(watchedOf(info.Conn), sent)
	}})
	req = req.WithContext(ctx)
	ex.unwatch = context.AfterFunc(ex.ctx, ex.cutBody)
	ex.work.Go(func() {
		defer ex.ready.Set()
		defer ex.arrived()
		send := ex.host.transport.RoundTrip
		switch {
		case ex.linked != nil:
			ex.await() // there is no connection to wait for
			send = ex.linked.RoundTrip
		case ex.host.out.Redirects > 0:
			send = ex.host.client.Do
		}
		resp, err := send(req)
		if err == nil && resp.StatusCode < http.StatusOK {
			err = errors.Join(code(contract.ErrorCodeHTTPUpgradeFailed), resp.Body.Close())
		}
		if err != nil {
			ex.err = ex.code(err)
			return
		}
		ex.response = resp
	})
}

// await starts the time for the response's first byte: there is a connection.
func (ex *exchange) await() {
	ex.mu.Lock()
	defer ex.mu.Unlock()
	if ex.first == nil {
		ex.first = time.AfterFunc(ex.firstByte, ex.late)
	} else {
		ex.first.Reset(ex.firstByte) // the transport tries again
	}
}

// cutBody ends the request's body for the transport, which comes to no end
// before a read of it does: the guest may hold it open and write no more.
func (ex *exchange) cutBody() {
	if ex.body != nil {
		ex.body.pipe.CloseRead(nil)
	}
}

// uses has the connection's end cut off the body that is sent on it, for the
// same reason.
func (ex *exchange) uses(conn *watched, sent *requestBody) {
	if conn == nil || sent == nil {
		return
	}
	sent.on(conn)
	ex.mu.Lock()
	defer ex.mu.Unlock()
	if ex.leave != nil {
		ex.leave() // the transport tries again
	}
	ex.leave = context.AfterFunc(conn.closed, func() { sent.cut(conn) })
}

func (ex *exchange) arrived() {
	ex.mu.Lock()
	defer ex.mu.Unlock()
	if ex.first != nil {
		ex.first.Stop()
	}
}

// late ends the exchange because the server is too slow.
func (ex *exchange) late() { ex.cancel(code(contract.ErrorCodeConnectionReadTimeout)) }

// code finds the code of an error, whose cause may be why the exchange ended.
func (ex *exchange) code(err error) error {
	if c, ok := errors.AsType[contract.ErrorCode](context.Cause(ex.ctx)); ok {
		return c
	}
	return ex.host.told(err)
}

// end ends the exchange and lets go of everything. It does not wait for the
// transport, which closes the connection unless it may be used again.
func (ex *exchange) end() {
	ex.ended.Do(func() {
		ex.cancel(nil)
		ex.cutBody()
		ex.work.Wait()
		ex.unwatch()
		if ex.leave != nil {
			ex.leave()
		}
		if ex.response != nil {
			_ = ex.response.Body.Close() // nobody is left to be told
		}
		if ex.body != nil {
			ex.body.close(nil)
		}
		ex.budget.Give(exchangeCost)
		ex.host.underWay.Add(-1)
	})
}

// incoming returns the response's body.
func (ex *exchange) incoming() *incoming {
	resp := ex.response
	timer := time.AfterFunc(ex.betweenBytes, ex.late)
	timer.Stop()
	return &incoming{
		r:        &timedReader{r: resp.Body, timer: timer, timeout: ex.betweenBytes},
		failed:   ex.code,
		trailers: func() http.Header { return resp.Trailer },
		stop:     ex.end,
	}
}

// timedReader gives every read a time.
type timedReader struct {
	r       goio.Reader
	timer   *time.Timer
	timeout time.Duration
}

// Read implements [goio.Reader].
func (t *timedReader) Read(b []byte) (int, error) {
	t.timer.Reset(t.timeout)
	defer t.timer.Stop()
	return t.r.Read(b)
}

// futureResponse is the resource future-incoming-response.
type futureResponse struct {
	ex    *exchange
	taken bool
}

var _ contract.FutureIncomingResponse = (*futureResponse)(nil)

// Subscribe implements the contract.
func (f *futureResponse) Subscribe(context.Context) (wasiio.Pollable, error) {
	return io.NewPollable(&f.ex.ready), nil
}

// responseResult is what [futureResponse.Get] returns.
type responseResult = wit.Option[wit.Result[wit.Result[contract.IncomingResponse, contract.ErrorCode], struct{}]]

// Get implements the contract.
func (f *futureResponse) Get(ctx context.Context) (responseResult, error) {
	if !f.ex.ready.Ready() {
		return responseResult{}, nil
	}
	var out wit.Result[wit.Result[contract.IncomingResponse, contract.ErrorCode], struct{}]
	switch {
	case f.taken:
		out.IsErr = true
	case f.ex.err != nil:
		f.taken = true
		out.Value.IsErr, out.Value.Err = true, errorCode(f.ex.err)
		f.ex.end()
	default:
		headers, err := fieldsOf(ctx, f.ex.response.Header)
		if err != nil {
			return responseResult{}, err
		}
		f.taken = true
		out.Value.Value = &incomingResponse{status: contract.StatusCode(f.ex.response.StatusCode), headers: headers, from: f.ex.incoming()}
	}
	return wit.Some(out), nil
}

// Drop implements the contract. A response that nobody took is not wanted, and
// neither is the request.
func (f *futureResponse) Drop() {
	if !f.taken {
		f.ex.end()
	}
}
