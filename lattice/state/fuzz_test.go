package state

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

// FuzzSpec reads stored specs as anyone may have written them. What is accepted
// is written again in a form that reads the same.
func FuzzSpec(f *testing.F) {
	f.Add([]byte(`{"url":"ghcr.io/x/counter:1","links":[{"source_id":"a","target":"kv","name":"default",` +
		`"wit_namespace":"wasi","wit_package":"keyvalue","interfaces":["store"],"source_config":[],"target_config":[]}]}`))
	f.Add([]byte(`{"url":"","links":null}`))
	f.Add([]byte(`{"url":"","links":[{"source_id":"b"}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := decodeSpec("a", data, 1<<16)
		if err != nil {
			return
		}
		again, err := spec.encode()
		require.NoError(t, err)
		back, err := decodeSpec("a", again, 1<<20)
		require.NoError(t, err)
		require.Equal(t, spec.URL, back.URL)
		require.True(t, sameLinks(spec.Links, back.Links))
	})
}

// FuzzExport reads files that claim to be exports. What is accepted has only keys
// that can be stored.
func FuzzExport(f *testing.F) {
	f.Add("{\"format\":\"lath-lattice\",\"version\":1,\"lattice\":\"default\"}\n" +
		"{\"bucket\":\"CONFIGDATA\",\"key\":\"c\",\"value\":\"e30=\"}\n{\"end\":true,\"entries\":1}\n")
	f.Add("{\"format\":\"lath-lattice\",\"version\":1}\n{\"end\":true}\n")
	f.Add("{}\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := readExport(strings.NewReader(text))
		if err != nil {
			require.ErrorIs(t, err, lattice.ErrInvalid)
			require.Nil(t, entries)
			return
		}
		for k := range entries {
			require.NotEmpty(t, k.key)
			require.NotContains(t, k.key, "*")
			require.NotContains(t, k.key, " ")
			require.Contains(t, exported("x"), k.bucket)
		}
	})
}
