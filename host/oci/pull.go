package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/lathhost/lath/lattice"
)

// Progress is told how far a transfer is, in bytes of the component. It is
// called on the goroutine that pulls or pushes, often, and must be quick.
type Progress func(done, total int64)

// Origin says where an artifact's bytes came from.
type Origin string

// The places that bytes come from. Bytes that the registry named by digest
// and that the cache had are [OriginCache].
const (
	OriginRegistry Origin = "registry"
	OriginCache    Origin = "cache"
	OriginFile     Origin = "file"
)

// Artifact is a component that was pulled.
type Artifact struct {
	// Ref is the reference as it was given.
	Ref string
	// Digest names the manifest: REGISTRY/REPOSITORY@Digest is this artifact
	// forever. A file has none, so it is the digest of its bytes.
	Digest string
	// LayerDigest names the component's bytes; it is right to key what was
	// compiled from them.
	LayerDigest string
	// MediaType is the layer's.
	MediaType string
	// Bytes is the component, not yet decoded; it begins as one does.
	Bytes []byte
	// Origin is where the bytes came from.
	Origin Origin
	// Stale says why the registry could not be asked what a tag names now:
	// the artifact is what the tag named last. It is nil otherwise.
	Stale error
	// CacheError says why the artifact could not be kept. It is nil otherwise.
	CacheError error
}

// Pull fetches a component. progress may be nil.
//
// A pinned artifact that the cache has is answered without asking the registry.
// A tag is asked for; if the registry does not answer, what the tag named last
// is taken from the cache, and [Artifact.Stale] says so.
//
// Errors match [ErrUnreachable], [lattice.ErrNotFound], [lattice.ErrDenied] (by
// the registry, or by the configuration) and [lattice.ErrInvalid] (the artifact
// is truncated, tampered with or not a component; the message has its digest).
func (c *Client) Pull(ctx context.Context, reference string, progress Progress) (*Artifact, error) {
	ref, err := ParseReference(reference)
	if err != nil {
		return nil, err
	}
	artifact, err := c.pull(ctx, ref, progress)
	if err != nil {
		return nil, fmt.Errorf("pull %q: %w", reference, c.known.why(ref.Registry(), err))
	}
	return artifact, nil
}

func (c *Client) pull(ctx context.Context, ref Reference, progress Progress) (*Artifact, error) {
	if err := c.check(ref); err != nil {
		return nil, err
	}
	if path, ok := ref.File(); ok {
		return c.readFile(ref, path)
	}
	if artifact, ok := c.cached(ref, ref.Digest()); ok {
		return artifact, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	artifact, err := c.fetch(ctx, ref, progress)
	if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnreachable) {
		return artifact, err
	}
	if artifact, ok := c.cached(ref, c.cache.tagged(ref.canonical())); ok {
		artifact.Stale = err
		return artifact, nil
	}
	return nil, err
}

// fetch gets an artifact from its registry, and what it can from the cache.
func (c *Client) fetch(ctx context.Context, ref Reference, progress Progress) (*Artifact, error) {
	desc, manifest, err := c.fetchManifest(ctx, ref)
	if err != nil {
		return nil, err
	}
	layer, err := componentLayer(desc.MediaType, manifest, c.cfg.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("artifact %s: %w", desc.Digest, err)
	}
	artifact := &Artifact{
		Ref: ref.String(), Digest: desc.Digest.String(),
		LayerDigest: layer.Digest.String(), MediaType: layer.MediaType,
	}
	wasm, origin, err := c.fetchLayer(ctx, ref, layer, progress)
	if err == nil {
		err = checkComponent(wasm)
	}
	if err != nil {
		return nil, fmt.Errorf("artifact %s: layer %s: %w", desc.Digest, layer.Digest, err)
	}
	artifact.Bytes, artifact.Origin = wasm, origin
	contents := [][]byte{manifest}
	if origin != OriginCache {
		contents = [][]byte{wasm, manifest}
	}
	artifact.CacheError = c.cache.put(ref.canonical(), artifact.Digest, contents, artifact.LayerDigest)
	return artifact, nil
}

func (c *Client) fetchManifest(ctx context.Context, ref Reference) (ocispec.Descriptor, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.ResolveTimeout)
	defer cancel()
	name := ref.Digest()
	if name == "" {
		name = ref.Tag()
	}
	desc, body, err := c.repository(ref).Manifests().FetchReference(ctx, name)
	if err != nil {
		err = explain(ref.Registry(), err)
		if pinned := ref.Digest(); pinned != "" {
			err = fmt.Errorf("artifact %s: %w", pinned, err)
		}
		return desc, nil, err
	}
	defer body.Close()
	if desc.Size > maxManifest {
		return desc, nil, fmt.Errorf("artifact %s: %w: manifest of %d bytes: at most %d", desc.Digest, lattice.ErrInvalid, desc.Size, maxManifest)
	}
	manifest, err := readVerified(body, desc.Digest, desc.Size)
	if err != nil {
		return desc, nil, fmt.Errorf("artifact %s: manifest: %w", desc.Digest, explain(ref.Registry(), err))
	}
	return desc, manifest, nil
}

func (c *Client) fetchLayer(ctx context.Context, ref Reference, layer ocispec.Descriptor, progress Progress) ([]byte, Origin, error) {
	if wasm, ok := c.cache.blob(layer.Digest.String(), c.cfg.MaxSize); ok {
		return wasm, OriginCache, nil
	}
	body, err := c.repository(ref).Blobs().Fetch(ctx, layer)
	if err != nil {
		return nil, "", explain(ref.Registry(), err)
	}
	defer body.Close()
	wasm, err := readVerified(withProgress(body, layer.Size, progress), layer.Digest, layer.Size)
	if err != nil {
		return nil, "", explain(ref.Registry(), err)
	}
	return wasm, OriginRegistry, nil
}

// cached returns the artifact of a manifest digest, if the cache has all of it.
func (c *Client) cached(ref Reference, manifestDigest string) (*Artifact, bool) {
	manifest, ok := c.cache.blob(manifestDigest, maxManifest)
	if !ok {
		return nil, false
	}
	layer, err := componentLayer(manifestType(manifest), manifest, c.cfg.MaxSize)
	if err != nil {
		return nil, false
	}
	wasm, ok := c.cache.blob(layer.Digest.String(), c.cfg.MaxSize)
	if !ok || checkComponent(wasm) != nil {
		return nil, false
	}
	return &Artifact{
		Ref: ref.String(), Digest: manifestDigest, LayerDigest: layer.Digest.String(),
		MediaType: layer.MediaType, Bytes: wasm, Origin: OriginCache,
	}, true
}

func (c *Client) readFile(ref Reference, path string) (*Artifact, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("file %s: %w", path, lattice.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	// Opening a pipe may wait forever, and a device may never end.
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: not a regular file", lattice.ErrInvalid)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	wasm, err := io.ReadAll(io.LimitReader(f, c.cfg.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if int64(len(wasm)) > c.cfg.MaxSize {
		return nil, fmt.Errorf("%w: larger than %d bytes", lattice.ErrInvalid, c.cfg.MaxSize)
	}
	sum := digest.FromBytes(wasm).String()
	if err := checkComponent(wasm); err != nil {
		return nil, fmt.Errorf("file %s: %w", sum, err)
	}
	return &Artifact{Ref: ref.String(), Digest: sum, LayerDigest: sum, MediaType: mediaWasm, Bytes: wasm, Origin: OriginFile}, nil
}

// readVerified reads content of a known size and digest. Memory grows as bytes
// arrive, not as the registry promises.
func readVerified(r io.Reader, want digest.Digest, size int64) ([]byte, error) {
	var buf bytes.Buffer
	if err := copyVerified(&buf, r, want, size); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// copyVerified copies content of a known size and digest.
func copyVerified(w io.Writer, r io.Reader, want digest.Digest, size int64) error {
	sum := digest.SHA256.Digester()
	n, err := io.Copy(io.MultiWriter(w, sum.Hash()), io.LimitReader(r, size+1))
	switch {
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: connection lost after %d of %d bytes: %w", ErrUnreachable, n, size, err)
	case n < size:
		return fmt.Errorf("%w: truncated: %d of %d bytes", lattice.ErrInvalid, n, size)
	case n > size:
		return fmt.Errorf("%w: longer than its %d bytes", lattice.ErrInvalid, size)
	}
	if got := sum.Digest(); got != want {
		return fmt.Errorf("%w: tampered with: the content has digest %s", lattice.ErrInvalid, got)
	}
	return nil
}

// checkDigest makes sure that a digest can be compared and can name a file.
func checkDigest(s string) error {
	d, err := digest.Parse(s)
	if err != nil {
		return fmt.Errorf("digest %q: %w", s, err)
	}
	if d.Algorithm() != digest.SHA256 {
		return fmt.Errorf("digest algorithm %s is not supported: use sha256", d.Algorithm())
	}
	return nil
}

// withProgress reports what is read from r.
func withProgress(r io.Reader, total int64, progress Progress) io.Reader {
	if progress == nil {
		return r
	}
	progress(0, total)
	return &progressReader{r: r, total: total, report: progress}
}

type progressReader struct {
	r           io.Reader
	done, total int64
	report      Progress
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n > 0 {
		p.done += int64(n)
		p.report(min(p.done, p.total), p.total)
	}
	return n, err
}
