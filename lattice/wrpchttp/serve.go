package wrpchttp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	wasihttp "github.com/lathhost/lath/wit/wasi/http"
	contract "github.com/lathhost/lath/wit/wrpc/http"
)

// Export returns what serves a handler to calls of wrpc:http/incoming-handler.
// Prefixes, limiter and admission are those of base.
//
// A request's context has the call's deadline, ends when the caller gives up and
// carries the call's [wrpc.Meta]. It counts as HTTP/2: its body may be closed
// while it is read, and a response may begin before it has come. The
// [http.ResponseWriter] has a method Fail(error), which tells the caller an error
// in the place of a response or of the rest of one: an error code of wasi:http as
// it is, others as the failure of the call.
func Export(base wrpc.Export, h http.Handler) wrpc.Export {
	base.Instance, base.Func = Instance, Func
	base.Params = []*wit.Type{contract.Request}
	base.ParamPaths = []wrpc.Path{bodyPath, trailersPath}
	base.Stream = func(ctx context.Context, x *wrpc.Exchange) error { return serve(ctx, x, h) }
	return base
}

func serve(ctx context.Context, x *wrpc.Exchange, h http.Handler) error {
	r, err := newRequest(ctx, x)
	if err != nil {
		return &wrpc.Error{Code: wrpc.Refused, Detail: err.Error(), Err: err}
	}
	w := &response{x: x, method: r.Method, header: http.Header{}}
	answer(w, r, h)
	return w.end()
}

// answer runs a handler, which gives up its response by a panic.
func answer(w *response, r *http.Request, h http.Handler) {
	defer func() {
		_ = r.Body.Close() // always nil
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			w.Fail(errAborted)
		default:
			panic(p) // the server's, which tells of it
		}
	}()
	h.ServeHTTP(w, r)
}

var errAborted = errors.New("the response was given up")

// newRequest makes Go's form of a request.
func newRequest(ctx context.Context, x *wrpc.Exchange) (*http.Request, error) {
	h, err := readRequest(x.Params)
	if err != nil {
		return nil, err
	}
	if h.path == "" {
		h.path = "/"
	}
	u := &url.URL{Path: h.path}
	if h.path != "*" {
		if u, err = url.ParseRequestURI(h.path); err != nil {
			return nil, fmt.Errorf("%w: path %.80q", ErrMalformed, h.path)
		}
	}
	r := &http.Request{
		Method: h.method, URL: u, RequestURI: h.path, Host: h.authority, Header: h.header,
		Proto: "HTTP/2.0", ProtoMajor: 2, ContentLength: contentLength(h.header),
	}
	if h.scheme == "https" {
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	r = r.WithContext(ctx)
	body, err := newIncoming(h, x.ParamStream, &r.Trailer)
	if err != nil {
		return nil, err
	}
	r.Body = body
	return r, nil
}

// sendBytes is how much of a body is kept until it is worth a message.
const sendBytes = 32 << 10

// response is the writer of one response. It is for one goroutine.
type response struct {
	x      *wrpc.Exchange
	method string
	header http.Header

	status   int // 0: not sent
	trailers []string
	body     *wrpc.ByteStreamWriter
	buf      []byte
	err      error // why it ends before it is whole
}

// Header implements [http.ResponseWriter].
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter]. Informational ones have no place
// on the wire.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || w.err != nil || status < http.StatusOK {
		return
	}
	w.status = status
	for _, list := range w.header["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			w.trailers = append(w.trailers, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	sent := w.header
	if len(w.trailers) > 0 {
		sent = maps.Clone(sent)
		for _, name := range w.trailers {
			delete(sent, name) // they come after the body
		}
	}
	if err := w.x.SetResults(appendResponse(nil, status, sent)); err != nil {
		w.err = err
		return
	}
	w.body = wrpc.NewByteStreamWriter(w.x.ResultStream(bodyPath...))
}

// Write implements [http.ResponseWriter].
func (w *response) Write(p []byte) (int, error) {
	if w.WriteHeader(http.StatusOK); w.err != nil {
		return 0, w.err
	}
	if w.method == http.MethodHead || w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	if len(w.buf)+len(p) <= sendBytes {
		w.buf = append(w.buf, p...)
		return len(p), nil
	}
	if w.Flush(); w.err != nil {
		return 0, w.err
	}
	n, err := w.body.Write(p)
	w.err = err
	return n, err
}

// Flush implements [http.Flusher]. A failure shows at the next write.
func (w *response) Flush() {
	if w.WriteHeader(http.StatusOK); w.err != nil || len(w.buf) == 0 {
		return
	}
	_, w.err = w.body.Write(w.buf)
	w.buf = w.buf[:0]
}

// Fail ends the response by an error.
func (w *response) Fail(err error) {
	if w.err != nil {
		return
	}
	w.err = err
	if w.status != 0 {
		return
	}
	code, is := errors.AsType[wasihttp.ErrorCode](err)
	if !is && !w.x.Lath { // who could not be told otherwise
		text := err.Error()
		if call, ok := errors.AsType[*wrpc.Error](err); ok {
			text = call.Detail
		}
		text, _, _ = strings.Cut(strings.ToValidUTF8(text, "?"), "\n")
		code, is = wasihttp.ErrorCode{Tag: wasihttp.ErrorCodeInternalError, InternalError: wit.Some(text)}, true
	}
	if is {
		w.status = -1
		_ = w.x.SetResults(appendError(nil, code)) // the caller sees the connection break
	}
}

// end ends what is not ended.
func (w *response) end() error {
	if w.status == -1 {
		return nil // it was told
	}
	if w.WriteHeader(http.StatusOK); w.err != nil {
		return w.err
	}
	if len(w.buf) > 0 {
		if _, err := w.body.Write(w.buf); err != nil {
			return err
		}
	}
	if err := w.body.Close(); err != nil {
		return err
	}
	return wrpc.WriteFuture(w.x.ResultStream(trailersPath...), appendTrailers(nil, w.sentTrailers()))
}

// sentTrailers are those that the handler announced, or named as such.
func (w *response) sentTrailers() http.Header {
	t := http.Header{}
	for _, name := range w.trailers {
		if v := w.header[name]; len(v) > 0 {
			t[name] = v
		}
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			t[http.CanonicalHeaderKey(name)] = values
		}
	}
	return t
}

var (
	_ http.ResponseWriter = (*response)(nil)
	_ http.Flusher        = (*response)(nil)
	_ io.ReadCloser       = (*incoming)(nil)
)
