package engine

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
)

// TestCodeThatWazeroRefusesIsCompiledAgain: code whose sums are right and that
// wazero does not take, or takes only in part, is never run, and neither is the
// stub that stands for its module.
func TestCodeThatWazeroRefusesIsCompiledAgain(t *testing.T) {
	t.Parallel()
	e, err := New(t.Context(), Config{CacheDir: t.TempDir(), Warn: func(err error) { t.Error(err) }})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	if e.cache == nil {
		t.Skip("SKIPPED: nothing is compiled on this system")
	}
	wasm, err := os.ReadFile(filepath.Join("testdata", "table.wasm"))
	require.NoError(t, err)
	m, err := core.Parse(wasm, core.Limits{})
	require.NoError(t, err)
	src := Source{Module: m}
	use := func(want Stats) {
		code, err := e.Compile(t.Context(), src)
		require.NoError(t, err)
		defer code.Close()
		inst, err := e.Instantiate(NewContext(t.Context()), code, nil, nil)
		require.NoError(t, err)
		stack := []uint64{0}
		require.NoError(t, inst.Func("size").Call(NewContext(t.Context()), stack))
		require.Equal(t, uint64(1), stack[0])
		require.NoError(t, inst.Close(t.Context()))
		e.wg.Wait()
		require.Equal(t, want, e.Stats())
	}
	use(Stats{Compiled: 1})
	use(Stats{Compiled: 1, Loaded: 1})
	key := core.Key(m, src.Plan)
	kept := e.cache.open(key)
	require.NotNil(t, kept)
	code, err := io.ReadAll(&kept.body)
	require.NoError(t, err)
	require.NoError(t, kept.body.Close())
	const version = 7 // after the magic and a length
	for i, change := range []func(code []byte) []byte{
		func(code []byte) []byte { code[0]++; return code },
		func(code []byte) []byte { code[version]++; return code },
		func(code []byte) []byte { return code[:len(code)-1] },
		func(code []byte) []byte { return append(code, 0) },
		func([]byte) []byte { return nil },
	} {
		bad := change(bytes.Clone(code))
		e.cache.store(key, &newEntry{kept.knowledge, kept.stub, bytes.NewReader(bad)})
		use(Stats{Compiled: uint64(i) + 2, Loaded: uint64(i) + 1})
		use(Stats{Compiled: uint64(i) + 2, Loaded: uint64(i) + 2})
	}
}

// TestHandover: this wazero is the one that package engine knows how to hand
// code over to.
func TestHandover(t *testing.T) {
	t.Parallel()
	e, err := New(t.Context(), Config{CacheDir: t.TempDir(), Warn: func(err error) { t.Error(err) }})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	require.NotNil(t, e.hand)
	if e.cache == nil {
		t.Skip("SKIPPED: nothing is compiled on this system")
	}
	require.False(t, (&handover{seen: e.hand.seen}).learn([]byte("something else")))
}

func TestWazeroVersion(t *testing.T) {
	t.Parallel()
	built := func(by *debug.Module) *debug.BuildInfo {
		return &debug.BuildInfo{Deps: []*debug.Module{{Path: "other", Version: "v0"}, {Path: "github.com/tetratelabs/wazero", Version: "v1", Replace: by}}}
	}
	for want, info := range map[string]*debug.BuildInfo{
		"v1": built(nil), "dev": {}, "v2-8d0c7ac9": built(&debug.Module{Path: "fork", Version: "v2"}),
	} {
		got, err := wazeroVersion(info)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := wazeroVersion(built(&debug.Module{Path: "../wazero"}))
	require.ErrorContains(t, err, "../wazero")
}

// FuzzEntry: no file makes the reader panic, take more than the file has, or hand
// out what its sums are not right for.
func FuzzEntry(f *testing.F) {
	for _, size := range []int{0, 100, chunkSize, 2*chunkSize + 5} {
		file, err := os.Create(filepath.Join(f.TempDir(), "entry"))
		require.NoError(f, err)
		e := newEntry{knowledge{Size: 9}, []byte("stub"), bytes.NewReader(make([]byte, size))}
		_, err = e.writeTo(file, codeKey{})
		require.NoError(f, err)
		require.NoError(f, file.Close())
		b, err := os.ReadFile(file.Name())
		require.NoError(f, err)
		f.Add(b[:min(len(b), 1000)], len(b))
	}
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		name := filepath.Join(t.TempDir(), "entry")
		require.NoError(t, os.WriteFile(name, b, 0o600))
		if size > len(b) && size < 1<<21 {
			require.NoError(t, os.Truncate(name, int64(size)))
		}
		file, err := os.Open(name)
		require.NoError(t, err)
		defer file.Close()
		e, err := readEntry(file, codeKey{})
		if err != nil {
			return
		}
		n, err := io.Copy(io.Discard, &e.body)
		require.LessOrEqual(t, n, int64(max(size, len(b))))
		require.Equal(t, err == nil, e.body.whole())
	})
}
