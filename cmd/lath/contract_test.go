package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
)

// TestCallOfAV1Component: a v1 host tells no contract. It is read out of the
// image that its inventory names, or of a file, and checked before a call.
func TestCallOfAV1Component(t *testing.T) {
	t.Parallel()
	srv, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: srv.URL()})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	id, err := lattice.NewIdentity("")
	require.NoError(t, err)
	wasm, err := filepath.Abs("../../examples/counter/counter.wasm")
	require.NoError(t, err)
	image, err := oci.FileReference(wasm)
	require.NoError(t, err)

	images := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(images.Close)
	addr := strings.TrimPrefix(images.URL, "http://")
	code, _, stderr := runs(t, "push", wasm, addr+"/counter:1", "--insecure")
	require.Equal(t, 0, code, stderr)

	answer := func(subject string, reply func(m *nats.Msg)) {
		_, err := nc.Subscribe(subject, reply)
		require.NoError(t, err)
	}
	text := func(format string, args ...any) func(*nats.Msg) {
		return func(m *nats.Msg) { _ = m.Respond(fmt.Appendf(nil, format, args...)) }
	}
	answer("wasmbus.ctl.v1.default.host.ping", text(`{"success":true,"message":"","response":{"id":%q,"friendly_name":"old","labels":{},"lattice":"default","uptime_seconds":1}}`, id.ID))
	answer("wasmbus.ctl.v1.default.host.get."+id.ID, text(`{"success":true,"message":"","response":{"components":[{"id":"c","image_ref":%q,"max_instances":1},{"id":"o","image_ref":%q,"max_instances":1}],"providers":[{"id":"p"}],"host_id":%q,"friendly_name":"old","labels":{},"version":"1.9.2","uptime_human":"1s","uptime_seconds":1}}`, image, addr+"/counter:1", id.ID))
	// v1's callee: handshake, results, end. It must see the one parameter.
	serve := func(id string) {
		answer("default."+id+".wrpc.0.0.1.example:counter/counter.increment", func(m *nats.Msg) {
			if string(m.Data) != "\x01x" {
				return // the caller will say that nothing came
			}
			_ = nc.PublishRequest(m.Reply, nc.NewInbox(), nil)
			_ = nc.Publish(m.Reply+".results", []byte{0, 7})
			_ = nc.Publish(m.Reply+".results", nil)
		})
	}
	serve("c")
	serve("o")
	serve("p")
	require.NoError(t, lattice.Flush(t.Context(), nc))

	var out string
	code, out, stderr = runs(t, "call", "o", `example:counter/counter.increment("x")`, "--nats-url", srv.URL(), "--cache-dir", t.TempDir(), "--insecure", addr)
	require.Equal(t, 0, code, stderr)
	require.Equal(t, "ok(7)\n", out, "its contract is in its image")

	code, out, stderr = runs(t, "call", "c", `example:counter/counter.increment("x")`, "--nats-url", srv.URL(), "--cache-dir", t.TempDir())
	require.Equal(t, 1, code, "files of other hosts are not read unasked: %s%s", out, stderr)
	require.Contains(t, stderr, "--wit FILE")

	wit := filepath.Join("..", "..", "examples", "counter", "wit")
	for _, target := range []string{"c", "p"} {
		code, out, stderr = runs(t, "call", target, `example:counter/counter.increment("x")`, "--nats-url", srv.URL(), "--cache-dir", t.TempDir(), "--wit", wit)
		require.Equal(t, 0, code, stderr)
		require.Equal(t, "ok(7)\n", out)
	}
	code, _, stderr = runs(t, "call", "p", `example:counter/counter.increment(1)`, "--nats-url", srv.URL(), "--wit", wit)
	require.Equal(t, 2, code, "checked before anything is sent")
	require.Contains(t, stderr, "expected string")
}
