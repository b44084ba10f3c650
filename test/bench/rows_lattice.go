package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/host/capability"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// What counter.get asks its store for, and the count that is there.
const (
	bucket = "default"
	key    = "visits"
	count  = 42
)

// The call of counter.get and its answer, ok(some(42)), in wRPC's encoding.
var (
	getParams  = append([]byte{byte(len(key))}, key...)
	getResults = []byte{0, 1, count}
)

// keyvalueRows are one read of a key-value store by a component, in process.
func (b *bed) keyvalueRows(ctx context.Context) ([]*row, error) {
	const group = "in one process: key-value get"
	if _, err := b.memory.Increment(ctx, bucket, key, count); err != nil {
		return nil, err
	}
	counter, err := b.counterTo(ctx, b.near)
	if err != nil {
		return nil, err
	}
	get, err := b.get(ctx, counter)
	if err != nil {
		return nil, err
	}
	floor := &row{group: group, name: "Go call of the provider", run: storeGet(b.memory)}
	return []*row{floor, {group: group, name: "host → counter → link → provider: open, get, drop", floor: floor, run: get}}, nil
}

// latticeRows are calls across NATS, one after the other.
func (b *bed) latticeRows(ctx context.Context) ([]*row, error) {
	var all []*row
	linked, err := b.relayTo(ctx, component.LinkConfig{Import: follow(b.relay, "relay", b.far)})
	if err != nil {
		return nil, err
	}
	client, err := wrpc.NewClient(b.caller, wrpc.ClientConfig{})
	if err != nil {
		return nil, err
	}
	b.later(client.Close)
	for _, p := range payloads {
		group := "across NATS: " + p.name
		floor, err := b.bareNATS(group, p.params)
		if err != nil {
			return nil, err
		}
		all = append(all, floor,
			&row{group: group, name: "host → NATS → types, fresh", floor: floor, run: invoke(client, p)},
			&row{group: group, name: "host → relay → link → NATS → types, types fresh", floor: floor, run: echo(linked.inst, linked.export(p.fn), p)})
	}
	rows, err := b.remoteGet(ctx, client)
	return append(all, rows...), err
}

func (b *bed) remoteGet(ctx context.Context, client *wrpc.Client) ([]*row, error) {
	const group = "across NATS: key-value get"
	counter, err := b.counterTo(ctx, b.far)
	if err != nil {
		return nil, err
	}
	get, err := b.get(ctx, counter)
	if err != nil {
		return nil, err
	}
	params := append([]byte{byte(len(bucket))}, bucket...)
	floor, err := b.bareNATS(group, append(params, getParams...))
	if err != nil {
		return nil, err
	}
	stub := bind.NewStoreClient(client.Bind(lattice.RPCPrefix(latticeName, storeID), nil))
	return []*row{
		floor,
		{group: group, name: "Go stub → NATS → provider", floor: floor, run: storeGet(stub)},
		{group: group, name: "host → counter → link → NATS → provider", floor: floor, run: get},
	}, nil
}

// counterTo links counter to the store that a router finds.
func (b *bed) counterTo(ctx context.Context, by *link.Router) (*component.Template, error) {
	cfg := component.LinkConfig{Name: "counter"}
	for name, imp := range imports(b.counter, "counter", by) {
		h := capability.Adapt(name, imp)
		if h == nil {
			return nil, fmt.Errorf("counter imports %s", name)
		}
		cfg.Host = append(cfg.Host, *h)
	}
	return b.link(ctx, b.counter, cfg)
}

// get calls counter.get on an instance that is kept.
func (b *bed) get(ctx context.Context, counter *component.Template) (func(context.Context, int) error, error) {
	i, err := b.take(ctx, counter)
	if err != nil {
		return nil, err
	}
	return call(i, counter.Export("example:counter/counter", "get"), getParams, getResults), nil
}

// storeGet calls a store's Go method.
func storeGet(s keyvalue.Store) func(context.Context, int) error {
	want := strconv.Itoa(count)
	return func(ctx context.Context, n int) error {
		for range n {
			v, err := s.Get(ctx, bucket, key)
			if err != nil || !v.OK || string(v.Value) != want {
				return errors.Join(fmt.Errorf("%w: %q", errWrong, v.Value), err)
			}
		}
		return nil
	}
}

// bareNATS is a request and its reply, as nats.go makes them, between the same
// two connections.
func (b *bed) bareNATS(group string, payload []byte) (*row, error) {
	subject := nats.NewInbox()
	sub, err := b.callee.Subscribe(subject, func(m *nats.Msg) {
		_ = b.callee.Publish(m.Reply, m.Data) // a lost reply shows as a timeout
	})
	if err != nil {
		return nil, err
	}
	b.later(sub.Unsubscribe)
	if err := b.callee.Flush(); err != nil {
		return nil, err
	}
	return &row{group: group, name: fmt.Sprintf("bare NATS request-reply of %d bytes", len(payload)), run: b.request(subject, payload)}, nil
}

// request sends a request whose reply is the same.
func (b *bed) request(subject string, payload []byte) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		for range n {
			m, err := b.caller.RequestWithContext(ctx, subject, payload)
			if err != nil {
				return err
			}
			if !bytes.Equal(m.Data, payload) {
				return errWrong
			}
		}
		return nil
	}
}

// invoke calls types as a tool of the lattice does.
func invoke(c *wrpc.Client, p payload) func(context.Context, int) error {
	return invokeAt(c, wrpc.Target{Prefix: lattice.RPCPrefix(latticeName, typesID), Instance: valuesInterface, Func: lattice.FunctionName(p.fn)}, p)
}

func invokeAt(c *wrpc.Client, target wrpc.Target, p payload) func(context.Context, int) error {
	return func(ctx context.Context, n int) error {
		for range n {
			out, _, err := c.Call(ctx, target, wrpc.Meta{SourceID: "bench"}, p.params)
			if err != nil {
				return err
			}
			if !bytes.Equal(out, p.params) {
				return fmt.Errorf("%w: % x", errWrong, out)
			}
		}
		return nil
	}
}
