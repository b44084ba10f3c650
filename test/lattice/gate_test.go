package lattice_test

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
)

// gate is a key-value provider whose calls wait until it is opened.
type gate struct {
	once    sync.Once
	reached chan struct{}
	open    chan struct{}

	answered atomic.Int32
}

func newGate() *gate { return &gate{reached: make(chan struct{}), open: make(chan struct{})} }

func (g *gate) offer(c *host.Config) {
	c.Builtins = append(c.Builtins, provider.Builtin{Name: "gate",
		Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
			return &provider.Capabilities{KeyvalueAtomics: g, KeyvalueStore: noStore{}}, nil
		}})
}

// Increment implements keyvalue.Atomics.
func (g *gate) Increment(ctx context.Context, _, _ string, _ uint64) (uint64, error) {
	g.once.Do(func() { close(g.reached) })
	select {
	case <-g.open:
		g.answered.Add(1)
		return 1, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}
