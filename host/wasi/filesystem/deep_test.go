//go:build linux || darwin

package filesystem_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// labyrinth is a path that is long to walk: deep down, and back to the start as
// often as a root lets paths begin anew.
func labyrinth(t testing.TB, host string) string {
	t.Helper()
	const depth = 800
	root, err := os.OpenRoot(host)
	require.NoError(t, err)
	defer root.Close()
	require.NoError(t, root.MkdirAll(strings.Repeat("d/", depth)+"e", 0o755))
	return strings.Repeat("d/", depth) + strings.Repeat("e/../", 7) + strings.Repeat("../", depth)
}

func TestALongWalkEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, host, dir := writable(t)
	way := labyrinth(t, host)
	for i := range 30 {
		require.NoError(t, os.Symlink(fmt.Sprint("l", i+1), fmt.Sprint(host, "/l", i)))
	}
	put(t, host+"/l30", "there")
	const follow = contract.PathFlagsSymlinkFollow
	start := time.Now()
	_, err := dir.StatAt(t.Context(), follow, way+"l0")
	require.NoError(t, err)
	whole := time.Since(start)
	ctx, cancel := context.WithTimeout(t.Context(), whole/10)
	defer cancel()
	_, err = dir.StatAt(ctx, follow, way+"l0")
	require.Equal(t, contract.ErrorCodeInterrupted, err)
	_, err = dir.OpenAt(ctx, follow, way+"l0", 0, read)
	require.Equal(t, contract.ErrorCodeInterrupted, err)
	require.Equal(t, contract.ErrorCodeInterrupted, dir.RenameAt(ctx, way+"l0/", dir, "x"))
}
