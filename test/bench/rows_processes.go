package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/workload"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/wrpc"
)

const (
	processesGroup = "across the lattice, to another process, 100 B there and back"
	farLattice     = "far"
	echoSubject    = "bench.echo"
)

// ready is what a callee tells when it can be called.
type ready struct{ Ready bool }

// processRows are calls of a component in another process, one after the other,
// beside what NATS itself takes to there and back.
func (b *bed) processRows(ctx context.Context) ([]*row, error) {
	p := payloads[1]
	client, err := wrpc.NewClient(b.caller, wrpc.ClientConfig{})
	if err != nil {
		return nil, err
	}
	b.later(client.Close)
	floor := &row{group: processesGroup, name: "bare NATS request-reply", run: b.request(echoSubject, p.params)}
	floor.prepare = func(ctx context.Context) error {
		c, err := startChild(ctx, "callee", b.url)
		if err != nil {
			return err
		}
		b.later(c.close)
		return c.read(&ready{})
	}
	target := wrpc.Target{Prefix: lattice.RPCPrefix(farLattice, typesID), Instance: valuesInterface, Func: lattice.FunctionName(p.fn)}
	return []*row{floor,
		{group: processesGroup, name: "component, pristine instances", floor: floor, run: invokeAt(client, target, p), limit: &limit{ratio: 1.5, waits: true}}}, nil
}

// calleeChild serves types.wasm at the server that its argument names, and an
// echo, until its input ends.
func calleeChild(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	if len(args) != 1 {
		return errors.New("want the URL of a server")
	}
	b := &bed{}
	defer func() { err = errors.Join(err, b.close()) }()
	if b.callee, err = lattice.Connect(ctx, lattice.ConnConfig{URL: args[0], Name: "callee"}); err != nil {
		return err
	}
	b.later(func() error { b.callee.Close(); return nil })
	server, err := wrpc.NewServer(b.callee, wrpc.ServerConfig{})
	if err != nil {
		return err
	}
	b.later(server.Close)
	if b.rt, err = component.New(ctx, component.Config{}); err != nil {
		return err
	}
	b.later(func() error { return b.rt.Close(context.Background()) })
	c, err := b.component("types")
	if err != nil {
		return err
	}
	pool := component.PoolConfig{Reuse: component.Pristine}
	t, err := c.Link(ctx, component.LinkConfig{Name: typesID, Pool: pool})
	if err != nil {
		return err
	}
	w, err := workload.New(workload.Config{ID: typesID, Image: "types.wasm", Component: c, Template: t, Pool: pool, MaxInstances: 8,
		MaxTime: time.Minute, Lattice: farLattice, Host: "far", Server: server, Log: zap.NewNop()})
	if err != nil {
		return errors.Join(err, t.Close(ctx))
	}
	b.later(func() error { return w.Stop(context.Background()) })
	if err := w.Serve(ctx, nil); err != nil {
		return err
	}
	if _, err := b.callee.Subscribe(echoSubject, func(m *nats.Msg) {
		_ = b.callee.Publish(m.Reply, m.Data) // a lost reply shows as a timeout
	}); err != nil {
		return err
	}
	if err := b.callee.Flush(); err != nil {
		return err
	}
	if err := tell(out, ready{true}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}
