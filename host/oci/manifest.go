package oci

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/lathhost/lath/lattice"
)

// The media types of components and of wasmCloud's providers in registries.
const (
	mediaWasm           = "application/wasm"
	mediaWasmConfig     = "application/vnd.wasm.config.v0+json"
	mediaOldModule      = "application/vnd.module.wasm.content.layer.v1+wasm"
	mediaOldProvider    = "application/vnd.wasmcloud.provider.archive.layer.v1+par"
	mediaDockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
)

// componentLayers are the layer types under which wasmCloud 1.x accepts a
// component. Whatever the type, the bytes are the component itself.
func componentLayers() []string {
	return []string{mediaWasm, mediaOldModule, ocispec.MediaTypeImageLayer}
}

// componentLayer finds the component in a manifest.
func componentLayer(mediaType string, manifest []byte, maxSize int64) (ocispec.Descriptor, error) {
	layer, err := onlyLayer(mediaType, manifest, maxSize)
	switch {
	case err != nil:
		return layer, err
	case layer.MediaType == mediaOldProvider || layer.MediaType == MediaProvider:
		return layer, fmt.Errorf("%w: it is a provider archive, not a component: see \"lath start provider --help\"", lattice.ErrInvalid)
	case !slices.Contains(componentLayers(), layer.MediaType):
		return layer, fmt.Errorf("%w: layer type %q: a component has %s", lattice.ErrInvalid, layer.MediaType, mediaWasm)
	}
	return layer, nil
}

// onlyLayer finds the layer of a manifest that has one, and checks everything
// that the manifest says about it but its type.
func onlyLayer(mediaType string, manifest []byte, maxSize int64) (ocispec.Descriptor, error) {
	var none ocispec.Descriptor
	if mediaType != ocispec.MediaTypeImageManifest && mediaType != mediaDockerManifest {
		return none, fmt.Errorf("%w: manifest type %q: want %s", lattice.ErrUnsupported, mediaType, ocispec.MediaTypeImageManifest)
	}
	var m ocispec.Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return none, fmt.Errorf("%w: manifest: %w", lattice.ErrInvalid, err)
	}
	if m.MediaType != "" && m.MediaType != mediaType {
		return none, fmt.Errorf("%w: manifest sent as %q says that it is %q", lattice.ErrInvalid, mediaType, m.MediaType)
	}
	if len(m.Layers) != 1 {
		return none, fmt.Errorf("%w: %d layers: want exactly one", lattice.ErrInvalid, len(m.Layers))
	}
	layer := m.Layers[0]
	switch err := checkDigest(layer.Digest.String()); {
	case err != nil:
		return none, fmt.Errorf("%w: layer: %w", lattice.ErrInvalid, err)
	case layer.Size <= 0 || layer.Size > maxSize:
		return none, fmt.Errorf("%w: layer of %d bytes: want 1 to %d", lattice.ErrInvalid, layer.Size, maxSize)
	}
	return layer, nil
}

// manifestType returns the media type that a manifest gives itself. Those of
// the first specification give none.
func manifestType(manifest []byte) string {
	var m struct {
		MediaType string `json:"mediaType"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil || m.MediaType == "" {
		return ocispec.MediaTypeImageManifest
	}
	return m.MediaType
}

// checkComponent refuses bytes that do not begin as a component does.
func checkComponent(wasm []byte) error {
	preamble := []byte("\x00asm\x0d\x00\x01\x00")
	module := []byte("\x00asm\x01\x00\x00\x00")
	switch {
	case bytes.HasPrefix(wasm, preamble):
		return nil
	case bytes.HasPrefix(wasm, module):
		return fmt.Errorf("%w: it is a core WebAssembly module, not a component: wrap it with \"wasm-tools component new\"", lattice.ErrInvalid)
	}
	if len(wasm) == 0 {
		return fmt.Errorf("%w: it is not WebAssembly: it is empty", lattice.ErrInvalid)
	}
	return fmt.Errorf("%w: it is not WebAssembly: it begins with % x", lattice.ErrInvalid, wasm[:min(len(wasm), len(preamble))])
}

// wasmConfig is the config of a wasm artifact, as the CNCF's layout has it.
type wasmConfig struct {
	Created      time.Time     `json:"created"`
	Architecture string        `json:"architecture"`
	OS           string        `json:"os"`
	LayerDigests []string      `json:"layerDigests"`
	Component    wasmInterface `json:"component"`
}

type wasmInterface struct {
	Exports []string `json:"exports"`
	Imports []string `json:"imports"`
}
