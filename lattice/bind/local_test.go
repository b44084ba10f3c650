package bind_test

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/lathhost/lath/lattice/bind"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wire"
)

// local is a transport in memory: it serves what is registered to whoever
// invokes it, and remembers the bytes.
type local struct {
	handlers map[string]served

	mu              sync.Mutex
	params, results []byte // of the last call
}

type served struct {
	params []*wit.Type
	h      bind.Handler
}

func newLocal() *local { return &local{handlers: map[string]served{}} }

// Handle implements bind.Registrar.
func (l *local) Handle(instance, function string, params []*wit.Type, h bind.Handler) error {
	name := instance + "." + function
	if _, ok := l.handlers[name]; ok {
		return fmt.Errorf("%s is served already", name)
	}
	l.handlers[name] = served{params, h}
	return nil
}

// Invoke implements bind.Invoker. It insists that the parameters are complete
// by their types, as a real transport does before it calls the handler.
func (l *local) Invoke(ctx context.Context, instance, function string, params []byte) ([]byte, error) {
	s, ok := l.handlers[instance+"."+function]
	if !ok {
		return nil, fmt.Errorf("nobody serves %s.%s: %v", instance, function, maps.Keys(l.handlers))
	}
	if n, err := wire.Skip(s.params, params); err != nil || n != len(params) {
		return nil, fmt.Errorf("%s.%s: parameters take %d of %d bytes: %w", instance, function, n, len(params), err)
	}
	results, err := s.h(ctx, params)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.params, l.results = params, results
	return results, err
}

// answer is an invoker that always answers the same.
type answer struct {
	results []byte
	err     error
}

func (a answer) Invoke(context.Context, string, string, []byte) ([]byte, error) {
	return a.results, a.err
}
