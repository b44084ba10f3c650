package state_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/state"
)

// keysOf are all keys and values of a lattice's buckets.
func keysOf(t *testing.T, b *broker, name string) map[string]string {
	t.Helper()
	js, err := jetstream.New(b.connect())
	require.NoError(t, err)
	all := map[string]string{}
	for _, bucket := range []string{lattice.LatticeBucket(name), lattice.ConfigBucket(name), lattice.LathBucket(name)} {
		kv, err := js.KeyValue(t.Context(), bucket)
		require.NoError(t, err)
		keys, err := kv.ListKeys(t.Context())
		require.NoError(t, err)
		for key := range keys.Keys() {
			e, err := kv.Get(t.Context(), key)
			require.NoError(t, err)
			all[strings.TrimSuffix(bucket, name)+key] = string(e.Value())
		}
	}
	return all
}

func TestExportAndImport(t *testing.T) {
	t.Parallel()
	from, to := newBroker(t), newBroker(t)
	conn := from.connect()
	_, err := state.Export(t.Context(), conn, testLattice, state.Options{}, new(bytes.Buffer))
	require.ErrorIs(t, err, lattice.ErrNotFound, "nothing is stored, and nothing is made")
	s, err := state.Open(t.Context(), conn, testLattice, state.Options{})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.PutConfig(t.Context(), "c", map[string]string{"color": "red"}))
	require.NoError(t, s.PutConfig(t.Context(), "gone", map[string]string{}))
	require.NoError(t, s.DeleteConfig(t.Context(), "gone"))
	require.NoError(t, s.PutLink(t.Context(), lattice.Link{SourceID: "a", Target: "b", WITNamespace: "x", WITPackage: "y", Interfaces: []string{"z"}, TargetConfig: []string{"c"}}))
	require.NoError(t, s.PutWant(t.Context(), "NHOST", &state.Want{Components: []state.WantedComponent{{ID: "a", Image: "file:///a", MaxInstances: 2}}}))
	// What another writer left there is carried as it is.
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	kv, err := js.KeyValue(t.Context(), lattice.LatticeBucket(testLattice))
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), "LINKDEF_old", []byte("\x00no JSON\xff"))
	require.NoError(t, err)
	own, err := js.KeyValue(t.Context(), lattice.LathBucket(testLattice))
	require.NoError(t, err)
	before := keysOf(t, from, testLattice)
	_, err = own.Put(t.Context(), lattice.OpKey("01J00000000000000000000000"), []byte("{}")) // kept for minutes
	require.NoError(t, err)
	require.Len(t, before, 4)

	var file bytes.Buffer
	n, err := state.Export(t.Context(), conn, testLattice, state.Options{}, &file)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	text := file.String()

	into := to.connect()
	load := func(name, text string, merge bool) (state.Imported, error) {
		return state.Import(t.Context(), into, name, state.Options{}, strings.NewReader(text), merge)
	}
	did, err := load("other", text, false)
	require.NoError(t, err)
	require.Equal(t, state.Imported{Added: 4}, did)
	require.Equal(t, before, keysOf(t, to, "other"))
	did, err = load("other", text, false)
	require.NoError(t, err, "again does no harm")
	require.Equal(t, state.Imported{Same: 4}, did)

	// A lattice with something else in it.
	there, err := state.Open(t.Context(), into, "third", state.Options{})
	require.NoError(t, err)
	defer there.Close()
	require.NoError(t, there.PutConfig(t.Context(), "mine", map[string]string{"k": "v"}))
	_, err = load("third", text, false)
	require.ErrorIs(t, err, lattice.ErrConflict)
	require.ErrorContains(t, err, "CONFIGDATA/mine")
	require.Len(t, keysOf(t, to, "third"), 1, "nothing was written")
	did, err = load("third", text, true)
	require.NoError(t, err)
	require.Equal(t, state.Imported{Added: 4}, did)
	require.Len(t, keysOf(t, to, "third"), 5)
	// A key with another value is never overwritten.
	require.NoError(t, there.PutConfig(t.Context(), "c", map[string]string{"color": "blue"}))
	for _, merge := range []bool{false, true} {
		_, err = load("third", text, merge)
		require.ErrorIs(t, err, lattice.ErrConflict)
		require.ErrorContains(t, err, "CONFIGDATA/c")
	}
}

func TestFilesThatAreNoExport(t *testing.T) {
	t.Parallel()
	conn := newBroker(t).connect()
	const head = `{"format":"lath-lattice","version":1}` + "\n"
	entry := func(bucket, key string) string {
		return fmt.Sprintf(`{"bucket":%q,"key":%q,"value":"e30="}`+"\n", bucket, key)
	}
	for what, text := range map[string]string{
		"empty":               "",
		"not JSON":            "hello\n",
		"another format":      `{"format":"x","version":1}` + "\n" + `{"end":true}` + "\n",
		"another version":     `{"format":"lath-lattice","version":2}` + "\n" + `{"end":true}` + "\n",
		"cut off":             head + entry("LATH", "k"),
		"an entry is missing": head + entry("LATH", "k") + `{"end":true,"entries":2}` + "\n",
		"more after the end":  head + `{"end":true}` + "\n" + entry("LATH", "k"),
		"another bucket":      head + entry("OTHER", "k") + `{"end":true,"entries":1}` + "\n",
		"a wildcard":          head + entry("LATH", "a.*") + `{"end":true,"entries":1}` + "\n",
		"two dots":            head + entry("LATH", "a..b") + `{"end":true,"entries":1}` + "\n",
		"no key":              head + entry("LATH", "") + `{"end":true,"entries":1}` + "\n",
		"a key twice":         head + entry("LATH", "k") + entry("LATH", "k") + `{"end":true,"entries":1}` + "\n",
		"an unknown field":    head + `{"bucket":"LATH","key":"k","valeu":"e30="}` + "\n" + `{"end":true,"entries":1}` + "\n",
		"a line without end":  head + strings.Repeat("x", 17<<20),
		"a value too large":   head + `{"bucket":"LATH","key":"k","value":"` + strings.Repeat("AAAA", 3<<20) + "\"}\n" + `{"end":true,"entries":1}` + "\n",
	} {
		_, err := state.Import(t.Context(), conn, testLattice, state.Options{}, strings.NewReader(text), false)
		require.ErrorIs(t, err, lattice.ErrInvalid, what)
	}
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	_, err = js.KeyValue(t.Context(), lattice.LathBucket(testLattice))
	require.ErrorIs(t, err, jetstream.ErrBucketNotFound, "nothing was made")
}
