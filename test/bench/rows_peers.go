package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	typesbind "github.com/lathhost/lath/host/bind/example/types"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/core"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/test/bench/guests"
)

// versus makes rows that compare one thing to what peers do.
type versus struct {
	b     *bed
	group string
	rows  []*row
	peers map[string]*row // by operation, for all groups: one floor serves many rows
}

// peer returns the row of a peer's operation, or why there is none.
func (v *versus) peer(op string) (*row, string) {
	if v.b.peers == nil {
		return nil, "no peers were asked for: " + op
	}
	if ok, why := v.b.peers.has(op); !ok {
		return nil, why + ": " + op
	}
	r := v.peers[op]
	if r == nil {
		r = &row{group: v.group, name: op, elsewhere: v.b.peers.measure(op)}
		v.peers[op] = r
		v.rows = append(v.rows, r)
	}
	return r, ""
}

// add makes a row that is to reach a limit beside a peer.
func (v *versus) add(name string, run func(context.Context, int) error, op string, l *limit) {
	floor, missing := v.peer(op)
	v.rows = append(v.rows, &row{group: v.group, name: name + " ÷ " + op, run: run, floor: floor, missing: missing, limit: l})
}

// The groups of what is compared to other runtimes.
const (
	instantiateGroup = "instantiate and end"
	resetGroup       = "pristine reset, with the call that writes"
	wazyGroup        = "beside wazy, another component runtime in Go"
	loopGroup        = "an empty loop that can be stopped, a pass"
	callGroup        = "a call with one u32, instance taken, generated bindings"
)

// peerRows are what other runtimes do, too.
func (b *bed) peerRows(ctx context.Context) ([]*row, error) {
	v := &versus{b: b, peers: map[string]*row{}}
	for _, part := range []func(context.Context, *versus) error{b.versusInstantiate, b.versusReset, b.versusCalls, b.versusWazy, b.versusLoops} {
		if err := part(ctx, v); err != nil {
			return nil, err
		}
	}
	return v.rows, nil
}

// guest links one of test/bench/guests.
func (b *bed) guest(ctx context.Context, name string, cfg component.LinkConfig) (*component.Template, error) {
	var wasm []byte
	var err error
	if name == "big" {
		if wasm, err = guests.Component("callee"); err == nil {
			wasm, err = guests.WithData(wasm)
		}
	} else {
		wasm, err = guests.Component(name)
	}
	if err != nil {
		return nil, err
	}
	c, err := b.rt.Compile(wasm)
	if err != nil {
		return nil, err
	}
	cfg.Name = name
	return b.link(ctx, c, cfg)
}

func (b *bed) versusInstantiate(ctx context.Context, v *versus) error {
	for _, g := range []struct {
		name, what string
		ratio      float64
	}{{"callee", "1.1 MB of memory", 0}, {"big", "10 MB of data", 2}} {
		v.group = instantiateGroup + ": " + g.what
		t, err := b.guest(ctx, g.name, component.LinkConfig{})
		if err != nil {
			return err
		}
		wasm, err := callee(g.name == "big")
		if err != nil {
			return err
		}
		m, err := b.module(ctx, wasm, core.Plan{})
		if err != nil {
			return err
		}
		var wasmtime, wazero *limit
		if g.ratio > 0 {
			wasmtime, wazero = &limit{ratio: g.ratio}, &limit{ratio: 1.0 / 50}
		}
		module, whole := instantiateModule(m), instantiate(t)
		op := "wasmtime: instantiate " + g.name
		v.add("core module", module, op+", on demand", wasmtime)
		v.add("core module", module, op+", pooling", nil)
		v.add("core module", module, op+", pooling, keep-resident 1 MB", nil)
		v.add("core module", module, "wazero: instantiate "+g.name, wazero)
		v.add("component", whole, op+", on demand", wasmtime)
		v.add("component", whole, "wazero: instantiate "+g.name, wazero)
	}
	return nil
}

func instantiateModule(m *module) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		for range n {
			i, err := m.instantiate(ctx)
			if err != nil {
				return err
			}
			if err := i.close(); err != nil {
				return err
			}
		}
		return nil
	}
}

// keepPages is what of a memory is kept, as pools do by default.
const keepPages = 4096

func (b *bed) versusReset(ctx context.Context, v *versus) error {
	wasm, err := callee(true)
	if err != nil {
		return err
	}
	m, err := b.module(ctx, wasm, core.Plan{})
	if err != nil {
		return err
	}
	for _, pages := range []int{16, 256} {
		// Each has instances of its own: what was once written stays in memory, to
		// be reset again.
		i, err := b.keep(ctx, m)
		if err != nil {
			return err
		}
		if err := i.Mark(m.code.Facts().MutableGlobals); err != nil {
			return err
		}
		t, err := b.guest(ctx, "big", component.LinkConfig{Pool: component.PoolConfig{Reuse: component.Pristine}})
		if err != nil {
			return err
		}
		v.group = fmt.Sprintf("%s: %d pages of 10 MB", resetGroup, pages)
		op := fmt.Sprintf("wasmtime: reset of %d pages, ", pages)
		module, whole := resetModule(i, pages), touch(t, pages)
		v.add("core module", module, op+"pooling", &limit{ratio: 0.3})
		v.add("core module", module, op+"pooling, keep-resident 1 MB", nil)
		v.add("core module", module, op+"on demand", nil)
		v.add("component", whole, op+"pooling", &limit{ratio: 0.3})
		v.add("component", whole, op+"pooling, keep-resident 1 MB", nil)
	}
	return nil
}

func resetModule(i *instance, pages int) func(context.Context, int) error {
	f, stack := i.Func("touch"), make([]uint64, 2)
	return func(ctx context.Context, n int) error {
		cc := engine.NewContext(ctx)
		for range n {
			stack[0], stack[1] = guests.DataStart, uint64(pages)
			if err := f.Call(cc, stack); err != nil {
				return err
			}
			switch written, err := i.Reset(keepPages); {
			case err != nil:
				return err
			case stack[0] != uint64(pages) || written != pages:
				return fmt.Errorf("%w: %d pages were written, %d were reset, not %d", errWrong, stack[0], written, pages)
			}
		}
		return nil
	}
}

// touch calls a component as its host does, so that every call finds the first
// state.
func touch(t *component.Template, pages int) func(context.Context, int) error {
	e := t.Export("", "touch")
	params := binary.AppendUvarint(binary.AppendUvarint(nil, guests.DataStart), uint64(pages))
	return pooledCall(t, e, params, binary.AppendUvarint(nil, uint64(pages)))
}

// pooledCall calls a component on whatever instance its template has.
func pooledCall(t *component.Template, e *component.Export, params, want []byte) func(context.Context, int) error {
	var out []byte
	return func(ctx context.Context, n int) (err error) {
		for range n {
			if out, err = t.Call(ctx, e, params, out[:0]); err != nil {
				return err
			}
			if string(out) != string(want) {
				return fmt.Errorf("%w: % x, not % x", errWrong, out, want)
			}
		}
		return nil
	}
}

func (b *bed) versusCalls(ctx context.Context, v *versus) error {
	v.group = callGroup
	i, err := b.take(ctx, b.types)
	if err != nil {
		return err
	}
	exports, err := typesbind.NewValuesExports(b.types)
	if err != nil {
		return err
	}
	in := echoes(exports.On(i))
	held := func(ctx context.Context, n int) error {
		if err := i.Hold(ctx); err != nil {
			return err
		}
		defer i.Unhold()
		return in(ctx, n)
	}
	caller, err := b.caller32(ctx)
	if err != nil {
		return err
	}
	out := caller.times("host-numbers", echoSum)
	l := &limit{ratio: 1.5, noAllocs: true}
	v.add("host → guest, held", held, "wazero: host → guest, u32", l)
	v.add("host → guest, each call by itself", in, "wazero: host → guest, u32", nil)
	v.add("guest → host", out, "wazero: guest → host, u32", l)
	v.add("host → guest, held", held, "wasmtime: host → guest, u32, from C", nil)
	v.add("guest → host", out, "wasmtime: guest → host, u32, to C", nil)
	v.add("host → guest, held", held, "wasmtime: host → guest, u32, from Go", nil)
	v.add("guest → host", out, "wasmtime: guest → host, u32, to Go", nil)
	return nil
}

// echoes calls a guest by generated bindings.
func echoes(v typesbind.ValuesCaller) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		for range n {
			if got, err := v.EchoU32(ctx, number32); err != nil || got != number32 {
				return errors.Join(fmt.Errorf("%w: %d", errWrong, got), err)
			}
		}
		return nil
	}
}

// versusWazy compares components: types.wasm, which is written in C.
func (b *bed) versusWazy(ctx context.Context, v *versus) error {
	v.group = wazyGroup
	pooled := map[component.Reuse]*component.Template{}
	for _, reuse := range []component.Reuse{component.Pristine, component.Sticky} {
		c, err := b.component("types")
		if err != nil {
			return err
		}
		if pooled[reuse], err = b.link(ctx, c, component.LinkConfig{Name: typesID, Pool: component.PoolConfig{Reuse: reuse}}); err != nil {
			return err
		}
	}
	caller, err := b.caller32(ctx)
	if err != nil {
		return err
	}
	const size = 100
	texts := caller.times("host-texts", each(size), size)
	v.add("fresh instance", instantiate(b.types), "wazy: a fresh instance of a C component", &limit{ratio: 0.4})
	v.add("pristine instance of the pool, a call and reset", request(pooled[component.Pristine], nothing), "wazy: a fresh instance of a C component", &limit{ratio: 0.1})
	v.add("guest → host, 100 B string there and back", texts, "wazy: guest → host, 100 B string", &limit{ratio: 0.6})
	kept, pristine := request(pooled[component.Sticky], kilobyte), request(pooled[component.Pristine], kilobyte)
	v.add("a request of 1 KB, instance kept, limits on", kept, "wazy: 1 KB in, 1 KB out", &limit{ratio: 1})
	v.add("a request of 1 KB, instance kept, limits on", kept, "wazy: 1 KB in, 1 KB out, interruptible", nil)
	v.add("a request of 1 KB, instance reset, limits on", pristine, "wazy: 1 KB in, 1 KB out", nil)
	v.add("a request of 1 KB, instance reset, limits on", pristine, "wazy: 1 KB in, 1 KB out, instance per call", nil)
	return nil
}

// versusLoops compares how loops are made such that they can be stopped.
func (b *bed) versusLoops(ctx context.Context, v *versus) error {
	v.group = loopGroup
	t, err := b.guest(ctx, "callee", component.LinkConfig{})
	if err != nil {
		return err
	}
	i, err := b.take(ctx, t)
	if err != nil {
		return err
	}
	e := t.Export("", "spin")
	var params, out []byte
	run := func(ctx context.Context, n int) (err error) {
		params = binary.AppendUvarint(params[:0], uint64(n))
		if out, err = i.Call(ctx, e, params, out[:0]); err == nil && !bytes.Equal(out, params) {
			err = errWrong
		}
		return err
	}
	for _, op := range []string{"wazero: loop", "wazero: loop, interruptible", "wasmtime: loop", "wazy: loop", "wazy: loop, interruptible"} {
		v.add("guest with all limits", run, op, nil)
	}
	return nil
}
