package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/lathhost/lath/lattice"
)

// mediaOldProviderConfig is that of the config beside a provider archive, as v1 pushes
// it.
const mediaOldProviderConfig = "application/vnd.wasmcloud.provider.archive.config"

// ProviderFile is a file of a provider that is pushed.
type ProviderFile struct {
	// Path is that of a program, or of a provider archive.
	Path string
	// OS and Arch are the platform of a program, in Go's words; both are empty for an
	// archive, which has one program for each.
	OS, Arch string
}

// PushProvider stores a provider under a reference with a tag, and returns the digest
// of what names it: one archive, as v1 has it, or an index of programs, one for each
// platform. What the files hold is the caller's to check. progress may be nil, and is
// told of each file. Errors match those of [Client.Pull].
func (c *Client) PushProvider(ctx context.Context, reference string, files []ProviderFile, progress Progress) (string, error) {
	ref, err := ParseReference(reference)
	if err != nil {
		return "", err
	}
	top, err := c.pushProvider(ctx, ref, files, progress)
	if err != nil {
		return "", fmt.Errorf("push %q: %w", reference, c.known.why(ref.Registry(), err))
	}
	return top, nil
}

func (c *Client) pushProvider(ctx context.Context, ref Reference, files []ProviderFile, progress Progress) (string, error) {
	if ref.Tag() == "" {
		return "", fmt.Errorf("%w: want a registry's reference with a tag, as in localhost:5000/provider:0.1.0", lattice.ErrInvalid)
	}
	if err := c.check(ref); err != nil {
		return "", err
	}
	if err := checkFiles(files); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	p := providerPush{c: c, repo: c.repository(ref), ref: ref, progress: progress}
	if files[0].OS == "" {
		m, err := p.manifest(ctx, files[0], mediaOldProvider, ocispec.Descriptor{MediaType: mediaOldProviderConfig}, ref.Tag())
		return m.Digest.String(), err
	}
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, f := range files {
		m, err := p.manifest(ctx, f, MediaProvider, ocispec.Descriptor{MediaType: ocispec.MediaTypeEmptyJSON}, "")
		if err != nil {
			return "", err
		}
		m.Platform = &ocispec.Platform{OS: f.OS, Architecture: f.Arch}
		index.Manifests = append(index.Manifests, m)
	}
	// The index comes last: it makes all of it visible.
	m, err := p.document(ctx, ocispec.MediaTypeImageIndex, index, ref.Tag())
	return m.Digest.String(), err
}

// checkFiles refuses files that no image can have together.
func checkFiles(files []ProviderFile) error {
	if len(files) == 0 {
		return fmt.Errorf("%w: no file", lattice.ErrInvalid)
	}
	seen := map[string]string{}
	for _, f := range files {
		platform := f.OS + "/" + f.Arch
		if f.OS == "" && len(files) > 1 {
			return fmt.Errorf("%w: %s is an archive: push it alone", lattice.ErrInvalid, f.Path)
		}
		if other, twice := seen[platform]; twice {
			return fmt.Errorf("%w: %s and %s are both for %s", lattice.ErrInvalid, other, f.Path, platform)
		}
		seen[platform] = f.Path
	}
	return nil
}

// providerPush is one push.
type providerPush struct {
	c        *Client
	repo     *remote.Repository
	ref      Reference
	progress Progress
}

// manifest pushes a file and the manifest that has it for its only layer.
func (p *providerPush) manifest(ctx context.Context, file ProviderFile, layerType string, config ocispec.Descriptor, tag string) (ocispec.Descriptor, error) {
	none := ocispec.Descriptor{}
	layer, err := p.file(ctx, file.Path, layerType)
	if err != nil {
		return none, fmt.Errorf("%s: %w", file.Path, err)
	}
	empty := []byte("{}")
	config = describe(config.MediaType, empty)
	if err := pushBlob(ctx, p.repo, config, empty, nil); err != nil {
		return none, fmt.Errorf("config %s: %w", config.Digest, explain(p.ref.Registry(), err))
	}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{layer}}
	if config.MediaType == ocispec.MediaTypeEmptyJSON {
		m.ArtifactType = layerType // which an empty config does not tell
	}
	return p.document(ctx, ocispec.MediaTypeImageManifest, m, tag)
}

// document pushes a manifest or an index, under a tag or by its digest alone.
func (p *providerPush) document(ctx context.Context, mediaType string, content any, tag string) (ocispec.Descriptor, error) {
	data, err := json.Marshal(content)
	if err != nil {
		return ocispec.Descriptor{}, err
	}
	d := describe(mediaType, data)
	if tag == "" {
		tag = d.Digest.String()
	}
	if err := p.repo.PushReference(ctx, d, bytes.NewReader(data), tag); err != nil {
		return d, fmt.Errorf("manifest %s: %w", d.Digest, explain(p.ref.Registry(), err))
	}
	return d, nil
}

// file pushes a file that the registry does not have yet. It is read twice, and not
// held in memory.
func (p *providerPush) file(ctx context.Context, path, mediaType string) (d ocispec.Descriptor, err error) {
	f, err := os.Open(path)
	if err != nil {
		return d, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return d, err
	}
	if !info.Mode().IsRegular() || info.Size() > p.c.cfg.MaxProviderSize {
		return d, fmt.Errorf("%w: want a file of at most %d bytes", lattice.ErrInvalid, p.c.cfg.MaxProviderSize)
	}
	sum, err := digest.FromReader(f)
	if err != nil {
		return d, err
	}
	d = ocispec.Descriptor{MediaType: mediaType, Digest: sum, Size: info.Size()}
	exists, err := p.repo.Blobs().Exists(ctx, d)
	if err == nil && !exists {
		if _, err = f.Seek(0, 0); err == nil {
			err = p.repo.Blobs().Push(ctx, d, withProgress(f, d.Size, p.progress))
		}
	}
	return d, explain(p.ref.Registry(), err)
}
