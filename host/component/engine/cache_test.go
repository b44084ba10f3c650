package engine_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
)

// cachedWorld makes an engine with a cache that may not warn.
func cachedWorld(t testing.TB, dir string) *world {
	if !compiles {
		t.Skip("SKIPPED: nothing is compiled on " + runtime.GOARCH)
	}
	return newWorld(t, engine.Config{CacheDir: dir, Warn: func(err error) { t.Error(err) }})
}

const compiles = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"

// entries are the files of a cache that hold code.
func entries(t testing.TB, dir string) []string {
	all, err := filepath.Glob(filepath.Join(dir, "lath-*", "*"))
	require.NoError(t, err)
	return slices.DeleteFunc(all, func(f string) bool { return strings.HasSuffix(f, ".tmp") })
}

// TestCacheGivesTheSame: code from the cache comes with the same facts and data,
// and does the same.
func TestCacheGivesTheSame(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	type result struct {
		facts core.Facts
		data  []core.Segment
		size  int
		stack []uint64
	}
	guests := []struct {
		name, call string
		args       []uint64
		strip      bool
	}{
		{"table", "size", nil, false}, {"memory", "init", []uint64{0, 0, 7}, false}, {"memory", "init", []uint64{0, 0, 7}, true},
		{"globals", "hidden", nil, false}, {"nomemory", "", nil, true}, {"reffunc", "", nil, true}, {"start", "", nil, true},
	}
	run := func(t *testing.T, w *world) (all []result) {
		for _, g := range guests {
			w.byName["host"], w.byName["h"] = hostModule(t, w), hostModule(t, w)
			src := mustSource(t, g.name, core.Plan{StripData: g.strip})
			code, err := w.engine.Compile(t.Context(), src)
			require.NoError(t, err)
			r := result{facts: *code.Facts(), data: code.Data(), size: code.Size()}
			if g.call != "" {
				m, err := w.instantiate(engine.NewContext(context.Background()), src)
				require.NoError(t, err)
				r.stack, err = call(t.Context(), m, g.call, g.args...)
				require.NoError(t, err)
			}
			code.Close()
			all = append(all, r)
		}
		return all
	}
	var first []result
	t.Run("compiled", func(t *testing.T) {
		w := cachedWorld(t, dir)
		first = run(t, w)
		require.Equal(t, engine.Stats{Compiled: uint64(len(guests))}, w.engine.Stats())
	})
	require.Len(t, entries(t, dir), len(guests))
	t.Run("from the cache", func(t *testing.T) {
		w := cachedWorld(t, dir)
		require.Equal(t, first, run(t, w))
		require.Equal(t, engine.Stats{Loaded: uint64(len(guests))}, w.engine.Stats())
	})
}

// keepOne keeps the code of one module and returns its file.
func keepOne(t *testing.T, dir, guest string) string {
	before := entries(t, dir)
	t.Run("keep", func(t *testing.T) {
		code, err := cachedWorld(t, dir).engine.Compile(t.Context(), mustSource(t, guest, core.Plan{}))
		require.NoError(t, err)
		code.Close()
	})
	all := slices.DeleteFunc(entries(t, dir), func(f string) bool { return slices.Contains(before, f) })
	require.Len(t, all, 1)
	return all[0]
}

// TestDamagedCodeIsCompiledAgain: whatever becomes of a file, the code that runs
// is right, and the file is made anew.
func TestDamagedCodeIsCompiledAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, other := keepOne(t, dir, "table"), keepOne(t, dir, "globals")
	good, err := os.ReadFile(file)
	require.NoError(t, err)
	another, err := os.ReadFile(other)
	require.NoError(t, err)
	w := cachedWorld(t, dir)
	src := mustSource(t, "table", core.Plan{})
	use := func(what string, compiled uint64) {
		before := w.engine.Stats()
		m, err := w.instantiate(engine.NewContext(context.Background()), src)
		require.NoError(t, err, what)
		stack, err := call(t.Context(), m, "size")
		require.NoError(t, err, what)
		require.Equal(t, uint64(1), stack[0], what)
		after := w.engine.Stats()
		require.Equal(t, compiled, after.Compiled-before.Compiled, what)
		require.Equal(t, 1-compiled, after.Loaded-before.Loaded, what)
		engine.WaitForCompiles(w.engine)
	}
	damage := func(what string, bad []byte) {
		require.NoError(t, os.WriteFile(file, bad, 0o600))
		use(what, 1)
		now, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Len(t, now, len(good), what)
	}
	use("nothing", 0)
	for at := 0; at < len(good); at += 1 + at/64 { // the head closely, code now and then
		bad := slices.Clone(good)
		bad[at] ^= 1 << (at % 8)
		damage("a bit at "+filepath.Base(file), bad)
	}
	for _, size := range []int{0, 1, 40, 63, 64, 65, 100, len(good) / 2, len(good) - 1} {
		damage("cut", good[:size])
	}
	damage("more", append(slices.Clone(good), 0))
	damage("zeros", make([]byte, len(good)))
	damage("the code of another module", another)
	use("mended", 0)

	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Mkdir(file, 0o700))
	w.engine, _ = newEngine(t, engine.Config{CacheDir: dir})
	use("a directory", 1)
}

// newEngine makes an engine that counts its warnings.
func newEngine(t testing.TB, cfg engine.Config) (*engine.Engine, *atomic.Int32) {
	var warnings atomic.Int32
	cfg.Warn = func(err error) {
		t.Log("warning:", err)
		warnings.Add(1)
	}
	e, err := engine.New(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	return e, &warnings
}

// TestCacheThatFails: modules are compiled without it, and that is told once.
func TestCacheThatFails(t *testing.T) {
	t.Parallel()
	compile := func(t *testing.T, e *engine.Engine) {
		for _, name := range []string{"table", "globals", "memory", "table"} {
			code, err := e.Compile(t.Context(), mustSource(t, name, core.Plan{}))
			require.NoError(t, err)
			code.Close()
			engine.WaitForCompiles(e)
		}
		require.Equal(t, engine.Stats{Compiled: 4}, e.Stats())
	}
	t.Run("folder is gone", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		e, warnings := newEngine(t, engine.Config{CacheDir: dir})
		folders, err := filepath.Glob(filepath.Join(dir, "lath-*"))
		require.NoError(t, err)
		require.Len(t, folders, 1)
		require.NoError(t, os.RemoveAll(folders[0]))
		compile(t, e)
		require.Equal(t, int32(1), warnings.Load())
	})
	t.Run("directory cannot be made", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		e, warnings := newEngine(t, engine.Config{CacheDir: filepath.Join(file, "cache")})
		compile(t, e)
		require.Equal(t, int32(1), warnings.Load())
	})
	t.Run("code is larger than the cache", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		e, warnings := newEngine(t, engine.Config{CacheDir: dir, CacheBytes: 100})
		compile(t, e)
		require.Zero(t, warnings.Load())
		require.Empty(t, entries(t, dir))
	})
}

// TestCacheOfOthers: a directory that others may write to is refused, by name
// and with what to do.
func TestCacheOfOthers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: file modes do not tell on this system")
	}
	dir := filepath.Join(t.TempDir(), "cache")
	file := keepOne(t, dir, "table")
	for _, d := range []string{dir, filepath.Dir(file)} {
		info, err := os.Stat(d)
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
		for _, mode := range []fs.FileMode{0o720, 0o702, 0o777} {
			require.NoError(t, os.Chmod(d, mode))
			_, err = engine.New(t.Context(), engine.Config{CacheDir: dir})
			require.ErrorContains(t, err, "code cache "+d+": others may write to it")
			require.ErrorContains(t, err, "chmod 700 "+d)
		}
		require.NoError(t, os.Chmod(d, 0o700))
	}
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
}

// TestCacheIsBounded: what was used least recently goes, and what nobody
// uses; what is not the cache's stays.
func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	oldest, used := keepOne(t, dir, "table"), keepOne(t, dir, "globals")
	folder := filepath.Dir(used)
	age := func(path string, d time.Duration) {
		at := time.Now().Add(-d)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	write := func(d time.Duration, parts ...string) string {
		path := filepath.Join(append([]string{dir}, parts...)...)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		age(path, d)
		return path
	}
	name, week := filepath.Base(used), 8*24*time.Hour
	gone := []string{
		write(week, "lath-0", name), write(week, "wazero-v1.0.0-amd64-linux", name),
		write(2*time.Hour, filepath.Base(folder), name+".1.tmp"), write(2*time.Hour, "lath-2", name+".1.tmp"), oldest,
	}
	stay := []string{
		write(time.Hour, "lath-1", name), write(week, "lath-1", "README"), write(week, "file"), write(week, "other", name),
		write(time.Minute, filepath.Base(folder), name+".2.tmp"), used,
	}
	age(oldest, 3*time.Hour)
	age(used, 4*time.Hour)

	var size int64
	for _, f := range []string{used, keepOne(t, t.TempDir(), "memory")} {
		info, err := os.Stat(f)
		require.NoError(t, err)
		size += info.Size()
	}
	e, warnings := newEngine(t, engine.Config{CacheDir: dir, CacheBytes: size/7*8 + 100}) // a sweep leaves 7 parts of 8
	for _, guest := range []string{"globals", "memory"} {                                 // use one, keep one
		code, err := e.Compile(t.Context(), mustSource(t, guest, core.Plan{}))
		require.NoError(t, err)
		code.Close()
	}
	engine.WaitForCompiles(e)
	require.Equal(t, engine.Stats{Compiled: 1, Loaded: 1}, e.Stats())
	for _, path := range gone {
		require.NoFileExists(t, path)
	}
	for _, path := range stay {
		require.FileExists(t, path)
	}
	require.NoDirExists(t, filepath.Join(dir, "lath-0"))
	require.DirExists(t, filepath.Join(dir, "lath-1"))
	require.Zero(t, warnings.Load())
}

// TestLoadsDoNotWaitForCompiles: a start from the cache is not behind one that
// compiles.
func TestLoadsDoNotWaitForCompiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keepOne(t, dir, "table")
	e, _ := newEngine(t, engine.Config{CacheDir: dir, Compiles: 1})
	free := engine.TakeSlots(e)
	code, err := e.Compile(t.Context(), mustSource(t, "table", core.Plan{}))
	require.NoError(t, err)
	code.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = e.Compile(ctx, mustSource(t, "globals", core.Plan{}))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	free()
}

// TestLimitIsOfWhoAsks: modules are shared by those who have other limits.
func TestLimitIsOfWhoAsks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []string{"compiled", "from the cache"} {
		t.Run(c, func(t *testing.T) {
			w := cachedWorld(t, dir)
			src := mustSource(t, "table", core.Plan{})
			src.MaxBytes = 10
			_, err := w.engine.Compile(t.Context(), src)
			var large *engine.TooLargeError
			require.ErrorAs(t, err, &large)
			require.Equal(t, 10, large.Limit)
			src.MaxBytes = large.Size
			code, err := w.engine.Compile(t.Context(), src)
			require.NoError(t, err)
			defer code.Close()
			require.Equal(t, large.Size, code.Size())
			src.MaxBytes--
			_, err = w.engine.Compile(t.Context(), src)
			require.ErrorAs(t, err, &large)

			// Those who wait for a compile that is refused go on with their own.
			results := make(chan error, 100)
			src = mustSource(t, "globals", core.Plan{})
			for i := range cap(results) {
				src := src
				src.MaxBytes = []int{10, 1 << 20}[i%2]
				go func() {
					code, err := w.engine.Compile(context.Background(), src)
					if err == nil {
						code.Close()
					}
					results <- err
				}()
			}
			refused := 0
			for range cap(results) {
				if err := <-results; err != nil {
					require.ErrorAs(t, err, &large)
					refused++
				}
			}
			require.Equal(t, cap(results)/2, refused)
		})
	}
}
