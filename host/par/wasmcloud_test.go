package par_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/par"
)

// The archives in testdata were written by wasmCloud's own packer (the crate
// provider-archive 0.16.2, which wash 0.43 has), of the script and the world that
// the other tests have, for five platforms.
func TestArchivesOfWasmCloudsPacker(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"wasmcloud.par", "wasmcloud.par.gz"} {
		archive, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		require.True(t, par.IsArchive(archive))
		a, out, err := extract(t, archive, par.Limits{})
		require.NoError(t, err, name)
		require.Equal(t, script, out)
		require.Equal(t, "world", string(a.World))
		require.Equal(t, "made-by-wasmcloud acme 1.2.3", a.Claims.Name+" "+a.Claims.Vendor+" "+a.Claims.Version)
		require.EqualValues(t, 7, a.Claims.Revision)
		require.JSONEq(t, `{"type":"object"}`, string(a.Claims.ConfigSchema))
		require.True(t, a.Claims.IsProvider())
	}
}
