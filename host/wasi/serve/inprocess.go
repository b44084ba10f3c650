package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// RoundTrip has a handler of this process answer a client's request, as an
// [http.RoundTripper] does by a connection. The request's context bounds all of it,
// the response's body included; Close of that waits for the handler, which finds its
// client gone. The request's body may be closed while it is read.
//
// # Errors
//
// What handle returns, which means that nothing was done: the request's body is left
// alone, so that the request may go elsewhere. Or what it has told of as a [Failer],
// in the place of a response or as the error of its body.
func RoundTrip(r *http.Request, handle func(w http.ResponseWriter, r *http.Request) error) (*http.Response, error) {
	ctx, cancel := context.WithCancel(r.Context())
	w := &writer{asked: r, cancel: cancel, header: http.Header{}, begun: make(chan struct{}), over: make(chan struct{})}
	w.out, w.in = io.Pipe()
	go w.serve(received(ctx, r), handle) // Close waits for it
	<-w.begun
	if w.response == nil {
		<-w.over
		return nil, w.failed
	}
	return w.response, nil
}

// received is a client's request as a server has it. It counts as HTTP/2: its body may
// be closed while it is read.
func received(ctx context.Context, r *http.Request) *http.Request {
	in := r.WithContext(ctx)
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/2.0", 2, 0
	in.RequestURI = r.URL.RequestURI()
	if in.Method == "" {
		in.Method = http.MethodGet
	}
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if r.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{HandshakeComplete: true}
	}
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		in.Body, in.ContentLength = http.NoBody, 0
	case r.ContentLength == 0:
		in.ContentLength = -1
	}
	return in
}

// heldBytes is how much of a response's body is held until the handler has ended, or
// wants it sent: most are whole by then, and cost no hand-over.
const heldBytes = 32 << 10

// writer is the [http.ResponseWriter] of one response. Its methods are for the
// handler, but for what it tells the client through channels and the pipe.
type writer struct {
	asked  *http.Request
	cancel context.CancelFunc
	begun  chan struct{} // closed when there is a response, or failed
	over   chan struct{} // closed when the handler has returned

	header   http.Header
	status   int         // 0: not written
	sent     http.Header // with the status
	trailers []string    // announced
	held     []byte
	out      *io.PipeReader
	in       *io.PipeWriter

	response *http.Response // nil: the client has none
	failed   error
}

var (
	_ http.ResponseWriter = (*writer)(nil)
	_ http.Flusher        = (*writer)(nil)
	_ Failer              = (*writer)(nil)
)

// serve runs the handler.
func (w *writer) serve(r *http.Request, handle func(w http.ResponseWriter, r *http.Request) error) {
	defer close(w.over)
	defer w.cancel()
	defer context.AfterFunc(r.Context(), func() { _ = w.in.CloseWithError(context.Cause(r.Context())) })()
	err := w.run(r, handle)
	if err == nil {
		_ = r.Body.Close() // as a server does; nobody is left to be told
	}
	switch w.Fail(err); {
	case w.response == nil && w.failed != nil:
		close(w.begun)
	case w.response == nil:
		w.WriteHeader(http.StatusOK)
		w.begin(bytes.NewReader(w.held), w.late())
	case w.failed == nil:
		if t := w.late(); len(t) > 0 {
			w.response.Trailer = t // which is looked at when the body has ended
		}
		_ = w.in.Close() // always nil
	}
}

// run returns why the handler has done nothing. One that gives its response up panics.
func (w *writer) run(r *http.Request, handle func(w http.ResponseWriter, r *http.Request) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			w.Fail(fmt.Errorf("the response was given up: %v", p))
		}
	}()
	return handle(w, r)
}

// Header implements [http.ResponseWriter].
func (w *writer) Header() http.Header { return w.header }

// WriteHeader implements [http.ResponseWriter]. Nobody waits for informational ones.
func (w *writer) WriteHeader(status int) {
	if w.status != 0 || status < http.StatusOK {
		return
	}
	w.status = status
	for _, list := range w.header["Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			w.trailers = append(w.trailers, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	w.sent = w.header.Clone()
	for _, name := range w.trailers {
		delete(w.sent, name) // they come after the body
	}
	for name, values := range w.sent {
		if len(values) == 0 || strings.HasPrefix(name, http.TrailerPrefix) {
			delete(w.sent, name)
		}
	}
}

// Write implements [http.ResponseWriter].
func (w *writer) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.failed != nil:
		return 0, w.failed
	case w.asked.Method == http.MethodHead || w.status == http.StatusNoContent || w.status == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	case w.response == nil && len(w.held)+len(p) <= heldBytes:
		w.held = append(w.held, p...)
		return len(p), nil
	}
	if w.Flush(); w.failed != nil {
		return 0, w.failed
	}
	return w.in.Write(p)
}

// Flush implements [http.Flusher]: the client has what was written. A failure shows at
// the next write.
func (w *writer) Flush() {
	if w.WriteHeader(http.StatusOK); w.failed != nil || w.response != nil {
		return
	}
	w.begin(w.out, nil)
	if len(w.held) > 0 {
		if _, err := w.in.Write(w.held); err != nil {
			w.failed = err
		}
		w.held = nil
	}
}

// Fail implements [Failer].
func (w *writer) Fail(err error) {
	if err == nil || w.failed != nil {
		return
	}
	w.failed = err
	_ = w.in.CloseWithError(err) // always nil
}

// begin hands the client a response.
func (w *writer) begin(body io.Reader, trailers http.Header) {
	length := int64(-1)
	if n, err := strconv.ParseInt(w.sent.Get("Content-Length"), 10, 64); err == nil && n >= 0 {
		length = n
	}
	w.response = &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: w.sent, Trailer: trailers, ContentLength: length,
		Request: w.asked, Body: &responseBody{body, w},
	}
	close(w.begun)
}

// late are the trailers that the handler announced, or named as such.
func (w *writer) late() http.Header {
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

// responseBody is the body of a response, as its client has it.
type responseBody struct {
	io.Reader
	w *writer
}

// Close implements [io.Closer]. It always returns nil.
func (b *responseBody) Close() error {
	b.w.cancel()
	<-b.w.over
	return nil
}
