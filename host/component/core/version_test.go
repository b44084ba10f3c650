package core_test

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
)

var update = flag.Bool("update", false, "write testdata/version.json anew")

// golden is what a version of the rewriter makes of guests, by their digests.
type golden struct {
	Version int
	Meter   string
	Guests  map[string]string // digest of all that is made, by that of what it is made from
}

// TestVersionIsRaisedWithTheRewriter: code that is kept is found by the version,
// so a rewriter that makes something else needs another one.
func TestVersionIsRaisedWithTheRewriter(t *testing.T) {
	t.Parallel()
	const file = "testdata/version.json"
	now := golden{core.Version, digest(core.MeterBinary()), map[string]string{}}
	for _, wasm := range corpus(t) {
		now.Guests[digest(wasm)] = digest(made(t, wasm)...)
	}
	b, err := os.ReadFile(file)
	require.True(t, err == nil || *update, "%v", err)
	var then golden
	if err == nil {
		require.NoError(t, json.Unmarshal(b, &then))
	}
	if then.Version == now.Version {
		for in, out := range then.Guests {
			if now.Guests[in] != "" {
				require.Equal(t, out, now.Guests[in], "the rewriter makes something else: raise core.Version, then test with -update")
			}
		}
		require.Equal(t, then.Meter, now.Meter, "the meter is another: raise core.Version, then test with -update")
	}
	if *update {
		b, err := json.MarshalIndent(now, "", "\t")
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, append(b, '\n'), 0o644))
		return
	}
	require.Equal(t, then, now, "core.Version or a guest is new: test with -update")
}

// made returns all that the rewriter makes of a guest, by some plans.
func made(t *testing.T, wasm []byte) (all [][]byte) {
	m, err := core.Parse(wasm, core.Limits{})
	require.NoError(t, err)
	for _, plan := range []core.Plan{{}, {StripData: true, MaxMemory: 1 << 24, MaxTable: 100}, {KeepNames: true, KeepOffsets: true}, {NoChecks: true}} {
		r, err := core.Rewrite(m, plan)
		require.NoError(t, err)
		facts, err := json.Marshal(r.Facts)
		require.NoError(t, err)
		all = append(all, r.Bytes, facts, fmt.Append(nil, r.Data))
	}
	return all
}

func digest(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintln(h, len(p))
		h.Write(p)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestKey: whatever is different makes another key, also a field of Plan that is
// new.
func TestKey(t *testing.T) {
	t.Parallel()
	guests := corpus(t)
	m := parse(t, guests[0])
	seen := map[[sha256.Size]byte]string{}
	add := func(what string, m *core.Module, plan core.Plan) {
		key := core.Key(m, plan)
		require.Empty(t, seen[key], what)
		seen[key] = what
		require.Equal(t, key, core.Key(m, plan))
	}
	add("nothing", m, core.Plan{})
	for i := range reflect.TypeFor[core.Plan]().NumField() {
		var plan core.Plan
		field := reflect.ValueOf(&plan).Elem().Field(i)
		switch field.Kind() {
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Uint32, reflect.Uint64:
			field.SetUint(1)
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 0, 0))
		default:
			t.Fatalf("a %s", field.Kind())
		}
		add(reflect.TypeFor[core.Plan]().Field(i).Name, m, plan)
	}
	add("a name", m, core.Plan{Imports: []core.Name{{Module: "ab", Field: "c"}}})
	add("another", m, core.Plan{Imports: []core.Name{{Module: "a", Field: "bc"}}})
	add("a limit", m, core.Plan{MaxMemory: 2})
	add("another guest", parse(t, guests[1]), core.Plan{})
}

func parse(t testing.TB, wasm []byte) *core.Module {
	m, err := core.Parse(wasm, core.Limits{})
	require.NoError(t, err)
	return m
}

// TestStub: a stub differs from its module in nothing but what functions do.
func TestStub(t *testing.T) {
	t.Parallel()
	for _, wasm := range corpus(t) {
		for _, strip := range []bool{false, true} {
			plan := core.Plan{StripData: strip}
			r, err := core.Rewrite(parse(t, wasm), plan)
			require.NoError(t, err)
			b, err := core.Stub(r.Bytes)
			require.NoError(t, err)
			again, err := core.Stub(b)
			require.NoError(t, err)
			require.Equal(t, b, again)
			require.Equal(t, r.Data, core.Data(parse(t, wasm), plan))
			full, stub := parse(t, r.Bytes), parse(t, b)
			require.Equal(t, full.Types, stub.Types)
			require.Equal(t, full.Imports[:0], stub.Imports[:0])
			require.Equal(t, full.Exports, stub.Exports)
			require.Equal(t, full.Funcs, stub.Funcs)
			require.Equal(t, full.Tables, stub.Tables)
			require.Equal(t, full.Memories, stub.Memories)
			require.Equal(t, full.Globals, stub.Globals)
			require.Equal(t, full.Elements, stub.Elements)
			require.Equal(t, full.Data, stub.Data)
		}
	}
}

func FuzzStub(f *testing.F) {
	for _, b := range corpus(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		stub, err := core.Stub(b)
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(stub), 16+5*len(b))
		again, err := core.Stub(stub)
		require.NoError(t, err)
		require.Equal(t, stub, again)
	})
}
