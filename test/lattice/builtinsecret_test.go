package lattice_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/secrets"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/secret"
	"github.com/lathhost/lath/providers/keyvalue/redis/redistest"
	"github.com/lathhost/lath/test/harness"
)

// A built-in provider opens a database by the secrets of its links and by its own; a
// wrong password is an error value, another one is used at once, and nothing that is
// logged, stored or sent has one.
func TestSecretsOfBuiltins(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{true, false} {
		t.Run(fmt.Sprintf("together=%v", together), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "--requirepass", "hush-right")
			l := harness.New(t)
			all, err := l.Conn.SubscribeSync(">")
			require.NoError(t, err)
			require.NoError(t, all.SetPendingLimits(-1, -1))
			log := &syncBuffer{}
			key, err := secret.NewKey()
			require.NoError(t, err)
			edit := func(c *host.Config) {
				c.Secrets, c.Log = secrets.Places{Key: key}, debugLog(log)
				harness.Offer("keyvalue-redis")(c)
			}
			a := l.Host(edit)
			b := a
			if !together {
				b = l.Host(edit)
			}
			s := newSealer(l, key)
			ctx := t.Context()
			require.NoError(t, l.Control.PutConfig(ctx, "server", map[string]string{"URL": server.URL(), "BACKEND_RESPONSE_TIMEOUT_MS": "60000"}))
			// Of a link, as v1's target config has it.
			s.put("password", "hush-wrong", "kv")
			require.NoError(t, b.Provide(ctl.StartProvider{ProviderID: "kv", ProviderRef: "lath+builtin://keyvalue-redis", Config: []string{"server"}}))
			require.NoError(t, a.Start("count", "counter", 2))
			put := func(source, target string, config ...string) {
				t.Helper()
				require.NoError(t, l.Control.PutLink(ctx, lattice.Link{SourceID: source, Target: target, WITNamespace: "wasi", WITPackage: "keyvalue",
					Interfaces: []string{"store", "atomics"}, TargetConfig: config}))
			}
			put("count", "kv", "SECRET_password")
			increment := func(id string) string {
				got, err := l.Call(ctx, a, id, `example:counter/counter.increment("k")`)
				if err != nil {
					return "failed: " + err.Error()
				}
				return got.WAVE
			}
			becomes := func(want string) {
				t.Helper()
				got := ""
				l.Eventually(want, func() bool { got = increment("count"); return strings.Contains(got, want) })
			}
			becomes("WRONGPASS")
			state, why := status(t, l, "count", "kv")
			require.Equal(t, lattice.LinkReady, state, why)
			s.put("password", "hush-right", "kv")
			becomes("ok(1)")
			require.Equal(t, "ok(2)", increment("count"))

			// One that is for others now, and none that is a setting.
			s.put("password", "hush-right", "others")
			becomes("denied")
			l.Eventually("the link says why", func() bool {
				state, why := status(t, l, "count", "kv")
				return state == lattice.LinkFailed && strings.Contains(why, "denied")
			})
			s.put("color", "hush-blue", "kv")
			put("count", "kv", "SECRET_color")
			becomes(`no setting \"color\", as a secret is named`)
			s.put("password", "hush-right", "kv")
			put("count", "kv", "SECRET_password")
			becomes("ok(")

			// Of the provider.
			s.put("URL", "redis://:hush-right@"+server.Addr+"/", "own")
			own := ctl.StartProvider{ProviderID: "own", ProviderRef: "lath+builtin://keyvalue-redis", Config: []string{"SECRET_URL"}}
			require.NoError(t, b.Provide(own))
			require.NoError(t, a.Start("other", "counter", 2))
			put("other", "own")
			l.Eventually("it counts", func() bool { return strings.HasPrefix(increment("other"), "ok(") })
			s.put("URL", "redis://:hush-wrong@"+server.Addr+"/", "own")
			l.Eventually("another one is used", func() bool { return strings.Contains(increment("other"), "WRONGPASS") })
			own.ProviderID = "refused"
			require.ErrorContains(t, b.Provide(own), "denied", "without its secret it does not start")

			a.Stop()
			b.Stop()
			require.NotContains(t, log.text(), "hush")
			require.Contains(t, log.text(), "a link does not work")
			requireNoneSent(t, l, func() ([]byte, string, bool) {
				m, err := all.NextMsg(200 * time.Millisecond)
				if err != nil {
					return nil, "", false
				}
				return m.Data, m.Subject, true
			})
		})
	}
}

// Two components share a provider, each with a server of its own, by their links.
func TestEachLinkItsServer(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	a, b := l.Host(harness.Offer("keyvalue-redis")), l.Host(harness.Offer("keyvalue-redis"))
	require.NoError(t, b.Provide(ctl.StartProvider{ProviderID: "kv", ProviderRef: "lath+builtin://keyvalue-redis"}))
	servers := map[string]*redistest.Server{"one": redistest.Start(t), "two": redistest.Start(t)}
	put := func(id string, server *redistest.Server) {
		t.Helper()
		require.NoError(t, l.Control.PutConfig(t.Context(), id, map[string]string{"url": server.URL(), "backend_response_timeout_ms": "60000"}))
	}
	for id, server := range servers {
		put(id, server)
		require.NoError(t, l.Control.PutLink(t.Context(), lattice.Link{SourceID: id, Target: "kv", WITNamespace: "wasi", WITPackage: "keyvalue",
			Interfaces: []string{"store", "atomics"}, TargetConfig: []string{id}}))
	}
	require.NoError(t, a.Start("one", "counter", 1))
	require.NoError(t, b.Start("two", "counter", 1))
	is := func(n *harness.Node, id, want string) {
		t.Helper()
		got, err := l.Call(t.Context(), n, id, `example:counter/counter.increment("k")`)
		require.NoError(t, err)
		require.Equal(t, want, got.WAVE)
	}
	is(a, "one", "ok(1)")
	is(b, "two", "ok(1)")
	is(a, "one", "ok(2)")
	// The other server, by changing the config.
	put("one", servers["two"])
	l.Eventually("it counts there", func() bool {
		got, err := l.Call(t.Context(), a, "one", `example:counter/counter.increment("k")`)
		return err == nil && got.WAVE == "ok(2)"
	})
}
