package oci

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
)

func get(t *testing.T, url string) (body []byte, mediaType string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var raw json.RawMessage
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&raw))
	return raw, resp.Header.Get("Content-Type")
}

// TestPushLayout pins the artifact that other tools read, byte by byte.
func TestPushLayout(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	component := wasm("layout")
	meta := Meta{
		Imports:     []string{"wasi:keyvalue/store@0.2.0-draft"},
		Annotations: map[string]string{"org.opencontainers.image.source": "here"},
		Created:     time.Date(2026, 11, 21, 10, 0, 0, 5, time.FixedZone("", 3600)),
	}
	c := reg.client(t)
	sum, err := c.Push(t.Context(), reg.addr+"/Example/Counter:0.1.0", component, meta, nil)
	require.NoError(t, err)

	layer := digest.FromBytes(component).String()
	config := `{"created":"2026-11-21T09:00:00Z","architecture":"wasm","os":"wasip2","layerDigests":["` + layer +
		`"],"component":{"exports":[],"imports":["wasi:keyvalue/store@0.2.0-draft"]}}`
	manifest, mediaType := get(t, reg.URL+"/v2/example/counter/manifests/0.1.0")
	require.Equal(t, "application/vnd.oci.image.manifest.v1+json", mediaType)
	require.Equal(t, sum, digest.FromBytes(manifest).String())
	require.JSONEq(t, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
		"config":{"mediaType":"application/vnd.wasm.config.v0+json","digest":"`+digest.FromString(config).String()+`","size":`+itoa(len(config))+`},
		"layers":[{"mediaType":"application/wasm","digest":"`+layer+`","size":`+itoa(len(component))+`}],
		"annotations":{"org.opencontainers.image.source":"here"}}`, string(manifest))
	stored, _ := get(t, reg.URL+"/v2/example/counter/blobs/"+digest.FromString(config).String())
	require.Equal(t, config, string(stored))

	again, err := c.Push(t.Context(), reg.addr+"/example/counter:0.1.1", component, meta, nil)
	require.NoError(t, err)
	require.Equal(t, sum, again, "the same component and meta have the same digest")
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestPushReportsProgress(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, nil)
	component := wasm(strings.Repeat("x", 100))
	for range 2 { // the second finds the layer there already
		var last, calls int64
		_, err := reg.client(t).Push(t.Context(), reg.addr+"/a:1", component, Meta{}, func(done, total int64) {
			require.GreaterOrEqual(t, done, last)
			require.EqualValues(t, len(component), total)
			last = done
			calls++
		})
		require.NoError(t, err)
		require.EqualValues(t, len(component), last)
		require.Positive(t, calls)
	}
}

func TestPushRefuses(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			t.Errorf("%s %s: nothing should be sent", r.Method, r.URL)
		})
	})
	c := newClient(t, Config{Insecure: []string{reg.addr}, MaxSize: 100, AllowFile: true})
	tag := reg.addr + "/a:1"
	for name, test := range map[string]struct {
		ref     string
		content []byte
		kind    error
		message string
	}{
		"a digest":    {reg.addr + "/a@" + someDigest, wasm("x"), lattice.ErrInvalid, "with a tag"},
		"a file":      {"file:///tmp/x", wasm("x"), lattice.ErrInvalid, "with a tag"},
		"latest":      {reg.addr + "/a", wasm("x"), lattice.ErrDenied, "--allow-latest"},
		"core module": {tag, []byte("\x00asm\x01\x00\x00\x00"), lattice.ErrInvalid, "core WebAssembly module"},
		"not wasm":    {tag, []byte("<html>"), lattice.ErrInvalid, "3c 68 74 6d 6c 3e"},
		"nothing":     {tag, nil, lattice.ErrInvalid, "not WebAssembly"},
		"too large":   {tag, wasm(strings.Repeat("x", 101)), lattice.ErrInvalid, "at most 100"},
	} {
		_, err := c.Push(t.Context(), test.ref, test.content, Meta{}, nil)
		require.ErrorIs(t, err, test.kind, name)
		require.ErrorContains(t, err, test.message, name)
		require.ErrorContains(t, err, test.ref, name)
	}
}

func TestPushNeedsCredentials(t *testing.T) {
	t.Parallel()
	reg := newRegistry(t, withBasicAuth("ann", "secret"))
	_, err := reg.client(t).Push(t.Context(), reg.addr+"/a:1", wasm("x"), Meta{}, nil)
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.ErrorContains(t, err, "asks for a user and password")

	wrong := newClient(t, Config{Insecure: []string{reg.addr}, Credentials: map[string]Credential{reg.addr: {"ann", "guess"}}})
	_, err = wrong.Push(t.Context(), reg.addr+"/a:1", wasm("x"), Meta{}, nil)
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.NotContains(t, err.Error(), "guess")

	right := newClient(t, Config{Insecure: []string{reg.addr}, Credentials: map[string]Credential{reg.addr: {"ann", "secret"}}})
	_, err = right.Push(t.Context(), reg.addr+"/a:1", wasm("x"), Meta{}, nil)
	require.NoError(t, err)
	_, err = right.Pull(t.Context(), reg.addr+"/a:1", nil)
	require.NoError(t, err)
}

func withBasicAuth(user, password string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if u, p, _ := r.BasicAuth(); u != user || p != password {
				w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

func TestPushToNothing(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(nil)
	addr := strings.TrimPrefix(server.URL, "http://")
	server.Close()
	c := newClient(t, Config{Insecure: []string{addr}})
	_, err := c.Push(t.Context(), addr+"/a:1", wasm("x"), Meta{}, nil)
	require.ErrorIs(t, err, ErrUnreachable)
	require.ErrorContains(t, err, addr)
}
