package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	typesbind "github.com/lathhost/lath/host/bind/example/types"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/memory"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/example/types"
	"github.com/lathhost/lath/wit/example/types/typestest"
)

// payload is a value that is sent there and back.
type payload struct {
	name   string
	fn     string // of valuesInterface
	params []byte // and results: the functions are echoes
	direct func(ctx context.Context, impl types.Values) (bool, error)
}

const (
	valuesInterface = "example:types/values"
	number32        = 1_000_000
)

var (
	text100  = strings.Repeat("0123456789", 10)
	payloads = []payload{{
		name: "u32", fn: "echo-u32", params: binary.AppendUvarint(nil, number32),
		direct: func(ctx context.Context, impl types.Values) (bool, error) {
			v, err := impl.EchoU32(ctx, number32)
			return v == number32, err
		},
	}, {
		name: "100-byte string", fn: "echo-string", params: append([]byte{byte(len(text100))}, text100...),
		direct: func(ctx context.Context, impl types.Values) (bool, error) {
			v, err := impl.EchoString(ctx, text100)
			return v == text100, err
		},
	}}
)

// rows lists all rows in the order of the table.
func (b *bed) rows(ctx context.Context) ([]*row, error) {
	var all []*row
	for _, section := range []func(context.Context) ([]*row, error){b.callRows, b.keyvalueRows, b.latticeRows, b.processRows, b.instanceRows, b.dataRows, b.checkRows, b.peerRows} {
		rows, err := section(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// callRows are calls in one process.
func (b *bed) callRows(ctx context.Context) ([]*row, error) {
	all := make([]*row, 0, 32)
	for _, p := range payloads {
		rows, err := b.payloadRows(ctx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

func (b *bed) payloadRows(ctx context.Context, p payload) ([]*row, error) {
	group := "in one process: " + p.name
	types, err := b.take(ctx, b.types)
	if err != nil {
		return nil, err
	}
	kept, err := b.relayTo(ctx, component.LinkConfig{Import: keptInstance{types, b.types}.callee})
	if err != nil {
		return nil, err
	}
	hosted, err := b.relayTo(ctx, component.LinkConfig{Host: []component.HostInterface{typesbind.Values(typestest.Echo{})}})
	if err != nil {
		return nil, err
	}
	linked, err := b.relayTo(ctx, component.LinkConfig{Import: follow(b.relay, "relay", b.near)})
	if err != nil {
		return nil, err
	}
	floor := &row{group: group, name: "Go call through an interface", run: goCall(p, typestest.Echo{})}
	list := []*row{floor}
	add := func(name string, run func(context.Context, int) error) *row {
		r := &row{group: group, name: name, floor: floor, run: run}
		list = append(list, r)
		return r
	}
	step := func(name string, of, less *row) {
		list = append(list, &row{group: group, name: "= " + name, floor: floor, of: of, less: less})
	}
	e := b.types.Export(valuesInterface, p.fn)
	in := add("host → guest", echo(types, e, p))
	bareIn := add("host → guest, no deadline", withoutDeadline(echo(types, e, p)))
	add("host → guest, fresh", b.wholeCall(e, p))
	out := add("host → guest → host", echo(hosted.inst, hosted.export(p.fn), p))
	step("guest → host", out, in)
	through := add("host → relay → types", echo(kept.inst, kept.export(p.fn), p))
	step("component → component", through, in)
	bareThrough := add("host → relay → types, no deadline", withoutDeadline(echo(kept.inst, kept.export(p.fn), p)))
	step("component → component, no deadline", bareThrough, bareIn)
	product := add("host → relay → link → types, types fresh", echo(linked.inst, linked.export(p.fn), p))
	step("component → link → component, fresh", product, in)
	return list, nil
}

// relay is an instance of relay.wasm, which hands every call on.
type relay struct {
	inst *component.Instance
	tmpl *component.Template
}

func (r relay) export(fn string) *component.Export { return r.tmpl.Export(valuesInterface, fn) }

// relayTo makes a relay to whatever cfg's imports are.
func (b *bed) relayTo(ctx context.Context, cfg component.LinkConfig) (relay, error) {
	cfg.Name = "relay"
	t, err := b.link(ctx, b.relay, cfg)
	if err != nil {
		return relay{}, err
	}
	i, err := b.take(ctx, t)
	return relay{i, t}, err
}

// take takes an instance that the bed closes.
func (b *bed) take(ctx context.Context, t *component.Template) (*component.Instance, error) {
	i, err := t.Take(ctx)
	if err == nil {
		b.later(i.Close)
	}
	return i, err
}

// follow answers a component's imports along links.
func follow(c *component.Component, id string, by *link.Router) func(string, *wit.Func) (component.Callee, error) {
	m := imports(c, id, by)
	return func(iface string, fn *wit.Func) (component.Callee, error) {
		if imp := m[iface]; imp != nil {
			return imp.Callee(fn), nil
		}
		return nil, fmt.Errorf("no import %q", iface)
	}
}

func goCall(p payload, impl types.Values) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		for range n {
			if ok, err := p.direct(ctx, impl); err != nil || !ok {
				return errors.Join(errWrong, err)
			}
		}
		return nil
	}
}

// call calls an export on an instance that stays.
func call(i *component.Instance, e *component.Export, params, want []byte) func(context.Context, int) error {
	var out []byte
	return func(ctx context.Context, n int) (err error) {
		for range n {
			if out, err = i.Call(ctx, e, params, out[:0]); err != nil {
				return err
			}
			if !bytes.Equal(out, want) {
				return fmt.Errorf("%w: % x, not % x", errWrong, out, want)
			}
		}
		return nil
	}
}

func echo(i *component.Instance, e *component.Export, p payload) func(context.Context, int) error {
	return call(i, e, p.params, p.params)
}

func withoutDeadline(run func(context.Context, int) error) func(context.Context, int) error {
	return func(ctx context.Context, n int) error { return run(context.WithoutCancel(ctx), n) }
}

// wholeCall is a call as it comes from the lattice: on an instance of its own.
func (b *bed) wholeCall(e *component.Export, p payload) func(context.Context, int) error {
	var out []byte
	return func(ctx context.Context, n int) (err error) {
		for range n {
			if out, err = b.types.Call(ctx, e, p.params, out[:0]); err != nil {
				return err
			}
			if !bytes.Equal(out, p.params) {
				return fmt.Errorf("%w: % x", errWrong, out)
			}
		}
		return nil
	}
}

// instanceRows are what a pristine instance costs, to make and to end.
func (b *bed) instanceRows(ctx context.Context) ([]*row, error) {
	const group = "a fresh instance, made and ended"
	counter, err := b.counterTo(ctx, b.near)
	if err != nil {
		return nil, err
	}
	floor := &row{group: group, name: "memory mapped, a page touched, unmapped", run: mapMemory}
	return []*row{
		floor,
		{group: group, name: "types.wasm", floor: floor, run: instantiate(b.types)},
		{group: group, name: "counter.wasm", floor: floor, run: instantiate(counter)},
	}, nil
}

func instantiate(t *component.Template) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		for range n {
			i, err := t.Take(ctx)
			if err != nil {
				return err
			}
			if err := i.Close(); err != nil {
				return err
			}
		}
		return nil
	}
}

// mapMemory does what no instance can do without.
func mapMemory(_ context.Context, n int) error {
	budget := memory.NewBudget(0, nil)
	for range n {
		m, err := memory.New(memory.PageSize, 256<<20, budget)
		if err != nil {
			return err
		}
		m.Bytes()[0] = 1
		if err := m.Close(); err != nil {
			return err
		}
	}
	return nil
}
