package lattice_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/natsserver/natsservertest"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
	"github.com/lathhost/lath/lattice/state"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/cron"
	"github.com/lathhost/lath/providers/messaging"
	"github.com/lathhost/lath/test/harness"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// The identities of the two hosts whose ids are in examples/nats/lattices.conf.
const (
	seedOfHost1 = "SNADH5AXONOHN64AE5ECMF3TEI6FC3YR7EP6ZAICGN47LWEFLZQIUOJL3M"
	seedOfHost2 = "SNAAKKXCLZCLKDPWEP7NTVZ7SGO4TOKHGU6ENDVXLI3FQOMJEE3X2YULPA"
)

// users are the NATS users of a template, with their seeds, by the variable that
// stands for their public key.
type users map[string]string

// template reads a configuration of examples/nats, and puts new keys in the place of
// its variables, as the environment would.
func template(t *testing.T, name string, values ...string) (text string, seeds users) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("../../examples/nats", name))
	require.NoError(t, err)
	text = strings.NewReplacer(values...).Replace(string(b))
	seeds = users{}
	for {
		_, rest, ok := strings.Cut(text, "nkey: $LATH_")
		if !ok {
			return text, seeds
		}
		variable := "LATH_" + rest[:strings.IndexAny(rest, " \n}")]
		pair, err := nkeys.CreateUser()
		require.NoError(t, err)
		public, err := pair.PublicKey()
		require.NoError(t, err)
		seed, err := pair.Seed()
		require.NoError(t, err)
		seeds[variable] = string(seed)
		text = strings.ReplaceAll(text, "$"+variable+"\n", public+"\n")
		text = strings.ReplaceAll(text, "$"+variable+" ", public+" ")
	}
}

// member is a user's connection, and what NATS has forbidden it.
type member struct {
	*nats.Conn
	mu        sync.Mutex
	forbidden []string
}

func (u users) config(user, inbox string) lattice.ConnConfig {
	return lattice.ConnConfig{Auth: lattice.Auth{Seed: u[user]}, InboxPrefix: inbox, Name: user}
}

func (u users) connect(t *testing.T, url, user, inbox string) *member {
	t.Helper()
	m := &member{}
	cfg := u.config(user, inbox)
	cfg.URL = url
	cfg.OnError = func(_ string, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.forbidden = append(m.forbidden, err.Error())
	}
	var err error
	m.Conn, err = lattice.Connect(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(m.Close)
	return m
}

// may checks what a user is allowed to.
func (m *member) may(t *testing.T, allowed bool, verb string, subjects ...string) {
	t.Helper()
	for _, s := range subjects {
		m.mu.Lock()
		m.forbidden = nil
		m.mu.Unlock()
		var err error
		if verb == "publish" {
			err = m.Publish(s, nil)
		} else {
			var sub *nats.Subscription
			if sub, err = m.SubscribeSync(s); err == nil {
				defer sub.Unsubscribe()
			}
		}
		require.NoError(t, err)
		require.NoError(t, lattice.Flush(t.Context(), m.Conn)) // the refusal comes before the answer
		told := func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return strings.Contains(strings.Join(m.forbidden, "\n"), s+`"`)
		}
		if allowed {
			require.False(t, told(), "%s may %s %s", m.Opts.Name, verb, s)
			continue
		}
		require.Eventually(t, told, harness.Wait, time.Millisecond, "%s may not %s %s", m.Opts.Name, verb, s)
	}
}

// guardedHost starts a host as a user, under an identity. What NATS forbids it is in
// the log that is returned.
func guardedHost(t *testing.T, l *harness.Lattice, u users, user, seed string) (*harness.Node, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	id, err := lattice.NewIdentity(seed)
	require.NoError(t, err)
	conn := u.connect(t, l.URL, user, lattice.InboxPrefix(harness.Name, id.ID))
	return l.Host(func(c *host.Config) {
		(&identity{}).offer(c)
		c.Identity, c.Conn, c.Log = id, conn.Conn, zap.New(core)
	}), logs
}

// The whole story of a lattice with the users of lattices.conf: NATS forbids none of
// it. Then what each of them may not.
func TestPermissionTemplates(t *testing.T) {
	t.Parallel()
	text, u := template(t, "lattices.conf")
	l := harness.NewAs(t, text, u.config("LATH_OPERATOR", "_INBOX.default.operator"))
	a, logA := guardedHost(t, l, u, "LATH_HOST_1", seedOfHost1)
	b, logB := guardedHost(t, l, u, "LATH_HOST_2", seedOfHost2)
	require.Contains(t, text, a.ID)
	require.Contains(t, text, b.ID)
	heard := hear(t, l)

	hosts, err := l.Control.PingHosts(t.Context())
	require.NoError(t, err)
	require.Len(t, hosts, 2)
	bids, err := l.Control.AuctionComponent(t.Context(), ctl.ComponentAuction{ComponentRef: "r", ComponentID: "c"})
	require.NoError(t, err)
	require.Len(t, bids, 2)
	require.NoError(t, l.Control.PutConfig(t.Context(), "c", map[string]string{"color": "red"}))
	require.NoError(t, a.Scale(ctl.ScaleComponent{ComponentID: "reader", ComponentRef: reader(l), MaxInstances: 1, Config: []string{"c"}}))
	require.NoError(t, a.Start("front", "chain", 4))
	require.NoError(t, b.Start("back", "chain", 4))
	require.NoError(t, b.StartProvider("kv", "witness"))
	require.NoError(t, a.Start("count", "counter", 1))
	require.NoError(t, l.Link("front", "back", "example:chain/step"))
	require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
	told(t, heard, func(e event.LinkSet) bool { return e.SourceID == "count" })
	require.NoError(t, l.Control.PutLabel(t.Context(), b.ID, "zone", "x"))
	for _, on := range []*harness.Node{nil, a} {
		got, err := l.Call(t.Context(), on, "front", "example:chain/step.go(1, finish)")
		require.NoError(t, err)
		require.Equal(t, "ok(2)", got.WAVE, "through host 1 to host 2")
	}
	got, err := l.Call(t.Context(), nil, "reader", `test:settings/reader.read("color")`)
	require.NoError(t, err)
	require.Equal(t, `some("red")`, got.WAVE)
	_, err = l.Call(t.Context(), nil, "count", `example:counter/counter.increment("x")`)
	require.NoError(t, err, "a provider of another host")
	_, err = l.Control.LinkStatuses(t.Context())
	require.NoError(t, err)
	_, err = l.Control.Stats(t.Context(), a.ID, "")
	require.NoError(t, err)
	_, err = l.Control.Claims(t.Context())
	require.NoError(t, err)
	var file bytes.Buffer
	_, err = state.Export(t.Context(), l.Conn, harness.Name, state.Options{}, &file)
	require.NoError(t, err)
	_, err = state.Import(t.Context(), l.Conn, harness.Name, state.Options{}, &file, false)
	require.NoError(t, err)
	streamBothWays(t, u.connect(t, l.URL, "LATH_HOST_2", lattice.InboxPrefix(harness.Name, b.ID)), u.connect(t, l.URL, "LATH_APP", "_INBOX.default.app"))

	secretsAndSchedules(t, l, u.connect(t, l.URL, "LATH_HOST_1", lattice.InboxPrefix(harness.Name, a.ID)).Conn)

	app := u.connect(t, l.URL, "LATH_APP", "_INBOX.default.app")
	stage := u.connect(t, l.URL, "LATH_STAGE_HOST", "_INBOX.stage.test")
	other := l.Host(func(c *host.Config) {
		c.Lattice, c.Conn = "stage", u.connect(t, l.URL, "LATH_STAGE_HOST", lattice.InboxPrefix("stage", c.Identity.ID)).Conn
	})
	require.NoError(t, l.Control.DeleteConfig(t.Context(), "c"))
	hosts, err = l.Control.PingHosts(t.Context())
	require.NoError(t, err)
	require.Len(t, hosts, 2, "the other lattice is another one")

	// What a host may not.
	one := u.connect(t, l.URL, "LATH_HOST_1", lattice.InboxPrefix(harness.Name, a.ID))
	one.may(t, true, "subscribe", "wasmbus.ctl.v1.default.host.*."+a.ID, lattice.InboxPrefix(harness.Name, a.ID)+".>")
	one.may(t, false, "subscribe", ">", "_INBOX.>", "_INBOX.default.>", lattice.InboxPrefix(harness.Name, b.ID)+".>", "_INBOX.default.app.>",
		"wasmbus.ctl.v1.default.>", "wasmbus.ctl.v1.default.host.*."+b.ID, "wasmbus.ctl.v1.default.component.scale."+b.ID, "wasmbus.ctl.v1.stage.>",
		"lath.v1.default.host."+b.ID+".>", "lath.v1.stage.>", "wasmbus.evt.stage.*", "wasmbus.rpc.stage.>", "stage.>", "$KV.LATTICEDATA_stage.>", "$KV.LATTICEDATA_default.>")
	one.may(t, false, "publish", "wasmbus.ctl.v1.default.host.stop."+b.ID, "wasmbus.ctl.v1.default.component.scale."+b.ID, "wasmbus.ctl.v1.default.link.put",
		"wasmbus.ctl.v1.default.config.put.x", "wasmbus.ctl.v1.stage.host.ping", "lath.v1.default.beat."+b.ID, "lath.v1.stage.beat."+a.ID, "wasmbus.evt.stage.host_stopped",
		"stage.x.wrpc.0.0.1.a:b/c.d", "_INBOX.stage.x", "$KV.LATTICEDATA_stage.COMPONENT_x", "$KV.CONFIGDATA_stage.x",
		"$JS.API.STREAM.DELETE.KV_LATTICEDATA_stage", "$JS.API.STREAM.CREATE.KV_LATTICEDATA_stage", "$JS.API.STREAM.NAMES", "$JS.API.CONSUMER.CREATE.KV_CONFIGDATA_stage.x")
	// An app calls what it is for, and no more.
	app.may(t, true, "publish", "default.front.wrpc.0.0.1.a:b/c.d")
	app.may(t, false, "publish", "default.back.wrpc.0.0.1.a:b/c.d", "default.kv.wrpc.0.0.1.a:b/c.d", "lath.v1.default.host."+a.ID+".front.wrpc.0.0.1.a:b/c.d",
		"wasmbus.ctl.v1.default.host.ping", "wasmbus.evt.default.x", "lath.v1.default.beat.x", "$KV.CONFIGDATA_default.x", "$JS.API.INFO", "wasmbus.rpc.default.kv.health")
	app.may(t, false, "subscribe", "default.>", "default.front.>", "wasmbus.evt.default.*", "_INBOX.default.>", "_INBOX.default.operator.>", "wasmbus.rpc.default.>", "$KV.CONFIGDATA_default.>")
	// An operator does not hear calls, nor take any.
	operator := u.connect(t, l.URL, "LATH_OPERATOR", "_INBOX.default.operator")
	operator.may(t, true, "subscribe", lattice.AllEvents(harness.Name), lattice.AllLathEvents(harness.Name))
	operator.may(t, false, "subscribe", "default.>", "default.front.wrpc.0.0.1.a:b/c.d", "_INBOX.default.>", "wasmbus.ctl.v1.default.>", "wasmbus.rpc.default.>", "wasmbus.evt.stage.*")
	operator.may(t, false, "publish", "wasmbus.ctl.v1.stage.host.ping", "$KV.CONFIGDATA_stage.x", "wasmbus.evt.default.host_stopped")
	// Nor the other lattice.
	stage.may(t, false, "publish", "wasmbus.ctl.v1.default.host.ping", "default.front.wrpc.0.0.1.a:b/c.d", "_INBOX.default.x", "$KV.CONFIGDATA_default.x", "wasmbus.evt.default.host_stopped")
	stage.may(t, false, "subscribe", "default.>", "wasmbus.evt.default.*", "_INBOX.default.>", "lath.v1.default.>")

	other.Stop()
	a.Stop()
	b.Stop()
	for _, logs := range []*observer.ObservedLogs{logA, logB} {
		for _, e := range logs.All() {
			require.NotContains(t, fmt.Sprint(e.Message, e.ContextMap()), "Violation", "NATS has forbidden a host what it needs")
		}
	}
}

// streamBothWays has an app call a function of a host that hands a stream of several
// windows back, so that credit goes both ways, and give it more parameters than a
// message holds.
func streamBothWays(t *testing.T, of, app *member) {
	t.Helper()
	server, err := wrpc.NewServer(of.Conn, wrpc.ServerConfig{})
	require.NoError(t, err)
	defer server.Close()
	bytesType, err := wit.NewStream(wit.U8)
	require.NoError(t, err)
	list, err := wit.NewList(wit.U8)
	require.NoError(t, err)
	serving, err := server.Serve(t.Context(),
		wrpc.Export{Prefix: "default.front", Instance: "test:perm/pipe", Func: "pipe", Params: []*wit.Type{bytesType}, ParamPaths: []wrpc.Path{{0}}, Stream: pipe},
		wrpc.Export{Prefix: "default.front", Instance: "test:perm/pipe", Func: "size", Params: []*wit.Type{list},
			Unary: func(_ context.Context, req *wrpc.Request) ([]byte, error) {
				return fmt.Append(nil, len(req.Params)), nil
			}})
	require.NoError(t, err)
	defer serving.Drain(t.Context())
	client, err := wrpc.NewClient(app.Conn, wrpc.ClientConfig{})
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
	defer cancel()

	call, err := client.Invoke(ctx, wrpc.Target{Prefix: "default.front", Instance: "test:perm/pipe", Func: "pipe"}, wrpc.Meta{}, []byte{wrpc.Pending}, wrpc.Path{0})
	require.NoError(t, err)
	data := bytes.Repeat([]byte("0123456789abcdef"), 128<<10) // 2 MiB: 8 windows
	sent := make(chan error, 1)
	go func() {
		w := wrpc.NewByteStreamWriter(call.Params(0))
		_, err := w.Write(data)
		sent <- errors.Join(err, w.Close())
	}()
	_, err = call.Root(nil)
	require.NoError(t, err)
	r, err := call.Results(0)
	require.NoError(t, err)
	back, err := io.ReadAll(wrpc.NewByteStream(r))
	require.NoError(t, err)
	require.NoError(t, <-sent)
	require.True(t, bytes.Equal(data, back))
	require.NoError(t, call.Close())

	large := append([]byte{0x80, 0x80, 0xc0, 0x04}, make([]byte, 9<<20)...) // a list of 9 MiB
	size, _, err := client.Call(ctx, wrpc.Target{Prefix: "default.front", Instance: "test:perm/pipe", Func: "size"}, wrpc.Meta{}, large)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(len(large)), string(size))
}

func pipe(_ context.Context, x *wrpc.Exchange) error {
	in, err := x.ParamStream(0)
	if err != nil {
		return err
	}
	if err := x.SetResults([]byte{wrpc.Pending}); err != nil {
		return err
	}
	out := wrpc.NewByteStreamWriter(x.ResultStream(0))
	if _, err := io.Copy(out, wrpc.NewByteStream(in)); err != nil {
		return err
	}
	return out.Close()
}

// Two lattices of one name in two accounts of one server know nothing of each other.
func TestLatticesByAccount(t *testing.T) {
	t.Parallel()
	text, u := template(t, "accounts.conf")
	l := harness.NewAs(t, text, u.config("LATH_PROD", ""))
	prod := l.Host(nil)
	conn := u.connect(t, l.URL, "LATH_STAGE", "")
	stage := l.Host(func(c *host.Config) { c.Conn = u.connect(t, l.URL, "LATH_STAGE", "").Conn })
	control, err := ctl.NewClient(ctl.ClientConfig{Conn: conn.Conn, Lattice: harness.Name})
	require.NoError(t, err)
	for host, c := range map[string]*ctl.Client{prod.ID: l.Control, stage.ID: control} {
		hosts, err := c.PingHosts(t.Context())
		require.NoError(t, err)
		require.Len(t, hosts, 1)
		require.Equal(t, host, hosts[0].ID)
		require.NoError(t, c.PutConfig(t.Context(), "c", map[string]string{"of": host}))
	}
	got, err := l.Control.Config(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, prod.ID, got["of"], "the other's is in another bucket of the same name")
	_, err = control.Inventory(t.Context(), prod.ID)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	js, err := jetstream.New(conn.Conn)
	require.NoError(t, err)
	info, err := js.AccountInfo(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 64<<20, info.Limits.MaxStore, "it cannot take all the room")
}

// An edge behind a leaf node is in the lattice of the hub by the permissions of
// hub.conf, and hears nothing else of it.
func TestLeafTemplates(t *testing.T) {
	t.Parallel()
	port := fmt.Sprint(natsservertest.FreePorts(t, 1)[0])
	text, u := template(t, "hub.conf", "0.0.0.0", "127.0.0.1", "7422", port)
	hub := harness.NewAs(t, text, u.config("LATH_HUB", "_INBOX.default.operator"))
	center := hub.Host(nil)

	dir := t.TempDir()
	text, _ = template(t, "edge.conf", "$LATH_HUB_URL", `"nats-leaf://127.0.0.1:`+port+`"`, "$LATH_EDGE_SEED", u["LATH_EDGE"])
	file := filepath.Join(dir, "edge.conf")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	leaf, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: filepath.Join(dir, "js"), Port: natsserver.RandomPort, ConfigFile: file})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, leaf.Shutdown(context.Background())) })
	id, err := lattice.NewIdentity("")
	require.NoError(t, err)
	conn, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: leaf.URL(), InboxPrefix: lattice.InboxPrefix(harness.Name, id.ID)})
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	require.EqualValues(t, 8<<20, conn.MaxPayload())
	require.EqualValues(t, 8<<20, hub.Conn.MaxPayload())
	edge := hub.Host(func(c *host.Config) { c.Identity, c.Conn, c.JSDomain, c.StoreWait = id, conn, "hub", harness.Wait })
	reached(t, hub, edge)

	require.NoError(t, hub.Control.PutConfig(t.Context(), "c", map[string]string{"color": "red"}))
	require.NoError(t, edge.Scale(ctl.ScaleComponent{ComponentID: "s", ComponentRef: reader(hub), MaxInstances: 1, Config: []string{"c"}}))
	require.NoError(t, edge.Start("source", "chain", 4))
	require.NoError(t, center.Start("target", "chain", 4))
	require.NoError(t, hub.Link("source", "target", "example:chain/step"))
	got, err := hub.Call(t.Context(), edge, "source", "example:chain/step.go(1, finish)")
	require.NoError(t, err)
	require.Equal(t, "ok(2)", got.WAVE)
	got, err = hub.Call(t.Context(), nil, "s", `test:settings/reader.read("color")`)
	require.NoError(t, err)
	require.Equal(t, `some("red")`, got.WAVE)

	// What is of no lattice stays where it is.
	secret, err := conn.SubscribeSync("payroll.>")
	require.NoError(t, err)
	own, err := hub.Conn.SubscribeSync("payroll.>")
	require.NoError(t, err)
	require.NoError(t, lattice.Flush(t.Context(), conn))
	require.NoError(t, lattice.Flush(t.Context(), hub.Conn))
	require.NoError(t, hub.Conn.Publish("payroll.x", nil))
	_, err = own.NextMsg(harness.Wait)
	require.NoError(t, err)
	require.NoError(t, hub.Control.PutConfig(t.Context(), "after", map[string]string{"k": "v"})) // it came after, and is there
	edge.Stop()
	n, _, err := secret.Pending()
	require.NoError(t, err)
	require.Zero(t, n)
}

// Calls need what is below an inbox, which neither allow_responses nor an import of
// another account's service gives them: the call is taken, and its results are lost.
func TestWhatDoesNotCarryCalls(t *testing.T) {
	t.Parallel()
	l := harness.NewWith(t, `
		accounts {
			A { users = [ {user: a, password: a}, {user: replies, password: r, permissions: {
				subscribe: ["default.>", "_INBOX.>"], publish: {allow: ["nothing"]}, allow_responses: {max: 100, ttl: "1m"} }} ],
				exports = [ {service: "default.one.>"} ] }
			B { users = [ {user: b, password: b} ], imports = [ {service: {account: A, subject: "default.one.>"}} ] }
		}
		no_auth_user: a`)
	as := func(user string) *nats.Conn {
		nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: strings.Replace(l.URL, "://", "://"+user+"@", 1)})
		require.NoError(t, err)
		t.Cleanup(nc.Close)
		return nc
	}
	for _, test := range []struct{ what, id, server, client string }{
		{"over an import", "one", "a:a", "b:b"},
		{"with allow_responses", "two", "replies:r", "a:a"},
	} {
		ran := make(chan struct{}, 1)
		server, err := wrpc.NewServer(as(test.server), wrpc.ServerConfig{})
		require.NoError(t, err)
		defer server.Close()
		_, err = server.Serve(t.Context(), wrpc.Export{Prefix: "default." + test.id, Instance: "a:b/c", Func: "f",
			Unary: func(context.Context, *wrpc.Request) ([]byte, error) { ran <- struct{}{}; return []byte{1}, nil }})
		require.NoError(t, err)
		client, err := wrpc.NewClient(as(test.client), wrpc.ClientConfig{})
		require.NoError(t, err)
		defer client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, _, err = client.Call(ctx, wrpc.Target{Prefix: "default." + test.id, Instance: "a:b/c", Func: "f"}, wrpc.Meta{}, nil)
		require.ErrorIs(t, err, wrpc.ErrTimeout, test.what)
		require.ErrorIs(t, err, wrpc.ErrMayHaveRun, test.what)
		<-ran
	}
}

// secretsAndSchedules has the operator store a secret and a host read it, and the host
// keep schedules.
func secretsAndSchedules(t *testing.T, l *harness.Lattice, asHost *lattice.Conn) {
	t.Helper()
	key, err := secret.NewKey()
	require.NoError(t, err)
	sealed, err := secret.Seal("db", secret.Opened{Value: provider.TextSecret("hush"), For: []string{"*"}}, []string{key.Public()})
	require.NoError(t, err)
	store, err := secret.NewStore(l.Conn, harness.Name, "", 0)
	require.NoError(t, err)
	_, err = store.Put(t.Context(), "db", sealed)
	require.NoError(t, err)
	store, err = secret.NewStore(asHost, harness.Name, "", 0)
	require.NoError(t, err)
	_, err = store.Get(t.Context(), "db", "")
	require.NoError(t, err)

	p, err := cron.New(cron.Config{ID: "cron", Holder: "here", Lattice: harness.Name, Conn: asHost, Log: zap.NewNop()})
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	ticked := make(chan struct{}, 100)
	require.NoError(t, p.SetLinks(provider.Settings{}, []messaging.Link{{Name: "a", Target: "b", Handler: each(func() { ticked <- struct{}{} }),
		Settings: provider.Settings{Config: map[string]string{"schedule": "@every 1s"}}}})[0])
	for range 2 {
		select {
		case <-ticked:
		case <-time.After(harness.Wait):
			require.Fail(t, "no tick")
		}
	}
}

// each is called for each message.
type each func()

// HandleMessage implements contract.Handler.
func (f each) HandleMessage(context.Context, contract.BrokerMessage) error {
	f()
	return nil
}
