package oci

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

// tamper is a proxy that changes the answers to requests whose path contains
// part. Lengths and headers follow the change where honest is true.
func tamper(part string, honest bool, change func([]byte) []byte) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, part) {
				next.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			body := change(rec.Body.Bytes())
			maps.Copy(w.Header(), rec.Header())
			w.Header().Del("Content-Length")
			if honest {
				w.Header().Set("Content-Length", strconv.Itoa(len(body)))
				w.Header().Set("Docker-Content-Digest", digest.FromBytes(body).String())
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(body)
		})
	}
}

func flip(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}
func cut(b []byte) []byte    { return b[:len(b)/2] }
func extend(b []byte) []byte { return append(bytes.Clone(b), 'x') }
func swap([]byte) []byte     { return wasm("another") }

// TestPullRefusesTamperedArtifacts: whatever a proxy does to an answer, with
// or without headers that fit, nothing else than what the digest names comes
// out, and nothing of it is kept.
func TestPullRefusesTamperedArtifacts(t *testing.T) {
	t.Parallel()
	component := wasm("the component")
	for _, part := range []string{"/blobs/", "/manifests/"} {
		for name, change := range map[string]func([]byte) []byte{"flip": flip, "cut": cut, "extend": extend, "swap": swap, "empty": func([]byte) []byte { return nil }} {
			for _, honest := range []bool{true, false} {
				t.Run(part+name+strconv.FormatBool(honest), func(t *testing.T) {
					t.Parallel()
					reg := newRegistry(t, tamper(part, honest, change))
					_, manifest := reg.push(t, "a:1", component)
					c := reg.client(t)
					_, err := c.Pull(t.Context(), reg.addr+"/a@"+manifest, nil)
					require.ErrorIs(t, err, lattice.ErrInvalid)
					require.ErrorContains(t, err, "artifact "+manifest)
					if part == "/blobs/" {
						require.ErrorContains(t, err, "layer "+digest.FromBytes(component).String())
					}
					reg.Close()
					_, err = c.Pull(t.Context(), reg.addr+"/a@"+manifest, nil)
					require.ErrorIs(t, err, ErrUnreachable, "nothing was kept")
				})
			}
		}
	}
}

func TestPullRefusesATruncatedTransfer(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
				rec := httptest.NewRecorder()
				next.ServeHTTP(rec, r)
				w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
				_, _ = io.CopyN(w, rec.Body, 10) // and hangs up
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	ref, manifest := reg.push(t, "a:1", wasm("truncated"))
	_, err := reg.client(t).Pull(t.Context(), ref, nil)
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorContains(t, err, "truncated: 10 of")
	require.ErrorContains(t, err, manifest)
}

// manifestOf is a manifest as another tool might push it.
func manifestOf(config ocispec.Descriptor, layers ...ocispec.Descriptor) ocispec.Manifest {
	return ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: config, Layers: layers,
	}
}

func TestPullLayouts(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	config := reg.putLayer(t, "a", mediaWasmConfig, []byte("{}"))
	component := wasm("layouts")
	layer := func(mediaType string) ocispec.Descriptor { return reg.putLayer(t, "a", mediaType, component) }
	wrongSize := layer(mediaWasm)
	wrongSize.Size += 5
	huge := layer(mediaWasm)
	huge.Size = 1 << 50
	negative := layer(mediaWasm)
	negative.Size = -1
	sha512 := layer(mediaWasm)
	sha512.Digest = otherDigest
	missing := layer(mediaWasm)
	missing.Digest = someDigest
	odd := layer(mediaWasm)
	odd.Digest = "sha256:../../../etc/passwd"
	docker := manifestOf(config, layer(mediaWasm))
	docker.MediaType = mediaDockerManifest
	untyped := manifestOf(config, layer(mediaWasm))
	untyped.MediaType = ""
	confused := manifestOf(config, layer(mediaWasm))
	confused.MediaType = ocispec.MediaTypeImageIndex

	for name, test := range map[string]struct {
		mediaType string
		manifest  any
		kind      error  // nil: it is good
		message   string // of the error
	}{
		"wasm":        {ocispec.MediaTypeImageManifest, manifestOf(config, layer(mediaWasm)), nil, ""},
		"old module":  {ocispec.MediaTypeImageManifest, manifestOf(config, layer(mediaOldModule)), nil, ""},
		"oci tar":     {ocispec.MediaTypeImageManifest, manifestOf(config, layer(ocispec.MediaTypeImageLayer)), nil, ""},
		"docker":      {mediaDockerManifest, docker, nil, ""},
		"untyped":     {ocispec.MediaTypeImageManifest, untyped, nil, ""},
		"confused":    {ocispec.MediaTypeImageManifest, confused, lattice.ErrInvalid, "says that it is"},
		"index":       {ocispec.MediaTypeImageIndex, ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}}, lattice.ErrUnsupported, "manifest type"},
		"no layer":    {ocispec.MediaTypeImageManifest, manifestOf(config), lattice.ErrInvalid, "0 layers"},
		"two layers":  {ocispec.MediaTypeImageManifest, manifestOf(config, layer(mediaWasm), layer(mediaWasm)), lattice.ErrInvalid, "2 layers"},
		"provider":    {ocispec.MediaTypeImageManifest, manifestOf(config, layer(mediaOldProvider)), lattice.ErrInvalid, "provider archive"},
		"other layer": {ocispec.MediaTypeImageManifest, manifestOf(config, layer("text/plain")), lattice.ErrInvalid, `layer type "text/plain"`},
		"wrong size":  {ocispec.MediaTypeImageManifest, manifestOf(config, wrongSize), lattice.ErrInvalid, "mismatch"},
		"huge":        {ocispec.MediaTypeImageManifest, manifestOf(config, huge), lattice.ErrInvalid, "layer of 1125899906842624 bytes"},
		"negative":    {ocispec.MediaTypeImageManifest, manifestOf(config, negative), lattice.ErrInvalid, "layer of -1 bytes"},
		"sha512":      {ocispec.MediaTypeImageManifest, manifestOf(config, sha512), lattice.ErrInvalid, "use sha256"},
		"odd digest":  {ocispec.MediaTypeImageManifest, manifestOf(config, odd), lattice.ErrInvalid, "digest"},
		"missing":     {ocispec.MediaTypeImageManifest, manifestOf(config, missing), lattice.ErrNotFound, someDigest},
		"module": {ocispec.MediaTypeImageManifest, manifestOf(config, reg.putLayer(t, "a", mediaWasm, []byte("\x00asm\x01\x00\x00\x00"))),
			lattice.ErrInvalid, "core WebAssembly module"},
		"text": {ocispec.MediaTypeImageManifest, manifestOf(config, reg.putLayer(t, "a", mediaWasm, []byte("hello"))),
			lattice.ErrInvalid, "not WebAssembly"},
		"not a manifest": {ocispec.MediaTypeImageManifest, []int{1}, lattice.ErrInvalid, "manifest: json"},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := json.Marshal(test.manifest)
			require.NoError(t, err)
			sum := digest.FromBytes(content).String()
			serve := newRegistry(t, func(http.Handler) http.Handler { return withManifest(reg.Config.Handler, sum, test.mediaType, content) })
			c := serve.client(t)
			got, err := c.Pull(t.Context(), serve.addr+"/a:1", nil)
			if test.kind != nil {
				require.ErrorIs(t, err, test.kind)
				require.ErrorContains(t, err, test.message)
				require.ErrorContains(t, err, sum)
				return
			}
			require.NoError(t, err)
			require.Equal(t, component, got.Bytes)
			require.Equal(t, sum, got.Digest)
			serve.Close()
			_, err = c.Pull(t.Context(), serve.addr+"/a@"+sum, nil)
			require.NoError(t, err, "from the cache")
		})
	}
}

// withManifest answers any request for a manifest with this one, unchecked.
func withManifest(next http.Handler, sum, mediaType string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "/manifests/") {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Docker-Content-Digest", sum)
		_, _ = w.Write(content)
	})
}

func TestPullRefusesAManifestWithoutEnd(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, func(http.Handler) http.Handler {
		return withManifest(nil, someDigest, ocispec.MediaTypeImageManifest, bytes.Repeat([]byte(" "), maxManifest+1))
	})
	_, err := reg.client(t).Pull(t.Context(), reg.addr+"/a:1", nil)
	require.ErrorIs(t, err, lattice.ErrInvalid)
}

// FuzzManifest: no manifest gets a layer past the checks that the rest relies
// on.
func FuzzManifest(f *testing.F) {
	good, err := json.Marshal(manifestOf(ocispec.Descriptor{}, ocispec.Descriptor{MediaType: mediaWasm, Digest: someDigest, Size: 5}))
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"layers":[{"mediaType":"application/wasm","digest":"sha256:..","size":9e99}]}`))
	f.Add([]byte(`{"layers":[null]}`))
	f.Fuzz(func(t *testing.T, manifest []byte) {
		layer, err := componentLayer(manifestType(manifest), manifest, 1000)
		if err != nil {
			return
		}
		require.NoError(t, layer.Digest.Validate())
		require.Len(t, layer.Digest, len(someDigest))
		require.True(t, layer.Size > 0 && layer.Size <= 1000)
		require.Contains(t, componentLayers(), layer.MediaType)
	})
}
