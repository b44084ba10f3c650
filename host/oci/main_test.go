package oci

import (
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wasm returns a distinct component: a preamble and a custom section, enough
// for a package that does not decode.
func wasm(name string) []byte {
	section := append([]byte{byte(len(name))}, name...)
	return append([]byte("\x00asm\x0d\x00\x01\x00\x00"+string(rune(len(section)))), section...)
}

// testRegistry is a registry in this process, with a hook in front of it.
type testRegistry struct {
	*httptest.Server
	addr string
}

// newRegistry starts a registry. Requests go through wrap, if it is not nil.
func newRegistry(t *testing.T, wrap func(http.Handler) http.Handler) *testRegistry {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return &testRegistry{Server: server, addr: strings.TrimPrefix(server.URL, "http://")}
}

func newClient(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// client returns a client of this registry with a cache of its own.
func (r *testRegistry) client(t *testing.T) *Client {
	t.Helper()
	return newClient(t, Config{Insecure: []string{r.addr}, CacheDir: t.TempDir()})
}

func (r *testRegistry) push(t *testing.T, name string, component []byte) (reference, manifest string) {
	t.Helper()
	reference = r.addr + "/" + name
	c := newClient(t, Config{Insecure: []string{r.addr}})
	manifest, err := c.Push(t.Context(), reference, component, Meta{}, nil)
	require.NoError(t, err)
	return reference, manifest
}

// put stores content as another tool might have, without any check.
func (r *testRegistry) put(t *testing.T, path, mediaType string, content []byte) {
	t.Helper()
	method, url := http.MethodPut, r.URL+path
	if strings.Contains(path, "/blobs/") {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(content))
	require.NoError(t, err)
	req.Header.Set("Content-Type", mediaType)
	resp, err := r.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusCreated, resp.StatusCode)
}

// putLayer stores a blob and returns its descriptor.
func (r *testRegistry) putLayer(t *testing.T, repo, mediaType string, content []byte) ocispec.Descriptor {
	t.Helper()
	sum := digest.FromBytes(content)
	r.put(t, "/v2/"+repo+"/blobs/uploads/?digest="+sum.String(), "application/octet-stream", content)
	return ocispec.Descriptor{MediaType: mediaType, Digest: sum, Size: int64(len(content))}
}
