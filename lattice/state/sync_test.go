package state_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/state"
)

func TestChangesOfOthersArrive(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{})
	other := b.open(b.connect(), state.Options{})
	v := newView(t, s)

	require.NoError(t, other.PutLink(t.Context(), newLink("a", "kv")))
	v.until("a", newLink("a", "kv"))
	_, _, err := other.DeleteLink(t.Context(), newLink("a", "kv").Key())
	require.NoError(t, err)
	v.until("a")

	// A v1 peer writes, deletes and purges keys.
	kv := bucket(t, nc, "LATTICEDATA_default")
	for _, remove := range []func(string) error{
		func(key string) error { return kv.Delete(t.Context(), key) },
		func(key string) error { return kv.Purge(t.Context(), key) },
	} {
		put(t, kv, "COMPONENT_b", specWith(t, newLink("b", "kv")))
		v.until("b", newLink("b", "kv"))
		require.NoError(t, remove("COMPONENT_b"))
		v.until("b")
		_, ok := s.Spec("b")
		require.False(t, ok)
	}
	require.NoError(t, s.PutLink(t.Context(), newLink("b", "kv")), "a purged key can be written again")
	v.until("b", newLink("b", "kv"))
}

func TestForeignAndMalformedValues(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	b.open(nc, state.Options{})
	kv := bucket(t, nc, "LATTICEDATA_default")
	for key, value := range map[string]string{
		"CLAIMS_MABC":          `{"name":"x"}`,
		"LINKDEF_old":          `what`,
		"REFMAP_old":           ``,
		"COMPONENT_text":       `not JSON`,
		"COMPONENT_number":     `7`,
		"COMPONENT_null":       `null`,
		"COMPONENT_badlinks":   `{"url":"","links":{}}`,
		"COMPONENT_badlink":    `{"url":"","links":[{"source_id":"badlink"}]}`,
		"COMPONENT_foreign":    specWith(t, newLink("somebody-else", "kv")),
		"COMPONENT_":           specWith(t),
		"COMPONENT_nolinks":    `{"url":"x"}`,
		"COMPONENT_nulllinks":  `{"url":"x","links":null}`,
		"COMPONENT_with/slash": specWith(t, newLink("with/slash", "kv")),
		"COMPONENT_good":       specWith(t, newLink("good", "kv")),
	} {
		put(t, kv, key, value)
	}
	s := b.open(b.connect(), state.Options{})
	require.Equal(t, []lattice.Link{newLink("good", "kv")}, s.Links())
	spec, ok := s.Spec("nolinks")
	require.True(t, ok)
	require.Equal(t, "x", spec.URL)
	_, ok = s.Spec("text")
	require.False(t, ok)

	// A good spec that becomes unreadable stays as it was known.
	v := newView(t, s)
	v.until("good", newLink("good", "kv"))
	put(t, kv, "COMPONENT_good", `{"url":`)
	put(t, kv, "COMPONENT_after", specWith(t, newLink("after", "kv")))
	v.until("after", newLink("after", "kv"))
	require.Equal(t, []lattice.Link{newLink("good", "kv")}, s.LinksFrom("good"))
}

// NATS goes and comes back: the links are there meanwhile, writes fail at once,
// and what changed behind the store's back is found.
func TestRestartOfNATS(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{})
	v := newView(t, s)
	require.NoError(t, s.PutLink(t.Context(), newLink("a", "kv")))
	require.NoError(t, s.PutLink(t.Context(), newLink("b", "kv")))
	v.until("b", newLink("b", "kv"))

	b.stop()
	require.Eventually(t, func() bool { return !nc.IsConnected() }, patience, time.Millisecond)
	require.Len(t, s.Links(), 2, "the links stay while NATS is away")
	err := s.PutLink(t.Context(), newLink("c", "kv"))
	require.ErrorIs(t, err, lattice.ErrDisconnected)

	b.start()
	// A host that is back earlier changes things.
	other := b.open(b.connect(), state.Options{})
	require.Len(t, other.Links(), 2, "the links have outlived the server")
	_, _, err = other.DeleteLink(t.Context(), newLink("a", "kv").Key())
	require.NoError(t, err)
	require.NoError(t, other.PutLink(t.Context(), newLink("d", "kv")))
	v.until("a")
	v.until("d", newLink("d", "kv"))
	v.until("b", newLink("b", "kv"))

	require.NoError(t, other.PutLink(t.Context(), newLink("e", "kv")))
	v.until("e", newLink("e", "kv"))
	require.Eventually(t, func() bool { return s.PutLink(t.Context(), newLink("c", "kv")) == nil }, patience, 10*time.Millisecond)
}

// The bucket is deleted and made anew under a running store: what is in the new
// one is true, although its revisions start from 1.
func TestBucketMadeAnew(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{CheckEvery: 20 * time.Millisecond})
	v := newView(t, s)
	for range 3 {
		require.NoError(t, s.PutLink(t.Context(), newLink("a", "kv", "store")))
		require.NoError(t, s.PutLink(t.Context(), newLink("a", "kv", "atomics")))
	}
	v.until("a", newLink("a", "kv", "atomics"))

	js, err := jetstream.New(nc)
	require.NoError(t, err)
	require.NoError(t, js.DeleteKeyValue(t.Context(), "LATTICEDATA_default"))
	v.until("a")
	require.NoError(t, s.PutLink(t.Context(), newLink("a", "kv", "batch")))
	v.until("a", newLink("a", "kv", "batch"))
	late := b.open(b.connect(), state.Options{})
	require.Equal(t, s.Links(), late.Links())
}

func TestNoJetStreamIsNamed(t *testing.T) {
	t.Parallel()
	ns, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true})
	require.NoError(t, err)
	ns.Start()
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	require.True(t, ns.ReadyForConnections(patience))
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: ns.ClientURL()})
	require.NoError(t, err)
	defer nc.Close()

	_, err = state.Open(t.Context(), nc, testLattice, state.Options{})
	require.ErrorIs(t, err, lattice.ErrUnsupported)
	require.ErrorContains(t, err, "has no JetStream")
	require.ErrorContains(t, err, ns.ClientURL())
}

func TestWatcherEnds(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := b.open(b.connect(), state.Options{})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := s.Watch()
	_, err := w.Next(ctx)
	require.ErrorIs(t, err, context.Canceled)
	w.Close()
	w.Close()
	_, err = w.Next(t.Context())
	require.ErrorIs(t, err, state.ErrClosed)

	waiting := s.Watch()
	ended := make(chan error)
	go func() {
		_, err := waiting.Next(context.Background())
		ended <- err
	}()
	s.Close()
	s.Close()
	require.ErrorIs(t, <-ended, state.ErrClosed)
	_, err = s.Watch().Next(t.Context())
	require.ErrorIs(t, err, state.ErrClosed)
}

// The connection is closed under a store; its Close still ends.
func TestCloseAfterTheConnection(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	nc := b.connect()
	s := b.open(nc, state.Options{})
	require.NoError(t, s.PutLink(t.Context(), newLink("a", "kv")))
	nc.Close()
	require.ErrorIs(t, s.PutLink(t.Context(), newLink("b", "kv")), lattice.ErrDisconnected)
	s.Close()
	require.Len(t, s.Links(), 1)
}

// Changes that nobody reads cost one mark per id, and none is lost: not even one that
// was taken back, of which the reader may have seen the middle.
func TestSlowWatcher(t *testing.T) {
	t.Parallel()
	b := newBroker(t)
	s := b.open(b.connect(), state.Options{})
	w := s.Watch()
	defer w.Close()
	for range 20 {
		require.NoError(t, s.PutLink(t.Context(), newLink("a", "kv", "store")))
		require.NoError(t, s.PutLink(t.Context(), newLink("a", "kv", "atomics")))
	}
	link := newLink("b", "kv")
	require.NoError(t, s.PutLink(t.Context(), link))
	_, _, err := s.DeleteLink(t.Context(), link.Key())
	require.NoError(t, err)
	changed, err := w.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, changed)
	require.Equal(t, []lattice.Link{newLink("a", "kv", "atomics")}, s.LinksFrom("a"))
}
