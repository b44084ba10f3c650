package oci

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/lathhost/lath/lattice"
)

// Meta describes a component that is pushed, for people and tools that look at
// a registry without decoding it.
type Meta struct {
	// Imports and Exports are the component's, by their full names.
	Imports, Exports []string
	// Annotations go into the manifest.
	Annotations map[string]string
	// Created is when the component was made. Pushes of the same component with
	// the same Meta have the same digest, if it is given. Zero means now.
	Created time.Time
}

// Push stores a component under a reference with a tag, and returns the digest
// of its manifest. progress may be nil. Errors match those of [Client.Pull].
func (c *Client) Push(ctx context.Context, reference string, wasm []byte, meta Meta, progress Progress) (manifestDigest string, err error) {
	ref, err := ParseReference(reference)
	if err != nil {
		return "", err
	}
	manifestDigest, err = c.push(ctx, ref, wasm, meta, progress)
	if err != nil {
		return "", fmt.Errorf("push %q: %w", reference, c.known.why(ref.Registry(), err))
	}
	return manifestDigest, nil
}

func (c *Client) push(ctx context.Context, ref Reference, wasm []byte, meta Meta, progress Progress) (string, error) {
	if ref.Tag() == "" {
		return "", fmt.Errorf("%w: want a registry's reference with a tag, as in localhost:5000/counter:0.1.0", lattice.ErrInvalid)
	}
	if err := c.check(ref); err != nil {
		return "", err
	}
	if int64(len(wasm)) > c.cfg.MaxSize {
		return "", fmt.Errorf("%w: %d bytes: at most %d", lattice.ErrInvalid, len(wasm), c.cfg.MaxSize)
	}
	if err := checkComponent(wasm); err != nil {
		return "", err
	}
	art, err := pack(wasm, meta)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	repo := c.repository(ref)
	if err := pushBlob(ctx, repo, art.layer, wasm, progress); err != nil {
		return "", fmt.Errorf("layer %s: %w", art.layer.Digest, explain(ref.Registry(), err))
	}
	if err := pushBlob(ctx, repo, art.config, art.configJSON, nil); err != nil {
		return "", fmt.Errorf("config %s: %w", art.config.Digest, explain(ref.Registry(), err))
	}
	// The manifest comes last: it makes the artifact visible.
	if err := repo.PushReference(ctx, art.manifest, bytes.NewReader(art.manifestJSON), ref.Tag()); err != nil {
		return "", fmt.Errorf("manifest %s: %w", art.manifest.Digest, explain(ref.Registry(), err))
	}
	return art.manifest.Digest.String(), nil
}

// packed is an artifact as it is stored: three blobs and what describes them.
type packed struct {
	layer, config, manifest  ocispec.Descriptor
	configJSON, manifestJSON []byte
}

func pack(wasm []byte, meta Meta) (packed, error) {
	var p packed
	p.layer = describe(mediaWasm, wasm)
	created := meta.Created
	if created.IsZero() {
		created = time.Now()
	}
	var err error
	p.configJSON, err = json.Marshal(wasmConfig{
		Created:      created.UTC().Truncate(time.Second),
		Architecture: "wasm",
		OS:           "wasip2",
		LayerDigests: []string{p.layer.Digest.String()},
		// Readers want lists, also empty ones.
		Component: wasmInterface{Exports: append([]string{}, meta.Exports...), Imports: append([]string{}, meta.Imports...)},
	})
	if err != nil {
		return p, err
	}
	p.config = describe(mediaWasmConfig, p.configJSON)
	p.manifestJSON, err = json.Marshal(ocispec.Manifest{
		Versioned:   specs.Versioned{SchemaVersion: 2},
		MediaType:   ocispec.MediaTypeImageManifest,
		Config:      p.config,
		Layers:      []ocispec.Descriptor{p.layer},
		Annotations: meta.Annotations,
	})
	if err != nil {
		return p, err
	}
	if len(p.manifestJSON) > maxManifest {
		return p, fmt.Errorf("%w: annotations too long: manifest of %d bytes: at most %d", lattice.ErrInvalid, len(p.manifestJSON), maxManifest)
	}
	p.manifest = describe(ocispec.MediaTypeImageManifest, p.manifestJSON)
	return p, nil
}

func describe(mediaType string, content []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
}

// pushBlob sends a blob that the registry does not have yet.
func pushBlob(ctx context.Context, repo *remote.Repository, desc ocispec.Descriptor, content []byte, progress Progress) error {
	exists, err := repo.Blobs().Exists(ctx, desc)
	if err != nil {
		return err
	}
	if exists {
		if progress != nil {
			progress(desc.Size, desc.Size)
		}
		return nil
	}
	var body io.Reader = bytes.NewReader(content)
	return repo.Blobs().Push(ctx, desc, withProgress(body, desc.Size, progress))
}
