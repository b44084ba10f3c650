package harness

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/lathhost/lath/examples"
	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wave"
	"github.com/lathhost/lath/wit/wire"
)

// Name is the lattice that the hosts of a test are in.
const Name = "default"

// Wait bounds every wait of a test.
const Wait = 20 * time.Second

// Lattice is an embedded NATS server with hosts on it. All of it ends with the
// test.
type Lattice struct {
	T       testing.TB
	URL     string
	Conn    *nats.Conn
	Control *ctl.Client
	Calls   *wrpc.Client

	dir        string
	natsConfig string             // a file
	as         lattice.ConnConfig // of the connections that are made here
	server     *natsserver.Server
	nodes      []*Node
}

// New starts a NATS server and connects to it.
func New(t testing.TB) *Lattice {
	t.Helper()
	return NewWith(t, "")
}

// NewWith is New with a configuration of the NATS server, as in a file.
func NewWith(t testing.TB, config string) *Lattice {
	t.Helper()
	return NewAs(t, config, lattice.ConnConfig{})
}

// NewAs is NewWith for a server that wants to know who connects. Hosts that are not
// to be the same are given a connection of their own.
func NewAs(t testing.TB, config string, as lattice.ConnConfig) *Lattice {
	t.Helper()
	l := &Lattice{T: t, dir: t.TempDir(), as: as}
	if config != "" {
		l.natsConfig = filepath.Join(l.dir, "nats.conf")
		require.NoError(t, os.WriteFile(l.natsConfig, []byte(config), 0o600))
	}
	l.startNATS(natsserver.RandomPort)
	t.Cleanup(l.StopNATS)
	l.URL = l.server.URL()
	l.open()
	return l
}

// open makes the test's own connection.
func (l *Lattice) open() {
	t := l.T
	t.Helper()
	l.Conn = l.connect()
	var err error
	l.Control, err = ctl.NewClient(ctl.ClientConfig{Conn: l.Conn, Lattice: Name})
	require.NoError(t, err)
	l.Calls, err = wrpc.NewClient(l.Conn, wrpc.ClientConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Calls.Close()) })
}

func (l *Lattice) connect() *nats.Conn { return l.connectTo(l.URL) }

func (l *Lattice) connectTo(url string) *nats.Conn {
	l.T.Helper()
	cfg := l.as
	cfg.URL = url
	nc, err := lattice.Connect(l.T.Context(), cfg)
	require.NoError(l.T, err)
	l.T.Cleanup(nc.Close)
	return nc
}

// Node is a host of the lattice.
type Node struct {
	ID   string
	Host *host.Host
	Conn *nats.Conn
	// Runtime is the host's, to ask what guests hold.
	Runtime *component.Runtime
	// Wire is what the host reaches NATS by; nil: no other than all.
	Wire *Wire

	l    *Lattice
	cfg  host.Config
	stop context.CancelFunc
	done chan error
}

// Host starts a host. edit, if not nil, changes its configuration first.
func (l *Lattice) Host(edit func(*host.Config)) *Node {
	l.T.Helper()
	return l.start(nil, edit)
}

// start starts a host that reaches NATS by a wire, if it is given one.
func (l *Lattice) start(wire *Wire, edit func(*host.Config)) *Node {
	t := l.T
	t.Helper()
	url := l.URL
	if wire != nil {
		url = wire.URL()
	}
	id, err := lattice.NewIdentity("")
	require.NoError(t, err)
	rt, err := component.New(t.Context(), component.Config{CacheDir: filepath.Join(l.dir, "code")})
	require.NoError(t, err)
	images, err := oci.New(oci.Config{AllowFile: true, CacheDir: filepath.Join(l.dir, "oci")})
	require.NoError(t, err)
	log := zap.NewNop()
	if testing.Verbose() {
		log = zaptest.NewLogger(t, zaptest.Level(zap.InfoLevel))
	}
	n := &Node{Conn: l.connectTo(url), Wire: wire, l: l, done: make(chan error, 1)}
	cfg := host.Config{Lattice: Name, Identity: id, Conn: n.Conn, Runtime: rt, Images: images, ProgramDir: filepath.Join(l.dir, "programs"), Log: log}
	if edit != nil {
		edit(&cfg)
	}
	n.ID, n.Runtime, n.cfg = cfg.Identity.ID, rt, cfg
	l.nodes = append(l.nodes, n)
	n.Host, err = host.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	go func() { n.done <- n.Host.Run(ctx) }()
	select {
	case <-n.Host.Ready():
	case err := <-n.done:
		t.Fatalf("host did not start: %v", err)
	}
	// What it told of its start is told now, not in the middle of a test.
	require.NoError(t, lattice.Flush(t.Context(), n.Conn))
	t.Cleanup(func() {
		n.Stop()
		images.Close()
		require.Zero(t, rt.MemoryInUse()+rt.MemoryIdle(), "guest memory is left")
		require.NoError(t, rt.Close(context.Background()))
	})
	return n
}

// Stop stops the host and waits for its end. It may be called again.
func (n *Node) Stop() {
	n.l.T.Helper()
	n.stop()
	if n.done == nil {
		return
	}
	select {
	case err := <-n.done:
		n.done = nil
		require.NoError(n.l.T, err)
	case <-time.After(Wait):
		n.done = nil
		n.l.T.Fatal("host does not stop")
	}
	// nats.go keeps one subscription for its own requests.
	require.LessOrEqual(n.l.T, n.Conn.NumSubscriptions(), 1, "subscriptions are left")
}

// Ended waits for the end of a host that was told to stop, and returns what its
// Run returned.
func (n *Node) Ended() error {
	n.l.T.Helper()
	select {
	case err := <-n.done:
		n.done = nil
		return err
	case <-time.After(Wait):
		n.l.T.Fatal("host does not stop")
		return nil
	}
}

// Image writes an example component to a file and returns its reference.
func (l *Lattice) Image(name string) string {
	l.T.Helper()
	wasm, err := examples.Component(name)
	require.NoError(l.T, err)
	return l.File(name+".wasm", wasm)
}

// File writes bytes to a file, whole at any time, and returns the reference of an
// image in it.
func (l *Lattice) File(name string, content []byte) string {
	l.T.Helper()
	path := filepath.Join(l.dir, name)
	f, err := os.CreateTemp(l.dir, "file")
	require.NoError(l.T, err)
	_, err = f.Write(content)
	require.NoError(l.T, errors.Join(err, f.Close(), os.Rename(f.Name(), path)))
	ref, err := oci.FileReference(path)
	require.NoError(l.T, err)
	return ref
}

// Start runs an example component on a host, under an id, and returns the
// reason where it does not start.
func (n *Node) Start(id, example string, limit uint32) error {
	return n.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: n.l.Image(example), MaxInstances: limit})
}

// Scale sends a component.scale command and waits for its outcome.
func (n *Node) Scale(req ctl.ScaleComponent) error {
	n.l.T.Helper()
	return n.await(func(ctx context.Context) error {
		_, err := n.l.Control.ScaleComponent(ctx, n.ID, req)
		return err
	}, func(d event.Data) (bool, string) {
		switch d := d.(type) {
		case event.ComponentScaled:
			return d.ComponentID == req.ComponentID && d.HostID == n.ID, ""
		case event.ComponentScaleFailed:
			return d.ComponentID == req.ComponentID && d.HostID == n.ID, d.Error
		}
		return false, ""
	})
}

// StartProvider runs a built-in provider on a host.
func (n *Node) StartProvider(id, builtin string) error {
	n.l.T.Helper()
	return n.Provide(ctl.StartProvider{ProviderID: id, ProviderRef: provider.Scheme + builtin})
}

// Provide sends a provider.start command and waits for its outcome.
func (n *Node) Provide(req ctl.StartProvider) error {
	n.l.T.Helper()
	id := req.ProviderID
	return n.await(func(ctx context.Context) error {
		return n.l.Control.StartProvider(ctx, n.ID, req)
	}, func(d event.Data) (bool, string) {
		switch d := d.(type) {
		case event.ProviderStarted:
			return d.ProviderID == id && d.HostID == n.ID, ""
		case event.ProviderStartFailed:
			return d.ProviderID == id && d.HostID == n.ID, d.Error
		}
		return false, ""
	})
}

// Failed is the reason that a failure event gave.
type Failed string

// Error implements error.
func (f Failed) Error() string { return string(f) }

func (n *Node) await(command func(context.Context) error, outcome func(event.Data) (bool, string)) error {
	t := n.l.T
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	sub, err := event.Subscribe(ctx, n.l.Conn, Name)
	require.NoError(t, err)
	defer sub.Close() //nolint:errcheck // the test ends anyway
	if err := command(ctx); err != nil {
		return err
	}
	reason := ""
	_, err = sub.Wait(ctx, func(e event.Event) bool {
		is, why := outcome(e.Data)
		if is {
			reason = why
		}
		return is
	})
	require.NoError(t, err, "no outcome was told")
	if reason != "" {
		return Failed(reason)
	}
	return nil
}

// Link links interfaces, "ns:pkg/a,b", of a source to a target, and waits
// until every host that runs knows.
func (l *Lattice) Link(source, target, interfaces string) error {
	l.T.Helper()
	pkg, names, ok := strings.Cut(interfaces, "/")
	require.True(l.T, ok)
	ns, pkg, _ := strings.Cut(pkg, ":")
	ctx, cancel := context.WithTimeout(context.Background(), Wait)
	defer cancel()
	err := l.Control.PutLink(ctx, lattice.Link{SourceID: source, Target: target, WITNamespace: ns, WITPackage: pkg,
		Interfaces: strings.Split(names, ",")})
	if err != nil {
		return err
	}
	l.Linked(source, target, pkg)
	return nil
}

// Linked waits until all hosts know a link for a package.
func (l *Lattice) Linked(source, target, pkg string) {
	l.T.Helper()
	for _, n := range l.nodes {
		l.Eventually("all hosts know the link", func() bool {
			return n.done == nil || slices.ContainsFunc(n.Host.Links(), func(x lattice.Link) bool {
				return x.SourceID == source && x.Target == target && x.WITPackage == pkg
			})
		})
	}
}

// Answer is the result of a call.
type Answer struct {
	WAVE string
	Hops []wrpc.Hop
}

// Call calls an exported function by a WAVE expression as the CLI does. A node
// aims the call at one host; nil lets NATS choose.
func (l *Lattice) Call(ctx context.Context, on *Node, target, expr string) (Answer, error) {
	t := l.T
	t.Helper()
	c, err := l.Control.Contract(ctx, target)
	if err != nil {
		return Answer{}, err
	}
	w, err := wit.ParseWorld(c.WIT)
	require.NoError(t, err)
	parsed, err := wave.ParseCall(expr)
	require.NoError(t, err)
	x := w.Export(parsed.Instance)
	require.NotNil(t, x, "%s does not export %s", target, parsed.Instance)
	f := x.Interface.Func(parsed.Func)
	require.NotNil(t, f, "no function %s", parsed.Func)
	args, err := wave.ParseArgs(f.Params, parsed)
	require.NoError(t, err)
	params, err := wire.AppendAll(nil, f.ParamTypes(), args)
	require.NoError(t, err)
	prefix := lattice.RPCPrefix(Name, target)
	if on != nil {
		prefix = lattice.DirectPrefix(Name, on.ID, target)
	}
	ctx, hops := wrpc.ContextWithHops(ctx)
	out, _, err := l.Calls.Call(ctx, wrpc.Target{Prefix: prefix, Instance: x.Name, Func: lattice.FunctionName(f.Name)},
		wrpc.Meta{SourceID: "test"}, params)
	a := Answer{Hops: hops.List()}
	if err != nil || f.Result == nil {
		return a, err
	}
	v, _, err := wire.Decode(f.Result, out, wire.Limits{})
	require.NoError(t, err)
	a.WAVE = wave.Format(f.Result, v)
	return a, nil
}

// Eventually waits until check holds.
func (l *Lattice) Eventually(what string, check func() bool) {
	l.T.Helper()
	require.Eventually(l.T, check, Wait, 10*time.Millisecond, what)
}

// Knows reports whether a host answers with a link from source to target.
func (l *Lattice) Knows(source, target string) bool {
	links, err := l.Control.Links(context.Background())
	return err == nil && slices.ContainsFunc(links, func(x lattice.Link) bool { return x.SourceID == source && x.Target == target })
}
