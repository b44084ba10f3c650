package secret_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const wait = 20 * time.Second

func connect(t *testing.T) (*nats.Conn, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	t.Cleanup(cancel)
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	nc, err := lattice.Connect(ctx, lattice.ConnConfig{URL: srv.URL()})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc, ctx
}

func newKey(t testing.TB) *secret.Key {
	t.Helper()
	k, err := secret.NewKey()
	require.NoError(t, err)
	return k
}

func TestSeal(t *testing.T) {
	t.Parallel()
	a, b, c := newKey(t), newKey(t), newKey(t)
	in := secret.Opened{Value: provider.TextSecret("hush-hush"), For: []string{"counter", "web-*"}}
	s, err := secret.Seal("prod/db", in, []string{a.Public(), b.Public()})
	require.NoError(t, err)
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hush")
	require.NotContains(t, string(text), "counter")
	again, err := secret.DecodeSealed(text)
	require.NoError(t, err)
	for _, k := range []*secret.Key{a, b} {
		out, err := again.Open("prod/db", k)
		require.NoError(t, err)
		require.True(t, out.Value.Equal(in.Value))
		for id, may := range map[string]bool{"counter": true, "web-1": true, "web-": true, "web": false, "counter2": false, "": false} {
			require.Equal(t, may, out.Allows(id), id)
		}
	}
	_, err = again.Open("prod/db", c)
	require.ErrorIs(t, err, lattice.ErrDenied)
	_, err = again.Open("dev/db", a)
	require.ErrorIs(t, err, lattice.ErrInvalid, "a secret cannot be moved to another name")
	box := again.Boxes[a.Public()]
	box[len(box)-1] ^= 1
	_, err = again.Open("prod/db", a)
	require.ErrorIs(t, err, lattice.ErrInvalid)

	raw, err := secret.Seal("k", secret.Opened{Value: provider.BytesSecret([]byte{0, 255}), For: []string{"*"}}, []string{a.Public()})
	require.NoError(t, err)
	out, err := raw.Open("k", a)
	require.NoError(t, err)
	_, isText := out.Value.Text()
	require.False(t, isText)
	require.Equal(t, []byte{0, 255}, out.Value.Bytes())
	require.True(t, out.Allows("any"))
}

func TestSealRefuses(t *testing.T) {
	t.Parallel()
	to := []string{newKey(t).Public()}
	fine := secret.Opened{Value: provider.TextSecret("v"), For: []string{"c"}}
	for name, f := range map[string]func() (*secret.Sealed, error){
		"key":        func() (*secret.Sealed, error) { return secret.Seal("a b", fine, to) },
		"empty part": func() (*secret.Sealed, error) { return secret.Seal("a//b", fine, to) },
		"wildcard":   func() (*secret.Sealed, error) { return secret.Seal("a.*", fine, to) },
		"nobody":     func() (*secret.Sealed, error) { return secret.Seal("k", fine, nil) },
		"no key":     func() (*secret.Sealed, error) { return secret.Seal("k", fine, []string{"XABC"}) },
		"for nobody": func() (*secret.Sealed, error) { return secret.Seal("k", secret.Opened{Value: fine.Value}, to) },
		"a large one": func() (*secret.Sealed, error) {
			return secret.Seal("k", secret.Opened{Value: provider.TextSecret(strings.Repeat("x", secret.MaxValue+1)), For: fine.For}, to)
		},
	} {
		_, err := f()
		require.ErrorIs(t, err, lattice.ErrInvalid, name)
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	// The pair of wasmCloud/nkeys' own test.
	k, err := secret.ParseKey("SXAKIYZX2POLIHZ5W5YZEWVTH24NLEUETBW3TKIVYRSS3GNHFXO5D4JJZM")
	require.NoError(t, err)
	require.Equal(t, "XBUJMZHVOPQ2SK5VD3TY4VNBPVU2YFGRLK6EFPEPSMVDUYEBSROWZCEA", k.Public())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, k), "SXAK")
	}
	_, err = secret.ParseKey("SUAnotacurve")
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.NotContains(t, err.Error(), "SUAnotacurve")
}

func TestStore(t *testing.T) {
	t.Parallel()
	nc, ctx := connect(t)
	s, err := secret.NewStore(nc, "default", "", 0)
	require.NoError(t, err)
	_, err = s.Get(ctx, "db", "")
	require.ErrorIs(t, err, lattice.ErrNotFound, "there is no bucket yet")
	require.NoError(t, s.Delete(ctx, "db"))

	k := newKey(t)
	put := func(value string) uint64 {
		t.Helper()
		sealed, err := secret.Seal("db", secret.Opened{Value: provider.TextSecret(value), For: []string{"c"}}, []string{k.Public()})
		require.NoError(t, err)
		v, err := s.Put(ctx, "db", sealed)
		require.NoError(t, err)
		return v
	}
	get := func(version string) string {
		t.Helper()
		e, err := s.Get(ctx, "db", version)
		require.NoError(t, err)
		o, err := e.Open("db", k)
		require.NoError(t, err)
		text, _ := o.Value.Text()
		return text
	}
	one, two := put("one"), put("two")
	require.Less(t, one, two)
	require.Equal(t, "two", get(""))
	require.Equal(t, "one", get(fmt.Sprint(one)))
	require.Equal(t, "two", get(fmt.Sprint(two)))
	_, err = s.Get(ctx, "db", "99")
	require.ErrorIs(t, err, lattice.ErrNotFound)
	_, err = s.Get(ctx, "db", "latest")
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.NoError(t, s.Delete(ctx, "db"))
	_, err = s.Get(ctx, "db", "")
	require.ErrorIs(t, err, lattice.ErrNotFound)
	_, err = s.Get(ctx, "db", fmt.Sprint(one))
	require.ErrorIs(t, err, lattice.ErrNotFound, "older versions are gone too")
}

func TestReference(t *testing.T) {
	t.Parallel()
	// As wash writes it.
	values := map[string]string{"name": "db-pass", "backend": "nats-kv", "key": "prod/db", "field": "password", "version": "2",
		"policy": `{"type":"properties.secret.wasmcloud.dev/v1alpha1","properties":{"k":"v"}}`, "type": secret.Type}
	r, err := secret.ParseReference("SECRET_db", values)
	require.NoError(t, err)
	require.Equal(t, values, r.Values())
	r, err = secret.ParseReference("SECRET_db", map[string]string{"backend": "env", "key": "DB"})
	require.NoError(t, err)
	require.Equal(t, "db", r.Name)
	for name, bad := range map[string]map[string]string{
		"no backend": {"key": "k"}, "no key": {"backend": "env"}, "a backend that is no token": {"backend": "a.>", "key": "k"},
		"long": {"backend": "env", "key": strings.Repeat("k", 2000)}, "a config": {"color": "blue"},
	} {
		_, err := secret.ParseReference("SECRET_x", bad)
		require.ErrorIs(t, err, lattice.ErrInvalid, name)
		require.ErrorContains(t, err, "SECRET_x")
	}
}

// backend is v1's side of the wire.
type backend struct {
	key    nkeys.KeyPair
	public string
	asked  chan map[string]any
	answer func() string // the JSON; sealed unless plain
	plain  bool
}

func newBackend(t *testing.T, nc *nats.Conn, name string) *backend {
	t.Helper()
	key, err := nkeys.CreateCurveKeys()
	require.NoError(t, err)
	public, err := key.PublicKey()
	require.NoError(t, err)
	b := &backend{key: key, public: public, asked: make(chan map[string]any, 100)}
	_, err = nc.Subscribe("wasmcloud.secrets.v1alpha1."+name+".server_xkey", func(m *nats.Msg) { _ = m.Respond([]byte(public)) })
	require.NoError(t, err)
	_, err = nc.Subscribe("wasmcloud.secrets.v1alpha1."+name+".get", func(m *nats.Msg) {
		host := m.Header["WasmCloud-Host-Xkey"][0]
		plain, err := key.Open(m.Data, host)
		if err != nil {
			return
		}
		var q map[string]any
		if json.Unmarshal(plain, &q) == nil {
			b.asked <- q
		}
		out := nats.NewMsg(m.Reply)
		out.Data = []byte(b.answer())
		if !b.plain {
			out.Data, _ = key.Seal(out.Data, host)
			out.Header["Server-Response-Xkey"] = []string{public}
		}
		_ = m.RespondMsg(out)
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return b
}

func TestV1Backend(t *testing.T) {
	t.Parallel()
	nc, ctx := connect(t)
	host, err := lattice.NewIdentity("")
	require.NoError(t, err)
	c, err := secret.NewClient(nc, "wasmcloud.secrets", host)
	require.NoError(t, err)
	b := newBackend(t, nc, "nats-kv")
	all, err := nc.SubscribeSync(">")
	require.NoError(t, err)
	r := secret.Request{Reference: secret.Reference{Name: "db", Backend: "nats-kv", Key: "prod/db", Field: "password"},
		Entity: secret.Entity{ID: "c", Token: "e.jwt", Application: "shop"}}

	b.answer = func() string {
		return `{"secret":{"version":"1","string_secret":"hush-hush","binary_secret":null}}`
	}
	got, err := c.Get(ctx, r)
	require.NoError(t, err)
	text, ok := got.Text()
	require.True(t, ok)
	require.Equal(t, "hush-hush", text)
	q := <-b.asked
	require.Equal(t, "prod/db", q["key"])
	require.Equal(t, "password", q["field"])
	require.Contains(t, q, "version")
	require.Nil(t, q["version"])
	asked := q["context"].(map[string]any)
	require.Equal(t, "e.jwt", asked["entity_jwt"])
	require.Equal(t, map[string]any{"name": "shop", "policy": `{"type":"properties.secret.wasmcloud.dev/v1alpha1","properties":{}}`}, asked["application"])
	requireHostToken(t, asked["host_jwt"].(string), host.ID)

	b.answer = func() string { return `{"secret":{"version":"1","string_secret":null,"binary_secret":[0,255]}}` }
	got, err = c.Get(ctx, r)
	require.NoError(t, err)
	require.Equal(t, []byte{0, 255}, got.Bytes())

	for answer, want := range map[string]error{
		`{"error":"SecretNotFound"}`: lattice.ErrNotFound, `{"error":"Unauthorized"}`: lattice.ErrDenied,
		`{"error":{"InvalidEntityJWT":"bad"}}`: lattice.ErrDenied, `{"error":{"PolicyError":"no"}}`: lattice.ErrDenied,
		`{"secret":null}`: lattice.ErrNotFound, `{"secret":{"version":"1"}}`: lattice.ErrInvalid, `nonsense`: lattice.ErrInvalid,
	} {
		b.answer = func() string { return answer }
		_, err = c.Get(ctx, r)
		require.ErrorIs(t, err, want, answer)
	}
	b.answer = func() string { return `{"error":{"UpstreamError":"disk on fire"}}` }
	_, err = c.Get(ctx, r)
	require.ErrorContains(t, err, "disk on fire")
	b.plain = true
	_, err = c.Get(ctx, r)
	require.ErrorContains(t, err, "disk on fire", "errors may come unsealed")
	b.answer = func() string { return `{"secret":{"version":"1","string_secret":"hush-hush"}}` }
	_, err = c.Get(ctx, r)
	require.ErrorContains(t, err, "not sealed", "secrets may not")

	require.NoError(t, nc.Flush())
	heard := 0
	for {
		m, err := all.NextMsg(100 * time.Millisecond)
		if err != nil {
			break
		}
		heard++
		if m.Header.Get("Server-Response-Xkey") != "" {
			require.False(t, bytes.Contains(m.Data, []byte("hush")), "on %s", m.Subject)
		}
	}
	require.Greater(t, heard, 10)

	require.NoError(t, all.Unsubscribe()) // who listens to all counts as one who answers
	r.Backend = "nobody"
	_, err = c.Get(ctx, r)
	require.ErrorIs(t, err, lattice.ErrNotFound)
	r.Entity.Token = ""
	_, err = c.Get(ctx, r)
	require.ErrorIs(t, err, lattice.ErrDenied)
	require.ErrorContains(t, err, "c is not signed")
}

// requireHostToken checks what v1's backends check.
func requireHostToken(t *testing.T, token, subject string) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	var p struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Revision int    `json:"wascap_revision"`
		Metadata struct {
			Labels map[string]string `json:"labels"`
		} `json:"wascap"`
	}
	require.NoError(t, json.Unmarshal(raw, &p))
	require.Equal(t, subject, p.Subject)
	require.Equal(t, 3, p.Revision)
	require.Equal(t, "true", p.Metadata.Labels["self_signed"])
	require.True(t, nkeys.IsValidPublicAccountKey(p.Issuer))
	issuer, err := nkeys.FromPublicKey(p.Issuer)
	require.NoError(t, err)
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(t, err)
	require.NoError(t, issuer.Verify([]byte(parts[0]+"."+parts[1]), sig))
}

func FuzzDecodeSealed(f *testing.F) {
	k, err := secret.ParseKey("SXAKIYZX2POLIHZ5W5YZEWVTH24NLEUETBW3TKIVYRSS3GNHFXO5D4JJZM")
	require.NoError(f, err)
	s, err := secret.Seal("k", secret.Opened{Value: provider.TextSecret("v"), For: []string{"*"}}, []string{k.Public()})
	require.NoError(f, err)
	text, err := json.Marshal(s)
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"from":"XBUJMZHVOPQ2SK5VD3TY4VNBPVU2YFGRLK6EFPEPSMVDUYEBSROWZCEA","boxes":{"x":""}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := secret.DecodeSealed(data)
		if err != nil {
			require.ErrorIs(t, err, lattice.ErrInvalid)
			return
		}
		_, _ = s.Open("k", k)
	})
}
