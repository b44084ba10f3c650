package hostile_test

import (
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/filesystem"
	wasihttp "github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/host/wasi/sockets"
	"github.com/lathhost/lath/wit"
	contractfs "github.com/lathhost/lath/wit/wasi/filesystem"
	contracthttp "github.com/lathhost/lath/wit/wasi/http"
	contractio "github.com/lathhost/lath/wit/wasi/io"
	contractsockets "github.com/lathhost/lath/wit/wasi/sockets"
)

// deed is something that guests do with the host, step by step.
type deed struct {
	name  string
	holds int // bytes of the host's at most, at a time
	fails bool
	do    func(g *hands)
}

// deeds are those that leave something behind in the middle.
func deeds(t *testing.T) []deed {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
		_ = http.NewResponseController(w).Flush()
		w.Header().Set(http.TrailerPrefix+"X-End", "1")
	}))
	t.Cleanup(web.Close)
	rules, err := egress.Parse([]string{"127.0.0.0/8", "localhost"})
	require.NoError(t, err)
	h := wasihttp.New(wasihttp.Config{Rules: rules})
	t.Cleanup(h.CloseIdle)
	net := sockets.New(rules, nil)
	files := filesystem.New([]filesystem.Dir{{Host: t.TempDir(), Guest: "/", Write: true}}, nil)
	return []deed{
		{"fields", 4 << 10, true, func(g *hands) { g.fields(h) }},
		{"exchange", 500 << 10, false, func(g *hands) { g.exchange(h, strings.TrimPrefix(web.URL, "http://")) }},
		{"refused", 200 << 10, true, func(g *hands) { g.exchange(h, "10.0.0.1") }},
		{"sockets", 900 << 10, false, func(g *hands) { g.sockets(net) }},
		{"listings", 200 << 10, false, func(g *hands) { g.listings(files) }},
	}
}

// TestBudgetsAreGivenBack lets guests run out of what the host holds for them
// at every step of what they do, and looks whether the rest was given back when
// all their handles are gone.
func TestBudgetsAreGivenBack(t *testing.T) {
	b := newBed(t)
	for _, d := range deeds(t) {
		t.Run(d.name, func(t *testing.T) {
			const steps = 40
			for i := range steps + 1 {
				for _, parentsFirst := range []bool{true, false} {
					got := b.inside(t, max(1, d.holds*i/steps), parentsFirst, d.do)
					if i == steps && !d.fails {
						require.NoError(t, got.err, "the budget is enough")
					}
				}
			}
		})
	}
}

// TestHandlesDropInAnyOrder has guests stop after every step, begin to wait for
// all that can be waited for, and drop what they have in any order: what a
// goroutine of the host's has yet to begin, or is at, ends with it.
func TestHandlesDropInAnyOrder(t *testing.T) {
	for _, d := range deeds(t) {
		t.Run(d.name, func(t *testing.T) {
			whole := &hands{ctx: t.Context(), last: math.MaxInt}
			d.do(whole)
			whole.dropAll(t)
			for last := range whole.steps {
				for range 4 {
					g := &hands{ctx: t.Context(), last: last}
					d.do(g)
					g.waitForAll(t)
					rand.Shuffle(len(g.held), func(i, j int) { g.held[i], g.held[j] = g.held[j], g.held[i] })
					g.dropAll(t)
				}
			}
		})
	}
}

// inside runs do as a guest with a budget, and looks what is left of it.
func (b *bed) inside(t *testing.T, budget int, parentsFirst bool, do func(g *hands)) (g *hands) {
	t.Helper()
	res := &wit.Resource{Name: "thing"}
	left := 0
	host := component.HostInterface{Name: "hostile:test/host", Resources: []*wit.Resource{res}, Funcs: []component.HostFunc{
		{Type: &wit.Func{Name: "make", Result: wit.NewOwn(res)}, Call: func(inv *component.Invocation, stack []uint64) {
			g = &hands{ctx: inv.Context(), last: math.MaxInt}
			do(g)
			if !parentsFirst {
				slices.Reverse(g.held)
			}
			for _, r := range g.held {
				r.Drop()
			}
			of := component.HostBudgetOf(g.ctx)
			for left = budget; left > 0 && of.Take(left) != nil; left-- {
			}
			of.Give(left)
			b.alive.Add(1)
			stack[0] = uint64(inv.LowerOwn(res, &thing{of: b}))
		}},
	}}
	tm, err := b.compile(t, "hoard").Link(t.Context(), component.LinkConfig{Host: []component.HostInterface{host}, Limits: component.Limits{HostBytes: int64(budget)}})
	require.NoError(t, err)
	defer func() { require.NoError(t, tm.Close(context.Background())) }()
	_, err = run(t.Context(), tm, []string{"run(1, true)"})
	require.NoError(t, err)
	require.Equal(t, budget, left, "after %d steps and %v", g.steps, g.err)
	return g
}

// hands are what a guest does, up to the first error, and the handles that it
// has then.
type hands struct {
	ctx   context.Context //nolint:containedctx // of the one call
	held  []component.Resource
	steps int
	last  int // the most steps
	err   error
}

// errEnough ends what is to be done in part.
var errEnough = errors.New("enough")

// waiting is a handle that can be waited for.
type waiting interface {
	Subscribe(ctx context.Context) (contractio.Pollable, error)
}

// waitForAll begins to wait for all that can be waited for, and stops at once.
func (g *hands) waitForAll(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(g.ctx)
	cancel()
	for _, r := range slices.Clone(g.held) {
		if w, ok := r.(waiting); ok {
			p, err := w.Subscribe(ctx)
			require.NoError(t, err)
			_ = p.Block(ctx)
			g.held = append(g.held, p)
		}
	}
}

// dropAll drops what is held in its order, none of which takes long.
func (g *hands) dropAll(t *testing.T) {
	t.Helper()
	dropped := make(chan struct{})
	go func() {
		defer close(dropped)
		for _, r := range g.held {
			r.Drop()
		}
	}()
	select {
	case <-dropped:
	case <-time.After(patience):
		require.Fail(t, "a drop hangs", "after %d steps", g.steps)
	}
}

// get does a step that returns a resource.
func get[R component.Resource](g *hands, step func() (R, error)) (r R) {
	if g.do(func() (err error) { r, err = step(); return err }) {
		g.held = append(g.held, r)
	}
	return r
}

// do does a step, unless one before has failed.
func (g *hands) do(step func() error) bool {
	if g.err == nil && g.steps >= g.last {
		g.err = errEnough
	}
	if g.err == nil {
		g.steps++
		g.err = step()
	}
	return g.err == nil
}

// give takes the last handle for a call that consumes it.
func give[R component.Resource](g *hands, r R) R {
	for i := range g.held {
		if g.held[i] == component.Resource(r) {
			g.held = append(g.held[:i], g.held[i+1:]...)
			break
		}
	}
	return r
}

func (g *hands) fields(h *wasihttp.Host) {
	f := get(g, func() (contracthttp.Fields, error) { return h.NewFields(g.ctx) })
	value := []byte(strings.Repeat("x", 100))
	for range 5 {
		g.do(func() error { return f.Append(g.ctx, "a", value) })
		g.do(func() error { return f.Set(g.ctx, "b", [][]byte{value, value, value}) })
		g.do(func() error { return f.Set(g.ctx, "b", [][]byte{value}) })
	}
	get(g, func() (contracthttp.Fields, error) { return f.Clone(g.ctx) })
	g.do(func() error { return f.Delete(g.ctx, "a") })
	list := []contracthttp.TupleStringBytes{{F0: "ok", F1: value}, {F0: "c", F1: value}, {F0: "host", F1: value}}
	get(g, func() (contracthttp.Fields, error) { return h.FieldsFromList(g.ctx, list[:2]) })
	get(g, func() (contracthttp.Fields, error) { return h.FieldsFromList(g.ctx, list) })
}

func (g *hands) exchange(h *wasihttp.Host, authority string) {
	f := get(g, func() (contracthttp.Fields, error) { return h.NewFields(g.ctx) })
	g.do(func() error { return f.Append(g.ctx, "x", make([]byte, 0, 10)) })
	r := get(g, func() (contracthttp.OutgoingRequest, error) { return h.NewOutgoingRequest(g.ctx, give(g, f)) })
	g.do(func() error { return r.SetAuthority(g.ctx, wit.Some(authority)) })
	g.do(func() error { return r.SetPathWithQuery(g.ctx, wit.Some("/"+strings.Repeat("p", 1000))) })
	g.do(func() error { return r.SetScheme(g.ctx, wit.Some(contracthttp.Scheme{Tag: contracthttp.SchemeHTTP})) })
	g.do(func() error { return r.SetMethod(g.ctx, contracthttp.Method{Tag: contracthttp.MethodPost}) })
	get(g, func() (contracthttp.Fields, error) { return r.Headers(g.ctx) })
	b := get(g, func() (contracthttp.OutgoingBody, error) { return r.Body(g.ctx) })
	o := get(g, func() (contracthttp.RequestOptions, error) { return h.NewRequestOptions(g.ctx) })
	future := get(g, func() (contracthttp.FutureIncomingResponse, error) {
		return h.Handle(g.ctx, give(g, r), wit.Some(give(g, o)))
	})
	out := get(g, func() (contractio.OutputStream, error) { return b.Write(g.ctx) })
	g.do(func() error { return out.BlockingWriteAndFlush(g.ctx, []byte("some")) })
	g.do(func() error { give(g, out).Drop(); return nil })
	trailers := get(g, func() (contracthttp.Fields, error) { return h.NewFields(g.ctx) })
	g.do(func() error { return trailers.Append(g.ctx, "x-sum", []byte("1")) })
	g.do(func() error { return h.OutgoingBodyFinish(g.ctx, give(g, b), wit.Some(give(g, trailers))) })
	g.block(future)
	resp := get(g, func() (contracthttp.IncomingResponse, error) {
		got, err := future.Get(g.ctx)
		if err == nil && got.Value.Value.IsErr {
			err = got.Value.Value.Err
		}
		return got.Value.Value.Value, err
	})
	get(g, func() (contracthttp.Fields, error) { return resp.Headers(g.ctx) })
	body := get(g, func() (contracthttp.IncomingBody, error) { return resp.Consume(g.ctx) })
	in := get(g, func() (contractio.InputStream, error) { return body.Stream(g.ctx) })
	g.do(func() error { _, err := in.BlockingRead(g.ctx, 2); return err })
	g.do(func() error { give(g, in).Drop(); return nil })
	end := get(g, func() (contracthttp.FutureTrailers, error) { return h.IncomingBodyFinish(g.ctx, give(g, body)) })
	g.block(end)
	get(g, func() (contracthttp.Fields, error) {
		got, err := end.Get(g.ctx)
		if err == nil && got.Value.Value.IsErr {
			err = got.Value.Value.Err
		}
		return got.Value.Value.Value.Value, err
	})
}

// block waits for something.
func (g *hands) block(s waiting) {
	p := get(g, func() (contractio.Pollable, error) { return s.Subscribe(g.ctx) })
	g.do(func() error { return p.Block(g.ctx) })
}

func (g *hands) sockets(net *sockets.Sockets) {
	n := get(g, func() (contractsockets.Network, error) { return net.InstanceNetwork(g.ctx) })
	local := contractsockets.IPSocketAddress{IPv4: contractsockets.IPv4SocketAddress{Address: [4]byte{127, 0, 0, 1}}}
	l := g.tcp(net)
	g.do(func() error { return l.StartBind(g.ctx, n, local) })
	g.do(func() error { return l.FinishBind(g.ctx) })
	g.do(func() error { return l.StartListen(g.ctx) })
	g.do(func() error { return l.FinishListen(g.ctx) })
	c := g.tcp(net)
	var at contractsockets.IPSocketAddress
	g.do(func() (err error) { at, err = l.LocalAddress(g.ctx); return err })
	g.do(func() error { return c.StartConnect(g.ctx, n, at) })
	g.block(c)
	g.do(func() error {
		streams, err := c.FinishConnect(g.ctx)
		if err == nil {
			g.held = append(g.held, streams.F0, streams.F1)
		}
		return err
	})
	g.block(l)
	g.do(func() error {
		a, err := l.Accept(g.ctx)
		if err == nil {
			g.held = append(g.held, a.F0, a.F1, a.F2)
		}
		return err
	})
	u := get(g, func() (contractsockets.UDPSocket, error) {
		return net.CreateUDPSocket(g.ctx, contractsockets.IPAddressFamilyIPv4)
	})
	g.do(func() error { return u.StartBind(g.ctx, n, local) })
	g.do(func() error { return u.FinishBind(g.ctx) })
	for range 3 {
		g.do(func() error {
			streams, err := u.Stream(g.ctx, wit.Some(at))
			if err == nil {
				g.held = append(g.held, streams.F0, streams.F1)
			}
			return err
		})
	}
	names := get(g, func() (contractsockets.ResolveAddressStream, error) {
		return net.ResolveAddresses(g.ctx, n, "localhost")
	})
	g.block(names)
}

func (g *hands) tcp(net *sockets.Sockets) contractsockets.TCPSocket {
	return get(g, func() (contractsockets.TCPSocket, error) {
		return net.CreateTCPSocket(g.ctx, contractsockets.IPAddressFamilyIPv4)
	})
}

func (g *hands) listings(files *filesystem.Files) {
	var dir contractfs.Descriptor
	g.do(func() error {
		dirs, err := files.GetDirectories(g.ctx)
		if err == nil {
			dir = dirs[0].F0
			g.held = append(g.held, dir)
		}
		return err
	})
	for range 4 {
		l := get(g, func() (contractfs.DirectoryEntryStream, error) { return dir.ReadDirectory(g.ctx) })
		g.do(func() error { _, err := l.ReadDirectoryEntry(g.ctx); return err })
	}
}
