package capability

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/lathhost/lath/host/provider"
	wasihttp "github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/host/wasi/serve"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpchttp"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// HTTPHandler is the interface, without version, that links of HTTP servers are
// for.
const HTTPHandler = "wasi:http/incoming-handler"

// HTTPComponent is a component of this host that may answer HTTP.
type HTTPComponent interface {
	// ServeHTTP answers a request within most, if it is not 0. An error means that
	// nothing was done.
	ServeHTTP(w http.ResponseWriter, r *http.Request, most time.Duration) error
	// Crowded reports whether a request would have to wait here while another host has
	// room.
	Crowded() bool
}

// HTTP sends the requests of one link to its target: directly, where that runs on
// this host, and by wRPC elsewhere. It implements [provider.Answerer]. All fields
// are required.
type HTTP struct {
	// Source, Name and Target are those of the link.
	Source, Name, Target string
	// Local finds a component of this host, or nil.
	Local func(id string) HTTPComponent
	// Caller carries requests to other hosts.
	Caller *wrpc.Caller
	// MaxTime bounds a request, bodies included.
	MaxTime time.Duration
	Log     *zap.Logger
}

var _ provider.Answerer = (*HTTP)(nil)

// Answer implements provider.Answerer.
func (h *HTTP) Answer(w http.ResponseWriter, r *http.Request, most time.Duration) {
	if most <= 0 || most > h.MaxTime {
		most = h.MaxTime
	}
	r = r.WithContext(wrpc.ContextWithMeta(r.Context(), h.meta(r)))
	local := h.Local(h.Target)
	if local == nil {
		h.remote(w, r, most, h.Caller.Open)
		return
	}
	if local.Crowded() && h.remote(w, r, most, h.Caller.OpenElsewhere) {
		return
	}
	err := local.ServeHTTP(w, r, most)
	if err == nil {
		return
	}
	// One that was stopping did nothing: what has taken its place answers. For one
	// that has no room, another host may.
	if errors.Is(err, wrpc.ErrBusy) {
		next := h.Local(h.Target)
		switch {
		case next == nil:
			h.remote(w, r, most, h.Caller.Open)
			return
		case next != local:
			err = next.ServeHTTP(w, r, most)
		case h.remote(w, r, most, h.Caller.OpenElsewhere):
			return
		}
		if err == nil {
			return
		}
	}
	h.failed(r, err)
	serve.Refuse(w, httpStatus(err))
}

// meta is what the target is told of a request's way.
func (h *HTTP) meta(r *http.Request) wrpc.Meta {
	m := wrpc.Meta{SourceID: h.Source, LinkName: h.Name, TargetID: h.Target, Path: []string{h.Source}}
	if parent := r.Header.Get("Traceparent"); wrpc.TraceID(parent) != "" {
		m.TraceParent = parent
		if state := r.Header.Get("Tracestate"); len(state) <= wrpc.MaxTraceState {
			m.TraceState = state
		}
	} else {
		m.TraceParent = wrpc.NewTraceParent()
	}
	return m
}

// opener is Open or OpenElsewhere of a [wrpc.Caller].
type opener func(ctx context.Context, id string, t wrpc.Target, m wrpc.Meta, params []byte, results ...wrpc.Path) (*wrpc.Call, error)

// remote answers a request by a component elsewhere. A call that was refused, or met
// nobody, was tried on other hosts by open; false: open has left it to this one.
func (h *HTTP) remote(w http.ResponseWriter, r *http.Request, most time.Duration, open opener) bool {
	ctx, cancel := context.WithTimeout(r.Context(), most)
	defer cancel()
	out := r.WithContext(ctx)
	meta, _ := wrpc.MetaFromContext(ctx)
	call, err := wrpchttp.Open(func(ctx context.Context, t wrpc.Target, m wrpc.Meta, params []byte, results ...wrpc.Path) (*wrpc.Call, error) {
		return open(ctx, h.Target, t, m, params, results...)
	}, out, meta)
	if err == nil && call == nil {
		return false
	}
	// A client that never reads; the server takes the time back after its own writes.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(most + time.Second))
	began := false
	body := wasihttp.NewRequestBody(w, r)
	defer func() { body.End(began) }()
	out.Body = body
	if r.Body == nil || r.Body == http.NoBody {
		out.Body = nil
	}
	var resp *http.Response
	if err == nil {
		resp, err = wrpchttp.Exchange(call, out)
	}
	if err != nil {
		h.failed(r, err)
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // nobody is there
		}
		serve.Refuse(w, httpStatus(err))
		return true
	}
	defer resp.Body.Close()
	began = true
	if err := forward(w, resp); err != nil {
		h.failed(r, err)
		panic(http.ErrAbortHandler)
	}
	return true
}

// forward sends a response as it comes.
func forward(w http.ResponseWriter, resp *http.Response) error {
	header := w.Header()
	maps.Copy(header, resp.Header)
	if resp.Header.Get("Content-Type") == "" {
		header["Content-Type"] = nil // or the server would guess
	}
	w.WriteHeader(resp.StatusCode)
	out := wasihttp.NewPrompt(w)
	defer out.Stop()
	buf, free := wasihttp.Buffer()
	defer free()
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
			out.Stop()
			if len(resp.Trailer) > 0 {
				_ = http.NewResponseController(w).Flush() // they follow a body in chunks
			}
			for name, values := range resp.Trailer {
				header[http.TrailerPrefix+name] = values
			}
			return nil
		default:
			return err
		}
	}
}

// failed logs a request that got no response, or half of one.
func (h *HTTP) failed(r *http.Request, err error) {
	h.Log.Debug("request failed", zap.String("link", h.Name), zap.String("target", h.Target), zap.String("method", r.Method),
		zap.String("path", r.URL.Path), zap.Error(err))
}

// httpStatus is what a client is told of a request that failed.
func httpStatus(err error) int {
	if _, ok := errors.AsType[contract.ErrorCode](err); ok {
		return serve.Status(err)
	}
	call, ok := errors.AsType[*wrpc.Error](err)
	if !ok {
		return http.StatusBadGateway
	}
	switch call.Code {
	case wrpc.Busy, wrpc.NotConnected, wrpc.Disconnected, wrpc.Cancelled:
		return http.StatusServiceUnavailable
	case wrpc.Timeout:
		return http.StatusGatewayTimeout
	case wrpc.Trap:
		return http.StatusInternalServerError
	}
	return http.StatusBadGateway
}
