package oci

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

const (
	someDigest  = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	otherDigest = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
)

func TestParseReference(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]struct{ canonical, tag, digest string }{
		"localhost:5000/counter:0.1.0": {"localhost:5000/counter:0.1.0", "0.1.0", ""},
		"oci://ghcr.io/a/b:1":          {"ghcr.io/a/b:1", "1", ""},
		"https://ghcr.io/a/b:1":        {"ghcr.io/a/b:1", "1", ""},
		"HTTP://ghcr.io/a/b:1":         {"ghcr.io/a/b:1", "1", ""},
		"ghcr.io/Some/Name:V1":         {"ghcr.io/some/name:v1", "v1", ""},
		"ghcr.io/a/b":                  {"ghcr.io/a/b:latest", "latest", ""},
		"ghcr.io/a/b@" + someDigest:    {"ghcr.io/a/b@" + someDigest, "", someDigest},
		"ghcr.io/a/b:1@" + someDigest:  {"ghcr.io/a/b@" + someDigest, "", someDigest},
		"ghcr.io/a/b@" + "SHA256:" + strings.ToUpper(someDigest[7:]): {"ghcr.io/a/b@" + someDigest, "", someDigest},
	} {
		ref, err := ParseReference(in)
		require.NoError(t, err, in)
		require.Equal(t, in, ref.String())
		require.Equal(t, want.canonical, ref.canonical(), in)
		require.Equal(t, want.tag, ref.Tag(), in)
		require.Equal(t, want.digest, ref.Digest(), in)
		_, isFile := ref.File()
		require.False(t, isFile, in)
	}
}

func TestParseReferenceRefuses(t *testing.T) {
	t.Parallel()
	for in, message := range map[string]string{
		"":                           "want REGISTRY/REPOSITORY:TAG",
		"counter:0.1.0":              "want REGISTRY/REPOSITORY:TAG",
		"localhost:5000/":            "invalid repository",
		"localhost:5000/a b:1":       "invalid",
		"localhost:5000/../../etc:1": "invalid repository",
		"localhost:port/a:1":         "invalid registry",
		"user@host/a:1":              "invalid",
		"ghcr.io/a/b@sha256:abc":     "invalid",
		"ghcr.io/a/b@" + otherDigest: "sha512 is not supported",
		"wasmcloud+builtin://http":   `scheme "wasmcloud+builtin" is neither`,
		"file://relative/path":       `names the host "relative"`,
		"file:relative":              "want REGISTRY/REPOSITORY:TAG",
		"file://":                    "want file:///absolute/path",
		strings.Repeat("a", 2000):    "longer than 1024 bytes",
		// Without its default tag it is no longer than a reference may be.
		"a/" + strings.Repeat("b", 1020):  "repository is longer than 255 bytes",
		strings.Repeat("a", 256) + "/b:1": "registry is longer than 255 bytes",
		"localhost:5000/a:\x00secret":     "invalid",
	} {
		_, err := ParseReference(in)
		require.ErrorIs(t, err, lattice.ErrInvalid, in)
		require.ErrorContains(t, err, message, in)
	}
}

func TestFileReference(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b", "ünï%20.wasm")
	s, err := FileReference(path)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(s, "file:///"), s)
	ref, err := ParseReference(s)
	require.NoError(t, err)
	got, ok := ref.File()
	require.True(t, ok)
	require.Equal(t, path, got)
	require.Empty(t, ref.Tag())
	require.Empty(t, ref.Digest())

	relative, err := FileReference("some.wasm")
	require.NoError(t, err)
	ref, err = ParseReference(relative)
	require.NoError(t, err)
	got, _ = ref.File()
	require.True(t, filepath.IsAbs(got))

	if runtime.GOOS != "windows" {
		ref, err = ParseReference("file:///A/../Keeps/Case.wasm")
		require.NoError(t, err)
		got, _ = ref.File()
		require.Equal(t, "/Keeps/Case.wasm", got)
	}
}

// FuzzParseReference: no input panics, and what is accepted names one thing
// only, inside the limits that the rest relies on.
func FuzzParseReference(f *testing.F) {
	for _, seed := range []string{
		"localhost:5000/counter:0.1.0", "oci://ghcr.io/a/b@" + someDigest, "file:///a/b.wasm",
		"a/b:1..2", "a/b:latest", "a/" + strings.Repeat("b", 1022), "://", "file://%", "a/b@sha256:", "a//b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseReference(s)
		if err != nil {
			require.ErrorIs(t, err, lattice.ErrInvalid)
			return
		}
		require.Equal(t, s, ref.String())
		path, isFile := ref.File()
		if isFile {
			require.True(t, filepath.IsAbs(path))
			require.Empty(t, ref.Registry())
			return
		}
		require.NotEmpty(t, ref.Registry())
		require.True(t, (ref.Tag() == "") != (ref.Digest() == ""))
		require.NotContains(t, "/"+ref.remote.Repository+"/", "/../")
		again, err := ParseReference(ref.canonical())
		require.NoError(t, err)
		require.Equal(t, ref.canonical(), again.canonical())
	})
}
