package oci

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

// program is what a provider's layer may be; this package does not look.
var program = bytes.Repeat([]byte("\x7fELF"), 100)

// putImage stores a manifest with layers and returns its descriptor.
func (r *testRegistry) putImage(t *testing.T, repo, tag string, layers ...ocispec.Descriptor) ocispec.Descriptor {
	t.Helper()
	config := r.putLayer(t, repo, "application/vnd.wasmcloud.provider.archive.config", []byte("{}"))
	manifest, err := json.Marshal(ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: layers})
	require.NoError(t, err)
	d := describe(ocispec.MediaTypeImageManifest, manifest)
	if tag == "" {
		tag = d.Digest.String()
	}
	r.put(t, "/v2/"+repo+"/manifests/"+tag, ocispec.MediaTypeImageManifest, manifest)
	return d
}

func (r *testRegistry) putIndex(t *testing.T, repo, tag string, manifests ...ocispec.Descriptor) string {
	t.Helper()
	index, err := json.Marshal(ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: manifests})
	require.NoError(t, err)
	r.put(t, "/v2/"+repo+"/manifests/"+tag, ocispec.MediaTypeImageIndex, index)
	return digest.FromBytes(index).String()
}

func on(d ocispec.Descriptor, os, arch string) ocispec.Descriptor {
	d.Platform = &ocispec.Platform{OS: os, Architecture: arch}
	return d
}

func requireFile(t *testing.T, want []byte, path string) {
	t.Helper()
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestPullProvider(t *testing.T) {
	t.Parallel()
	for _, media := range []string{"application/vnd.wasmcloud.provider.archive.layer.v1+par", MediaProvider,
		"application/octet-stream", "application/vnd.oci.image.layer.v1.tar"} {
		t.Run(media, func(t *testing.T) {
			t.Parallel()
			reg := newRegistry(t, nil)
			d := reg.putImage(t, "p", "1", reg.putLayer(t, "p", media, program))
			c := reg.client(t)
			var told int64
			got, err := c.PullProvider(t.Context(), reg.addr+"/p:1", func(done, _ int64) { told = done })
			require.NoError(t, err)
			require.NoError(t, got.CacheError)
			requireFile(t, program, got.Path)
			require.Equal(t, OriginRegistry, got.Origin)
			require.Equal(t, d.Digest.String(), got.Digest)
			require.Equal(t, digest.FromBytes(program).String(), got.LayerDigest)
			require.Equal(t, media, got.MediaType)
			require.EqualValues(t, len(program), told)

			pinned := reg.addr + "/p@" + got.Digest
			reg.Close()
			got, err = c.PullProvider(t.Context(), pinned, nil)
			require.NoError(t, err)
			require.Equal(t, OriginCache, got.Origin)
			require.NoError(t, got.Stale)
			got, err = c.PullProvider(t.Context(), reg.addr+"/p:1", nil)
			require.NoError(t, err)
			require.ErrorIs(t, got.Stale, ErrUnreachable)
			requireFile(t, program, got.Path)

			// Nobody starts what was changed on disk.
			require.NoError(t, os.WriteFile(got.Path, flip(program), 0o600))
			_, err = c.PullProvider(t.Context(), pinned, nil)
			require.ErrorIs(t, err, ErrUnreachable)
		})
	}
}

func TestPullProviderOfThisPlatform(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	mine := on(reg.putImage(t, "p", "", reg.putLayer(t, "p", MediaProvider, program)), runtime.GOOS, runtime.GOARCH)
	other := on(reg.putImage(t, "p", "", reg.putLayer(t, "p", MediaProvider, []byte("other"))), "plan9", "mips")
	sum := reg.putIndex(t, "p", "1", other, mine)
	reg.putIndex(t, "p", "2", other)
	c := reg.client(t)
	got, err := c.PullProvider(t.Context(), reg.addr+"/p:1", nil)
	require.NoError(t, err)
	requireFile(t, program, got.Path)
	require.Equal(t, sum, got.Digest)

	_, err = c.PullProvider(t.Context(), reg.addr+"/p:2", nil)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.ErrorContains(t, err, `the index has "plan9/mips"`)
	nested := other
	nested.MediaType = ocispec.MediaTypeImageIndex
	reg.putIndex(t, "p", "3", on(nested, runtime.GOOS, runtime.GOARCH))
	_, err = c.PullProvider(t.Context(), reg.addr+"/p:3", nil)
	require.ErrorIs(t, err, lattice.ErrNotFound, "an index in an index")

	reg.Close()
	got, err = c.PullProvider(t.Context(), reg.addr+"/p@"+sum, nil)
	require.NoError(t, err, "the index and what it leads to are kept")
	requireFile(t, program, got.Path)
}

func TestPullProviderRefuses(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	layer := reg.putLayer(t, "p", MediaProvider, program)
	as := func(mediaType string) ocispec.Descriptor {
		d := layer
		d.MediaType = mediaType
		return d
	}
	lying := layer
	lying.Size++
	reg.putImage(t, "p", "component", as("application/wasm"))
	reg.putImage(t, "p", "docker", as("application/vnd.docker.image.rootfs.diff.tar.gzip"))
	reg.putImage(t, "p", "two", layer, layer)
	reg.putImage(t, "p", "size", lying)
	reg.putImage(t, "p", "good", layer)
	c := reg.client(t)
	for tag, want := range map[string]string{
		"component": "it is a component, not a provider", "docker": "layer type", "two": "2 layers", "size": "invalid",
	} {
		_, err := c.PullProvider(t.Context(), reg.addr+"/p:"+tag, nil)
		require.ErrorIs(t, err, lattice.ErrInvalid, tag)
		require.ErrorContains(t, err, want)
	}
	_, err := c.PullProvider(t.Context(), reg.addr+"/p:none", nil)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	_, err = c.Pull(t.Context(), reg.addr+"/p:good", nil)
	require.ErrorContains(t, err, "not a component")

	small := newClient(t, Config{Insecure: []string{reg.addr}, CacheDir: t.TempDir(), MaxProviderSize: int64(len(program)) - 1})
	_, err = small.PullProvider(t.Context(), reg.addr+"/p:good", nil)
	require.ErrorContains(t, err, "want 1 to 399")
	homeless := newClient(t, Config{Insecure: []string{reg.addr}})
	_, err = homeless.PullProvider(t.Context(), reg.addr+"/p:good", nil)
	require.ErrorContains(t, err, "--cache-dir")
	for name, tc := range map[string]struct{ bytes []byte }{"flipped": {flip(program)}, "cut": {cut(program)}, "extended": {extend(program)}} {
		mitm := newRegistry(t, tamper("/blobs/"+layer.Digest.String(), true, func([]byte) []byte { return tc.bytes }))
		mitm.putImage(t, "p", "1", mitm.putLayer(t, "p", MediaProvider, program))
		c := mitm.client(t)
		_, err = c.PullProvider(t.Context(), mitm.addr+"/p:1", nil)
		require.ErrorIs(t, err, lattice.ErrInvalid, name)
		require.NoFileExists(t, c.cache.blobs().File(layer.Digest.String()))
	}
}

func TestPullProviderFromAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "provider")
	require.NoError(t, os.WriteFile(path, program, 0o600))
	ref, err := FileReference(path)
	require.NoError(t, err)
	_, err = newClient(t, Config{}).PullProvider(t.Context(), ref, nil)
	require.ErrorIs(t, err, lattice.ErrDenied)
	c := newClient(t, Config{AllowFile: true})
	got, err := c.PullProvider(t.Context(), ref, nil)
	require.NoError(t, err)
	require.Equal(t, path, got.Path)
	require.Equal(t, OriginFile, got.Origin)
	_, err = c.PullProvider(t.Context(), ref+"x", nil)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	folder, err := FileReference(filepath.Dir(path))
	require.NoError(t, err)
	_, err = c.PullProvider(t.Context(), folder, nil)
	require.ErrorIs(t, err, lattice.ErrInvalid)
}
