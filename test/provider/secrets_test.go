package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/host/secrets"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/secret"
	"github.com/lathhost/lath/providers/sdk"
	"github.com/lathhost/lath/test/harness"
)

// mirrored tells what a secret is without saying it.
func mirrored(s sdk.Secret) string {
	b := slices.Clone(s.Bytes())
	slices.Reverse(b)
	return string(b)
}

// secretive tells its secrets backwards.
func secretive() sdk.Provider {
	return sdk.Provider{
		Contracts: contracts(),
		Init: func(_ context.Context, s *sdk.Session) error {
			own, ok := s.Secret("own")
			fmt.Println("init", ok, mirrored(own))
			return nil
		},
		LinkPut: func(_ context.Context, l sdk.Link) error {
			fmt.Println("put", l.SourceID, l.Config, len(l.Secrets), mirrored(l.Secrets["pass"]))
			return nil
		},
		LinkGone: func(_ context.Context, l sdk.Link) { fmt.Println("gone", l.SourceID) },
	}
}

// TestSecretsOfProviders: a provider process gets its own secrets by its pipe and those
// of its links sealed for it, also when they change, and nothing that is sent or
// logged has one.
func TestSecretsOfProviders(t *testing.T) {
	t.Parallel()
	key, err := secret.NewKey()
	require.NoError(t, err)
	b := newBed(t, func(c *host.Config) { c.Secrets = secrets.Places{Key: key} })
	all, err := b.Conn.SubscribeSync(">")
	require.NoError(t, err)
	require.NoError(t, all.SetPendingLimits(-1, -1))
	store, err := secret.NewStore(b.Conn, harness.Name, "", 0)
	require.NoError(t, err)
	put := func(name, value, allowed string) {
		t.Helper()
		sealed, err := secret.Seal(name, secret.Opened{Value: wire.TextSecret(value), For: []string{allowed}}, []string{key.Public()})
		require.NoError(t, err)
		version, err := store.Put(t.Context(), name, sealed)
		require.NoError(t, err)
		r := secret.Reference{Name: name, Backend: secrets.Lath, Key: name, Version: fmt.Sprint(version)}
		require.NoError(t, b.Control.PutConfig(t.Context(), secret.ConfigName(name), r.Values()))
	}
	put("own", "stressed", "kv")
	put("pass", "drawer", "kv")
	put("foreign", "live", "other")
	b.config(t, "plain", "a", "1")

	require.ErrorContains(t, b.start(t, "secretive", "SECRET_foreign"), "denied: it was stored for other ids")
	require.NoError(t, b.Control.PutLink(t.Context(), link("early", "plain", "SECRET_pass")))
	require.NoError(t, b.start(t, "secretive", "SECRET_own"))
	b.says(t, "init true desserts")
	b.says(t, "put early map[a:1] 1 reward")
	require.NoError(t, b.Control.PutLink(t.Context(), link("late", "SECRET_pass")))
	b.says(t, "put late map[] 1 reward")
	require.NoError(t, b.Control.PutLink(t.Context(), link("none", "plain")))
	b.says(t, "put none map[a:1] 0 ")

	// Another secret in the place of the first.
	put("pass", "lager", "kv")
	b.says(t, "put early map[a:1] 1 regal")
	b.says(t, "put late map[] 1 regal")
	// A link whose secret is not for the provider is none.
	require.NoError(t, b.Control.PutLink(t.Context(), link("refused", "SECRET_foreign")))
	b.Eventually("the host says why", func() bool { return b.log.FilterMessageSnippet("its secrets are not to be had").Len() > 0 })
	require.NoError(t, b.Control.DeleteLink(t.Context(), link("late").Key()))
	b.says(t, "gone late")
	require.NotContains(t, b.said(), "put refused map[] 0 ")

	require.NoError(t, b.Control.StopProvider(t.Context(), b.n.ID, "kv"))
	sealed := 0
	for {
		m, err := all.NextMsg(200 * time.Millisecond)
		if err != nil {
			break
		}
		if bytes.Contains(m.Data, []byte(`"target_secrets":[120,107,118,49,`)) {
			sealed++
		}
		requireNone(t, m.Data, "sent on "+m.Subject)
	}
	require.GreaterOrEqual(t, sealed, 2, "links with sealed secrets were told")
	for _, e := range b.log.All() {
		fields, err := json.Marshal(e.ContextMap())
		require.NoError(t, err)
		requireNone(t, append(fields, e.Message...), "logged")
	}
}

func requireNone(t *testing.T, data []byte, where string) {
	t.Helper()
	for _, plain := range []string{"stressed", "drawer", "lager"} {
		// As text, and as v1 writes bytes.
		numbers, err := json.Marshal(asNumbers(plain))
		require.NoError(t, err)
		require.False(t, bytes.Contains(data, []byte(plain)) || bytes.Contains(data, bytes.Trim(numbers, "[]")), "%s: %q", where, data)
	}
}

func asNumbers(s string) (list []int) {
	for _, b := range []byte(s) {
		list = append(list, int(b))
	}
	return list
}

// A built-in provider does not start without its secrets.
func TestBuiltinWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(c *host.Config) {
		c.Builtins = []provider.Builtin{{Name: "none", Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
			return &provider.Capabilities{}, nil
		}}}
	})
	r := secret.Reference{Name: "x", Backend: "env", Key: "X"}
	require.NoError(t, b.Control.PutConfig(t.Context(), "SECRET_x", r.Values()))
	err := b.n.Provide(startReq("none", "SECRET_x"))
	require.ErrorContains(t, err, "this host does not grant env:X")
}
