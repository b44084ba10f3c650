package ctl_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	v1 "github.com/lathhost/lath/test/v1"
)

// TestWire plays v1 requests, byte for byte, against a server, and compares the
// answers byte for byte. HOST stands for the host's id.
func TestWire(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, _ := newHost(t, nc, nil)
	const link = `{"source_id":"counter","target":"kv","name":"default","wit_namespace":"wasi","wit_package":"keyvalue",` +
		`"interfaces":["store","atomics"],"source_config":[],"target_config":["c"]}`

	for _, tc := range []struct{ name, subject, request, answer string }{
		{"ping", "host.ping", "", `{"success":true,"message":"","response":{"id":"HOST","friendly_name":"calm-cedar-0001",` +
			`"labels":{},"lattice":"default","uptime_seconds":184,"uptime_human":"3m 4s","version":"0.1.0",` +
			`"rpc_host":"nats://127.0.0.1:4222","ctl_host":"nats://127.0.0.1:4222"}}`},
		{"inventory", "host.get.HOST", "", `{"success":true,"message":"","response":{"components":[{"id":"http_hello",` +
			`"image_ref":"ghcr.io/x/y:1.0.0","name":"hello","annotations":{"k":"v"},"revision":0,"max_instances":100,` +
			`"limits":null}],"providers":[{"id":"httpserver","image_ref":"ghcr.io/wasmcloud/http-server:0.27.0",` +
			`"name":"http-server","revision":0,"annotations":{}}],"host_id":"HOST","friendly_name":"calm-cedar-0001",` +
			`"labels":{},"version":"0.1.0","uptime_human":"10s","uptime_seconds":10}}`},
		{"stop", "host.stop.HOST", `{"host_id":"HOST","timeout":2000}`, `{"success":true,"message":"successfully handled stop host"}`},
		{"stop without body", "host.stop.HOST", "", `{"success":true,"message":"successfully handled stop host"}`},
		{"stop of another", "host.stop.HOST", `{"host_id":"NX"}`, `{"success":false,"message":"invalid host_id [NX]"}`},
		{"scale", "component.scale.HOST", `{"component_ref":"ghcr.io/x/y:1","component_id":"y","host_id":"HOST","count":5,` +
			`"annotations":{"a":"b"},"config":["c1","c2"],"allow_update":true,` +
			`"component_limits":{"max_memory_limit":"65536","max_execution_time":"1000"},"from_the_future":1}`,
			`{"success":true,"message":""}`},
		{"start provider", "provider.start.HOST", `{"provider_id":"kv","provider_ref":"lath+builtin://keyvalue","host_id":"HOST"}`,
			`{"success":true,"message":"successfully started provider"}`},
		{"stop provider", "provider.stop.HOST", `{"host_id":"HOST","provider_id":"kv"}`,
			`{"success":true,"message":"successfully stopped provider"}`},
		{"stop provider by its older field", "provider.stop.HOST", `{"host_id":"HOST","provider_ref":"absent"}`,
			`{"success":false,"message":"provider with that ID is not running"}`},
		{"no links", "link.get", "", `{"success":true,"message":"","response":[]}`},
		{"put link", "link.put", link, `{"success":true,"message":"successfully set link"}`},
		{"get links", "link.get", "", `{"success":true,"message":"","response":[` + link + `]}`},
		{"delete link", "link.del", `{"source_id":"counter","wit_namespace":"wasi","wit_package":"keyvalue"}`,
			`{"success":true,"message":"successfully deleted link"}`},
		{"delete unknown link", "link.del", `{"source_id":"unknown","name":"n","wit_namespace":"wasi","wit_package":"keyvalue"}`,
			`{"success":true,"message":"successfully deleted link (spec doesn't exist)"}`},
		{"update", "component.update.HOST", `{"component_id":"y","host_id":"HOST","new_component_ref":"b"}`,
			`{"success":true,"message":"component y updating from a to b"}`},
		{"component auction", "component.auction", `{"component_ref":"r","component_id":"c","constraints":{"zone":"a"}}`,
			`{"success":true,"message":"","response":{"component_ref":"r","component_id":"c","host_id":"HOST","constraints":{"zone":"a"}}}`},
		{"provider auction", "provider.auction", `{"provider_ref":"r","provider_id":"p","constraints":{"zone":"a"}}`,
			`{"success":true,"message":"","response":{"host_id":"HOST","provider_ref":"r","provider_id":"p","constraints":{"zone":"a"}}}`},
		{"malformed auction", "component.auction", `{`,
			`{"success":false,"message":"failed to deserialize component auction: JSON: invalid: unexpected end of JSON input"}`},
		{"put label", "label.put.HOST", `{"key":"zone","value":"a"}`, `{"success":true,"message":"successfully put label"}`},
		{"put a label of the host's", "label.put.HOST", `{"key":"HostCore.os","value":"a"}`,
			`{"success":false,"message":"hostcore.* labels cannot be set dynamically"}`},
		{"delete label", "label.del.HOST", `{"key":"known"}`, `{"success":true,"message":"successfully deleted label"}`},
		{"delete unknown label", "label.del.HOST", `{"key":"unknown"}`,
			`{"success":true,"message":"successfully deleted label (no such label)"}`},
		{"put config", "config.put.c", `{"a":"1"}`, `{"success":true,"message":"successfully put config"}`},
		{"get config", "config.get.known", "", `{"success":true,"message":"","response":{"a":"1"}}`},
		{"get empty config", "config.get.empty", "", `{"success":true,"message":"","response":{}}`},
		{"get unknown config", "config.get.unknown", "", `{"success":true,"message":"Configuration not found"}`},
		{"delete config", "config.del.c", "", `{"success":true,"message":"successfully deleted config"}`},
		{"config of many tokens", "config.get.a.b", "", `{"success":false,"message":"unsupported subject"}`},
		{"claims", "claims.get", "", `{"success":true,"message":"","response":[{"name":"one","sub":"M1"}]}`},
		{"registries", "registry.put", `{"r:5000":{"username":"u","password":"p","registryType":"oci"}}`,
			`{"success":true,"message":"successfully put registries"}`},
		{"unknown verb", "link.polish", "", `{"success":false,"message":"unsupported subject"}`},
		{"unknown host verb", "component.polish.HOST", "", `{"success":false,"message":"unsupported subject"}`},
	} {
		in := strings.NewReplacer("HOST", host.id)
		msg, err := nc.Request("wasmbus.ctl.v1.default."+in.Replace(tc.subject), []byte(in.Replace(tc.request)), 20*time.Second)
		require.NoError(t, err, tc.name)
		require.Equal(t, in.Replace(tc.answer), string(msg.Data), tc.name)
	}

	require.Equal(t, []any{
		ctl.StopHost{HostID: host.id, Timeout: 2000},
		ctl.StopHost{},
		ctl.ScaleComponent{
			ComponentRef: "ghcr.io/x/y:1", ComponentID: "y", HostID: host.id, MaxInstances: 5,
			Annotations: map[string]string{"a": "b"}, Config: []string{"c1", "c2"}, AllowUpdate: true,
			Limits: &lattice.ComponentLimits{MaxMemory: "65536", MaxExecutionTime: "1000"},
		},
		ctl.StartProvider{ProviderRef: "lath+builtin://keyvalue", ProviderID: "kv", HostID: host.id},
		ctl.StopProvider{HostID: host.id, ProviderID: "kv"},
		ctl.StopProvider{HostID: host.id, ProviderID: "absent"},
		lattice.Link{SourceID: "counter", Target: "kv", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue",
			Interfaces: []string{"store", "atomics"}, SourceConfig: []string{}, TargetConfig: []string{"c"}},
		lattice.LinkKey{SourceID: "counter", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue"},
		lattice.LinkKey{SourceID: "unknown", Name: "n", WITNamespace: "wasi", WITPackage: "keyvalue"},
		ctl.UpdateComponent{ComponentID: "y", HostID: host.id, NewComponentRef: "b"},
		ctl.ComponentAuction{ComponentRef: "r", ComponentID: "c", Constraints: map[string]string{"zone": "a"}},
		ctl.ProviderAuction{ProviderRef: "r", ProviderID: "p", Constraints: map[string]string{"zone": "a"}},
		ctl.PutLabel{Key: "zone", Value: "a"},
		ctl.DeleteLabel{Key: "known"}, ctl.DeleteLabel{Key: "unknown"},
		"put config c", map[string]string{"a": "1"},
		"get config known", "get config empty", "get config unknown", "delete config c",
		map[string]ctl.RegistryAuth{"r:5000": {Username: "u", Password: "p", Type: "oci"}},
	}, host.recorded())

	// A host that does not bid says nothing at all.
	_, err := nc.Request("wasmbus.ctl.v1.default.component.auction", []byte(`{"component_ref":"r","component_id":"c","constraints":{}}`), 100*time.Millisecond)
	require.ErrorIs(t, err, nats.ErrTimeout)
	for _, body := range []string{`{"a":1}`, `null`, `[]`, `7`} {
		msg, err := nc.Request("wasmbus.ctl.v1.default.config.put.c", []byte(body), 20*time.Second)
		require.NoError(t, err)
		require.Contains(t, string(msg.Data), `"success":false,"message":"config data should be a map of string -> string`)
	}
}

// TestClientWire records what the client publishes.
func TestClientWire(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	host, _ := newHost(t, nc, nil)
	client := newClient(t, nc)
	spy, err := nc.SubscribeSync("wasmbus.ctl.v1.default.>")
	require.NoError(t, err)

	ctx := t.Context()
	for _, tc := range []struct {
		subject, body string
		do            func() error
	}{
		{"host.get.HOST", "", func() error { _, err := client.Inventory(ctx, host.id); return err }},
		{"host.stop.HOST", `{"host_id":"HOST","timeout":1500}`, func() error {
			return client.StopHost(ctx, host.id, 1500*time.Millisecond)
		}},
		{"component.scale.HOST", `{"component_ref":"r","component_id":"c","host_id":"HOST","count":7,"config":[],"allow_update":false}`,
			func() error {
				_, err := client.ScaleComponent(ctx, host.id, ctl.ScaleComponent{ComponentRef: "r", ComponentID: "c", MaxInstances: 7})
				return err
			}},
		{"provider.start.HOST", `{"provider_ref":"r","provider_id":"p","host_id":"HOST","config":[],"annotations":{"a":"<b>"}}`,
			func() error {
				return client.StartProvider(ctx, host.id, ctl.StartProvider{
					ProviderRef: "r", ProviderID: "p", Annotations: map[string]string{"a": "<b>"},
				})
			}},
		{"provider.stop.HOST", `{"host_id":"HOST","provider_id":"p"}`, func() error { return client.StopProvider(ctx, host.id, "p") }},
		{"link.get", "", func() error { _, err := client.Links(ctx); return err }},
		{"link.put", `{"source_id":"a","target":"b","name":"default","wit_namespace":"wasi","wit_package":"keyvalue",` +
			`"interfaces":["store"],"source_config":[],"target_config":[]}`, func() error { return client.PutLink(ctx, storeLink("a", "b")) }},
		{"link.del", `{"source_id":"a","name":"default","wit_namespace":"wasi","wit_package":"keyvalue"}`,
			func() error { return client.DeleteLink(ctx, storeLink("a", "b").Key()) }},
		{"component.update.HOST", `{"component_id":"c","host_id":"HOST","new_component_ref":"r2"}`, func() error {
			_, err := client.UpdateComponent(ctx, host.id, ctl.UpdateComponent{ComponentID: "c", NewComponentRef: "r2"})
			return err
		}},
		{"component.auction", `{"component_ref":"r","component_id":"c","constraints":{"zone":"a"}}`, func() error {
			bids, err := client.AuctionComponent(ctx, ctl.ComponentAuction{ComponentRef: "r", ComponentID: "c", Constraints: map[string]string{"zone": "a"}})
			require.Equal(t, []ctl.ComponentBid{{ComponentRef: "r", ComponentID: "c", HostID: host.id, Constraints: map[string]string{"zone": "a"}}}, bids)
			return err
		}},
		{"provider.auction", `{"provider_ref":"r","provider_id":"p","constraints":{"zone":"a"}}`, func() error {
			bids, err := client.AuctionProvider(ctx, ctl.ProviderAuction{ProviderRef: "r", ProviderID: "p", Constraints: map[string]string{"zone": "a"}})
			require.Len(t, bids, 1)
			return err
		}},
		{"label.put.HOST", `{"key":"k","value":"v"}`, func() error { return client.PutLabel(ctx, host.id, "k", "v") }},
		{"label.del.HOST", `{"key":"k"}`, func() error { return client.DeleteLabel(ctx, host.id, "k") }},
		{"config.put.c", `{}`, func() error { return client.PutConfig(ctx, "c", nil) }},
		{"config.get.known", ``, func() error {
			values, err := client.Config(ctx, "known")
			require.Equal(t, map[string]string{"a": "1"}, values)
			return err
		}},
		{"config.get.unknown", ``, func() error {
			_, err := client.Config(ctx, "unknown")
			require.ErrorIs(t, err, lattice.ErrNotFound)
			return nil
		}},
		{"config.del.c", ``, func() error { return client.DeleteConfig(ctx, "c") }},
		{"claims.get", ``, func() error {
			claims, err := client.Claims(ctx)
			require.Len(t, claims, 1)
			return err
		}},
		{"registry.put", `{"r:5000":{"username":"u","password":"p","registryType":"oci"}}`, func() error {
			return client.PutRegistries(ctx, map[string]ctl.RegistryAuth{"r:5000": {Username: "u", Password: "p"}})
		}},
	} {
		require.NoError(t, tc.do(), tc.subject)
		msg := next(t, spy)
		in := strings.NewReplacer("HOST", host.id)
		require.Equal(t, "wasmbus.ctl.v1.default."+in.Replace(tc.subject), msg.Subject)
		require.Equal(t, in.Replace(tc.body), string(msg.Data))
		if tc.body != "" {
			kindAndVerb := strings.Join(strings.SplitN(tc.subject, ".", 3)[:2], ".")
			require.NoError(t, v1.Request(kindAndVerb, msg.Data))
		}
	}
}

// Nobody's bid is no error.
func TestAuctionThatNobodyWins(t *testing.T) {
	t.Parallel()
	nc := connect(t, startNATS(t, 0))
	newHost(t, nc, nil)
	client, err := ctl.NewClient(ctl.ClientConfig{Conn: nc, Lattice: testLattice, GatherTimeout: 50 * time.Millisecond})
	require.NoError(t, err)
	bids, err := client.AuctionComponent(t.Context(), ctl.ComponentAuction{ComponentRef: "r", ComponentID: "c"})
	require.NoError(t, err)
	require.Empty(t, bids)
}

func next(t *testing.T, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	msg, err := sub.NextMsg(20 * time.Second)
	require.NoError(t, err)
	return msg
}

func storeLink(source, target string) lattice.Link {
	return lattice.Link{
		SourceID: source, Target: target, Name: "default",
		WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store"},
	}
}
