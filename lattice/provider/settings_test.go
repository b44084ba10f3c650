package provider_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/provider"
)

func TestSettingsOver(t *testing.T) {
	t.Parallel()
	base := provider.Settings{Config: map[string]string{"URL": "base", "port": "1", "token": "plain"}, Secrets: map[string]provider.Secret{"Password": provider.TextSecret("base")}}
	over := provider.Settings{Config: map[string]string{"url": "link", "PASSWORD": "plain"}, Secrets: map[string]provider.Secret{"TOKEN": provider.TextSecret("hush")}}
	got := over.Over(base)
	require.Equal(t, map[string]string{"url": "link", "port": "1", "password": "plain"}, got.Config, "a link's config counts before a provider's secret")
	require.Len(t, got.Secrets, 1)
	require.True(t, got.Secrets["token"].Equal(provider.TextSecret("hush")))
	both := provider.Settings{Config: map[string]string{"url": "seen"}, Secrets: map[string]provider.Secret{"URL": provider.TextSecret("hush")}}.Over(provider.Settings{})
	require.Empty(t, both.Config, "a secret counts before a config of its name")
	require.True(t, got.Equal(over.Over(base)))
	require.False(t, got.Equal(base))
	changed := provider.Settings{Config: over.Config, Secrets: map[string]provider.Secret{"TOKEN": provider.TextSecret("other")}}
	require.False(t, over.Equal(changed))
}

func TestLinkEqualAndPrinted(t *testing.T) {
	t.Parallel()
	l := provider.Link{Settings: provider.Settings{Secrets: map[string]provider.Secret{"p": provider.TextSecret("hush")}}}
	failed := l
	failed.Err = errors.New("denied")
	require.True(t, l.Equal(l)) //nolint:gocritic // that is what is tested
	require.False(t, l.Equal(failed))
	require.False(t, failed.Equal(l))
	again := failed
	again.Err = errors.New("denied")
	require.True(t, failed.Equal(again))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, l), "hush")
		require.NotContains(t, fmt.Sprintf(verb, l.Settings), "hush")
	}
}
