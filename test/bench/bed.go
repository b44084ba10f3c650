package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/engine"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/host/workload"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/wit"
)

// latticeName is the lattice of everything here; types and store are the ids
// of what is called.
const (
	latticeName = "bench"
	typesID     = "types"
	storeID     = "store"
)

// bed is what the rows run on: two ends, each with its own connection to an
// embedded NATS server. The far end serves a component and a key-value store;
// the near end has copies of both, so that the same import goes either way.
type bed struct {
	url    string // of the NATS server
	nats   *natsserver.Server
	rt     *component.Runtime
	caller *nats.Conn
	callee *nats.Conn
	memory *keyvalue.Memory
	near   *link.Router // finds its targets in this process
	far    *link.Router // finds them across NATS

	types   *component.Template
	counter *component.Component
	relay   *component.Component

	engine *engine.Engine // of core modules; nil until one is made
	peers  *peers         // nil where there are none

	skips   []string // what cannot be measured here, and why
	closers []func() error
}

// newBed makes a bed, with other runtimes to compare with or without. Close it,
// also after an error.
func newBed(ctx context.Context, withPeers bool) (*bed, error) {
	b := &bed{memory: keyvalue.NewMemory(keyvalue.MemoryConfig{})}
	steps := []func(context.Context) error{b.startNATS, b.compile, b.serve}
	if withPeers {
		steps = append(steps, b.startPeers)
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (b *bed) later(f func() error) { b.closers = append(b.closers, f) }

func (b *bed) close() error {
	var errs []error
	for _, f := range slices.Backward(b.closers) {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

func (b *bed) startNATS(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "lath-bench-")
	if err != nil {
		return err
	}
	b.later(func() error { return os.RemoveAll(dir) })
	s, err := natsserver.Start(ctx, natsserver.Config{StoreDir: dir, Port: natsserver.RandomPort})
	if err != nil {
		return err
	}
	b.later(func() error { return s.Shutdown(context.Background()) })
	b.url, b.nats = s.URL(), s
	for _, to := range []**nats.Conn{&b.caller, &b.callee} {
		if *to, err = lattice.Connect(ctx, lattice.ConnConfig{URL: s.URL(), Name: "bench"}); err != nil {
			return err
		}
		b.later(func() error { (*to).Close(); return nil })
	}
	return nil
}

func (b *bed) startPeers(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "lath-bench-")
	if err != nil {
		return err
	}
	b.later(func() error { return os.RemoveAll(dir) })
	p, err := startPeers(ctx, dir)
	if err != nil {
		return err
	}
	b.peers = p
	b.later(p.close)
	return nil
}

func (b *bed) compile(ctx context.Context) (err error) {
	if b.rt, err = component.New(ctx, component.Config{}); err != nil {
		return err
	}
	b.later(func() error {
		if n := b.rt.MemoryInUse() + b.rt.MemoryIdle(); n > 0 {
			return fmt.Errorf("%d bytes of guest memory are left", n)
		}
		return b.rt.Close(context.Background())
	})
	if b.relay, err = b.component("relay"); err != nil {
		return err
	}
	if b.counter, err = b.component("counter"); err != nil {
		return err
	}
	c, err := b.component("types")
	if err != nil {
		return err
	}
	b.types, err = b.link(ctx, c, component.LinkConfig{Name: typesID})
	return err
}

func (b *bed) component(name string) (*component.Component, error) {
	wasm, err := examples.Component(name)
	if err != nil {
		return nil, err
	}
	return b.rt.Compile(wasm)
}

func (b *bed) link(ctx context.Context, c *component.Component, cfg component.LinkConfig) (*component.Template, error) {
	t, err := c.Link(ctx, cfg)
	if err == nil {
		b.later(func() error { return t.Close(context.Background()) })
	}
	return t, err
}

// serve puts the callees on the lattice, and makes the routers to them.
func (b *bed) serve(ctx context.Context) error {
	server, err := wrpc.NewServer(b.callee, wrpc.ServerConfig{})
	if err != nil {
		return err
	}
	b.later(server.Close)
	client, err := wrpc.NewClient(b.caller, wrpc.ClientConfig{})
	if err != nil {
		return err
	}
	b.later(client.Close)
	w, err := b.workload(ctx, server)
	if err != nil {
		return err
	}
	store := &provider.Capabilities{KeyvalueStore: b.memory, KeyvalueAtomics: b.memory, KeyvalueBatch: b.memory}
	exports, err := store.Exports()
	if err != nil {
		return err
	}
	for i := range exports {
		exports[i].Prefix = lattice.RPCPrefix(latticeName, storeID)
	}
	if _, err := server.Serve(ctx, exports...); err != nil {
		return err
	}
	links := []lattice.Link{
		{SourceID: "relay", Target: typesID, Name: lattice.DefaultLinkName, WITNamespace: "example", WITPackage: "types", Interfaces: []string{"values"}},
		{SourceID: "counter", Target: storeID, Name: lattice.DefaultLinkName, WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store", "atomics"}},
	}
	b.near = link.NewRouter(latticeName, local{components: map[string]link.Component{typesID: w}, providers: map[string]*provider.Capabilities{storeID: store}}, wrpc.NewCaller(client, latticeName, nil))
	b.far = link.NewRouter(latticeName, local{}, wrpc.NewCaller(client, latticeName, nil))
	b.near.SetLinks(links)
	b.far.SetLinks(links)
	return nil
}

// workload runs a second copy of types as the product does: a fresh instance
// for each call.
func (b *bed) workload(ctx context.Context, server *wrpc.Server) (*workload.Workload, error) {
	c, err := b.component("types")
	if err != nil {
		return nil, err
	}
	t, err := c.Link(ctx, component.LinkConfig{Name: typesID})
	if err != nil {
		return nil, err
	}
	w, err := workload.New(workload.Config{ID: typesID, Image: "types.wasm", Component: c, Template: t, MaxInstances: 8,
		MaxTime: time.Minute, Lattice: latticeName, Host: "bench", Server: server, Log: zap.NewNop()})
	if err != nil {
		return nil, errors.Join(err, t.Close(ctx))
	}
	b.later(func() error { return w.Stop(context.Background()) })
	return w, w.Serve(ctx, nil)
}

// local is what runs in a router's process.
type local struct {
	components map[string]link.Component
	providers  map[string]*provider.Capabilities
}

// Component implements link.Local.
func (l local) Component(id string) link.Component { return l.components[id] }

// Provider implements link.Local.
func (l local) Provider(id string) *provider.Capabilities { return l.providers[id] }

// imports returns the imported interfaces of a component, as a router carries
// them.
func imports(c *component.Component, id string, to *link.Router) map[string]*link.Import {
	m := map[string]*link.Import{}
	for _, x := range c.World().Imports {
		if x.Interface != nil {
			m[x.Name] = to.Import(id, x.Interface)
		}
	}
	return m
}

// keptInstance answers imports by one instance that it keeps, so that a call costs
// what the call itself does.
type keptInstance struct {
	inst *component.Instance
	tmpl *component.Template
}

func (k keptInstance) callee(iface string, fn *wit.Func) (component.Callee, error) {
	return keptFunc{k.inst, k.tmpl.Export(iface, fn.Name)}, nil
}

type keptFunc struct {
	inst   *component.Instance
	export *component.Export
}

// Call implements component.Callee.
func (k keptFunc) Call(c *component.ImportCall) error {
	return c.Forward(c.Context(), k.inst, k.export)
}
