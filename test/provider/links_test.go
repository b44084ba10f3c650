package provider_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
)

func link(source string, configs ...string) lattice.Link {
	return lattice.Link{SourceID: source, Target: "kv", WITNamespace: "wasi", WITPackage: "keyvalue", Interfaces: []string{"store"}, TargetConfig: configs}
}

func (b *bed) config(t *testing.T, name, key, value string) {
	t.Helper()
	require.NoError(t, b.Control.PutConfig(t.Context(), name, map[string]string{key: value}))
}

// TestLinks: a provider knows its links and their configuration, from its start
// on and as they change, and so does one that is started again.
func TestLinks(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	other := b.Host(nil) // which answers some of the commands
	ctx := t.Context()
	b.config(t, "first", "a", "1")
	b.config(t, "second", "b", "2")
	b.config(t, "own", "mode", "slow")
	require.NoError(t, b.Control.PutLink(ctx, link("early", "first", "second")))
	require.NoError(t, b.start(t, "linked", "own"))
	b.says(t, "init map[mode:slow]")
	b.says(t, "put early map[a:1 b:2]")

	// What a caller says of itself gets the configuration of its link, and no
	// other.
	asks := func(source, name string) string {
		t.Helper()
		meta := wrpc.Meta{SourceID: source, LinkName: name}
		v, err := bind.NewStoreClient(b.Calls.Bind("default.kv", func(context.Context) wrpc.Meta { return meta })).Get(ctx, "", "")
		require.NoError(t, err)
		return string(v.Value)
	}
	require.Equal(t, "true map[a:1 b:2]", asks("early", ""))
	require.Equal(t, "true map[a:1 b:2]", asks("early", "default"))
	require.Equal(t, "false map[]", asks("early", "another"))
	require.Equal(t, "false map[]", asks("forged", ""))

	require.NoError(t, b.Control.PutLink(ctx, link("late", "second")))
	b.says(t, "put late map[b:2]")
	require.Equal(t, "true map[b:2]", asks("late", ""))

	// Live: its own configuration, and that of a link.
	b.config(t, "own", "mode", "fast")
	b.says(t, "config map[mode:fast]")
	b.config(t, "second", "b", "3")
	b.says(t, "gone late map[b:2]")
	b.says(t, "put late map[b:3]")
	b.says(t, "put early map[a:1 b:3]")

	require.NoError(t, b.Control.DeleteLink(ctx, link("late").Key()))
	b.says(t, "gone late map[b:3]")
	b.Eventually("the provider forgets it", func() bool { return asks("late", "") == "false map[]" })

	b.config(t, "bad", "refuse", "yes")
	require.NoError(t, b.Control.PutLink(ctx, link("refused", "bad")))
	b.says(t, "put refused map[refuse:yes]")
	require.Equal(t, "false map[]", asks("refused", ""), "what the provider does not take is not there")

	// Many at once, on both hosts.
	for i := range 20 {
		require.NoError(t, b.Control.PutLink(ctx, link(fmt.Sprint("many", i), "first")))
		if i%2 == 0 {
			require.NoError(t, b.Control.DeleteLink(ctx, link(fmt.Sprint("many", i)).Key()))
		}
	}
	for i := range 20 {
		want := "true map[a:1]"
		if i%2 == 0 {
			want = "false map[]"
		}
		b.Eventually("links settle", func() bool { return asks(fmt.Sprint("many", i), "") == want })
	}
	other.Stop()
	require.NoError(t, b.Control.StopProvider(ctx, b.n.ID, "kv"))
	b.says(t, "shutdown")
}

// TestForgedDeletion: anyone can tell a provider that a link is gone. Its host
// tells it that it is not.
func TestForgedDeletion(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	require.NoError(t, b.Control.PutLink(t.Context(), link("c")))
	require.NoError(t, b.start(t, "linked"))
	b.says(t, "put c map[]")
	remote := wire.NewRemote(b.Conn, "default", "kv", "kv")
	l := link("c")
	l.Name = "default"
	require.NoError(t, remote.DeleteLink(l))
	b.says(t, "gone c map[]")
	b.Eventually("it has it again", func() bool {
		n := 0
		for _, line := range b.said() {
			if line == "put c map[]" {
				n++
			}
		}
		return n == 2
	})
}

// TestLiveBuiltin: a built-in provider is told of changes like a process.
func TestLiveBuiltin(t *testing.T) {
	t.Parallel()
	told := make(chan string, 100)
	b := newBed(t, func(c *host.Config) {
		c.Builtins = append(c.Builtins, provider.Builtin{Name: "live", Start: func(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
			told <- fmt.Sprint("start ", cfg.Settings.Config)
			return &provider.Capabilities{
				KeyvalueStore: linkStore{},
				Relink: func(own wire.Settings, links []wire.Link) []error {
					s := fmt.Sprint(own.Config, " links")
					for _, l := range links {
						s += fmt.Sprintf(" %s %v", l.SourceID, l.Config)
					}
					told <- s
					return nil
				},
			}, nil
		}})
	})
	b.config(t, "own", "a", "1")
	require.NoError(t, b.n.Provide(startReq("live", "own")))
	is := func(want string) {
		t.Helper()
		ctx, cancel := timeout(t, bedWait)
		defer cancel()
		select {
		case got := <-told:
			require.Equal(t, want, got)
		case <-ctx.Done():
			t.Fatal("it was not told: ", want)
		}
	}
	is("start map[a:1]")
	is("map[a:1] links")
	b.config(t, "own", "a", "2")
	is("map[a:2] links")
	require.NoError(t, b.Control.PutLink(t.Context(), link("c", "own")))
	is("map[a:2] links c map[a:2]")
	b.config(t, "own", "a", "3")
	is("map[a:3] links c map[a:3]")
	require.NoError(t, b.Control.DeleteLink(t.Context(), link("c").Key()))
	is("map[a:3] links")
	b.config(t, "other", "a", "4")
	require.NoError(t, b.Control.StopProvider(t.Context(), b.n.ID, "kv"))
	require.Empty(t, told, "what is not its own is not told")
}
