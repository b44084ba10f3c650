package httpserver

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"
)

// ServeHTTP implements [http.Handler]: it finds the link of a request and hands it
// on.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	to := e.routing.Load()
	host := r.Host
	if e.listen.hostHeader != "" {
		host = r.Header.Get(e.listen.hostHeader)
	}
	i, allow := to.table.Match(r.Method, host, r.URL.Path, r.Header, rand.Uint64()) //nolint:gosec // shares of load, no secret
	if i < 0 {
		i, allow = preflighted(to, host, r, allow)
	}
	switch {
	case i >= 0:
		e.answer(w, r, to.links[i])
	case len(allow) > 0:
		w.Header().Set("Allow", strings.Join(allow, ", "))
		say(w, http.StatusMethodNotAllowed, "this path takes "+strings.Join(allow, ", "))
	default:
		say(w, http.StatusNotFound, "no link of this HTTP server is for this host and path")
	}
}

// preflighted finds the link that a browser's question is about, which the rules
// may name no OPTIONS for.
func preflighted(to *routing, host string, r *http.Request, allow []string) (int, []string) {
	method := r.Header.Get("Access-Control-Request-Method")
	if r.Method != http.MethodOptions || method == "" {
		return -1, allow
	}
	i, _ := to.table.Match(method, host, r.URL.Path, r.Header, 0)
	if i >= 0 && to.links[i].cors == nil {
		return -1, allow
	}
	return i, allow
}

// sayTime is how long a client of HTTP/2 may leave no room for being told that its
// request leads nowhere. What bounds a connection's writes does not bound that: the
// client may go on with everything else.
const sayTime = 10 * time.Second

// say answers with a status and a line of text.
func say(w http.ResponseWriter, status int, text string) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sayTime)) // who knows none waits for nobody
	http.Error(w, text, status)
}

// answer has a link's target answer.
func (e *endpoint) answer(w http.ResponseWriter, r *http.Request, l *followed) {
	if l.accessLog {
		entry := &logged{ResponseWriter: w, began: time.Now()}
		w = entry
		defer e.tell(entry, r, l)
	}
	switch {
	case l.cors != nil && l.cors.apply(w, r):
		return
	case r.Method == http.MethodConnect:
		say(w, http.StatusNotImplemented, "CONNECT: this server is no proxy")
		return
	case upgrades(r):
		say(w, http.StatusNotImplemented, "Upgrade: components answer requests, and have no WebSockets yet; server-sent events work")
		return
	case l.readOnly && r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		say(w, http.StatusMethodNotAllowed, "this server is read-only")
		return
	case l.maxBody > 0 && r.ContentLength > l.maxBody:
		w.Header().Set("Connection", "close")
		say(w, http.StatusRequestEntityTooLarge, "the request's body is too large")
		return
	}
	if l.cacheControl != "" {
		w.Header().Set("Cache-Control", l.cacheControl) // the component's own takes its place
	}
	if r.Body != nil && r.Body != http.NoBody {
		rc := http.NewResponseController(w)
		r.Body = &patient{ReadCloser: r.Body, rc: rc, most: l.bodyTimeout}
		if l.maxBody > 0 {
			// Without w, which it would write to while the target does. Who gives a
			// body up ends its connection.
			r.Body = http.MaxBytesReader(nil, r.Body, l.maxBody)
		}
	}
	l.Answer.Answer(w, r, l.timeout)
}

// upgrades reports whether a client wants to speak something else than HTTP. An
// offer of HTTP/2 is not meant: it may be passed over.
func upgrades(r *http.Request) bool {
	for _, v := range r.Header["Upgrade"] {
		for name := range strings.SplitSeq(v, ",") {
			name, _, _ = strings.Cut(strings.TrimSpace(name), "/")
			if strings.EqualFold(name, "websocket") {
				return true
			}
		}
	}
	return false
}

// patient is a body that waits for its bytes only so long: a client that sends
// nothing keeps an instance of a component.
type patient struct {
	io.ReadCloser
	rc   *http.ResponseController
	most time.Duration
	late bool
}

// errSlow is what a body that took too long ends with.
var errSlow = errors.New("the request's body came too slowly")

// Read implements [io.Reader]. The time is taken back after it, since past the
// body's end the server watches the connection; but not where it has run out: what
// reads on, as the server does to find the next request, is not to wait again.
func (p *patient) Read(b []byte) (int, error) {
	if p.most <= 0 || p.late {
		return p.ReadCloser.Read(b)
	}
	_ = p.rc.SetReadDeadline(time.Now().Add(p.most)) // tests' writers know none
	n, err := p.ReadCloser.Read(b)
	if p.late = errors.Is(err, os.ErrDeadlineExceeded); p.late {
		return n, errSlow
	}
	_ = p.rc.SetReadDeadline(time.Time{})
	return n, err
}

// logged notes what a response was, for the access log.
type logged struct {
	http.ResponseWriter
	began  time.Time
	status int
	bytes  int64
}

// WriteHeader implements [http.ResponseWriter].
func (l *logged) WriteHeader(status int) {
	if l.status == 0 && status >= http.StatusOK {
		l.status = status
	}
	l.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (l *logged) Write(b []byte) (int, error) {
	if l.status == 0 {
		l.status = http.StatusOK
	}
	n, err := l.ResponseWriter.Write(b)
	l.bytes += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (l *logged) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// tell writes the access log's line. The query is left out: it may have secrets.
func (e *endpoint) tell(l *logged, r *http.Request, to *followed) {
	e.log.Info("request", zap.String("from", r.RemoteAddr), zap.String("method", r.Method), zap.String("host", r.Host),
		zap.String("path", r.URL.Path), zap.String("proto", r.Proto), zap.Int("status", l.status), zap.Int64("bytes", l.bytes),
		zap.Duration("took", time.Since(l.began)), zap.String("target", to.Target))
}
