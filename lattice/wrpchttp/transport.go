package wrpchttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/lathhost/lath/lattice/wrpc"
	contract "github.com/lathhost/lath/wit/wrpc/http"
)

// Opener starts calls of one component: at a prefix, see [At], or as a [wrpc.Caller]
// does.
type Opener func(ctx context.Context, t wrpc.Target, m wrpc.Meta, params []byte, results ...wrpc.Path) (*wrpc.Call, error)

// At starts calls at a prefix: "{lattice}.{id}", or a direct one that names a host.
func At(client *wrpc.Client, prefix string) Opener {
	return func(ctx context.Context, t wrpc.Target, m wrpc.Meta, params []byte, results ...wrpc.Path) (*wrpc.Call, error) {
		t.Prefix = prefix
		return client.Invoke(ctx, t, m, params, results...)
	}
}

// Transport sends requests to one component by wRPC. It is an
// [http.RoundTripper], safe for concurrent use.
type Transport struct {
	Open Opener
	// Outgoing has the callee send the request on: it is called as [Outgoing].
	Outgoing bool
	// Meta says what travels beside a request. Default: what the request's
	// context carries.
	Meta func(r *http.Request) wrpc.Meta
}

var _ http.RoundTripper = (*Transport)(nil)

// RoundTrip implements http.RoundTripper. The request's context bounds the whole
// exchange, bodies included; without a deadline there, the client's timeout does.
// Its end, and that of the response's body before it was read, tell the callee to
// stop. The request's body is closed by then: Close must end a Read of it.
//
// # Errors
//
// An error code of the component's, as wasi:http has them; or an [*wrpc.Error],
// or one that wraps [ErrMalformed].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	var meta wrpc.Meta
	if t.Meta != nil {
		meta = t.Meta(r)
	} else {
		meta, _ = wrpc.MetaFromContext(r.Context())
	}
	call, err := open(t.Open, r, meta, t.Outgoing)
	if err != nil {
		if r.Body != nil {
			err = errors.Join(err, r.Body.Close())
		}
		return nil, err
	}
	return Exchange(call, r)
}

// Open starts the call of a request, whose body it leaves alone: where the call was
// not made, the request is whole. The call is for [Exchange]; nil, nil where open has
// returned that.
func Open(opener Opener, r *http.Request, meta wrpc.Meta) (*wrpc.Call, error) {
	return open(opener, r, meta, false)
}

func open(opener Opener, r *http.Request, meta wrpc.Meta, outgoing bool) (*wrpc.Call, error) {
	h, err := requestHead(r)
	if err != nil {
		return nil, err
	}
	target, params := wrpc.Target{Instance: Instance, Func: Func}, appendRequest(nil, h)
	if outgoing {
		target.Instance = Outgoing
		params = append(params, 0) // without options: the caller keeps its own times
	}
	return opener(r.Context(), target, meta, params, bodyPath, trailersPath)
}

// Exchange sends the rest of a request by the call that [Open] has started for it, and
// returns the response, as [Transport.RoundTrip] does.
func Exchange(call *wrpc.Call, r *http.Request) (*http.Response, error) {
	x := &exchange{call: call, body: r.Body}
	x.sending.Go(func() { x.send(r) })
	resp, err := x.receive(r)
	if err != nil {
		x.end()
		return nil, err
	}
	return resp, nil
}

// requestHead takes of a request what is sent of it. Requests of clients and of
// servers have it at different places.
func requestHead(r *http.Request) (*head, error) {
	h := &head{method: r.Method, path: r.RequestURI, scheme: r.URL.Scheme, authority: r.Host, header: r.Header}
	if h.method == "" {
		h.method = http.MethodGet
	}
	if h.path == "" || !strings.HasPrefix(h.path, "/") && h.path != "*" {
		h.path = r.URL.RequestURI()
	}
	h.path = ascii(h.path)
	if h.authority == "" {
		h.authority = r.URL.Host
	}
	switch {
	case h.scheme != "":
	case r.TLS != nil:
		h.scheme = "https"
	default:
		h.scheme = "http"
	}
	switch {
	case !token(h.method):
		return nil, fmt.Errorf("%w: method %.40q", ErrMalformed, h.method)
	case !target(h.path) || !target(h.authority) || ascii(h.authority) != h.authority:
		return nil, fmt.Errorf("%w: request of %.80q at %.80q", ErrMalformed, h.path, h.authority)
	}
	return h, nil
}

// ascii escapes the bytes of a path that are not ASCII: a text of the wire is
// UTF-8, a request line any bytes.
func ascii(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] >= 0x80 {
			if b.Len() == 0 {
				b.WriteString(s[:i])
			}
			fmt.Fprintf(&b, "%%%02X", s[i])
		} else if b.Len() > 0 {
			b.WriteByte(s[i])
		}
	}
	if b.Len() == 0 {
		return s
	}
	return b.String()
}

// exchange is a call under way.
type exchange struct {
	call    *wrpc.Call
	body    io.Closer // nil: none
	sending sync.WaitGroup
}

// send sends the request's body and its trailers. A body that fails is broken
// off: the callee sees its end before it is whole.
func (x *exchange) send(r *http.Request) {
	body, after := x.call.Params(bodyPath...), x.call.Params(trailersPath...)
	err := copyBody(body, r.Body)
	if err == nil {
		err = wrpc.WriteFuture(after, appendTrailers(nil, r.Trailer))
	}
	if err != nil {
		// Where the call has failed, its reader is told.
		_, _ = body.CloseWithError(err), after.CloseWithError(err)
	}
}

// copyBody sends a body and its end.
func copyBody(to *wrpc.Writer, from io.Reader) error {
	w := wrpc.NewByteStreamWriter(to)
	if from != nil && from != http.NoBody {
		if _, err := io.Copy(w, from); err != nil {
			return err
		}
	}
	return w.Close()
}

// receive waits for the response's head.
func (x *exchange) receive(r *http.Request) (*http.Response, error) {
	root, err := x.call.Root(wrpc.Whole(contract.Result))
	if err != nil {
		return nil, err
	}
	h, err := readResult(root)
	if err != nil {
		return nil, err
	}
	resp := &http.Response{
		Status: strconv.Itoa(h.status) + " " + http.StatusText(h.status), StatusCode: h.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h.header, ContentLength: contentLength(h.header), Request: r,
	}
	body, err := newIncoming(h, x.call.Results, &resp.Trailer)
	if err != nil {
		return nil, err
	}
	body.ended = func(whole bool) {
		if whole && x.lath() {
			_ = x.call.Wait() // or the callee would be told to stop at its last words
		}
		x.end()
	}
	resp.Body = body
	return resp, nil
}

// lath reports whether the callee ends its paths, as Lath does. The handshake has
// been there long since.
func (x *exchange) lath() bool {
	info, err := x.call.Accepted()
	return err == nil && info.Lath
}

// end ends the call, and with it what is still to be sent.
func (x *exchange) end() {
	_ = x.call.Close() // always nil
	if x.body != nil {
		_ = x.body.Close() // nobody is left to be told
	}
	x.sending.Wait()
}

// contentLength is what a header announces, or -1.
func contentLength(h http.Header) int64 {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil || n < 0 || len(h["Content-Length"]) != 1 {
		return -1
	}
	return n
}
