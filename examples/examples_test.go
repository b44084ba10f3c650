package examples

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestComponent(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("*/*.wasm")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(paths), 8)
	for _, path := range paths {
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		got, err := Component(strings.TrimSuffix(filepath.Base(path), ".wasm"))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got), path)
		require.True(t, bytes.HasPrefix(got, []byte("\x00asm\x0d\x00\x01\x00")), "%s is a component", path)
		most := 64 << 10
		if strings.HasSuffix(path, "-js.wasm") {
			most = 2 << 20 // it carries its language's engine
		}
		require.Less(t, len(got), most, "%s: examples stay small", path)
	}
	for _, name := range []string{"nobody", "", "*", "../counter/counter", "[", "counter.c"} {
		_, err = Component(name)
		require.ErrorContains(t, err, "no example component", name)
	}
}
