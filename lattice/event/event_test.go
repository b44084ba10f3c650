package event_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/natsserver"
	v1 "github.com/lathhost/lath/test/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testID     = "01938c4e-7a3b-7c41-8d5e-2f6a9b0c1d2e"
	testSource = "NAHDLC3SLFGP3WD62IBZ34KRCW53AV2OBXJK3IPCKFQF37XXS5KWSICR"
	head       = `{"specversion":"1.0","id":"` + testID + `","source":"` + testSource + `","type":"com.wasmcloud.lattice.`
	middle     = `","datacontenttype":"application/json","time":"2026-11-21T10:00:00.123456789Z","data":`
)

var link = lattice.Link{
	SourceID: "counter", Target: "kv", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue",
	Interfaces: []string{"store"}, SourceConfig: []string{}, TargetConfig: []string{"c"},
}

const linkFields = `"source_id":"counter","target":"kv","name":"default","wit_namespace":"wasi","wit_package":"keyvalue",` +
	`"interfaces":["store"],"source_config":[],"target_config":["c"]`

// golden has every event, its body byte for byte, and the fields without which
// wadm drops it.
var golden = []struct {
	data      event.Data
	body      string
	mandatory []string
}{
	{event.HostStarted{FriendlyName: "calm-cedar-0001", Version: "0.1.0"},
		`{"friendly_name":"calm-cedar-0001","labels":{},"uptime_seconds":0,"version":"0.1.0"}`,
		[]string{"labels", "friendly_name"}},
	{event.HostHeartbeat{Inventory: lattice.Inventory{
		Components: []lattice.ComponentDescription{{
			ID: "c", ImageRef: "r", MaxInstances: 5, Limits: &lattice.ComponentLimits{MaxMemory: "65536"},
		}},
		HostID: testSource, FriendlyName: "calm-cedar-0001", Labels: map[string]string{"hostcore.os": "linux"},
		Version: "0.1.0", UptimeHuman: "30s", UptimeSeconds: 30,
	}},
		`{"components":[{"id":"c","image_ref":"r","annotations":{},"revision":0,"max_instances":5,` +
			`"limits":{"max_memory_limit":"65536"}}],"providers":[],"host_id":"` + testSource + `",` +
			`"friendly_name":"calm-cedar-0001","labels":{"hostcore.os":"linux"},"version":"0.1.0","uptime_human":"30s","uptime_seconds":30}`,
		[]string{"components", "providers", "friendly_name", "labels", "version", "uptime_human", "uptime_seconds"}},
	{event.HostStopped{}, `{"labels":{}}`, []string{"labels"}},
	{event.ComponentScaled{HostID: testSource, ImageRef: "ghcr.io/x/y:1", ComponentID: "c"},
		`{"host_id":"` + testSource + `","image_ref":"ghcr.io/x/y:1","component_id":"c","max_instances":0,"annotations":{}}`,
		[]string{"annotations", "image_ref", "max_instances", "component_id"}},
	{event.ComponentScaled{HostID: testSource, ImageRef: "r", ComponentID: "c", MaxInstances: 5, PublicKey: "M1", Claims: &event.ComponentClaims{
		Issuer: "A1", Tags: []string{"a"}, Name: "one", Version: "1.0", Revision: 3, NotBefore: "never", Expires: "1700000000"}},
		`{"host_id":"` + testSource + `","image_ref":"r","component_id":"c","max_instances":5,"annotations":{},"public_key":"M1",` +
			`"claims":{"issuer":"A1","tags":["a"],"name":"one","version":"1.0","revision":3,"not_before_human":"never","expires_human":"1700000000"}}`,
		nil},
	{event.ComponentScaleFailed{HostID: testSource, ImageRef: "r", ComponentID: "c", MaxInstances: 1, PublicKey: "M1", Error: "no"},
		`{"host_id":"` + testSource + `","image_ref":"r","component_id":"c","max_instances":1,"annotations":{},"public_key":"M1","error":"no"}`, nil},
	{event.ComponentScaleFailed{HostID: testSource, ImageRef: "r", ComponentID: "c", MaxInstances: 1,
		Annotations: map[string]string{"wasmcloud.dev/managed-by": "wadm"}, Error: `pull "r": <none>`},
		`{"host_id":"` + testSource + `","image_ref":"r","component_id":"c","max_instances":1,` +
			`"annotations":{"wasmcloud.dev/managed-by":"wadm"},"error":"pull \"r\": <none>"}`,
		[]string{"annotations", "image_ref", "max_instances", "component_id", "error"}},
	{event.ProviderStarted{HostID: testSource, ImageRef: "keyvalue", ProviderID: "kv"},
		`{"host_id":"` + testSource + `","image_ref":"keyvalue","provider_id":"kv","annotations":{}}`,
		[]string{"annotations", "image_ref", "provider_id"}},
	{event.ProviderStarted{HostID: testSource, ImageRef: "r", ProviderID: "kv", Claims: &event.ProviderClaims{
		Issuer: "A1", Name: "one", Version: "1.0", NotBefore: "never", Expires: "1700000000"}},
		`{"host_id":"` + testSource + `","image_ref":"r","provider_id":"kv","annotations":{},"claims":{"issuer":"A1","tags":null,"name":"one",` +
			`"version":"1.0","not_before_human":"never","expires_human":"1700000000"},"instance_id":"kv","public_key":"kv","link_name":"default"}`,
		nil},
	{event.HealthPassed{HostID: testSource, ProviderID: "kv"},
		`{"host_id":"` + testSource + `","provider_id":"kv"}`, []string{"host_id", "provider_id"}},
	{event.HealthFailed{HostID: testSource, ProviderID: "kv"},
		`{"host_id":"` + testSource + `","provider_id":"kv"}`, []string{"host_id", "provider_id"}},
	{event.HealthStatus{HostID: testSource, ProviderID: "kv"},
		`{"host_id":"` + testSource + `","provider_id":"kv"}`, []string{"host_id", "provider_id"}},
	{event.ProviderStartFailed{ProviderRef: "r", ProviderID: "kv", HostID: testSource, Error: "no"},
		`{"provider_ref":"r","provider_id":"kv","host_id":"` + testSource + `","error":"no","link_name":"default"}`,
		[]string{"error", "provider_id", "provider_ref"}},
	{event.ProviderStopped{HostID: testSource, ProviderID: "kv", Reason: "stop"},
		`{"host_id":"` + testSource + `","provider_id":"kv","annotations":{},"reason":"stop",` +
			`"instance_id":"kv","public_key":"kv","link_name":"default"}`,
		[]string{"annotations", "provider_id", "reason"}},
	{event.LinkSet{Link: link}, `{` + linkFields + `}`,
		[]string{"source_id", "target", "wit_namespace", "wit_package", "interfaces"}},
	{event.LinkSetFailed{Link: link, Error: "no"}, `{` + linkFields + `,"error":"no"}`,
		[]string{"source_id", "target", "error"}},
	{event.LabelsChanged{HostID: testSource}, `{"host_id":"` + testSource + `","labels":{}}`, []string{"host_id", "labels"}},
	{event.ConfigSet{ConfigName: "c"}, `{"config_name":"c"}`, []string{"config_name"}},
	{event.ConfigDeleted{ConfigName: "c"}, `{"config_name":"c"}`, []string{"config_name"}},
	{event.LinkDeleted{SourceID: "a", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue"},
		`{"source_id":"a","name":"default","wit_namespace":"wasi","wit_package":"keyvalue"}`,
		[]string{"source_id", "name", "wit_namespace", "wit_package"}},
	{event.LinkDeleted{SourceID: "a", Target: "b", Name: "n", WITNamespace: "wasi", WITPackage: "http", Interfaces: []string{"x"}},
		`{"source_id":"a","target":"b","name":"n","wit_namespace":"wasi","wit_package":"http","interfaces":["x"]}`, nil},
}

// goldenOwn has every event that v1 does not have.
var goldenOwn = []struct {
	data      event.Data
	body      string
	mandatory []string
}{
	{event.ComponentTrapped{HostID: testSource, ComponentID: "c", ImageRef: "r", Count: 12, Function: "a:b/c.d", SourceID: "s",
		Code: "unreachable", Cause: "c: a:b/c.d: unreachable", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736"},
		`{"host_id":"` + testSource + `","component_id":"c","image_ref":"r","count":12,"function":"a:b/c.d","source_id":"s",` +
			`"code":"unreachable","cause":"c: a:b/c.d: unreachable","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}`,
		[]string{"host_id", "component_id", "count", "function", "code", "cause", "trace_id"}},
	{event.ComponentCrashLoop{HostID: testSource, ComponentID: "c", ImageRef: "r", Traps: 20, Calls: 21, WindowSeconds: 30,
		Function: "a:b/c.d", Code: "unreachable", Cause: "c: unreachable", TraceID: "4b"},
		`{"host_id":"` + testSource + `","component_id":"c","image_ref":"r","traps":20,"calls":21,"window_seconds":30,` +
			`"function":"a:b/c.d","code":"unreachable","cause":"c: unreachable","trace_id":"4b"}`,
		[]string{"host_id", "component_id", "traps", "calls", "window_seconds", "cause"}},
	{event.ProviderCrashed{HostID: testSource, ProviderID: "kv", ImageRef: "r", Cause: "exit status 1", Crashes: 2, RestartMilliseconds: 200},
		`{"host_id":"` + testSource + `","provider_id":"kv","image_ref":"r","cause":"exit status 1","crashes":2,"restart_ms":200}`,
		[]string{"host_id", "provider_id", "cause", "crashes", "restart_ms"}},
	{event.ProviderCrashLoop{HostID: testSource, ProviderID: "kv", ImageRef: "r", Cause: "exit status 1", Crashes: 8, WindowSeconds: 60, RestartMilliseconds: 30000},
		`{"host_id":"` + testSource + `","provider_id":"kv","image_ref":"r","cause":"exit status 1","crashes":8,"window_seconds":60,"restart_ms":30000}`,
		[]string{"host_id", "provider_id", "cause", "crashes", "window_seconds", "restart_ms"}},
}

const headOwn = `{"specversion":"1.0","id":"` + testID + `","source":"` + testSource + `","type":"io.github.lathhost.lattice.`

func newEvent(data event.Data) event.Event {
	return event.Event{
		ID: testID, Source: testSource, Data: data,
		Time: time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC),
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	for i, tc := range slices.Concat(golden, goldenOwn) {
		head := head
		if i >= len(golden) {
			head = headOwn
		}
		got, err := newEvent(tc.data).Encode()
		require.NoError(t, err)
		require.Equal(t, head+tc.data.EventName()+middle+tc.body+"}", string(got))

		back, err := event.Decode(got)
		require.NoError(t, err)
		require.Equal(t, testID, back.ID)
		require.Equal(t, testSource, back.Source)
		require.True(t, back.Time.Equal(newEvent(nil).Time))
		again, err := back.Encode()
		require.NoError(t, err)
		require.Equal(t, string(got), string(again), "decoding loses nothing")
	}
}

// What v1 has an event for is told as v1 tells it, and each of its events is told.
func TestAsV1(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, tc := range golden {
		name := tc.data.EventName()
		got, err := newEvent(tc.data).Encode()
		require.NoError(t, err)
		require.NoError(t, v1.Event("default", lattice.EventSubject("default", name), got))
		told[name] = true
	}
	require.ElementsMatch(t, v1.EventNames(), slices.Collect(maps.Keys(told)))
}

// The decoder is as strict as wadm's: without a mandatory field, or with null in
// its place, there is no event.
func TestMandatoryFields(t *testing.T) {
	t.Parallel()
	for i, tc := range slices.Concat(golden, goldenOwn) {
		head := head
		if i >= len(golden) {
			head = headOwn
		}
		for _, field := range tc.mandatory {
			for _, how := range []string{"missing", "null"} {
				var body map[string]any
				require.NoError(t, json.Unmarshal([]byte(tc.body), &body))
				require.Contains(t, body, field)
				if how == "null" {
					body[field] = nil
				} else {
					delete(body, field)
				}
				raw, err := json.Marshal(body)
				require.NoError(t, err)
				_, err = event.Decode(fmt.Appendf(nil, "%s%s%s%s}", head, tc.data.EventName(), middle, raw))
				require.ErrorIs(t, err, lattice.ErrInvalid, "%s: %s %s", tc.data.EventName(), field, how)
				require.ErrorContains(t, err, field)
			}
		}
	}
}

func TestDecodeV1Peers(t *testing.T) {
	t.Parallel()
	// As a Rust host writes it: an offset instead of Z, other order, claims.
	e, err := event.Decode([]byte(`{"data":{"annotations":{},"claims":{"name":"x"},"component_id":"c","host_id":"N",` +
		`"image_ref":"r","max_instances":18446744073709551615,"public_key":"M"},"datacontenttype":"application/json",` +
		`"id":"x","source":"N","specversion":"1.0","time":"2025-01-01T00:00:00.123456789+00:00",` +
		`"type":"com.wasmcloud.lattice.component_scaled"}`))
	require.NoError(t, err)
	require.Equal(t, event.ComponentScaled{
		HostID: "N", ImageRef: "r", ComponentID: "c", MaxInstances: 1<<64 - 1, Annotations: map[string]string{},
		PublicKey: "M", Claims: &event.ComponentClaims{Name: "x"},
	}, e.Data)

	e, err = event.Decode([]byte(head + "host_heartbeat" + middle + `{"actors":[{"id":"old"}],"providers":[],"friendly_name":"f",` +
		`"labels":{},"version":"0.82.0","uptime_human":"1s","uptime_seconds":1}}`))
	require.NoError(t, err)
	require.Equal(t, "old", e.Data.(event.HostHeartbeat).Components[0].ID)

	e, err = event.Decode([]byte(head + "policy_set" + middle + `{"config_name":"x"}}`))
	require.NoError(t, err)
	require.Equal(t, event.Unknown{Kind: "policy_set", Raw: json.RawMessage(`{"config_name":"x"}`)}, e.Data)
	_, err = e.Encode()
	require.ErrorIs(t, err, lattice.ErrInvalid)
}

// An event under a type of another's name is of no known kind, whatever it holds.
func TestTypesAreNotMixedUp(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		head + "component_trapped" + middle + `{}}`,
		headOwn + "host_stopped" + middle + `{"labels":{}}}`,
		headOwn + "from_the_future" + middle + `{}}`,
	} {
		e, err := event.Decode([]byte(data))
		require.NoError(t, err)
		require.IsType(t, event.Unknown{}, e.Data)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good := `{"labels":{}}}`
	for name, data := range map[string]string{
		"nothing":      ``,
		"no JSON":      `hello`,
		"no object":    `[1]`,
		"cut off":      (head + "host_stopped" + middle + good)[:150],
		"no id":        `{"specversion":"1.0","source":"N","type":"com.wasmcloud.lattice.host_stopped","data":` + good,
		"no source":    `{"specversion":"1.0","id":"x","type":"com.wasmcloud.lattice.host_stopped","data":` + good,
		"no type":      `{"specversion":"1.0","id":"x","source":"N","data":` + good,
		"other type":   `{"specversion":"1.0","id":"x","source":"N","type":"com.example.thing","data":` + good,
		"other spec":   `{"specversion":"7.0","id":"x","source":"N","type":"com.wasmcloud.lattice.host_stopped","data":` + good,
		"no data":      `{"specversion":"1.0","id":"x","source":"N","type":"com.wasmcloud.lattice.host_stopped"}`,
		"data no map":  head + "host_stopped" + middle + `"labels"}`,
		"wrong labels": head + "host_stopped" + middle + `{"labels":{"a":1}}}`,
		"huge":         head + "host_stopped" + middle + string(make([]byte, event.MaxSize)),
	} {
		_, err := event.Decode([]byte(data))
		require.ErrorIs(t, err, lattice.ErrInvalid, name)
	}
}

func FuzzEvent(f *testing.F) {
	for _, tc := range goldenOwn {
		f.Add([]byte(headOwn + tc.data.EventName() + middle + tc.body + "}"))
	}
	for _, tc := range golden {
		f.Add([]byte(head + tc.data.EventName() + middle + tc.body + "}"))
	}
	f.Add([]byte(head + "config_set" + middle + `{}}`))
	f.Add([]byte(`{"specversion":"1.0","data_base64":"e30=","id":"x","source":"N","type":"com.wasmcloud.lattice.host_stopped"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := event.Decode(data)
		if err != nil {
			require.ErrorIs(t, err, lattice.ErrInvalid)
			return
		}
		if _, ok := e.Data.(event.Unknown); ok {
			return
		}
		again, err := e.Encode()
		require.NoError(t, err)
		back, err := event.Decode(again)
		require.NoError(t, err, "%s", again)
		require.Equal(t, e.Data.EventName(), back.Data.EventName())
	})
}

func start(t *testing.T, cfg natsserver.Config) *nats.Conn {
	t.Helper()
	cfg.StoreDir, cfg.Port = t.TempDir(), natsserver.RandomPort
	srv, err := natsserver.Start(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: srv.URL()})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

func newPublisher(t *testing.T, nc *nats.Conn) *event.Publisher {
	t.Helper()
	p, err := event.NewPublisher(event.PublisherConfig{Conn: nc, Lattice: "default", HostID: testSource})
	require.NoError(t, err)
	return p
}

func TestWaitForAnOutcome(t *testing.T) {
	t.Parallel()
	nc := start(t, natsserver.Config{})
	raw, err := nc.SubscribeSync("wasmbus.evt.default.component_scaled")
	require.NoError(t, err)
	sub, err := event.Subscribe(t.Context(), nc, "default")
	require.NoError(t, err)
	p := newPublisher(t, nc)
	before := time.Now()
	require.NoError(t, p.Publish(event.HostStopped{}))
	require.NoError(t, nc.Publish("wasmbus.evt.default.nonsense", []byte("nonsense")))
	require.NoError(t, p.Publish(event.ComponentScaled{ComponentID: "other"}))
	require.NoError(t, p.Publish(event.ComponentScaled{ComponentID: "mine", MaxInstances: 3}))

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	e, err := sub.Wait(ctx, func(e event.Event) bool {
		scaled, ok := e.Data.(event.ComponentScaled)
		return ok && scaled.ComponentID == "mine"
	})
	require.NoError(t, err)
	require.EqualValues(t, 3, e.Data.(event.ComponentScaled).MaxInstances)
	require.Equal(t, testSource, e.Source)
	require.WithinRange(t, e.Time, before.Add(-time.Second), time.Now().Add(time.Second))
	require.Len(t, e.ID, 36)

	msg, err := raw.NextMsg(20 * time.Second)
	require.NoError(t, err)
	first, err := event.Decode(msg.Data)
	require.NoError(t, err)
	require.NotEqual(t, first.ID, e.ID)

	short, cancelShort := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelShort()
	_, err = sub.Wait(short, func(event.Event) bool { return true })
	require.ErrorIs(t, err, lattice.ErrTimeout)
	require.NoError(t, sub.Close())
	require.NoError(t, sub.Close())
	_, err = sub.Next(ctx)
	require.Error(t, err)
}

// What v1 has no event for is told where v1's readers do not listen.
func TestOwnEventsHaveTheirOwnSubject(t *testing.T) {
	t.Parallel()
	nc := start(t, natsserver.Config{})
	v1, err := nc.SubscribeSync("wasmbus.evt.default.>")
	require.NoError(t, err)
	own, err := nc.SubscribeSync("lath.v1.default.evt.component_trapped")
	require.NoError(t, err)
	all, err := event.Subscribe(t.Context(), nc, "default")
	require.NoError(t, err)
	defer all.Close()
	one, err := event.Subscribe(t.Context(), nc, "default", event.ComponentTrappedName)
	require.NoError(t, err)
	defer one.Close()
	p := newPublisher(t, nc)
	require.NoError(t, p.Publish(event.ComponentTrapped{ComponentID: "c", Count: 1}))
	require.NoError(t, p.Publish(event.HostStopped{}))

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	msg, err := v1.NextMsgWithContext(ctx)
	require.NoError(t, err)
	require.Equal(t, "wasmbus.evt.default.host_stopped", msg.Subject)
	msg, err = own.NextMsgWithContext(ctx)
	require.NoError(t, err)
	require.Contains(t, string(msg.Data), `"type":"io.github.lathhost.lattice.component_trapped"`)
	var heard []string
	for range 2 {
		e, err := all.Next(ctx)
		require.NoError(t, err)
		heard = append(heard, e.Data.EventName())
	}
	require.ElementsMatch(t, []string{event.ComponentTrappedName, event.HostStoppedName}, heard)
	e, err := one.Next(ctx)
	require.NoError(t, err)
	require.Equal(t, event.ComponentTrappedName, e.Data.EventName())

	_, err = event.Subscribe(ctx, nc, "default", "nonsense")
	require.ErrorIs(t, err, lattice.ErrInvalid)
	nc.Close()
	_, err = one.Next(ctx)
	require.ErrorIs(t, err, lattice.ErrDisconnected)
}

func TestTooLargeToPublish(t *testing.T) {
	t.Parallel()
	nc := start(t, natsserver.Config{MaxPayload: 4096})
	err := newPublisher(t, nc).Publish(event.ComponentScaleFailed{Error: string(make([]byte, 4096))})
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorContains(t, err, "4096 that NATS carries")
}

func TestMissedEventsAreTold(t *testing.T) {
	t.Parallel()
	nc := start(t, natsserver.Config{})
	sub, err := event.Subscribe(t.Context(), nc, "default")
	require.NoError(t, err)
	defer sub.Close()
	p := newPublisher(t, nc)
	for range 5000 {
		require.NoError(t, p.Publish(event.HostStopped{}))
	}
	require.NoError(t, lattice.Flush(t.Context(), nc))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = sub.Wait(ctx, func(event.Event) bool { return false })
	require.ErrorIs(t, err, event.ErrMissed)
	require.ErrorIs(t, err, lattice.ErrBusy)
}

func TestPublishWhileDisconnected(t *testing.T) {
	t.Parallel()
	nc := start(t, natsserver.Config{})
	p := newPublisher(t, nc)
	nc.Close()
	require.ErrorIs(t, p.Publish(event.HostStopped{}), lattice.ErrDisconnected)
}
