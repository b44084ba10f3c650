package oci

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry"

	"github.com/lathhost/lath/lattice"
)

// Limits of a reference, in bytes: of the whole text, and of what it names,
// without schemes, spaces and default tags. A registry is a host's name, which
// has 253 at most, and a port; clients of the distribution specification take
// 255 for it and the repository together.
const (
	maxReference  = 1024
	maxRegistry   = 255
	maxRepository = 255
)

// Reference names an artifact: in a registry, or in a local file.
type Reference struct {
	original string
	file     string             // path; empty for a registry
	remote   registry.Reference // Reference.Reference is a tag, a digest or empty
}

// ParseReference reads a reference in one of these forms:
//
//	REGISTRY/REPOSITORY:TAG
//	REGISTRY/REPOSITORY@sha256:DIGEST   (also after a tag, which then says nothing)
//	file:///absolute/path
//
// The schemes oci, http and https may stand before the first two; they change
// nothing. What stands before the first slash is the registry. Such references
// are lower-cased, as wasmCloud's are, and [Reference.String] still answers
// with what was given.
func ParseReference(s string) (Reference, error) {
	ref, err := parse(s)
	if err != nil {
		return Reference{}, fmt.Errorf("reference %q: %w: %w", s[:min(len(s), maxReference)], lattice.ErrInvalid, err)
	}
	ref.original = s
	return ref, nil
}

func parse(s string) (Reference, error) {
	if len(s) > maxReference {
		return Reference{}, fmt.Errorf("longer than %d bytes", maxReference)
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "oci", s
	}
	switch strings.ToLower(scheme) {
	case "file":
		path, err := parseFile(s)
		return Reference{file: path}, err
	case "oci", "http", "https":
		remote, err := parseRemote(strings.ToLower(strings.TrimSpace(rest)))
		return Reference{remote: remote}, err
	}
	return Reference{}, fmt.Errorf("scheme %q is neither a registry's nor a file's", scheme)
}

func parseRemote(s string) (registry.Reference, error) {
	if !strings.Contains(s, "/") {
		return registry.Reference{}, fmt.Errorf("want REGISTRY/REPOSITORY:TAG, as in localhost:5000/counter:0.1.0")
	}
	ref, err := registry.ParseReference(s)
	if err != nil {
		return registry.Reference{}, err
	}
	if len(ref.Registry) > maxRegistry {
		return registry.Reference{}, fmt.Errorf("registry is longer than %d bytes", maxRegistry)
	}
	if len(ref.Repository) > maxRepository {
		return registry.Reference{}, fmt.Errorf("repository is longer than %d bytes", maxRepository)
	}
	if d, err := ref.Digest(); err == nil && d.Algorithm() != digest.SHA256 {
		return registry.Reference{}, fmt.Errorf("digest algorithm %s is not supported: use sha256", d.Algorithm())
	}
	return ref, nil
}

func parseFile(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil {
		return "", err
	}
	if u.Host != "" && u.Host != "localhost" {
		return "", fmt.Errorf("names the host %q: want file:///absolute/path", u.Host)
	}
	path := filepath.FromSlash(u.Path)
	// file:///C:/dir is C:\dir where volumes have names.
	if volume := strings.TrimPrefix(path, `\`); filepath.VolumeName(volume) != "" {
		path = volume
	}
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("want file:///absolute/path")
	}
	return filepath.Clean(path), nil
}

// FileReference returns the reference of a local file, by a path that may be
// relative to the working directory.
func FileReference(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	slash := filepath.ToSlash(abs)
	if !strings.HasPrefix(slash, "/") {
		slash = "/" + slash
	}
	return (&url.URL{Scheme: "file", Path: slash}).String(), nil
}

// String returns the reference as it was given.
func (r Reference) String() string { return r.original }

// File returns the path of a local file, and false for a registry's artifact.
func (r Reference) File() (path string, ok bool) { return r.file, r.file != "" }

// Registry returns the registry's host, with its port if it has one, and an
// empty string for a file.
func (r Reference) Registry() string { return r.remote.Registry }

// Digest returns the digest that pins the artifact, or an empty string.
func (r Reference) Digest() string {
	d, err := r.remote.Digest()
	if err != nil {
		return ""
	}
	return d.String()
}

// Tag returns the tag that names the artifact. It is empty for a file and for
// a pinned artifact, and "latest" where the reference has neither.
func (r Reference) Tag() string {
	if r.file != "" || r.Digest() != "" {
		return ""
	}
	return r.remote.ReferenceOrDefault()
}

// at names another artifact of the same repository.
func (r Reference) at(digest string) Reference {
	r.remote.Reference = digest
	return r
}

// canonical is the key of the artifact in the cache.
func (r Reference) canonical() string {
	remote := r.remote
	remote.Reference = remote.ReferenceOrDefault()
	return remote.String()
}
