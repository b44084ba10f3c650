package oci

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/lathhost/lath/host/blob"
	"github.com/lathhost/lath/lattice"
)

// The media types of a provider that is a program as it is, for one platform.
const (
	// MediaProvider is that of a layer which is the program.
	MediaProvider = "application/vnd.lathhost.provider.binary.v1"
	mediaOctets   = "application/octet-stream"

	mediaDockerList = "application/vnd.docker.distribution.manifest.list.v2+json"
)

// ProviderImage is the image of a provider that was pulled: a file, which is a
// program or holds some.
type ProviderImage struct {
	// Ref is the reference as it was given.
	Ref string
	// Digest names the manifest, or the index of those for several platforms; a
	// local file has none. LayerDigest names the file's content.
	Digest, LayerDigest string
	// MediaType is the layer's. It does not tell archives from programs: as v1
	// does, a layer that says that it is a tar is taken for what it holds.
	MediaType string
	// Path is where the file is; it is not to be changed. A later pull may remove
	// it, when the cache is full.
	Path string
	// Origin, Stale and CacheError are as in [Artifact]. A provider that the cache
	// cannot keep is not pulled; CacheError is of keeping what names it.
	Origin     Origin
	Stale      error
	CacheError error
}

// PullProvider fetches the image of a provider into the cache, without which no
// provider can be pulled. progress may be nil. A reference may name:
//   - an index, of which the manifest for this platform (os and architecture, in
//     Go's words, as images have them) is taken;
//   - a manifest with one layer: a provider archive of wasmCloud's, a program
//     ([MediaProvider], application/octet-stream), or a tar in name, which may be
//     either;
//   - a local file.
//
// It asks the registry, and its errors match, as [Client.Pull] has it.
func (c *Client) PullProvider(ctx context.Context, reference string, progress Progress) (*ProviderImage, error) {
	ref, err := ParseReference(reference)
	if err != nil {
		return nil, err
	}
	image, err := c.pullProvider(ctx, ref, progress)
	if err != nil {
		return nil, fmt.Errorf("pull provider %q: %w", reference, c.known.why(ref.Registry(), err))
	}
	image.Ref = reference
	return image, nil
}

func (c *Client) pullProvider(ctx context.Context, ref Reference, progress Progress) (*ProviderImage, error) {
	if err := c.check(ref); err != nil {
		return nil, err
	}
	if path, ok := ref.File(); ok {
		return c.providerFile(path)
	}
	if c.cache == nil {
		return nil, fmt.Errorf("%w: there is no cache to keep it in: give the host one with --cache-dir", lattice.ErrUnsupported)
	}
	if image, err := c.cachedProvider(ref.Digest()); err == nil {
		return image, nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	image, err := c.fetchProvider(ctx, ref, progress)
	if err == nil || ctx.Err() != nil || !errors.Is(err, ErrUnreachable) {
		return image, err
	}
	if image, missing := c.cachedProvider(c.cache.tagged(ref.canonical())); missing == nil {
		image.Stale = err
		return image, nil
	}
	return nil, err
}

func (c *Client) providerFile(path string) (*ProviderImage, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("file %s: %w", path, lattice.ErrNotFound)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: not a regular file", lattice.ErrInvalid)
	case info.Size() > c.cfg.MaxProviderSize:
		return nil, fmt.Errorf("%w: larger than %d bytes", lattice.ErrInvalid, c.cfg.MaxProviderSize)
	}
	return &ProviderImage{Path: filepath.Clean(path), Origin: OriginFile}, nil
}

// named is a manifest, or an index of such, under its digest.
type named struct {
	digest, mediaType string
	content           []byte
}

// provider finds the layer that a reference names: in its manifest, or in that of
// an index which is for this platform.
func (c *Client) provider(top named, get func(digest string) (named, error)) (layer ocispec.Descriptor, all [][]byte, err error) {
	all = [][]byte{top.content}
	m := top
	if isIndex(m.mediaType) {
		child, err := forThisPlatform(m.content)
		if err == nil {
			m, err = get(child.Digest.String())
		}
		if err != nil {
			return layer, nil, err
		}
		all = append(all, m.content)
	}
	layer, err = providerLayer(m.mediaType, m.content, c.cfg.MaxProviderSize)
	return layer, all, err
}

func (c *Client) fetchProvider(ctx context.Context, ref Reference, progress Progress) (*ProviderImage, error) {
	get := func(ref Reference) (named, error) {
		desc, content, err := c.fetchManifest(ctx, ref)
		return named{desc.Digest.String(), desc.MediaType, content}, err
	}
	top, err := get(ref)
	if err != nil {
		return nil, err
	}
	layer, manifests, err := c.provider(top, func(digest string) (named, error) { return get(ref.at(digest)) })
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", top.digest, err)
	}
	origin, err := c.fetchProviderLayer(ctx, ref, layer, progress)
	if err != nil {
		return nil, fmt.Errorf("image %s: layer %s: %w", top.digest, layer.Digest, err)
	}
	image := c.providerImage(top.digest, layer, origin)
	image.CacheError = c.cache.put(ref.canonical(), top.digest, manifests, image.LayerDigest)
	return image, nil
}

func (c *Client) providerImage(digest string, layer ocispec.Descriptor, origin Origin) *ProviderImage {
	sum := layer.Digest.String()
	return &ProviderImage{Digest: digest, LayerDigest: sum, MediaType: layer.MediaType, Path: c.cache.blobs().File(sum), Origin: origin}
}

// fetchProviderLayer has the cache hold a layer.
func (c *Client) fetchProviderLayer(ctx context.Context, ref Reference, layer ocispec.Descriptor, progress Progress) (Origin, error) {
	if err := blob.Own(c.cache.dir); err != nil {
		return "", fmt.Errorf("cache: %w", err)
	}
	if c.cache.blobs().Check(layer.Digest.String()) {
		return OriginCache, nil
	}
	body, err := c.repository(ref).Blobs().Fetch(ctx, layer)
	if err != nil {
		return "", explain(ref.Registry(), err)
	}
	defer body.Close()
	_, err = c.cache.blobs().Create(func(w io.Writer) error {
		return copyVerified(w, withProgress(body, layer.Size, progress), layer.Digest, layer.Size)
	})
	return OriginRegistry, explain(ref.Registry(), err)
}

// cachedProvider returns the image of a digest, if the cache has all of it.
func (c *Client) cachedProvider(digest string) (*ProviderImage, error) {
	get := func(digest string) (named, error) {
		content, ok := c.cache.blob(digest, maxManifest)
		if !ok {
			return named{}, lattice.ErrNotFound
		}
		return named{digest, manifestType(content), content}, nil
	}
	top, err := get(digest)
	if err != nil {
		return nil, err
	}
	layer, _, err := c.provider(top, get)
	if err != nil {
		return nil, err
	}
	if !c.cache.blobs().Check(layer.Digest.String()) {
		return nil, lattice.ErrNotFound
	}
	return c.providerImage(digest, layer, OriginCache), nil
}

func isIndex(mediaType string) bool {
	return mediaType == ocispec.MediaTypeImageIndex || mediaType == mediaDockerList
}

// forThisPlatform chooses a manifest of an index.
func forThisPlatform(index []byte) (ocispec.Descriptor, error) {
	var none ocispec.Descriptor
	var i ocispec.Index
	if err := json.Unmarshal(index, &i); err != nil {
		return none, fmt.Errorf("%w: index: %w", lattice.ErrInvalid, err)
	}
	here := runtime.GOOS + "/" + runtime.GOARCH
	var others []string
	for _, m := range i.Manifests {
		if m.Platform == nil {
			continue
		}
		platform := m.Platform.OS + "/" + m.Platform.Architecture
		if platform == here && !isIndex(m.MediaType) {
			if err := checkDigest(m.Digest.String()); err != nil {
				return none, fmt.Errorf("%w: index: %w", lattice.ErrInvalid, err)
			}
			return m, nil
		}
		if len(others) < 16 {
			others = append(others, fmt.Sprintf("%.40q", platform))
		}
	}
	return none, fmt.Errorf("%w for %s: the index has %s", lattice.ErrNotFound, here, strings.Join(others, ", "))
}

// providerLayer finds the provider in a manifest.
func providerLayer(mediaType string, manifest []byte, maxSize int64) (ocispec.Descriptor, error) {
	types := []string{mediaOldProvider, MediaProvider, mediaOctets, ocispec.MediaTypeImageLayer}
	layer, err := onlyLayer(mediaType, manifest, maxSize)
	switch {
	case err != nil:
		return layer, err
	case layer.MediaType == mediaWasm || layer.MediaType == mediaOldModule:
		return layer, fmt.Errorf("%w: it is a component, not a provider: see \"lath start component --help\"", lattice.ErrInvalid)
	case !slices.Contains(types, layer.MediaType):
		return layer, fmt.Errorf("%w: layer type %q: a provider has one of %s", lattice.ErrInvalid, layer.MediaType, strings.Join(types, ", "))
	}
	return layer, nil
}
