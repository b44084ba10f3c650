package wrpc

import (
	"context"
	"fmt"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
)

// Binding calls the functions of one callee, in the shape that generated stubs
// want. It is safe for concurrent use.
type Binding struct {
	c      *Client
	prefix string
	meta   func(ctx context.Context) Meta
}

// Bind returns a binding to the callee of a prefix, "{lattice}.{id}" or a
// direct one. Meta says for each call what travels beside the parameters; nil
// sends nothing of its own.
func (c *Client) Bind(prefix string, meta func(ctx context.Context) Meta) *Binding {
	if meta == nil {
		meta = func(context.Context) Meta { return Meta{} }
	}
	return &Binding{c: c, prefix: prefix, meta: meta}
}

// Invoke calls a function with encoded parameters and returns the encoded
// results, see [Client.Call]. The function may have its name of the WIT.
func (b *Binding) Invoke(ctx context.Context, instance, function string, params []byte) ([]byte, error) {
	results, _, err := b.c.Call(ctx, Target{
		Prefix: b.prefix, Instance: instance, Func: lattice.FunctionName(function),
	}, b.meta(ctx), params)
	return results, err
}

// Registrar collects functions in the shape that generated stubs want, to serve
// them together. It is for one goroutine.
type Registrar struct {
	base    Export
	exports []Export
	names   map[string]bool
}

// NewRegistrar returns an empty registrar. The prefixes, limiter and admission
// hook of base hold for all functions; without a limiter they share a new one.
func NewRegistrar(base Export) *Registrar {
	if base.Limiter == nil {
		base.Limiter = NewLimiter(Limits{})
	}
	return &Registrar{base: base, names: make(map[string]bool)}
}

// Handle adds a function; h gets the whole encoded parameters, and the caller's
// [Meta] by [MetaFromContext]. The function may have its name of the WIT.
func (r *Registrar) Handle(instance, function string, params []*wit.Type, h func(ctx context.Context, params []byte) ([]byte, error)) error {
	return r.add(instance, function, params, h != nil, func(e *Export) {
		e.Unary = func(ctx context.Context, req *Request) ([]byte, error) { return h(ctx, req.Params) }
	})
}

// HandleStream adds a function with streams or futures; paths are those of its
// parameters. The function may have its name of the WIT.
func (r *Registrar) HandleStream(instance, function string, params []*wit.Type, h StreamFunc, paths ...Path) error {
	return r.add(instance, function, params, h != nil, func(e *Export) { e.Stream, e.ParamPaths = h, paths })
}

func (r *Registrar) add(instance, function string, params []*wit.Type, handled bool, set func(*Export)) error {
	e := r.base
	e.Instance, e.Func, e.Params = instance, lattice.FunctionName(function), params
	name := instance + "." + e.Func
	if r.names[name] {
		return fmt.Errorf("serve %s: %w: served twice", name, lattice.ErrConflict)
	}
	if !handled {
		return fmt.Errorf("serve %s: %w: no handler", name, lattice.ErrInvalid)
	}
	r.names[name] = true
	set(&e)
	r.exports = append(r.exports, e)
	return nil
}

// Exports returns what was added.
func (r *Registrar) Exports() []Export { return r.exports }

// Serve serves what was added, see [Server.Serve].
func (r *Registrar) Serve(ctx context.Context, s *Server) (*Serving, error) {
	return s.Serve(ctx, r.exports...)
}
