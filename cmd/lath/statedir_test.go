package main

import (
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// The identity of a directory is made once, and one that was lost in the middle of
// being written is not taken for none.
func TestIdentityIsKept(t *testing.T) {
	t.Parallel()
	dir := stateDir(t.TempDir())
	ids := make([]string, 8)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			if id, err := dir.identity(""); err == nil {
				ids[i] = id.ID
			}
		})
	}
	all.Wait()
	require.NotEmpty(t, ids[0])
	for _, id := range ids {
		require.Equal(t, ids[0], id)
	}

	require.NoError(t, os.WriteFile(dir.path("host.seed"), nil, 0o600))
	_, err := dir.identity("")
	require.ErrorContains(t, err, "host.seed: it is empty")
	require.NoError(t, os.Remove(dir.path("host.seed")))
	_, err = dir.identity("")
	require.NoError(t, err)
}
