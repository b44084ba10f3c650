package guests_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	bindtypes "github.com/lathhost/lath/host/bind/example/types"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/binary"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/wit"
)

// BenchmarkGuests measures what it takes until a guest can be called: cold,
// with nothing compiled before; warm, with the code compiled by an earlier
// process; and take, an instance of it. RESULTS.md is made with -benchtime 2x.
func BenchmarkGuests(b *testing.B) {
	dir := os.Getenv(dirEnv)
	if dir == "" {
		b.Skip("SKIPPED: no guests are built (make test-guests)")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
	require.NoError(b, err)
	for _, path := range paths {
		wasm, err := os.ReadFile(path)
		require.NoError(b, err)
		name := strings.TrimSuffix(filepath.Base(path), ".wasm")
		cache := b.TempDir()
		b.Run(name+"/cold", func(b *testing.B) {
			b.ReportMetric(float64(len(wasm)), "bytes")
			b.ReportMetric(float64(modules(b, wasm)), "modules")
			for range b.N {
				prepare(b, wasm, b.TempDir()).close(b)
			}
		})
		prepare(b, wasm, cache).close(b)
		b.Run(name+"/warm", func(b *testing.B) {
			for range b.N {
				prepare(b, wasm, cache).close(b)
			}
		})
		b.Run(name+"/take", func(b *testing.B) {
			p := prepare(b, wasm, cache)
			b.ResetTimer()
			for range b.N {
				i, err := p.tm.Take(b.Context())
				require.NoError(b, err)
				require.NoError(b, i.Close())
			}
			b.StopTimer()
			p.close(b)
		})
	}
}

// prepared is a guest on a runtime of its own.
type prepared struct {
	rt *component.Runtime
	tm *component.Template
}

func prepare(b *testing.B, wasm []byte, cache string) prepared {
	b.Helper()
	rt, err := component.New(context.Background(), component.Config{CacheDir: cache})
	require.NoError(b, err)
	c, err := rt.Compile(wasm)
	require.NoError(b, err)
	tm, err := c.Link(context.Background(), component.LinkConfig{
		Name:   "guest",
		Host:   append(wasi.Interfaces(wasi.Config{}), bindtypes.Resources(&cells{})),
		Import: func(string, *wit.Func) (component.Callee, error) { return nobody{}, nil },
	})
	require.NoError(b, err)
	return prepared{rt, tm}
}

func (p prepared) close(b *testing.B) {
	b.Helper()
	require.NoError(b, p.tm.Close(context.Background()))
	require.NoError(b, p.rt.Close(context.Background()))
}

// nobody is never called.
type nobody struct{}

func (nobody) Call(*component.ImportCall) error { return os.ErrInvalid }

// modules counts the core modules of a component and of those within it.
func modules(b *testing.B, wasm []byte) int {
	b.Helper()
	c, err := binary.Decode(wasm, binary.Limits{})
	require.NoError(b, err)
	return countModules(c)
}

func countModules(c *binary.Component) (n int) {
	for _, def := range c.Defs {
		switch def := def.(type) {
		case *binary.CoreModule:
			n++
		case *binary.NestedComponent:
			n += countModules(def.Component)
		}
	}
	return n
}
