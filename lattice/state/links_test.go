package state_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/state"
)

// TestStoredBytes has the exact value that v1 hosts read.
func TestStoredBytes(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{})
	require.NoError(t, s.EnsureSpec(t.Context(), "counter", "ghcr.io/x/counter:1"))
	require.NoError(t, s.PutLink(t.Context(), newLink("counter", "kv", "store", "atomics")))

	kve, err := bucket(t, nc, "LATTICEDATA_default").Get(t.Context(), "COMPONENT_counter")
	require.NoError(t, err)
	require.Equal(t, `{"url":"ghcr.io/x/counter:1","links":[{"source_id":"counter","target":"kv","name":"default",`+
		`"wit_namespace":"wasi","wit_package":"keyvalue","interfaces":["store","atomics"],"source_config":[],"target_config":[]}]}`,
		string(kve.Value()))

	require.NoError(t, s.EnsureSpec(t.Context(), "counter", "ghcr.io/x/counter:2"))
	spec, ok := s.Spec("counter")
	require.True(t, ok)
	require.Equal(t, "ghcr.io/x/counter:1", spec.URL, "a spec keeps its reference")

	_, _, err = s.DeleteLink(t.Context(), newLink("counter", "kv").Key())
	require.NoError(t, err)
	kve, err = bucket(t, nc, "LATTICEDATA_default").Get(t.Context(), "COMPONENT_counter")
	require.NoError(t, err)
	require.Equal(t, `{"url":"ghcr.io/x/counter:1","links":[]}`, string(kve.Value()))
}

func TestBucketsHaveV1Settings(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	b.open(nc, state.Options{})
	b.open(nc, state.Options{}) // a second host finds them
	for _, name := range []string{"LATTICEDATA_default", "CONFIGDATA_default", "LATH_default"} {
		status, err := bucket(t, nc, name).Status(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, status.History(), name)
		require.Zero(t, status.TTL(), name)
		require.Equal(t, 1, status.Config().Replicas, name)
		require.Equal(t, jetstream.FileStorage, status.Config().Storage, name)
	}
}

func TestPutLinkRules(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := b.open(b.connect(), state.Options{})
	ctx := t.Context()
	first := newLink("a", "kv1", "store")
	require.NoError(t, s.PutLink(ctx, first))
	require.NoError(t, s.PutLink(ctx, first), "the same link again changes nothing")
	require.Equal(t, []lattice.Link{first}, s.Links())

	err := s.PutLink(ctx, newLink("a", "kv2", "atomics", "store"))
	require.EqualError(t, err,
		"link already exists with different target, consider deleting the existing link or using a different link name")
	require.ErrorIs(t, err, state.ErrLinkConflict)
	require.ErrorIs(t, err, lattice.ErrConflict)

	second := newLink("a", "kv2", "atomics")
	require.NoError(t, s.PutLink(ctx, second), "disjoint interfaces may have another target")
	wider := newLink("a", "kv1", "store", "batch")
	require.NoError(t, s.PutLink(ctx, wider), "the same key and target replaces")
	require.Equal(t, []lattice.Link{wider, second}, s.LinksFrom("a"), "in place")

	named := newLink("a", "kv2", "store")
	named.Name = "other"
	require.NoError(t, s.PutLink(ctx, named), "another name is another link")
	unnamed := newLink("b", "kv2")
	unnamed.Name = ""
	require.NoError(t, s.PutLink(ctx, unnamed))
	require.Equal(t, []lattice.Link{second, named, newLink("b", "kv2")}, s.LinksTo("kv2"))
	require.Empty(t, s.LinksTo("nobody"))
}

func TestDeleteLinkRemovesWhatTheKeyNames(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := b.open(b.connect(), state.Options{})
	ctx := t.Context()
	one, two := newLink("a", "kv1", "store"), newLink("a", "kv2", "atomics")
	other := newLink("a", "kv1", "store")
	other.Name = "other"
	http := newLink("a", "client", "outgoing-handler")
	http.WITPackage = "http"
	for _, link := range []lattice.Link{one, other, http, two} {
		require.NoError(t, s.PutLink(ctx, link))
	}

	removed, known, err := s.DeleteLink(ctx, other.Key())
	require.NoError(t, err)
	require.True(t, known)
	require.Equal(t, []lattice.Link{other}, removed)
	require.Equal(t, []lattice.Link{one, http, two}, s.LinksFrom("a"), "the order stays")

	removed, _, err = s.DeleteLink(ctx, lattice.LinkKey{SourceID: "a", WITNamespace: "wasi", WITPackage: "keyvalue"})
	require.NoError(t, err)
	require.Equal(t, []lattice.Link{one, two}, removed, "both have this key, and the empty name is the default")
	require.Equal(t, []lattice.Link{http}, s.LinksFrom("a"))
	require.Empty(t, s.LinksTo("kv1"))

	removed, known, err = s.DeleteLink(ctx, one.Key())
	require.NoError(t, err, "deleting is idempotent")
	require.True(t, known)
	require.Empty(t, removed)
	_, known, err = s.DeleteLink(ctx, newLink("never", "x").Key())
	require.NoError(t, err)
	require.False(t, known)
}

func TestPutLinkRefusesUnknownConfigs(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{})
	put(t, bucket(t, nc, "CONFIGDATA_default"), "known", `{"k":"v"}`)
	link := newLink("a", "kv")
	link.SourceConfig = []string{"known", "absent"}
	link.TargetConfig = []string{"SECRET_pw"}
	err := s.PutLink(t.Context(), link)
	require.EqualError(t, err, "Failed to validate configuration and secrets. "+
		"Configuration absent not found in config store. Secret reference SECRET_pw not found in config store. ")
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.Empty(t, s.Links())

	link.SourceConfig, link.TargetConfig = []string{"known"}, []string{}
	require.NoError(t, s.PutLink(t.Context(), link))
}

func TestPutLinkRefusesNonsense(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := b.open(b.connect(), state.Options{})
	bad := newLink("a.b", "kv *")
	bad.Interfaces = nil
	err := s.PutLink(t.Context(), bad)
	require.ErrorIs(t, err, lattice.ErrInvalid)
	for _, text := range []string{`link source: id "a.b"`, `link target: id "kv *"`, "at least one"} {
		require.ErrorContains(t, err, text)
	}
}

func TestSpecSizeIsBounded(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{MaxSpecSize: 2000})
	var err error
	stored := 0
	for ; stored < 100; stored++ {
		link := newLink("a", fmt.Sprintf("kv%d", stored))
		link.Name = fmt.Sprintf("name%d", stored)
		if err = s.PutLink(t.Context(), link); err != nil {
			break
		}
	}
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorContains(t, err, "the limit is 2000")
	require.ErrorContains(t, err, "spec of a")
	require.Len(t, s.LinksFrom("a"), stored)
	require.Positive(t, stored)
}

// Two stores change the same spec at once, and no change is lost.
func TestConcurrentWritersLoseNothing(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	stores := []*state.Store{b.open(b.connect(), state.Options{}), b.open(b.connect(), state.Options{})}
	const each = 12
	var wg sync.WaitGroup
	for n, s := range stores {
		for i := range each {
			wg.Go(func() {
				link := newLink("a", "kv")
				link.Name = fmt.Sprintf("n%d-%d", n, i)
				if err := s.PutLink(t.Context(), link); err != nil {
					t.Errorf("put: %v", err)
					return
				}
				if i%3 == 0 {
					if removed, _, err := s.DeleteLink(t.Context(), link.Key()); err != nil || len(removed) != 1 {
						t.Errorf("delete: %v, %v", removed, err)
					}
				}
			})
		}
	}
	wg.Wait()
	late := b.open(b.connect(), state.Options{})
	want := late.Links()
	require.Len(t, want, 2*each*2/3)
	for _, s := range stores {
		newView(t, s).until("a", want...)
	}
}

func TestWriteWithMalformedSpecNamesTheKey(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{})
	put(t, bucket(t, nc, "LATTICEDATA_default"), "COMPONENT_a", `{"url":7}`)
	err := s.PutLink(t.Context(), newLink("a", "kv"))
	require.ErrorIs(t, err, lattice.ErrInvalid)
	require.ErrorContains(t, err, "COMPONENT_a in bucket LATTICEDATA_default")
}

func TestWriteEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := b.open(b.connect(), state.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.PutLink(ctx, newLink("a", "kv")), context.Canceled)
}

func TestBadLatticeName(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	for _, name := range []string{"", "a.b", "a b", "*", "x>", strings.Repeat("x", 300)} {
		_, err := state.Open(t.Context(), nc, name, state.Options{})
		require.ErrorIs(t, err, lattice.ErrInvalid, "%q", name)
	}
}
