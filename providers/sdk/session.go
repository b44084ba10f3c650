package sdk

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"

	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/bind"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpchttp"
)

// Session is a provider that runs. It is safe for concurrent use.
type Session struct {
	data     *wire.HostData
	provider Provider
	log      *zap.Logger
	client   *wrpc.Client

	once    sync.Once
	stop    chan struct{} // closed when the provider is to end
	drained chan struct{} // closed when its calls have ended

	turn sync.Mutex // held while a callback runs
	over bool       // no more callbacks; under turn

	mu     sync.Mutex
	config map[string]string
	links  linkTable
}

// ID is the provider's id.
func (s *Session) ID() string { return s.data.ProviderID }

// HostID is the id of the host that runs the provider.
func (s *Session) HostID() string { return s.data.HostID }

// Lattice is the name of the provider's lattice.
func (s *Session) Lattice() string { return s.data.Lattice }

// Log writes to where the host reads.
func (s *Session) Log() *zap.Logger { return s.log }

// Config returns a copy of the provider's own configuration as it is now.
func (s *Session) Config() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.config)
}

// Secret returns a secret of the provider's own configuration.
func (s *Session) Secret(name string) (Secret, bool) {
	secret, ok := s.data.Secrets[name]
	return secret, ok
}

// Link returns the link by which the call of a contract's method has come, of the
// interface's package, such as "wrpc:keyvalue". There is none where the caller
// says that it is someone whom no link lets call: what a caller says of itself is
// a claim, and who has no link gets no configuration and no secret of one.
//
// Guests import wasi:keyvalue, wasi:blobstore and wasi:http and links name those;
// their twins on the wire are found under either name.
func (s *Session) Link(ctx context.Context, pkg string) (Link, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links.find(ctx, pkg)
}

// Links returns the links that the provider has now.
func (s *Session) Links() []Link {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links.all()
}

// Target returns what calls the other end of a link that starts at the provider,
// for generated clients. The trace of a call that is being served goes along.
func (s *Session) Target(l Link) (bind.Invoker, error) {
	if err := s.starts(l); err != nil {
		return nil, err
	}
	return s.client.Bind(lattice.RPCPrefix(s.data.Lattice, l.Target), func(ctx context.Context) wrpc.Meta { return s.meta(ctx, l) }), nil
}

// HTTP returns what sends HTTP requests to the other end of a link that starts at the
// provider, a component that exports wasi:http/incoming-handler. It streams both ways;
// its errors are those of [wrpchttp.Transport]. The trace that a request's headers
// name goes along.
func (s *Session) HTTP(l Link) (http.RoundTripper, error) {
	if err := s.starts(l); err != nil {
		return nil, err
	}
	return &wrpchttp.Transport{Open: wrpchttp.At(s.client, lattice.RPCPrefix(s.data.Lattice, l.Target)), Meta: func(r *http.Request) wrpc.Meta {
		m := s.meta(r.Context(), l)
		if parent := r.Header.Get("Traceparent"); wrpc.TraceID(parent) != "" {
			m.TraceParent, m.TraceState = parent, ""
			if state := r.Header.Get("Tracestate"); len(state) <= wrpc.MaxTraceState {
				m.TraceState = state
			}
		}
		return m
	}}, nil
}

func (s *Session) starts(l Link) error {
	if l.SourceID != s.data.ProviderID {
		return fmt.Errorf("call %s: %w: the link does not start here", l.Target, lattice.ErrInvalid)
	}
	return nil
}

// meta is what the target of a link is told of a call.
func (s *Session) meta(ctx context.Context, l Link) wrpc.Meta {
	m := wrpc.Meta{SourceID: s.data.ProviderID, TargetID: l.Target, LinkName: l.Name}
	if in, ok := wrpc.MetaFromContext(ctx); ok {
		m.TraceParent, m.TraceState, m.Path = in.TraceParent, in.TraceState, in.Path
	}
	return m
}

// handler is a session as its host talks to it.
type handler Session

var _ wire.Handler = (*handler)(nil)

// inTurn calls back, one at a time, and no more when the provider has ended.
func (s *Session) inTurn(call func()) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if !s.over {
		call()
	}
}

// PutLink implements provider.Handler.
func (h *handler) PutLink(ctx context.Context, d wire.LinkDefinition) {
	s := (*Session)(h)
	s.inTurn(func() { s.putLink(ctx, d) })
}

func (s *Session) putLink(ctx context.Context, d wire.LinkDefinition) {
	l, err := s.open(d)
	if err != nil {
		s.log.Error("link left out", zap.Stringer("link", d.Link()), zap.Error(err))
		return
	}
	s.mu.Lock()
	before, had := s.links.get(l)
	s.mu.Unlock()
	if had {
		if before.Equal(l) {
			return // told twice
		}
		s.gone(ctx, before)
	}
	if s.provider.LinkPut != nil {
		if err := s.provider.LinkPut(ctx, l); err != nil {
			s.log.Error("link refused", zap.Stringer("link", l), zap.Error(err))
			return
		}
	}
	s.mu.Lock()
	s.links.put(l)
	s.mu.Unlock()
}

// DeleteLink implements provider.Handler.
func (h *handler) DeleteLink(ctx context.Context, d wire.LinkDefinition) {
	s := (*Session)(h)
	s.inTurn(func() {
		s.mu.Lock()
		l, had := s.links.get(Link{Link: d.Link()})
		s.mu.Unlock()
		if had {
			s.gone(ctx, l)
		}
	})
}

func (s *Session) gone(ctx context.Context, l Link) {
	s.mu.Lock()
	s.links.remove(l)
	s.mu.Unlock()
	if s.provider.LinkGone != nil {
		s.provider.LinkGone(ctx, l)
	}
}

// UpdateConfig implements provider.Handler.
func (h *handler) UpdateConfig(ctx context.Context, values map[string]string) {
	s := (*Session)(h)
	s.inTurn(func() {
		s.mu.Lock()
		s.config = values
		s.mu.Unlock()
		if s.provider.ConfigChanged != nil {
			s.provider.ConfigChanged(ctx, maps.Clone(values))
		}
	})
}

// Health implements provider.Handler.
func (h *handler) Health(ctx context.Context) wire.Health {
	if h.provider.Health != nil {
		if err := h.provider.Health(ctx); err != nil {
			return wire.Health{Message: err.Error()}
		}
	}
	return wire.Health{Healthy: true}
}

// Shutdown implements provider.Handler. It returns when no call runs any more.
func (h *handler) Shutdown(ctx context.Context) {
	h.once.Do(func() { close(h.stop) })
	select {
	case <-h.drained:
	case <-ctx.Done():
	}
}

// Malformed implements provider.Handler.
func (h *handler) Malformed(subject string, err error) {
	h.log.Warn("message left out", zap.String("subject", subject), zap.Error(err))
}
