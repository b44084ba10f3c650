package lattice_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/grant"
	"github.com/lathhost/lath/host/secrets"
	"github.com/lathhost/lath/lattice/ctl"
	nkey "github.com/lathhost/lath/lattice/keys"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
	"github.com/lathhost/lath/test/harness"
)

// teller is a component that tells its secrets.
func teller(l *harness.Lattice) string {
	l.T.Helper()
	wasm, err := os.ReadFile("testdata/secrets.wasm")
	require.NoError(l.T, err)
	return l.File("secrets.wasm", wasm)
}

// syncBuffer takes the lines of a log.
type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// debugLog logs all there is to log.
func debugLog(b *syncBuffer) *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(b), zap.DebugLevel))
}

// grants reads the file of a host's operator.
func grants(t *testing.T, yaml string) *grant.Policy {
	t.Helper()
	file := filepath.Join(t.TempDir(), "grants.yaml")
	require.NoError(t, os.WriteFile(file, []byte(yaml), 0o600))
	p, err := grant.ReadFile(file)
	require.NoError(t, err)
	return p
}

// sealer seals secrets for hosts, as "lath secret put" does.
type sealer struct {
	l     *harness.Lattice
	store *secret.Store
	to    []string
}

func newSealer(l *harness.Lattice, to ...*secret.Key) *sealer {
	l.T.Helper()
	store, err := secret.NewStore(l.Conn, harness.Name, "", 0)
	require.NoError(l.T, err)
	s := &sealer{l: l, store: store}
	for _, k := range to {
		s.to = append(s.to, k.Public())
	}
	return s
}

func (s *sealer) put(name, value string, allowed ...string) {
	s.l.T.Helper()
	sealed, err := secret.Seal(name, secret.Opened{Value: provider.TextSecret(value), For: allowed}, s.to)
	require.NoError(s.l.T, err)
	version, err := s.store.Put(s.l.T.Context(), name, sealed)
	require.NoError(s.l.T, err)
	s.refer(secret.Reference{Name: name, Backend: secrets.Lath, Key: name, Version: fmt.Sprint(version)})
}

func (s *sealer) refer(r secret.Reference) {
	s.l.T.Helper()
	require.NoError(s.l.T, s.l.Control.PutConfig(s.l.T.Context(), secret.ConfigName(r.Name), r.Values()))
}

// Secrets reach the components that may have them, from all places, and follow their
// references; nothing that is logged, stored or sent has a value.
func TestSecretsReachComponents(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	all, err := l.Conn.SubscribeSync(">")
	require.NoError(t, err)
	require.NoError(t, all.SetPendingLimits(-1, -1))
	log := &syncBuffer{}
	key, err := secret.NewKey()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "token"), []byte("file-hush\n"), 0o600))
	edit := func(c *host.Config) {
		c.Secrets = secrets.Places{Key: key, Dir: dir}
		c.Grants = grants(t, "components:\n  c: {secrets: [\"file:tok*\"]}\n")
		c.Log = debugLog(log)
	}
	one, two := l.Host(edit), l.Host(edit)
	ctx := t.Context()
	s := newSealer(l, key)
	s.put("db", "sealed-hush-1", "c")
	s.refer(secret.Reference{Name: "token", Backend: secrets.File, Key: "token"})
	ref := teller(l)
	configs := []string{"SECRET_db", "SECRET_token"}
	for _, n := range []*harness.Node{one, two} {
		require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: ref, MaxInstances: 1, Config: configs}))
	}
	// The calls are in process: an answer that is sent has a secret in it, since the
	// component says so.
	read := func(n *harness.Node, name string) string {
		t.Helper()
		got, err := l.Call(ctx, n, "c", fmt.Sprintf(`test:secrets/reader.read(%q)`, name))
		require.NoError(t, err)
		return got.WAVE
	}
	for _, n := range []*harness.Node{one, two} {
		require.Equal(t, `ok("sealed-hush-1")`, read(n, "db"))
		require.Equal(t, `ok("file-hush")`, read(n, "token"))
		require.Equal(t, `err("not-found")`, read(n, "SECRET_db"))
		require.Equal(t, `err("not-found")`, read(n, "other"))
	}

	// A new version reaches what runs, on all hosts.
	s.put("db", "sealed-hush-2", "c")
	for _, n := range []*harness.Node{one, two} {
		l.Eventually("the new version arrives", func() bool { return read(n, "db") == `ok("sealed-hush-2")` })
	}
	// So does one that is for others now, and one that is gone.
	s.put("db", "sealed-hush-3", "others")
	l.Eventually("it may no longer", func() bool { return strings.Contains(read(one, "db"), "denied") })
	require.NoError(t, l.Control.DeleteConfig(ctx, "SECRET_token"))
	l.Eventually("it is gone", func() bool { return read(one, "token") == `err("not-found")` })

	_, err = l.Control.Inventory(ctx, one.ID)
	require.NoError(t, err)
	one.Stop()
	two.Stop()
	require.NotContains(t, log.text(), "hush")
	require.Contains(t, log.text(), "host is ready")
	requireNoneSent(t, l, func() ([]byte, string, bool) {
		m, err := all.NextMsg(200 * time.Millisecond)
		if err != nil {
			return nil, "", false
		}
		return m.Data, m.Subject, true
	})
}

// requireNoneSent goes through all that was sent. Answers to the test's own calls do
// not count: it asked for what they say.
func requireNoneSent(t *testing.T, l *harness.Lattice, next func() (data []byte, subject string, ok bool)) {
	t.Helper()
	stored := 0
	for {
		data, subject, ok := next()
		if !ok {
			break
		}
		if strings.HasPrefix(subject, "$KV.LATHSECRETS_"+harness.Name+".") {
			stored++
		}
		if strings.HasPrefix(subject, "_INBOX") && strings.HasSuffix(subject, ".results") {
			continue
		}
		for _, plain := range []string{"hush", base64.StdEncoding.EncodeToString([]byte("sealed-hush-1"))} {
			require.NotContains(t, string(data), plain, "sent on %s", subject)
		}
	}
	require.Positive(t, stored, "the test hears what is stored")
}

// What a component may not have keeps it from starting, and says why.
func TestSecretsRefused(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	key, err := secret.NewKey()
	require.NoError(t, err)
	other, err := secret.NewKey()
	require.NoError(t, err)
	dir := t.TempDir()
	n := l.Host(func(c *host.Config) {
		c.Secrets = secrets.Places{Key: key, Dir: dir}
		c.Grants = grants(t, "components:\n  c: {secrets: [\"env:LATH_TEST_NOT_SET\", \"file:*\"]}\n")
	})
	bare := l.Host(nil)
	s := newSealer(l, other)
	ref := teller(l)
	start := func(n *harness.Node, config string) error {
		t.Helper()
		return n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: ref, MaxInstances: 1, Config: []string{config}})
	}
	s.put("foreign", "hush", "c")
	require.ErrorContains(t, start(n, "SECRET_foreign"), "not sealed for key "+key.Public())
	require.ErrorContains(t, start(bare, "SECRET_foreign"), `this host has no backend "lath"`)
	s.to = []string{key.Public()}
	s.put("others", "hush", "d", "cc*")
	require.ErrorContains(t, start(n, "SECRET_others"), "denied: it was stored for other ids")
	for config, r := range map[string]struct {
		reference secret.Reference
		want      string
	}{
		"home":    {secret.Reference{Backend: secrets.Env, Key: "HOME"}, "denied: this host does not grant env:HOME"},
		"unset":   {secret.Reference{Backend: secrets.Env, Key: "LATH_TEST_NOT_SET"}, "LATH_TEST_NOT_SET: not found"},
		"escape":  {secret.Reference{Backend: secrets.File, Key: "../../etc/passwd"}, "escapes"},
		"nothing": {secret.Reference{Backend: secrets.File, Key: "nothing"}, "secret file nothing: not found"},
		"folder":  {secret.Reference{Backend: secrets.File, Key: "."}, "it is no file"},
		"v1":      {secret.Reference{Backend: "nats-kv", Key: "k"}, "need --secrets-topic"},
		"vault":   {secret.Reference{Backend: "vault", Key: "k"}, "--vault-addr"},
	} {
		r.reference.Name = config
		s.refer(r.reference)
		require.ErrorContains(t, start(n, "SECRET_"+config), r.want, config)
	}
	require.NoError(t, l.Control.PutConfig(t.Context(), "SECRET_bad", map[string]string{"color": "blue"}))
	require.ErrorContains(t, start(n, "SECRET_bad"), `it has no "backend"`)
	require.ErrorContains(t, start(n, "SECRET_none"), "put it first, by: lath secret put none")
}

// Versions go one way: whoever has read one reads no older one, however many read
// while they change, and all come to the last one.
func TestSecretVersionsGoOneWay(t *testing.T) {
	t.Parallel()
	const readers, versions = 4, 8
	l := harness.New(t)
	key, err := secret.NewKey()
	require.NoError(t, err)
	n := l.Host(func(c *host.Config) { c.Secrets.Key = key })
	s := newSealer(l, key)
	s.put("db", "v1", "c")
	require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: teller(l), MaxInstances: readers, Config: []string{"SECRET_db"}}))
	var reading sync.WaitGroup
	errs := make([]error, readers)
	ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
	defer cancel()
	for i := range readers {
		reading.Go(func() {
			for seen := 0; seen < versions; {
				got, err := l.Call(ctx, n, "c", `test:secrets/reader.read("db")`)
				var now int
				if err == nil {
					_, err = fmt.Sscanf(got.WAVE, `ok("v%d")`, &now)
				}
				if err == nil && now < seen {
					err = fmt.Errorf("version %d after %d", now, seen)
				}
				if err != nil {
					errs[i] = err
					return
				}
				seen = now
			}
		})
	}
	for v := 2; v <= versions; v++ {
		s.put("db", fmt.Sprint("v", v), "c")
	}
	reading.Wait()
	require.NoError(t, errors.Join(errs...))
}

// signed adds to a component what wash embeds when it signs one, and returns it with
// the token.
func signed(t *testing.T, wasm []byte) (component []byte, token string) {
	t.Helper()
	account, err := nkeys.CreateAccount()
	require.NoError(t, err)
	issuer, err := account.PublicKey()
	require.NoError(t, err)
	kind, err := nkey.ParseKind("component")
	require.NoError(t, err)
	module, err := nkey.New(kind)
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	// Before revision 3 a token had no hash.
	payload := fmt.Sprintf(`{"jti":"j","iat":1,"iss":%q,"sub":%q,"wascap":{"name":"teller"},"wascap_revision":2}`, issuer, module.Public)
	text := encode([]byte(`{"typ":"jwt","alg":"Ed25519"}`)) + "." + encode([]byte(payload))
	sig, err := account.Sign([]byte(text))
	require.NoError(t, err)
	token = text + "." + encode(sig)
	const name = "wasmcloud_jwt"
	content := append([]byte{byte(len(name))}, name+token...)
	section := binary.AppendUvarint([]byte{0}, uint64(len(content)))
	return append(append(bytes.Clone(wasm), section...), content...), token
}

// A backend of v1 is asked for a component that is signed, with its token, and for no
// other.
func TestSecretsOfV1Backends(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	server, err := nkeys.CreateCurveKeys()
	require.NoError(t, err)
	public, err := server.PublicKey()
	require.NoError(t, err)
	asked := make(chan string, 10)
	_, err = l.Conn.Subscribe("wasmcloud.secrets.v1alpha1.baobun.server_xkey", func(m *nats.Msg) { _ = m.Respond([]byte(public)) })
	require.NoError(t, err)
	_, err = l.Conn.Subscribe("wasmcloud.secrets.v1alpha1.baobun.get", func(m *nats.Msg) {
		to := m.Header.Get("WasmCloud-Host-Xkey")
		request, err := server.Open(m.Data, to)
		if err != nil {
			return
		}
		asked <- string(request)
		answer := nats.NewMsg(m.Reply)
		answer.Header.Set("Server-Response-Xkey", public)
		answer.Data, _ = server.Seal([]byte(`{"secret":{"version":"1","string_secret":null,"binary_secret":[104,105]},"error":null}`), to)
		_ = m.RespondMsg(answer)
	})
	require.NoError(t, err)
	n := l.Host(func(c *host.Config) { c.Secrets.Topic = "wasmcloud.secrets" })
	newSealer(l).refer(secret.Reference{Name: "greeting", Backend: "baobun", Key: "some/where", Version: "v2", Policy: `{"type":"t","properties":{"role":"r"}}`})
	start := func(ref string) error {
		t.Helper()
		return n.Scale(ctl.ScaleComponent{ComponentID: "c", ComponentRef: ref, MaxInstances: 1, Config: []string{"SECRET_greeting"},
			Annotations: map[string]string{"wasmcloud.dev/appspec": "shop"}})
	}
	require.ErrorContains(t, start(teller(l)), "c is not signed")
	wasm, err := os.ReadFile("testdata/secrets.wasm")
	require.NoError(t, err)
	wasm, token := signed(t, wasm)
	require.NoError(t, start(l.File("signed.wasm", wasm)))
	got, err := l.Call(t.Context(), n, "c", `test:secrets/reader.read("greeting")`)
	require.NoError(t, err)
	require.Equal(t, `ok("hi")`, got.WAVE)
	var q struct {
		Key     string  `json:"key"`
		Field   *string `json:"field"`
		Version string  `json:"version"`
		Context struct {
			Entity      string `json:"entity_jwt"`
			Host        string `json:"host_jwt"`
			Application struct{ Name, Policy string }
		}
	}
	require.Len(t, asked, 1, "only for the one that is signed")
	require.NoError(t, json.Unmarshal([]byte(<-asked), &q))
	require.Equal(t, "some/where", q.Key)
	require.Nil(t, q.Field)
	require.Equal(t, "v2", q.Version)
	require.Equal(t, token, q.Context.Entity)
	require.NotEmpty(t, q.Context.Host)
	require.Equal(t, "shop", q.Context.Application.Name)
	require.Equal(t, `{"type":"t","properties":{"role":"r"}}`, q.Context.Application.Policy)
}
