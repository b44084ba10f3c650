package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// wasmbus is the module of wasmCloud's control and event clients.
const wasmbus = "x/wasmbus"

// buildController builds testdata/control in their module, once for all tests.
var buildController = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), buildPatience)
	defer cancel()
	wasmcloud, err := filepath.Abs(os.Getenv(wasmcloudVariable))
	if err != nil {
		return "", err
	}
	module, path := filepath.Join(wasmcloud, filepath.FromSlash(wasmbus)), filepath.Join(scratch, "control.exe")
	overlay, err := writeOverlay("control", filepath.Join(module, "lathcontrol", "main.go"))
	if err != nil {
		return "", err
	}
	return path, goTool(ctx, module, "build", "-buildvcs=false", "-overlay", overlay, "-o", path, "./lathcontrol")
})

// controller is testdata/control in another process.
type controller struct {
	t   *testing.T
	out *json.Encoder

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]chan line
	heard   []theirEvent
	used    map[string]bool
}

// line, theirEvent and reply are those of testdata/control and of their client.
type line struct {
	ID       uint64
	Response json.RawMessage
	Failure  string
	Event    *theirEvent
}

type theirEvent struct {
	Type, Source, Go string
	Data             json.RawMessage
	Refused, Raw     string
}

type reply struct {
	Success  bool
	Message  string
	Response json.RawMessage
}

func startController(t *testing.T, url string) *controller {
	t.Helper()
	path, err := buildController()
	require.NoError(t, err)
	stdin, out := io.Pipe()
	in, stdout := io.Pipe()
	c := &controller{t: t, out: json.NewEncoder(out), waiting: map[uint64]chan line{}, used: map[string]bool{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.read(json.NewDecoder(in))
	}()
	t.Cleanup(func() {
		_ = stdout.Close()
		<-done
	})
	process(t, stdin, stdout, path, url)
	t.Cleanup(func() { _ = out.Close() })
	return c
}

func (c *controller) read(in *json.Decoder) {
	for {
		var l line
		if in.Decode(&l) != nil {
			return
		}
		c.mu.Lock()
		ch := c.waiting[l.ID]
		delete(c.waiting, l.ID)
		if l.Event != nil {
			c.heard = append(c.heard, *l.Event)
		}
		c.mu.Unlock()
		if ch != nil {
			ch <- l
		}
	}
}

type args map[string]any

// ask calls a method of their client.
func (c *controller) ask(verb string, with args) (json.RawMessage, error) {
	c.t.Helper()
	ch := make(chan line, 1)
	c.mu.Lock()
	c.last++
	c.used[verb] = true
	id := c.last
	c.waiting[id] = ch
	err := c.out.Encode(map[string]any{"ID": id, "Verb": verb, "Args": with})
	c.mu.Unlock()
	require.NoError(c.t, err)
	select {
	case l := <-ch:
		if l.Failure != "" {
			return nil, errors.New(l.Failure)
		}
		return l.Response, nil
	case <-time.After(patience):
		c.t.Fatalf("%s: no answer", verb)
		return nil, nil
	}
}

// do calls a method of their client and returns the answer, which it could read.
func (c *controller) do(verb string, with args) reply {
	c.t.Helper()
	raw, err := c.ask(verb, with)
	require.NoError(c.t, err, verb)
	var r reply
	require.NoError(c.t, json.Unmarshal(raw, &r), verb)
	return r
}

// succeed is do for what must be done, and reads the answer into a value.
func (c *controller) succeed(verb string, with args, into any) string {
	c.t.Helper()
	r := c.do(verb, with)
	require.True(c.t, r.Success, "%s: %s", verb, r.Message)
	if into != nil {
		require.NoError(c.t, json.Unmarshal(r.Response, into), verb)
	}
	return r.Message
}

// waitFor waits for an event that their client has read.
func (c *controller) waitFor(name string, is func(data map[string]any) bool) theirEvent {
	c.t.Helper()
	var found theirEvent
	require.Eventually(c.t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, e := range c.heard {
			var data map[string]any
			if e.Type == lattice.EventTypePrefix+name && json.Unmarshal([]byte(e.Raw), &data) == nil && is(data) {
				found = e
				return true
			}
		}
		return false
	}, patience, 10*time.Millisecond, "no event %s", name)
	return found
}

func with(key string, value any) func(map[string]any) bool {
	return func(data map[string]any) bool { return data[key] == value }
}

// verbs are the methods of their client's interface.
func (c *controller) verbs() (names []string) {
	c.t.Helper()
	raw, err := c.ask("Verbs", nil)
	require.NoError(c.t, err)
	require.NoError(c.t, json.Unmarshal(raw, &names))
	return names
}

// TestWasmCloudsControlClientDrivesLath: each verb of their control client, and
// each event that their event client knows.
func TestWasmCloudsControlClientDrivesLath(t *testing.T) {
	t.Parallel()
	checkout(t, wasmcloudVariable, wasmcloudWhat, wasmbus+"/control/client.go")
	l := harness.New(t)
	c := startController(t, l.URL)
	c.verbs() // it has subscribed
	n := l.Host(func(cfg *host.Config) {
		cfg.Heartbeat = 500 * time.Millisecond
		cfg.Labels = map[string]string{"zone": "a"}
		harness.Offer("keyvalue-memory")(cfg)
	})
	for _, part := range []struct {
		name string
		try  func(c *controller, l *harness.Lattice, n *harness.Node)
	}{
		{"hosts", (*controller).hosts}, {"labels", (*controller).labels}, {"configs", (*controller).configs},
		{"components", (*controller).components}, {"providers", (*controller).providers}, {"links", (*controller).links},
		{"claims", (*controller).claims}, {"the end", (*controller).end}, {"events", (*controller).events},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			c.t = t
			part.try(c, l, n)
		}) {
			return
		}
	}
	c.t = t
	for _, verb := range c.verbs() {
		require.True(t, c.used[verb], "%s was not tried", verb)
	}
}

func (c *controller) hosts(_ *harness.Lattice, n *harness.Node) {
	t := c.t
	var hosts []map[string]any
	c.succeed("HostPing", args{"Wait": time.Second}, &hosts)
	require.Len(t, hosts, 1)
	require.Equal(t, n.ID, hosts[0]["id"])
	require.Equal(t, "default", hosts[0]["lattice"])
	require.NotEmpty(t, hosts[0]["friendly_name"])
	require.NotEmpty(t, hosts[0]["ctl_host"])
	require.Equal(t, "a", hosts[0]["labels"].(map[string]any)["zone"])
	var inventory map[string]any
	c.succeed("HostInventory", args{"HostID": n.ID}, &inventory)
	require.Equal(t, n.ID, inventory["host_id"])
	require.Empty(t, inventory["components"])
	c.waitFor("host_started", with("friendly_name", hosts[0]["friendly_name"]))
	c.waitFor("host_heartbeat", with("host_id", n.ID))
}

func (c *controller) labels(_ *harness.Lattice, n *harness.Node) {
	t := c.t
	require.Equal(t, "successfully put label", c.succeed("HostLabelPut", args{"HostID": n.ID, "Key": "tier", "Value": "web"}, nil))
	c.waitFor("labels_changed", func(data map[string]any) bool { return data["labels"].(map[string]any)["tier"] == "web" })
	require.Equal(t, "successfully deleted label", c.succeed("HostLabelDelete", args{"HostID": n.ID, "Key": "tier"}, nil))
	c.waitFor("labels_changed", func(data map[string]any) bool { return data["labels"].(map[string]any)["tier"] == nil })
	require.False(t, c.do("HostLabelPut", args{"HostID": n.ID, "Key": "hostcore.os", "Value": "x"}).Success)
}

func (c *controller) configs(*harness.Lattice, *harness.Node) {
	t := c.t
	require.Equal(t, "successfully put config", c.succeed("ConfigPut", args{"Name": "c", "Values": map[string]string{"k": "v"}}, nil))
	var values map[string]string
	c.succeed("ConfigGet", args{"Name": "c"}, &values)
	require.Equal(t, map[string]string{"k": "v"}, values)
	c.waitFor("config_set", with("config_name", "c"))
	require.Equal(t, "successfully deleted config", c.succeed("ConfigDelete", args{"Name": "c"}, nil))
	require.Equal(t, "Configuration not found", c.succeed("ConfigGet", args{"Name": "c"}, nil))
	c.waitFor("config_deleted", with("config_name", "c"))
}

func (c *controller) components(l *harness.Lattice, n *harness.Node) {
	t := c.t
	chain, types := l.Image("chain"), l.Image("types")
	var bid map[string]any
	c.succeed("ComponentAuction", args{"ComponentID": "c", "ComponentRef": chain, "Constraints": map[string]string{"zone": "a"}}, &bid)
	require.Equal(t, map[string]any{"host_id": n.ID, "component_id": "c", "component_ref": chain, "constraints": map[string]any{"zone": "a"}}, bid)

	scale := func(ref string, count int) reply {
		return c.do("ScaleComponent", args{"HostID": n.ID, "ComponentID": "c", "ComponentRef": ref, "Count": count,
			"Annotations": map[string]string{"wasmcloud.dev/managed-by": "wadm"}})
	}
	require.True(t, scale(chain, 3).Success)
	scaled := c.waitFor("component_scaled", with("max_instances", 3.0))
	require.Equal(t, "*events.ComponentScaled", scaled.Go)
	require.Equal(t, n.ID, scaled.Source)
	var inventory struct {
		Components []struct {
			ID           string            `json:"id"`
			ImageRef     string            `json:"image_ref"`
			MaxInstances int               `json:"max_instances"`
			Annotations  map[string]string `json:"annotations"`
		} `json:"components"`
	}
	c.succeed("HostInventory", args{"HostID": n.ID}, &inventory)
	require.Len(t, inventory.Components, 1)
	require.Equal(t, chain, inventory.Components[0].ImageRef)
	require.Equal(t, 3, inventory.Components[0].MaxInstances)
	require.Equal(t, "wadm", inventory.Components[0].Annotations["wasmcloud.dev/managed-by"])

	require.Contains(t, c.succeed("UpdateComponent", args{"HostID": n.ID, "ComponentID": "c", "NewComponentRef": types}, nil), "updating from "+chain)
	c.waitFor("component_scaled", with("image_ref", types))
	// What traps is told where their client does not hear it.
	_, _, err := l.Calls.Call(testContext(t), wrpc.Target{Prefix: lattice.RPCPrefix("default", "c"), Instance: "example:types/failures", Func: "trap"}, wrpc.Meta{}, nil)
	require.ErrorIs(t, err, wrpc.ErrTrap)
	require.True(t, scale(types, 0).Success)
	c.waitFor("component_scaled", with("max_instances", 0.0))
	missing := "file:///nowhere/at-all.wasm"
	require.True(t, scale(missing, 1).Success, "it is accepted, and fails later")
	failed := c.waitFor("component_scale_failed", with("image_ref", missing))
	require.Equal(t, "*events.ComponentScaleFailed", failed.Go)
	require.False(t, c.do("UpdateComponent", args{"HostID": n.ID, "ComponentID": "nobody", "NewComponentRef": types}).Success)
}

func (c *controller) providers(_ *harness.Lattice, n *harness.Node) {
	t := c.t
	ref := provider.Scheme + "keyvalue-memory"
	var bid map[string]any
	c.succeed("ProviderAuction", args{"ProviderID": "kv", "ProviderRef": ref, "Constraints": map[string]string{}}, &bid)
	require.Equal(t, n.ID, bid["host_id"])
	require.Equal(t, ref, bid["provider_ref"])
	start := args{"HostID": n.ID, "ProviderID": "kv", "ProviderRef": ref, "Annotations": map[string]string{"a": "b"}}
	require.Equal(t, "successfully started provider", c.succeed("ProviderStart", start, nil))
	c.waitFor("provider_started", with("provider_id", "kv"))
	again := c.do("ProviderStart", start)
	require.False(t, again.Success)
	require.Equal(t, "provider with that ID is already running", again.Message)
	c.succeed("ProviderStart", args{"HostID": n.ID, "ProviderID": "other", "ProviderRef": provider.Scheme + "nonsense"}, nil)
	c.waitFor("provider_start_failed", with("provider_id", "other"))
	require.Equal(t, "successfully stopped provider", c.succeed("ProviderStop", args{"HostID": n.ID, "ProviderID": "kv"}, nil))
	c.waitFor("provider_stopped", with("provider_id", "kv"))
	require.False(t, c.do("ProviderStop", args{"HostID": n.ID, "ProviderID": "kv"}).Success)
}

func (c *controller) links(*harness.Lattice, *harness.Node) {
	t := c.t
	link := args{"SourceID": "a", "Target": "b", "Name": "default", "WitNamespace": "wasi", "WitPackage": "keyvalue",
		"WitInterfaces": []string{"store"}, "SourceConfig": []string{}, "TargetConfig": []string{}}
	require.Equal(t, "successfully set link", c.succeed("LinkPut", link, nil))
	c.waitFor("linkdef_set", with("source_id", "a"))
	var links []map[string]any
	c.succeed("LinkGet", nil, &links)
	require.Equal(t, []map[string]any{{"source_id": "a", "target": "b", "name": "default", "wit_namespace": "wasi", "wit_package": "keyvalue",
		"interfaces": []any{"store"}, "source_config": []any{}, "target_config": []any{}}}, links)
	link["Target"] = "another"
	conflict := c.do("LinkPut", link)
	require.False(t, conflict.Success)
	require.Contains(t, conflict.Message, "link already exists with different target")
	c.waitFor("linkdef_set_failed", with("target", "another"))
	gone := args{"SourceID": "a", "Name": "default", "WitNamespace": "wasi", "WitPackage": "keyvalue"}
	require.Equal(t, "successfully deleted link", c.succeed("LinkDelete", gone, nil))
	c.waitFor("linkdef_deleted", with("source_id", "a"))
	c.succeed("LinkGet", nil, &links)
	require.Empty(t, links)
}

// claims: their client wants one map where v1's hosts, and ours, answer a list of
// them, as the control interface of v1.9.2 has it; it cannot read either.
func (c *controller) claims(*harness.Lattice, *harness.Node) {
	_, err := c.ask("ClaimsGet", nil)
	require.ErrorContains(c.t, err, "cannot unmarshal array")
}

func (c *controller) end(_ *harness.Lattice, n *harness.Node) {
	require.False(c.t, c.do("HostStop", args{"HostID": n.ID, "Timeout": -1}).Success)
	require.Equal(c.t, "successfully handled stop host", c.succeed("HostStop", args{"HostID": n.ID, "Timeout": 3000}, nil))
	require.NoError(c.t, n.Ended())
	c.waitFor("host_stopped", func(map[string]any) bool { return true })
}

// events: their client has read all that was told, and lost nothing of it. What a
// lattice without external providers and signed components does not tell is told
// here.
func (c *controller) events(l *harness.Lattice, n *harness.Node) {
	t := c.t
	p, err := event.NewPublisher(event.PublisherConfig{Conn: l.Conn, Lattice: "default", HostID: n.ID})
	require.NoError(t, err)
	for _, data := range []event.Data{
		event.ComponentScaled{HostID: n.ID, ComponentID: "signed", ImageRef: "r", PublicKey: "M1", Claims: &event.ComponentClaims{
			CallAlias: "x", Issuer: "A1", Name: "one", Version: "1.0", Revision: 3, Tags: []string{"a"}, NotBefore: "never", Expires: "1700000000"}},
		event.ComponentScaleFailed{HostID: n.ID, ComponentID: "signed", ImageRef: "r", PublicKey: "M1", Error: "no"},
		event.ProviderStarted{HostID: n.ID, ProviderID: "signed", ImageRef: "r", Claims: &event.ProviderClaims{
			Issuer: "A1", Name: "one", Version: "1.0", NotBefore: "never", Expires: "never"}},
		event.HealthPassed{HostID: n.ID, ProviderID: "kv"}, event.HealthFailed{HostID: n.ID, ProviderID: "kv"},
		event.HealthStatus{HostID: n.ID, ProviderID: "kv"},
		event.ComponentTrapped{ComponentID: "unheard"},
	} {
		require.NoError(t, p.Publish(data))
	}
	c.waitFor("health_check_status", with("provider_id", "kv"))
	kinds := map[string]bool{}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.heard {
		require.Empty(t, e.Refused, "%s: %s", e.Type, e.Raw)
		require.Equal(t, n.ID, e.Source)
		kinds[e.Type] = true
		requireKept(t, e)
	}
	require.Len(t, kinds, 17, "all that their client knows: %v", kinds)
}

// requireKept compares what their client read with what was sent, field by field.
func requireKept(t *testing.T, e theirEvent) {
	t.Helper()
	var sent, read map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(e.Raw), &sent))
	require.NoError(t, json.Unmarshal(e.Data, &read))
	for field, value := range sent {
		got, known := read[field]
		switch field {
		case "claims", "components", "providers": // theirs have fields more, or fewer
			continue
		}
		if known {
			require.JSONEq(t, string(value), string(got), "%s: %s", e.Type, field)
			continue
		}
		// What v1 sends, and their client leaves out where it is empty or always.
		require.Contains(t, []string{"link_name", "public_key", "instance_id", "labels"}, field, e.Type)
	}
}
