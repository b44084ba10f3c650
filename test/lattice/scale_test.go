package lattice_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

func TestScale(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	ref := l.Image("chain")
	told := l.Events()
	scale := func(count uint32, annotations map[string]string) {
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: ref, MaxInstances: count, Annotations: annotations}))
	}
	outcome := func(count, annotations string) {
		e := told.Next()
		require.Equal(t, "com.wasmcloud.lattice.component_scaled", e.Type)
		require.JSONEq(t, `{"host_id":"`+n.ID+`","image_ref":"`+ref+`","component_id":"c","max_instances":`+count+`,"annotations":`+annotations+`}`, string(e.Data))
	}
	runs := func() []lattice.ComponentDescription {
		inv, err := l.Control.Inventory(t.Context(), n.ID)
		require.NoError(t, err)
		return inv.Components
	}
	started := func() string {
		c, err := l.Control.Contract(t.Context(), "c")
		require.NoError(t, err)
		return c.Digest
	}

	scale(0, nil) // stopping what does not run is told as done
	outcome("0", `{}`)
	require.Empty(t, runs())
	scale(2, map[string]string{"by": "ada"})
	outcome("2", `{"by":"ada"}`)
	require.Equal(t, []lattice.ComponentDescription{{ID: "c", ImageRef: ref, Annotations: map[string]string{"by": "ada"}, MaxInstances: 2}}, runs())
	digest := started()
	scale(5, map[string]string{"by": "bob"})
	outcome("5", `{"by":"bob"}`)
	require.Equal(t, []lattice.ComponentDescription{{ID: "c", ImageRef: ref, Annotations: map[string]string{"by": "bob"}, MaxInstances: 5}}, runs())
	require.Equal(t, digest, started())
	got, err := l.Call(t.Context(), n, "c", "example:chain/step.go(0, finish)")
	require.NoError(t, err)
	require.Equal(t, "ok(1)", got.WAVE)

	scale(0, nil)
	outcome("0", `{}`)
	require.Empty(t, runs())
	_, _, err = l.Calls.Call(t.Context(), wrpc.Target{Prefix: lattice.RPCPrefix(harness.Name, "c"), Instance: "example:chain/step", Func: "go"}, wrpc.Meta{}, []byte{0, 0})
	require.ErrorIs(t, err, wrpc.ErrNotConnected)
	require.Zero(t, n.Runtime.MemoryInUse())
}

func TestScaleKeepsTheOrderOfCommands(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	ref := l.Image("chain")
	told := l.Events()
	const commands = 20
	for i := range commands {
		// Odd commands stop it, so that each has real work to do.
		_, err := l.Control.ScaleComponent(t.Context(), n.ID, ctl.ScaleComponent{ComponentID: "c", ComponentRef: ref,
			MaxInstances: uint32((i + 1) % 2 * (i + 1))})
		require.NoError(t, err)
	}
	for i := range commands {
		var d struct {
			Max int `json:"max_instances"`
		}
		require.NoError(t, lattice.DecodeJSON(told.Next().Data, 4096, &d))
		require.Equal(t, (i+1)%2*(i+1), d.Max)
	}
}

func TestScaleUpdate(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	old, next := l.Image("chain"), l.Image("types")
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: old, MaxInstances: 1}))
	image := func() string {
		inv, err := l.Control.Inventory(t.Context(), n.ID)
		require.NoError(t, err)
		require.Len(t, inv.Components, 1)
		return inv.Components[0].ImageRef
	}
	differs := "Requested to scale existing component to a different image reference: " + old + " != " + next + ". "

	told := l.Events()
	warning, err := l.Control.ScaleComponent(t.Context(), n.ID, ctl.ScaleComponent{ComponentID: "c", ComponentRef: next, MaxInstances: 3})
	require.NoError(t, err)
	require.Equal(t, differs+"The component will be scaled but the image reference will not be updated. "+
		"If you meant to update this component to a new image ref, use the update command.", warning)
	require.Contains(t, string(told.Next().Data), `"image_ref":"`+old+`"`, "the event tells what runs")
	require.Equal(t, old, image())

	warning, err = l.Control.ScaleComponent(t.Context(), n.ID, ctl.ScaleComponent{ComponentID: "c", ComponentRef: next, MaxInstances: 3, AllowUpdate: true})
	require.NoError(t, err)
	require.Equal(t, differs+"The component will be updated to the new image reference.", warning)
	require.Contains(t, string(told.Next().Data), `"image_ref":"`+next+`"`)
	require.Equal(t, next, image())
	got, err := l.Call(t.Context(), n, "c", `example:types/values.echo-u8(7)`)
	require.NoError(t, err)
	require.Equal(t, "7", got.WAVE)

	// What cannot be started leaves the old one alone.
	err = n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: l.File("bad.wasm", []byte("no")), MaxInstances: 3, AllowUpdate: true})
	require.Error(t, err)
	require.Equal(t, next, image())
	_, err = l.Call(t.Context(), n, "c", `example:types/values.echo-u8(7)`)
	require.NoError(t, err)
}

// An update loses no call, from outside or along a link in the process.
func TestScaleUpdateUnderLoad(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	wasm, err := examples.Component("chain")
	require.NoError(t, err)
	one, two := l.File("one.wasm", wasm), l.File("two.wasm", wasm)
	require.NoError(t, n.Start("source", "chain", 8))
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "target", ComponentRef: one, MaxInstances: 8}))
	require.NoError(t, l.Link("source", "target", "example:chain/step"))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	failed := make(chan string, 2)
	for _, id := range []string{"source", "target"} {
		go func() {
			for ctx.Err() == nil {
				expr, want := "example:chain/step.go(0, finish)", "ok(1)"
				if id == "source" {
					expr, want = "example:chain/step.go(1, finish)", "ok(2)"
				}
				got, err := l.Call(t.Context(), n, id, expr)
				if err != nil || got.WAVE != want {
					failed <- fmt.Sprintf("%s: %q %v", id, got.WAVE, err)
					return
				}
			}
			failed <- ""
		}()
	}
	for i := range 10 {
		ref := []string{two, one}[i%2]
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "target", ComponentRef: ref, MaxInstances: 8, AllowUpdate: true}))
	}
	stop()
	require.Empty(t, <-failed)
	require.Empty(t, <-failed)
}

func TestScaleRefuses(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	component := func(name string) []byte {
		wasm, err := examples.Component(name)
		require.NoError(t, err)
		return wasm
	}
	patched := func(name, from, to string) []byte {
		require.Len(t, to, len(from))
		wasm := component(name)
		require.Contains(t, string(wasm), from)
		return bytes.ReplaceAll(wasm, []byte(from), []byte(to))
	}
	chain := component("chain")
	for _, c := range []struct {
		name    string
		content []byte
		reason  []string // parts of the message, in order
	}{
		{"nothing", nil, []string{"nothing.wasm", "it is empty"}},
		{"text", []byte("#!/bin/sh\n"), []string{"text.wasm", "not WebAssembly"}},
		{"core", []byte("\x00asm\x01\x00\x00\x00"), []string{"core.wasm", "it is a core WebAssembly module, not a component: wrap it with"}},
		{"truncated", chain[:len(chain)/2], []string{"truncated.wasm: decode component sha256:", "at 0x85: unexpected end: section of 948 bytes, 931 left"}},
		{"malformed", append(bytes.Clone(chain), 99, 1, 0), []string{"malformed.wasm: decode component sha256:", "at 0x", "section"}},
		{"invalid", patched("chain", "example:chain/step", "example chain/step"), []string{"invalid.wasm: invalid component sha256:", "example chain/step` is not in kebab case"}},
		{"resources", patched("counter", "wasi:keyvalue/store", "acme:keyvalue/store"), []string{
			`import cannot be satisfied: wasi:keyvalue/atomics@0.2.0-draft increment`, "the host has", "of the same name, but of another interface"}},
		{"hosted", patched("greeter", "wasi:cli/stderr", "acme:cli/stderr"), []string{
			`import cannot be satisfied: acme:cli/stderr@`, "carry a resource of the host's (output-stream of wasi:io/streams@", "this host has"}},
		{"unknown", patched("greeter", "wasi:io/streams@0.2.0", "wasi:io/streamz@0.2.0"), []string{
			`import cannot be satisfied: wasi:io/streamz@0.2.0`, "carries resources", "this host has", "wasi:io/streams@0.2"}},
		{"newer", patched("greeter", "wasi:io/streams@0.2.0", "wasi:io/streams@0.9.0"), []string{
			`import cannot be satisfied: wasi:io/streams@0.9.0`, "this host has", "wasi:io/streams@0.2"}},
	} {
		ref := l.File(c.name+".wasm", c.content)
		err := n.Scale(ctl.ScaleComponent{ComponentID: "bad-" + c.name, ComponentRef: ref, MaxInstances: 1})
		require.Error(t, err, c.name)
		inOrder(t, err.Error(), append([]string{`start component "bad-` + c.name + `": `}, c.reason...)...)
	}
	err := n.Scale(ctl.ScaleComponent{ComponentID: "gone", ComponentRef: "file:///nowhere/gone.wasm", MaxInstances: 1})
	require.Error(t, err)
	inOrder(t, err.Error(), `start component "gone": `, "/nowhere/gone.wasm: not found")
	err = n.Scale(ctl.ScaleComponent{ComponentID: "gone", ComponentRef: "127.0.0.1:1/gone:1", MaxInstances: 1})
	require.Error(t, err)
	inOrder(t, err.Error(), `start component "gone": `, "127.0.0.1:1")

	inv, err := l.Control.Inventory(t.Context(), n.ID)
	require.NoError(t, err)
	require.Empty(t, inv.Components)
	require.NoError(t, n.Start("good", "chain", 1), "the host goes on")
}

func TestScaleRefusesCommands(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	ask := func(kind, verb, body string) ctl.Envelope {
		m, err := l.Conn.Request(lattice.ControlSubjects("", harness.Name).Named(kind, verb, n.ID), []byte(body), harness.Wait)
		require.NoError(t, err)
		var e ctl.Envelope
		require.NoError(t, lattice.DecodeJSON(m.Data, 1<<20, &e))
		require.False(t, e.Success)
		return e
	}
	require.Contains(t, ask("component", "scale", `{`).Message, "failed to deserialize component scale command")
	require.Contains(t, ask("component", "scale", `{"component_id":"a.b","component_ref":"x","count":1}`).Message,
		`component_id: id "a.b": invalid: '.' separates the tokens of a NATS subject`)
	require.Contains(t, ask("component", "scale", `{"component_id":"a","count":1}`).Message, "component_ref: invalid: it is missing")
	require.Contains(t, ask("provider", "start", `{"provider_id":"","provider_ref":"x"}`).Message, "provider_id: id: invalid: it is empty")
	require.Contains(t, ask("component", "dance", `{}`).Message, "unsupported subject")
	require.Equal(t, "invalid host_id [NX]", ask("host", "stop", `{"host_id":"NX"}`).Message)
}

func TestScaleLimits(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	n := l.Host(nil)
	start := func(id, example string, limits *lattice.ComponentLimits) error {
		return n.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: l.Image(example), MaxInstances: 2, Limits: limits})
	}
	for limits, want := range map[lattice.ComponentLimits]string{
		{MaxMemory: "64MB"}:                       `start component "x": max_memory_limit "64MB": invalid: want a number of bytes, such as "16777216"`,
		{MaxMemory: "0"}:                          `start component "x": max_memory_limit "0": invalid: want a number of bytes, such as "16777216"`,
		{MaxExecutionTime: "-1"}:                  `start component "x": max_execution_time "-1": invalid: want a number of milliseconds, such as "5000"`,
		{MaxExecutionTime: "9999999999999999999"}: `start component "x": max_execution_time "9999999999999999999": invalid: want a number of milliseconds, such as "5000"`,
	} {
		require.EqualError(t, start("x", "chain", &limits), want)
	}

	bytesOf := "example:types/values.echo-bytes([" + strings.Repeat("1,", 1<<19) + "1])"
	fill := func() error {
		_, err := l.Call(t.Context(), n, "types", bytesOf)
		return err
	}
	require.NoError(t, start("types", "types", nil))
	require.NoError(t, fill())
	small := &lattice.ComponentLimits{MaxMemory: "262144"}
	require.NoError(t, start("types", "types", small), "a running component takes other limits")
	require.ErrorIs(t, fill(), wrpc.ErrTrap)
	require.NoError(t, start("types", "types", nil), "no limits in the command: they stay")
	require.ErrorIs(t, fill(), wrpc.ErrTrap)
	inv, err := l.Control.Inventory(t.Context(), n.ID)
	require.NoError(t, err)
	require.Equal(t, small, inv.Components[0].Limits)
	require.NoError(t, start("types", "types", &lattice.ComponentLimits{}))
	require.NoError(t, fill())
	require.Error(t, start("types", "types", &lattice.ComponentLimits{MaxMemory: "x"}))
	require.NoError(t, fill(), "a bad command changes nothing")

	require.NoError(t, start("slow", "chain", &lattice.ComponentLimits{MaxExecutionTime: "100"}))
	ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
	defer cancel()
	_, err = l.Call(ctx, n, "slow", "example:chain/step.run(0, spin)")
	require.ErrorIs(t, err, wrpc.ErrTimeout)
	require.NoError(t, ctx.Err(), "it is the component's own limit")
}

// inOrder checks that a text has all parts, one after the other.
func inOrder(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, ok := strings.Cut(rest, p)
		require.True(t, ok, "%q is not (or not in this order) in %q", p, text)
		rest = after
	}
}
