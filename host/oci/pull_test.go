package oci

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

func TestPull(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	component := wasm("pull")
	ref, manifest := reg.push(t, "example/Counter:0.1.0", component)
	c := reg.client(t)

	var last int64
	got, err := c.Pull(t.Context(), ref, func(done, total int64) {
		require.EqualValues(t, len(component), total)
		require.GreaterOrEqual(t, done, last)
		last = done
	})
	require.NoError(t, err)
	require.EqualValues(t, len(component), last)
	layer := digest.FromBytes(component).String()
	require.Equal(t, &Artifact{
		Ref: ref, Digest: manifest, LayerDigest: layer, MediaType: "application/wasm",
		Bytes: component, Origin: OriginRegistry,
	}, got)

	again, err := c.Pull(t.Context(), ref, nil)
	require.NoError(t, err)
	require.Equal(t, OriginCache, again.Origin, "the layer is not fetched twice")
	require.NoError(t, again.Stale, "the registry was asked")

	pinned, err := reg.client(t).Pull(t.Context(), reg.addr+"/example/counter@"+manifest, nil)
	require.NoError(t, err)
	require.Equal(t, component, pinned.Bytes)
}

func TestPullFollowsATagThatMoves(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	c := reg.client(t)
	for _, component := range [][]byte{wasm("first"), wasm("second")} {
		ref, manifest := reg.push(t, "a:1", component)
		got, err := c.Pull(t.Context(), ref, nil)
		require.NoError(t, err)
		require.Equal(t, manifest, got.Digest)
		require.Equal(t, component, got.Bytes)
	}
}

func TestPullWhileTheRegistryIsDown(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	component := wasm("offline")
	ref, manifest := reg.push(t, "a:1", component)
	c := reg.client(t)
	_, err := c.Pull(t.Context(), ref, nil)
	require.NoError(t, err)
	reg.Close()

	got, err := c.Pull(t.Context(), ref, nil)
	require.NoError(t, err)
	require.Equal(t, component, got.Bytes)
	require.Equal(t, OriginCache, got.Origin)
	require.ErrorIs(t, got.Stale, ErrUnreachable)

	got, err = c.Pull(t.Context(), reg.addr+"/a@"+manifest, nil)
	require.NoError(t, err)
	require.Equal(t, component, got.Bytes)
	require.NoError(t, got.Stale, "a digest is never stale")

	for _, name := range []string{"/b:1", "/a:2", "/a@" + someDigest} {
		_, err = c.Pull(t.Context(), reg.addr+name, nil)
		require.ErrorIs(t, err, ErrUnreachable)
		require.ErrorContains(t, err, reg.addr+": connect")
		require.ErrorContains(t, err, "check the address")
	}
}

func TestPullFromARegistryThatHangs(t *testing.T) {
	t.Parallel()
	var hang atomic.Bool
	reg := newRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if hang.Load() {
				<-r.Context().Done()
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	ref, _ := reg.push(t, "a:1", wasm("hang"))
	cfg := Config{Insecure: []string{reg.addr}, CacheDir: t.TempDir()}
	_, err := newClient(t, cfg).Pull(t.Context(), ref, nil)
	require.NoError(t, err)
	hang.Store(true)
	cfg.ResolveTimeout = 50 * time.Millisecond
	c := newClient(t, cfg)

	got, err := c.Pull(t.Context(), ref, nil)
	require.NoError(t, err)
	require.ErrorIs(t, got.Stale, ErrUnreachable)
	require.ErrorIs(t, got.Stale, context.DeadlineExceeded)

	_, err = c.Pull(t.Context(), reg.addr+"/other:1", nil)
	require.ErrorIs(t, err, ErrUnreachable)

	// A caller who gives up gets no old copy in the place of an answer.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Pull(ctx, ref, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, ErrUnreachable)
}

func TestPullTriesAgainWhenTheRegistryIsBusy(t *testing.T) {
	t.Parallel()
	var refuse atomic.Int32
	reg := newRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if refuse.Add(-1) >= 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	ref, _ := reg.push(t, "a:1", wasm("busy"))
	refuse.Store(2)
	_, err := reg.client(t).Pull(t.Context(), ref, nil)
	require.NoError(t, err)

	refuse.Store(100)
	_, err = reg.client(t).Pull(t.Context(), ref, nil)
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorContains(t, err, "503")
	require.EqualValues(t, 97, refuse.Load(), "three attempts and no more")
}

func TestPullExplains(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	c := reg.client(t)
	_, err := c.Pull(t.Context(), reg.addr+"/nobody:1", nil)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.ErrorContains(t, err, `pull "`+reg.addr+`/nobody:1": not found in registry `+reg.addr)

	_, err = c.Pull(t.Context(), reg.addr+"/a", nil)
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.ErrorContains(t, err, "WASMCLOUD_OCI_ALLOW_LATEST")

	_, err = c.Pull(t.Context(), "file:///etc/passwd", nil)
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.ErrorContains(t, err, "--allow-file-load")

	_, err = c.Pull(t.Context(), "nonsense", nil)
	require.ErrorIs(t, err, lattice.ErrInvalid)

	secure := newClient(t, Config{})
	_, err = secure.Pull(t.Context(), reg.addr+"/a:1", nil)
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.ErrorContains(t, err, "--insecure "+reg.addr)
}

func TestPullLatestWhereAllowed(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	c := newClient(t, Config{Insecure: []string{reg.addr}, AllowLatest: true})
	_, err := c.Push(t.Context(), reg.addr+"/a:latest", wasm("latest"), Meta{}, nil)
	require.NoError(t, err)
	got, err := c.Pull(t.Context(), reg.addr+"/a", nil)
	require.NoError(t, err)
	require.Equal(t, wasm("latest"), got.Bytes)
}

func TestPullFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := newClient(t, Config{AllowFile: true, MaxSize: 100})
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		ref, err := FileReference(path)
		require.NoError(t, err)
		return ref
	}
	good := write("good.wasm", wasm("file"))
	got, err := c.Pull(t.Context(), good, nil)
	require.NoError(t, err)
	require.Equal(t, wasm("file"), got.Bytes)
	require.Equal(t, good, got.Ref)
	require.Equal(t, OriginFile, got.Origin)
	require.Equal(t, digest.FromBytes(wasm("file")).String(), got.Digest)

	text := []byte("hello there")
	for name, test := range map[string]struct {
		ref     string
		kind    error
		message string
	}{
		"text":      {write("text", text), lattice.ErrInvalid, digest.FromBytes(text).String()},
		"empty":     {write("empty", nil), lattice.ErrInvalid, "not WebAssembly"},
		"too large": {write("large", make([]byte, 101)), lattice.ErrInvalid, "larger than 100 bytes"},
		"missing":   {good + ".not", lattice.ErrNotFound, "good.wasm.not"},
		"a folder":  {"file://" + filepath.ToSlash(dir), lattice.ErrInvalid, "not a regular file"},
	} {
		_, err := c.Pull(t.Context(), test.ref, nil)
		require.ErrorIs(t, err, test.kind, name)
		require.ErrorContains(t, err, test.message, name)
	}
}

func TestNewChecksItsConfig(t *testing.T) {
	t.Parallel()
	_, err := New(Config{MaxSize: -1, Insecure: []string{"http://localhost:5000"}})
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorContains(t, err, "MaxSize")
	require.ErrorContains(t, err, "want host[:port]")
}
