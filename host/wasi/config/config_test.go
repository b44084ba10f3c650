package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/config"
	"github.com/lathhost/lath/wit"
)

func TestStoreFollowsItsValues(t *testing.T) {
	t.Parallel()
	now := map[string]string{"b": "2", "a": ""}
	s := config.Store{Values: func() map[string]string { return now }}
	v, err := s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, wit.Some(""), v)
	all, err := s.GetAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, [][2]string{{"a", ""}, {"b", "2"}}, all)

	now = map[string]string{"c": "3"}
	v, err = s.Get(t.Context(), "a")
	require.NoError(t, err)
	require.False(t, v.OK)
	all, err = config.Store{}.GetAll(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
}
