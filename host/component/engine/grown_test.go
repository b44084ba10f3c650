package engine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
)

// TestGrown holds in place what the package knows of wazero's call engines.
func TestGrown(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]engine.Config{"compiler": {}, "interpreter": {Interpreter: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := &guest{tags: [][]byte{{0, 0}}}
			g.sig(nil, nil) // the tag's type
			g.fn("deep", []byte{i32}, nil, nil, op(opLocalGet, 0), []byte{opIf, void},
				op(opLocalGet, 0), constant(1), []byte{opI32Sub}, op(opCall, 0), op(opLocalGet, 0), []byte{opDrop, opEnd})
			g.fn("tries", nil, nil, nil, []byte{opBlock, void, 0x1f, void, 1, 2, 0, opEnd, opEnd})
			m := newWorld(t, cfg).must(g.encode(), core.Plan{})
			ctx := engine.NewContext(context.Background())
			keep, depth := 128<<10, uint64(15_000)
			if cfg.Interpreter {
				keep, depth = 8<<10, 1_500
			}
			deep := m.Func("deep")
			require.False(t, deep.Grown(keep))
			require.NoError(t, deep.Call(ctx, []uint64{10}))
			require.False(t, deep.Grown(keep))
			require.NoError(t, deep.Call(ctx, []uint64{depth}))
			require.True(t, deep.Grown(keep))
			require.True(t, deep.Grown(keep), "it is asked again")
			require.False(t, m.Func("deep").Grown(keep), "another one is new")
			if cfg.Interpreter {
				return // its copies are gone with the call
			}
			tries := m.Func("tries")
			require.False(t, tries.Grown(keep))
			require.NoError(t, tries.Call(ctx, nil))
			require.True(t, tries.Grown(keep))
		})
	}
}
