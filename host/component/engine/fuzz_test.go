package engine_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
)

// FuzzRewrite: whatever the engine takes as it is, it must also take rewritten,
// if the rewriter does not refuse it; and what it refuses as it is must not
// become valid by being rewritten. Neither may panic.
func FuzzRewrite(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.wasm"))
	require.NoError(f, err)
	for _, file := range files {
		f.Add(testdata(f, strings.TrimSuffix(filepath.Base(file), ".wasm")), false)
	}
	w := newWorld(f, engine.Config{Interpreter: true})
	f.Fuzz(func(t *testing.T, b []byte, strip bool) {
		lim := core.Limits{Locals: 1000, TotalLocals: 10_000}
		m, err := core.Parse(b, lim)
		if err != nil {
			return
		}
		names := make([]core.Name, len(m.Imports))
		for i := range names {
			names[i] = core.Name{Module: "i", Field: "f"}
		}
		plan, plainPlan := core.Plan{Imports: names, StripData: strip, KeepNames: true}, core.Plan{Imports: names, NoChecks: true}
		if _, err := core.Rewrite(m, plan); err != nil {
			return
		}
		_, err = core.Rewrite(m, plainPlan)
		require.NoError(t, err)
		code, err := w.engine.Compile(t.Context(), engine.Source{Module: m, Plan: plan})
		plainCode, plainErr := w.engine.Compile(t.Context(), engine.Source{Module: m, Plan: plainPlan})
		require.Equal(t, plainErr == nil, err == nil, "plain: %v, rewritten: %v", plainErr, err)
		if err == nil {
			code.Close()
			plainCode.Close()
		}
	})
}
