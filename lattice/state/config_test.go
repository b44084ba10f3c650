package state_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/state"
)

func TestConfigsAreStoredAsV1Does(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{})
	require.NoError(t, s.PutConfig(t.Context(), "c", map[string]string{"b": "<2>", "a": "1"}))
	kv := bucket(t, nc, "CONFIGDATA_default")
	kve, err := kv.Get(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, `{"a":"1","b":"<2>"}`, string(kve.Value()))
	require.NoError(t, s.PutConfig(t.Context(), "empty", nil))
	kve, err = kv.Get(t.Context(), "empty")
	require.NoError(t, err)
	require.Equal(t, `{}`, string(kve.Value()))

	require.NoError(t, s.DeleteConfig(t.Context(), "c"))
	require.NoError(t, s.DeleteConfig(t.Context(), "never-there"))
	_, err = kv.Get(t.Context(), "c")
	require.Error(t, err)
	_, err = s.LoadConfig(t.Context(), "c")
	require.ErrorIs(t, err, lattice.ErrNotFound)
}

// What a store writes it reads at once; what others write arrives, and the
// version tells that something has changed.
func TestConfigsArrive(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s, other := b.open(b.connect(), state.Options{}), b.open(b.connect(), state.Options{})
	arrives := func(want map[string]string) {
		t.Helper()
		require.Eventually(t, func() bool {
			got, ok := s.Config("c")
			return ok == (want != nil) && len(got) == len(want) && got["a"] == want["a"]
		}, patience, time.Millisecond)
	}
	_, ok := s.Config("c")
	require.False(t, ok)
	for _, value := range []string{"1", "2"} {
		before := s.ConfigVersion()
		require.NoError(t, s.PutConfig(t.Context(), "c", map[string]string{"a": value}))
		got, ok := s.Config("c")
		require.True(t, ok)
		require.Equal(t, map[string]string{"a": value}, got)
		require.NotEqual(t, before, s.ConfigVersion())
	}
	require.NoError(t, s.DeleteConfig(t.Context(), "c"))
	_, ok = s.Config("c")
	require.False(t, ok)

	require.NoError(t, other.PutConfig(t.Context(), "c", map[string]string{"a": "3"}))
	arrives(map[string]string{"a": "3"})
	// A v1 host deletes by a purge, a person perhaps by a delete.
	kv := bucket(t, b.connect(), "CONFIGDATA_default")
	require.NoError(t, kv.Purge(t.Context(), "c"))
	arrives(nil)
	put(t, kv, "c", `{"a":"4"}`)
	arrives(map[string]string{"a": "4"})
	require.NoError(t, kv.Delete(t.Context(), "c"))
	arrives(nil)

	// What makes no sense leaves what was known, and is an error to who asks.
	put(t, kv, "c", `{"a":"5"}`)
	arrives(map[string]string{"a": "5"})
	for _, bad := range []string{`{"a":`, `{"a":1}`, `null`, `[]`} {
		put(t, kv, "c", bad)
		_, err := s.LoadConfig(t.Context(), "c")
		require.ErrorIs(t, err, lattice.ErrInvalid, bad)
	}
	arrives(map[string]string{"a": "5"})
}

func TestConfigsAreMerged(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := b.open(b.connect(), state.Options{})
	require.NoError(t, s.PutConfig(t.Context(), "one", map[string]string{"a": "1", "b": "1"}))
	require.NoError(t, s.PutConfig(t.Context(), "two", map[string]string{"b": "2"}))
	require.NoError(t, s.PutConfig(t.Context(), "SECRET_s", map[string]string{"key": "prod/db"}))
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, s.MergedConfig([]string{"one", "two", "gone", "SECRET_s"}))
	require.Equal(t, map[string]string{"a": "1", "b": "1"}, s.MergedConfig([]string{"two", "one"}))
}

func TestConfigBounds(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := b.open(b.connect(), state.Options{MaxSpecSize: 100})
	require.ErrorIs(t, s.PutConfig(t.Context(), "a.b", nil), lattice.ErrInvalid)
	err := s.PutConfig(t.Context(), "c", map[string]string{"a": strings.Repeat("x", 100)})
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorContains(t, err, "the limit is 100")
	_, err = s.LoadConfig(t.Context(), "a b")
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorIs(t, s.DeleteConfig(t.Context(), ""), lattice.ErrInvalid)
}

func TestClaims(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{})
	list, err := s.Claims(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)

	one := &state.Claims{Subject: "MONE", Issuer: "A1", Name: "one", Revision: "3", Version: "1.0", IsComponent: true, Tags: []string{"x", "y"}}
	two := &state.Claims{Subject: "VTWO", Issuer: "A1", Name: "two", Revision: "0", Version: "2.0"}
	require.NoError(t, s.PutClaims(t.Context(), one))
	require.NoError(t, s.PutClaims(t.Context(), two))
	kv := bucket(t, nc, "LATTICEDATA_default")
	kve, err := kv.Get(t.Context(), "CLAIMS_MONE")
	require.NoError(t, err)
	require.Equal(t, `{"issuer":"A1","name":"one","revision":"3","subject":"MONE","tags":["x","y"],"version":"1.0"}`, string(kve.Value()))
	// As older hosts write it, and nonsense.
	put(t, kv, "CLAIMS_MOLD", `{"iss":"A2","rev":"1","sub":"MOLD","name":"old","version":"","tags":"p,q","call_alias":null}`)
	put(t, kv, "CLAIMS_MBAD", `{"sub":"another"}`)
	put(t, kv, "CLAIMS_MWORSE", `{`)
	list, err = s.Claims(t.Context())
	require.NoError(t, err)
	require.Equal(t, []*state.Claims{
		{Subject: "MOLD", Issuer: "A2", Name: "old", Revision: "1", IsComponent: true, Tags: []string{"p", "q"}}, one, two,
	}, list)
	require.Equal(t, map[string]string{"iss": "A1", "issuer": "A1", "name": "one", "rev": "3", "revision": "3", "sub": "MONE",
		"subject": "MONE", "version": "1.0", "call_alias": "", "tags": "x,y"}, one.Flat())
	require.NotContains(t, two.Flat(), "tags")
	require.Empty(t, s.Links(), "claims are no specs")
}

// A value of nearly max_payload is read back, though JetStream's answer, which has it
// in base64, is larger than any message that a client may send.
func TestConfigOfMaxPayload(t *testing.T) {
	t.Parallel()
	srv, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort, MaxPayload: 64 << 10})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: srv.URL()})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	s, err := state.Open(t.Context(), nc, testLattice, state.Options{})
	require.NoError(t, err)
	defer s.Close()
	want := map[string]string{"k": strings.Repeat("x", 62<<10)}
	require.NoError(t, s.PutConfig(t.Context(), "c", want))
	got, err := s.LoadConfig(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, want, got)
}
