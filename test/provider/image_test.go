package provider_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/par"
	"github.com/lathhost/lath/host/par/partest"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

// images is a registry in this process.
type images struct {
	t    *testing.T
	addr string
}

func newImages(t *testing.T) *images {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	return &images{t, strings.TrimPrefix(server.URL, "http://")}
}

func (i *images) send(method, path, mediaType string, content []byte) {
	i.t.Helper()
	req, err := http.NewRequestWithContext(i.t.Context(), method, "http://"+i.addr+path, bytes.NewReader(content))
	require.NoError(i.t, err)
	req.Header.Set("Content-Type", mediaType)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(i.t, err)
	defer resp.Body.Close()
	require.Equal(i.t, http.StatusCreated, resp.StatusCode)
}

type descriptor map[string]any

func (i *images) blob(mediaType string, content []byte) descriptor {
	i.t.Helper()
	sum := digest.FromBytes(content).String()
	i.send(http.MethodPost, "/v2/p/blobs/uploads/?digest="+sum, "application/octet-stream", content)
	return descriptor{"mediaType": mediaType, "digest": sum, "size": len(content)}
}

// manifest pushes a manifest or an index under a tag, and returns the reference and
// what names it.
func (i *images) manifest(tag, mediaType string, content map[string]any) (ref string, d descriptor) {
	i.t.Helper()
	content["schemaVersion"], content["mediaType"] = 2, mediaType
	raw, err := json.Marshal(content)
	require.NoError(i.t, err)
	i.send(http.MethodPut, "/v2/p/manifests/"+tag, mediaType, raw)
	return i.addr + "/p:" + tag, descriptor{"mediaType": mediaType, "digest": digest.FromBytes(raw).String(), "size": len(raw)}
}

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	indexType    = "application/vnd.oci.image.index.v1+json"
	archiveType  = "application/vnd.wasmcloud.provider.archive.layer.v1+par"
)

func (i *images) image(tag, layerType string, layer []byte) (ref string, d descriptor) {
	i.t.Helper()
	return i.manifest(tag, manifestType, map[string]any{
		"config": i.blob("application/vnd.wasmcloud.provider.archive.config", []byte("{}")), "layers": []descriptor{i.blob(layerType, layer)}})
}

// push pushes a provider's files, and returns the reference.
func (i *images) push(tag string, files ...oci.ProviderFile) string {
	i.t.Helper()
	client, err := oci.New(oci.Config{Insecure: []string{i.addr}})
	require.NoError(i.t, err)
	defer client.Close()
	ref := i.addr + "/p:" + tag
	first, err := client.PushProvider(i.t.Context(), ref, files, nil)
	require.NoError(i.t, err)
	again, err := client.PushProvider(i.t.Context(), ref, files, nil)
	require.NoError(i.t, err)
	require.Equal(i.t, first, again, "the same files have the same digest")
	for want, bad := range map[string][]oci.ProviderFile{
		"no file": nil, "are both for linux/arm": {{Path: files[0].Path, OS: "linux", Arch: "arm"}, {Path: files[0].Path, OS: "linux", Arch: "arm"}},
		"push it alone": {{Path: files[0].Path}, {Path: files[0].Path, OS: "linux", Arch: "arm"}}, "want a file of at most": {{Path: i.t.TempDir()}},
	} {
		_, err := client.PushProvider(i.t.Context(), i.addr+"/p:bad", bad, nil)
		require.ErrorContains(i.t, err, want)
	}
	_, err = client.PushProvider(i.t.Context(), i.addr+"/p", files, nil)
	require.ErrorContains(i.t, err, "--allow-latest")
	return ref
}

// host starts a host that may pull from the registry.
func (i *images) host(l *harness.Lattice) *harness.Node {
	i.t.Helper()
	client, err := oci.New(oci.Config{AllowFile: true, CacheDir: i.t.TempDir(), Insecure: []string{i.addr}})
	require.NoError(i.t, err)
	i.t.Cleanup(client.Close)
	return l.Host(func(c *host.Config) { c.Images = client })
}

// program is the text of a script that behaves as a provider.
func program(t *testing.T, behaviour string) string {
	t.Helper()
	text, err := os.ReadFile(strings.TrimPrefix(script(t, behaviour), "file://"))
	require.NoError(t, err)
	return string(text)
}

// archive is wasmCloud's archive of a program.
func archive(t *testing.T, text string, change func(map[string]any)) []byte {
	t.Helper()
	return partest.Compress(t, partest.Pack(t, partest.Signed(t, map[string]string{par.Here(): text}, change),
		partest.File{Name: par.Here() + ".bin", Content: text}))
}

// TestImages: a provider comes from wasmCloud's archives, from plain programs, and
// from indexes of those, in a registry or a file.
func TestImages(t *testing.T) {
	t.Parallel()
	reg := newImages(t)
	text := program(t, "keyvalue")
	packed := archive(t, text, nil)
	file := filepath.Join(t.TempDir(), "kv.par.gz")
	require.NoError(t, os.WriteFile(file, packed, 0o600))
	_, plain := reg.image("plain", oci.MediaProvider, []byte(text))
	plain["platform"] = map[string]string{"os": runtime.GOOS, "architecture": runtime.GOARCH}
	_, other := reg.image("other", oci.MediaProvider, []byte("other"))
	other["platform"] = map[string]string{"os": "plan9", "architecture": "mips"}
	index, _ := reg.manifest("index", indexType, map[string]any{"manifests": []descriptor{other, plain}})
	par, _ := reg.image("par", archiveType, packed)
	// As lath push puts them there.
	bare := filepath.Join(t.TempDir(), "kv")
	require.NoError(t, os.WriteFile(bare, []byte(text), 0o600))
	pushedArchive := reg.push("pushed-archive", oci.ProviderFile{Path: file})
	pushedPrograms := reg.push("pushed-programs", oci.ProviderFile{Path: file, OS: "plan9", Arch: "mips"}, oci.ProviderFile{Path: bare, OS: runtime.GOOS, Arch: runtime.GOARCH})
	for name, ref := range map[string]string{"archive": par, "program": reg.addr + "/p:plain", "index": index, "file": "file://" + file,
		"pushed archive": pushedArchive, "pushed programs": pushedPrograms} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := harness.New(t)
			n := reg.host(l)
			told := l.Events()
			require.NoError(t, n.Provide(ctl.StartProvider{ProviderID: "kv", ProviderRef: ref}))
			started := told.Next()
			require.Equal(t, "com.wasmcloud.lattice.provider_started", started.Type)
			require.NoError(t, n.Start("count", "counter", 4))
			require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
			require.Equal(t, "ok(1)", call(t, l))

			// What an archive's claims say is known, as v1 knows it.
			stored, err := l.Control.Claims(t.Context())
			require.NoError(t, err)
			inv, err := l.Control.Inventory(t.Context(), n.ID)
			require.NoError(t, err)
			require.Equal(t, ref, inv.Providers[0].ImageRef)
			if name == "program" || name == "index" || name == "pushed programs" {
				require.Empty(t, stored)
				require.NotContains(t, string(started.Data), "claims")
				return
			}
			require.Len(t, stored, 1)
			require.Equal(t, "one 1.2.3 4", stored[0]["name"]+" "+stored[0]["version"]+" "+stored[0]["rev"])
			require.JSONEq(t, `{"type":"object"}`, stored[0]["config_schema"])
			require.NotContains(t, stored[0], "call_alias")
			require.Contains(t, string(started.Data), `"tags":null,"name":"one","version":"1.2.3","not_before_human":"never","expires_human":"never"}`)
			require.Equal(t, "one", inv.Providers[0].Name)
			require.EqualValues(t, 4, inv.Providers[0].Revision)
		})
	}
}

func TestImagesThatAreRefused(t *testing.T) {
	t.Parallel()
	reg := newImages(t)
	l := harness.New(t)
	n := reg.host(l)
	text := program(t, "keyvalue")
	expired, _ := reg.image("expired", archiveType, archive(t, text, func(p map[string]any) { p["exp"] = 1700000000 }))
	foreign, _ := reg.image("foreign", archiveType, partest.Pack(t, partest.Signed(t, nil, nil), partest.File{Name: "sparc-plan9.bin", Content: "x"}))
	changed, _ := reg.image("changed", archiveType, partest.Pack(t, partest.Signed(t, map[string]string{par.Here(): text}, nil),
		partest.File{Name: par.Here() + ".bin", Content: text + "#"}))
	component, _ := reg.image("component", "application/wasm", []byte("\x00asm\x0d\x00\x01\x00"))
	noise, _ := reg.image("noise", oci.MediaProvider, []byte("hello"))
	for ref, want := range map[string]string{
		expired: "the claims have expired on 2023-11-14", foreign: "it has no binary for " + par.Here(), changed: "they were made for another",
		component: "it is a component, not a provider", noise: "neither a provider archive nor a program", reg.addr + "/p:nowhere": "not found in registry",
	} {
		err := n.Provide(ctl.StartProvider{ProviderID: "kv", ProviderRef: ref})
		require.ErrorContains(t, err, want, ref)
	}
	stored, err := l.Control.Claims(t.Context())
	require.NoError(t, err)
	require.Empty(t, stored, fmt.Sprint("nothing of what is refused is kept: ", stored))
}
