package link_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/wit"
)

func replaceAll(s, old, now string) string { return strings.ReplaceAll(s, old, now) }

// local is a host on which some components and providers run.
type local struct {
	mu         sync.Mutex
	components map[string]*wit.World
}

func (l *local) run(id string, w *wit.World) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.components == nil {
		l.components = map[string]*wit.World{}
	}
	l.components[id] = w
}

// Component implements link.Local.
func (l *local) Component(id string) link.Component {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w := l.components[id]; w != nil {
		return target{w}
	}
	return nil
}

// Provider implements link.Local.
func (l *local) Provider(string) *provider.Capabilities { return nil }

type target struct{ w *wit.World }

func (c target) World() *wit.World            { return c.w }
func (target) Pinned(*link.Route) link.Pinned { return nil }
func (target) Crowded() bool                  { return false }
func (target) Forward(context.Context, *component.ImportCall, string, time.Duration) error {
	return errors.New("not called here")
}
func (target) Invoke(context.Context, string, string, []byte, time.Duration) ([]byte, error) {
	return nil, errors.New("not called here")
}

func stockLink(source, target string) lattice.Link {
	return lattice.Link{SourceID: source, Target: target, Name: "default", WITNamespace: "acme", WITPackage: "shop", Interfaces: []string{"bell", "stock"}}
}

func newRouter(t testing.TB) (*link.Router, *local, *link.Import) {
	t.Helper()
	here := &local{}
	r := link.NewRouter("default", here, nil)
	r.SetTimeout(time.Second)
	return r, here, r.Import("a", world(t, shopText, "import stock;").Imports[0].Interface)
}

func TestRouterFollowsChanges(t *testing.T) {
	t.Parallel()
	r, here, imp := newRouter(t)
	require.EqualError(t, imp.Route().Err, "no link \"default\" for acme:shop/stock: set one with `lath link put a TARGET --interface acme:shop/stock`")
	require.Empty(t, r.Targets(true))

	r.SetLinks([]lattice.Link{stockLink("other", "x"), stockLink("a", "b")})
	require.Equal(t, &link.Route{LinkName: "default", Target: "b"}, imp.Route(), "b runs elsewhere, if at all")
	require.Equal(t, []string{"b"}, r.Targets(true))

	here.run("b", world(t, shopText, "export stock;"))
	require.Nil(t, imp.Route().Component, "nobody has told")
	r.Changed()
	require.NotNil(t, imp.Route().Component)
	require.NoError(t, imp.Route().Err)
	require.Empty(t, r.Targets(true), "it runs here")

	here.run("b", world(t, shopText, "export till;"))
	r.Changed()
	require.EqualError(t, imp.Route().Err, `the link is refused: target "b" does not export acme:shop/stock; it exports acme:shop/till@1.2.0`)

	here.run("b", nil)
	r.Changed()
	require.Nil(t, imp.Route().Component)
	require.NoError(t, imp.Route().Err)

	named := stockLink("a", "c")
	named.Name = "second"
	r.SetLinks([]lattice.Link{named})
	require.Error(t, imp.Route().Err, "a link of another name is not followed")
	r.SetLinks([]lattice.Link{named, stockLink("a", "d")})
	require.Equal(t, "d", imp.Route().Target)
	r.ChangeLinks(map[string][]lattice.Link{"other": {stockLink("other", "y")}})
	require.Equal(t, "d", imp.Route().Target, "others' links are none of its")
	r.ChangeLinks(map[string][]lattice.Link{"a": {stockLink("a", "e")}})
	require.Equal(t, "e", imp.Route().Target)
	r.ChangeLinks(map[string][]lattice.Link{"a": nil})
	require.Error(t, imp.Route().Err, "it has none any more")
	r.SetLinks([]lattice.Link{named, stockLink("a", "d")})
	imp.Release()
	r.SetLinks(nil)
	require.Equal(t, "d", imp.Route().Target, "a released import is left alone")
}

func TestRouterRemote(t *testing.T) {
	t.Parallel()
	r, here, imp := newRouter(t)
	r.SetLinks([]lattice.Link{stockLink("a", "b")})
	wrong := world(t, replaced(t, "take: func(name: string, count: u32)", "take: func(name: string, count: s32)"), "export stock;")
	require.Equal(t, []string{"b"}, r.Targets(false), "b's types are not known")
	r.SetRemote("nobody", wrong)
	require.NoError(t, imp.Route().Err)
	r.SetRemote("b", wrong)
	require.ErrorContains(t, imp.Route().Err, `the link is refused: acme:shop/stock.take: component "a" wants`)
	require.Equal(t, "b", imp.Route().Target)
	require.Empty(t, r.Targets(false))
	require.Equal(t, []string{"b"}, r.Targets(true), "it is asked again from time to time")
	r.Changed()
	require.Error(t, imp.Route().Err)

	here.run("b", world(t, shopText, "export stock;"))
	r.Changed()
	require.NoError(t, imp.Route().Err, "what runs here counts")
	here.run("b", nil)
	r.SetRemote("b", world(t, shopText, "export stock;"))
	r.Changed()
	require.NoError(t, imp.Route().Err)
	r.SetRemote("b", wrong)
	require.Error(t, imp.Route().Err)
	r.SetRemote("b", nil)
	require.NoError(t, imp.Route().Err, "no more is known: the call will show")
}

func TestRouterIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	r, here, imp := newRouter(t)
	iface := world(t, shopText, "import stock;").Imports[0].Interface
	right := world(t, shopText, "export stock;")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				switch i {
				case 0:
					r.SetLinks([]lattice.Link{stockLink("a", "b")})
				case 1:
					here.run("b", right)
					r.Changed()
				case 2:
					r.Import("x", iface).Release()
					r.SetRemote("b", right)
				default:
					_ = imp.Route().Target
					r.Targets(true)
				}
			}
		})
	}
	wg.Wait()
	require.NotNil(t, imp.Route().Component)
}

func TestCallError(t *testing.T) {
	t.Parallel()
	_, _, imp := newRouter(t)
	route := &link.Route{LinkName: "default", Target: "b"}
	err := imp.Refused(route, "take", errors.New("out of order"))
	require.EqualError(t, err, `component "a", link "default" to "b", acme:shop/stock@1.2.0.take: refused: out of order`)
	require.ErrorIs(t, err, wrpc.ErrRefused)
	err = imp.Refused(&link.Route{LinkName: "default"}, "take", errors.New("no link"))
	require.EqualError(t, err, `component "a", link "default", acme:shop/stock@1.2.0.take: refused: no link`)
	err = imp.Malformed(route, "take", fmt.Errorf("unexpected end"))
	require.EqualError(t, err, `component "a", link "default" to "b", acme:shop/stock@1.2.0.take: protocol error: malformed results: unexpected end`)
	require.ErrorIs(t, err, wrpc.ErrMayHaveRun)
	for code, want := range map[wrpc.Code]string{
		wrpc.Timeout: "timeout", wrpc.Disconnected: "not connected to NATS", wrpc.Incomplete: "ended without a result, cause unknown",
	} {
		e := &link.CallError{Source: "a", LinkName: "l", Target: "b", Interface: "i", Func: "f", Code: code, Detail: code.String()}
		require.EqualError(t, e, `component "a", link "l" to "b", i.f: `+want, "the code is not said twice")
	}
}

func TestOutgoing(t *testing.T) {
	t.Parallel()
	_, _, imp := newRouter(t)
	route := &link.Route{LinkName: "default", Target: "b"}
	in := wrpc.Meta{SourceID: "x", LinkName: "other", TargetID: "a", Path: []string{"x"}, TraceParent: "00-1", TraceState: "s"}
	ctx, cancel, err := imp.Outgoing(wrpc.ContextWithMeta(t.Context(), in), route, "take")
	require.NoError(t, err)
	defer cancel()
	out, _ := wrpc.MetaFromContext(ctx)
	require.Equal(t, wrpc.Meta{SourceID: "a", LinkName: "default", Path: []string{"x", "a"}, TraceParent: "00-1", TraceState: "s"}, out)
	require.Equal(t, []string{"x"}, in.Path)
	deadline, ok := ctx.Deadline()
	require.True(t, ok)
	require.LessOrEqual(t, time.Until(deadline), time.Second)

	soon, done := context.WithTimeout(t.Context(), time.Millisecond)
	defer done()
	ctx, cancel, err = imp.Outgoing(soon, route, "take")
	require.NoError(t, err)
	defer cancel()
	want, _ := soon.Deadline()
	deadline, _ = ctx.Deadline()
	require.Equal(t, want, deadline, "the caller's own time, where it is shorter")

	in.Path = make([]string, wrpc.MaxPath)
	_, _, err = imp.Outgoing(wrpc.ContextWithMeta(t.Context(), in), route, "take")
	require.EqualError(t, err, `component "a", link "default" to "b", acme:shop/stock@1.2.0.take: refused: the chain of calls is longer than 32 components`)
}

// One source's links change among many.
func BenchmarkRouterChangeLinks(b *testing.B) {
	r := link.NewRouter("default", &local{}, nil)
	iface := world(b, shopText, "import stock;").Imports[0].Interface
	var links []lattice.Link
	for i := range 2000 {
		id := fmt.Sprintf("c%d", i)
		links = append(links, stockLink(id, "t"))
		if i%4 == 0 {
			r.Import(id, iface)
		}
	}
	r.SetLinks(links)
	changed := map[string][]lattice.Link{"c0": {stockLink("c0", "u")}}
	b.ReportAllocs()
	for b.Loop() {
		r.ChangeLinks(changed)
	}
}

func BenchmarkRouterSetLinks(b *testing.B) {
	r := link.NewRouter("default", &local{}, nil)
	iface := world(b, shopText, "import stock;").Imports[0].Interface
	var links []lattice.Link
	for i := range 2000 {
		id := fmt.Sprintf("c%d", i)
		links = append(links, stockLink(id, "t"))
		if i%4 == 0 {
			r.Import(id, iface)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		r.SetLinks(links)
	}
}

// While NATS is away a call along a link fails at once, and was not sent.
func TestCallWithoutNATS(t *testing.T) {
	t.Parallel()
	s, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	conn, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: s.URL()})
	require.NoError(t, err)
	defer conn.Close()
	client, err := wrpc.NewClient(conn, wrpc.ClientConfig{})
	require.NoError(t, err)
	defer client.Close()
	r := link.NewRouter("default", &local{}, wrpc.NewCaller(client, "default", nobody{}))
	iface := world(t, shopText, "import stock;").Imports[0].Interface
	imp := r.Import("a", iface)
	r.SetLinks([]lattice.Link{stockLink("a", "b")})
	require.NoError(t, s.Shutdown(context.Background()))
	require.Eventually(t, func() bool { return !conn.IsConnected() }, time.Minute, time.Millisecond)

	route := imp.Route()
	ctx, cancel, err := imp.Outgoing(t.Context(), route, "take")
	require.NoError(t, err)
	defer cancel()
	_, err = imp.Invoker(route, iface).Invoke(ctx, iface.Name, "take", []byte{0})
	var call *link.CallError
	require.ErrorAs(t, err, &call)
	require.Equal(t, wrpc.Disconnected, call.Code)
	require.NotErrorIs(t, err, wrpc.ErrMayHaveRun)
	require.NoError(t, ctx.Err(), "its deadline has not passed")
}

// A target of an adapter's call that stops before the call begins, as it does when it is
// updated while calls wait for room, leaves it to what has taken its place. Each attempt
// may take the link's own time.
func TestInvokerAtATargetThatIsReplaced(t *testing.T) {
	t.Parallel()
	iface := world(t, shopText, "import stock;").Imports[0].Interface
	exports := target{world(t, shopText, "export stock;")}
	here := &place{}
	r := link.NewRouter("default", here, wrpc.NewCaller(nil, "default", nobody{}))
	r.SetConfig(func([]string) map[string]string { return map[string]string{"lath.timeout-ms": "3600000"} })
	var ran []string
	here.is = &invoked{exports, func(most time.Duration) ([]byte, error) {
		require.Equal(t, time.Hour, most)
		ran = append(ran, "old")
		here.is = &invoked{exports, func(most time.Duration) ([]byte, error) {
			require.Equal(t, time.Hour, most)
			ran = append(ran, "new")
			return []byte{7}, nil
		}}
		r.Changed()
		return nil, &wrpc.Error{Code: wrpc.Busy, Detail: "the component is stopping"}
	}}
	l := stockLink("a", "b")
	l.SourceConfig = []string{"slow"}
	r.SetLinks([]lattice.Link{l})
	imp := r.Import("a", iface)
	route := imp.Route()
	ctx, cancel, err := imp.Outgoing(t.Context(), route, "take")
	require.NoError(t, err)
	defer cancel()
	out, err := imp.Invoker(route, iface).Invoke(ctx, iface.Name, "take", []byte{0})
	require.NoError(t, err)
	require.Equal(t, []byte{7}, out)
	require.Equal(t, []string{"old", "new"}, ran)

	here.is = &invoked{exports, func(time.Duration) ([]byte, error) { return nil, &wrpc.Error{Code: wrpc.Busy} }}
	r.Changed()
	_, err = imp.Invoker(imp.Route(), iface).Invoke(ctx, iface.Name, "take", []byte{0})
	require.ErrorIs(t, err, wrpc.ErrBusy, "it is only full, and nobody else has it")
}

// place is a host on which one component runs.
type place struct{ is link.Component }

// Component implements link.Local.
func (p *place) Component(string) link.Component { return p.is }

// Provider implements link.Local.
func (p *place) Provider(string) *provider.Capabilities { return nil }

// invoked is a component that answers encoded calls.
type invoked struct {
	target
	invoke func(most time.Duration) ([]byte, error)
}

// Invoke implements link.Component.
func (c *invoked) Invoke(_ context.Context, _, _ string, _ []byte, most time.Duration) ([]byte, error) {
	return c.invoke(most)
}

// nobody are no hosts.
type nobody struct{}

func (nobody) Suspect(string) bool        { return false }
func (nobody) Candidates(string) []string { return nil }

// A link's own time counts on both routes, and changes with its config.
func TestLinkTimeout(t *testing.T) {
	t.Parallel()
	r := link.NewRouter("default", &local{}, nil)
	r.SetTimeout(time.Hour)
	configs := map[string]string{}
	r.SetConfig(func(names []string) map[string]string {
		require.Equal(t, []string{"quick"}, names)
		return configs
	})
	imp := r.Import("a", world(t, shopText, "import stock;").Imports[0].Interface)
	l := stockLink("a", "b")
	l.SourceConfig = []string{"quick"}
	r.SetLinks([]lattice.Link{l})
	left := func() time.Duration {
		t.Helper()
		ctx, cancel, err := imp.Outgoing(t.Context(), imp.Route(), "take")
		require.NoError(t, err)
		defer cancel()
		deadline, ok := ctx.Deadline()
		require.True(t, ok)
		return time.Until(deadline)
	}
	require.Greater(t, left(), 30*time.Minute)
	configs["lath.timeout-ms"] = "60000"
	r.ConfigsChanged()
	require.LessOrEqual(t, left(), time.Minute)
	for _, bad := range []string{"", "0", "-1", "5s", "99999999999"} {
		configs["lath.timeout-ms"] = bad
		r.ConfigsChanged()
		require.ErrorContains(t, imp.Route().Err, "want a number of milliseconds", bad)
	}
	delete(configs, "lath.timeout-ms")
	r.ConfigsChanged()
	require.Greater(t, left(), 30*time.Minute)
}
