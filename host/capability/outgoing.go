package capability

import (
	"context"
	"io"
	"net/http"

	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpchttp"
	"github.com/lathhost/lath/wit"
	wasihttp "github.com/lathhost/lath/wit/wasi/http"
)

// SendsHTTP says whether a component that imports the interface of that name sends
// HTTP requests: where it is linked, they go by [Outgoing].
func SendsHTTP(name string) bool {
	return wit.Track(name) == wit.Track(wasihttp.OutgoingHandlerInterface.Name)
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

// RoundTrip implements [http.RoundTripper].
func (o *linkedHTTP) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.route.Err != nil {
		return nil, o.imp.Refused(o.route, wrpchttp.Func, o.route.Err)
	}
	ctx, cancel, err := o.imp.Streaming(r.Context(), o.route, wrpchttp.Func)
	if err != nil {
		return nil, err
	}
	t := wrpchttp.Transport{Outgoing: !o.route.Answers, Open: o.open}
	resp, err := t.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	resp.Body = &response{resp.Body, cancel}
	return resp, nil
}

func (o *linkedHTTP) open(ctx context.Context, t wrpc.Target, m wrpc.Meta, params []byte, results ...wrpc.Path) (*wrpc.Call, error) {
	return o.imp.Open(ctx, o.route, t, m, params, results...)
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
