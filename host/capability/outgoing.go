package capability

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/wasi/serve"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpchttp"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// SendsHTTP says whether a component that imports the interface of that name sends
// HTTP requests: where it is linked, they go by [Outgoing].
func SendsHTTP(name string) bool {
	return wit.Track(name) == wit.Track(contract.OutgoingHandlerInterface.Name)
}

// Outgoing returns what carries a component's HTTP requests where the operator has
// linked them: to a provider that sends them on, as v1's http-client does, or to a
// component that answers them itself. It is nil for a call without such a link, whose
// requests go to the network, as far as the component's grants allow.
func Outgoing(imp *link.Import) func(ctx context.Context) http.RoundTripper {
	return func(ctx context.Context) http.RoundTripper {
		if !imp.Linked(imp.Chosen(ctx)) {
			return nil
		}
		return &linkedHTTP{imp, imp.RouteOf(ctx)}
	}
}

// linkedHTTP carries one request along a route.
type linkedHTTP struct {
	imp   *link.Import
	route *link.Route
}

// RoundTrip implements [http.RoundTripper]. The request's body is its caller's to
// close, also where it has failed.
func (o *linkedHTTP) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.route.Err != nil {
		return nil, o.imp.Refused(o.route, wrpchttp.Func, o.route.Err)
	}
	local, here := o.route.Component.(HTTPComponent)
	if !here || !o.route.Answers {
		return o.during(r, (&wrpchttp.Transport{Outgoing: !o.route.Answers, Open: o.open}).RoundTrip)
	}
	if local.Crowded() {
		if resp, ran, err := o.elsewhere(r); ran {
			return resp, err
		}
	}
	resp, busy, err := o.local(r, local)
	if !busy {
		return resp, err
	}
	// One that was stopping did nothing. Where links or components have changed since,
	// as they do when it is updated, what has taken its place answers.
	if next := o.imp.RouteNamed(o.route.LinkName); next != o.route {
		return (&linkedHTTP{o.imp, next}).RoundTrip(r)
	}
	if resp, ran, err := o.elsewhere(r); ran {
		return resp, err
	}
	return nil, err
}

// local has a component of this host answer. busy: it has done nothing.
func (o *linkedHTTP) local(r *http.Request, c HTTPComponent) (resp *http.Response, busy bool, err error) {
	resp, err = o.during(r, func(r *http.Request) (*http.Response, error) {
		o.imp.RecordLocal(r.Context(), o.route, wrpchttp.Func)
		resp, err := serve.RoundTrip(r, func(w http.ResponseWriter, r *http.Request) error {
			err := c.ServeHTTP(w, r, 0)
			busy = errors.Is(err, wrpc.ErrBusy) // of its own, and not of what it has called
			return err
		})
		if _, told := errors.AsType[contract.ErrorCode](err); told {
			return nil, err
		}
		return resp, o.imp.Failed(o.route, wrpchttp.Func, err)
	})
	return resp, busy, err
}

// elsewhere carries a request to a target that runs on this host, too, by the other
// host that has most room. ran is false where none has any: nothing was done.
func (o *linkedHTTP) elsewhere(r *http.Request) (resp *http.Response, ran bool, err error) {
	resp, err = o.during(r, func(r *http.Request) (*http.Response, error) {
		meta, _ := wrpc.MetaFromContext(r.Context())
		call, err := wrpchttp.Open(o.openElsewhere, r, meta)
		if ran = call != nil || err != nil; call == nil {
			return nil, err
		}
		return wrpchttp.Exchange(call, r)
	})
	return resp, ran, err
}

// during has a request be carried in the time and the name of the link, until the
// response's body ends.
func (o *linkedHTTP) during(r *http.Request, carry func(r *http.Request) (*http.Response, error)) (*http.Response, error) {
	ctx, cancel, err := o.imp.Streaming(r.Context(), o.route, wrpchttp.Func)
	if err != nil {
		return nil, err
	}
	resp, err := carry(r.WithContext(ctx))
	if err != nil || resp == nil {
		cancel()
		return nil, err
	}
	resp.Body = &response{resp.Body, cancel}
	return resp, nil
}

func (o *linkedHTTP) open(ctx context.Context, t wrpc.Target, m wrpc.Meta, params []byte, results ...wrpc.Path) (*wrpc.Call, error) {
	return o.imp.Open(ctx, o.route, t, m, params, results...)
}

func (o *linkedHTTP) openElsewhere(ctx context.Context, t wrpc.Target, m wrpc.Meta, params []byte, results ...wrpc.Path) (*wrpc.Call, error) {
	return o.imp.OpenElsewhere(ctx, o.route, t, m, params, results...)
}

// response is a body whose call ends with it.
type response struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close implements [io.Closer].
func (b *response) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
