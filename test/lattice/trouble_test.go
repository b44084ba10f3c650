package lattice_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/test/harness"
)

// told waits for an event of a kind and reads its data.
func told[T event.Data](t *testing.T, sub *event.Subscription, is func(T) bool) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
	defer cancel()
	e, err := sub.Wait(ctx, func(e event.Event) bool {
		d, ok := e.Data.(T)
		return ok && is(d)
	})
	require.NoError(t, err)
	return e.Data.(T)
}

func hear(t *testing.T, l *harness.Lattice) *event.Subscription {
	t.Helper()
	sub, err := event.Subscribe(t.Context(), l.Conn, harness.Name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = sub.Close() })
	return sub
}

// JetStream without room for a config says so to who puts it, to the lattice and in
// the log; when there is room again, all goes on.
func TestStorageFullIsTold(t *testing.T) {
	t.Parallel()
	l := harness.NewWith(t, "jetstream { max_file_store: 100KB }")
	h := l.Host(func(c *host.Config) {
		c.Builtins = append(c.Builtins, provider.Builtin{Name: "empty", Start: func(context.Context, provider.Config) (*provider.Capabilities, error) {
			return &provider.Capabilities{}, nil
		}})
	})
	require.NoError(t, h.StartProvider("kv", "empty"))
	heard := hear(t, l)
	big := map[string]string{"k": strings.Repeat("x", 20<<10)}
	var refused error
	for i := 0; refused == nil && i < 20; i++ {
		refused = l.Control.PutConfig(t.Context(), fmt.Sprint("c", i), big)
	}
	require.ErrorContains(t, refused, "storage full")
	require.ErrorContains(t, refused, "max_file_store")
	e := told(t, heard, func(e event.StorageFull) bool { return e.HostID == h.ID })
	require.Equal(t, l.URL, e.Server)
	require.Contains(t, e.Cause, "no room left")
	require.Contains(t, e.Next, "max_file_store")
	require.NotZero(t, e.Count)

	// What stops something works where nothing can be recorded; what starts, not.
	require.ErrorContains(t, l.Control.StartProvider(t.Context(), h.ID, ctl.StartProvider{ProviderID: "more", ProviderRef: "lath+builtin://empty"}), "storage full")
	op, err := l.Control.Await(t.Context(), func(c *ctl.Client) error {
		return c.StopProvider(t.Context(), h.ID, "kv")
	})
	require.NoError(t, err)
	require.Equal(t, lattice.OpDone, op.State)

	got, err := l.Control.Config(t.Context(), "c0")
	require.NoError(t, err, "what is stored is still read")
	require.Equal(t, big, got)
	// Deleting makes room, though it takes some first.
	require.NoError(t, l.Control.DeleteConfig(t.Context(), "c0"))
	_, err = l.Control.Config(t.Context(), "c0")
	require.ErrorIs(t, err, lattice.ErrNotFound)
	require.NoError(t, l.Control.PutConfig(t.Context(), "small", map[string]string{"k": "v"}))
}

// A link is deleted where JetStream has no room for what is left of its source's
// links: the records of commands that have ended go first.
func TestLinkIsDeletedFromAFullStore(t *testing.T) {
	t.Parallel()
	l := harness.NewWith(t, "jetstream { max_file_store: 100KB }")
	h := l.Host(nil)
	var links []lattice.Link
	for i := range 40 {
		links = append(links, lattice.Link{SourceID: "a", Target: fmt.Sprint("b", i), Name: fmt.Sprint("n", i), WITNamespace: "x", WITPackage: "y", Interfaces: []string{"z"}})
		require.NoError(t, l.Control.PutLink(t.Context(), links[i]))
	}
	js, err := jetstream.New(l.Conn)
	require.NoError(t, err)
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "of-others"})
	require.NoError(t, err)
	for size := 8 << 10; size > 0; size /= 2 { // as much as it holds
		for i := 0; err == nil; i++ {
			_, err = kv.Put(t.Context(), fmt.Sprintf("%d-%d", size, i), make([]byte, size))
		}
		err = nil
	}
	require.ErrorContains(t, l.Control.PutLink(t.Context(), lattice.Link{SourceID: "c", Target: "d", WITNamespace: "x", WITPackage: "y", Interfaces: []string{"z"}}), "storage full")
	require.NoError(t, l.Control.DeleteLink(t.Context(), links[0].Key()))
	l.Eventually("it is gone", func() bool { return len(h.Host.Links()) == len(links)-1 })
}

// An event and an answer that are larger than NATS carries are told by an event
// that is not.
func TestPayloadTooLargeIsTold(t *testing.T) {
	t.Parallel()
	l := harness.NewWith(t, "max_payload: 8KB")
	h := l.Host(nil)
	heard := hear(t, l)
	for i := range 3 {
		require.NoError(t, l.Control.PutLabel(t.Context(), h.ID, fmt.Sprint("long-", i), strings.Repeat("x", 4<<10)))
	}
	e := told(t, heard, func(e event.PayloadTooLarge) bool { return e.What == "event labels_changed" })
	require.Equal(t, h.ID, e.HostID)
	require.EqualValues(t, 8<<10, e.Limit)
	require.Greater(t, e.Bytes, e.Limit)
	require.Contains(t, e.Next, "max_payload")

	_, err := l.Control.Inventory(t.Context(), h.ID)
	require.ErrorContains(t, err, "max_payload")
	told(t, heard, func(e event.PayloadTooLarge) bool {
		return e.What == "answer to "+lattice.ControlSubjects("", harness.Name).Named(lattice.KindHost, "get", h.ID)
	})
}

// Messages that were dropped on a host are told, many by few events.
func TestSlowConsumerIsTold(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	h := l.Host(nil)
	heard := hear(t, l)
	sub, err := h.Conn.SubscribeSync("flood")
	require.NoError(t, err)
	defer sub.Unsubscribe()
	require.NoError(t, sub.SetPendingLimits(1, 1<<20))
	require.NoError(t, lattice.Flush(t.Context(), h.Conn))
	stop := time.After(harness.Wait)
	for first, more := uint64(0), false; !more; {
		select {
		case <-stop:
			t.Fatal("not told a second time")
		default:
		}
		// nats.go tells of a subscription once, and again after it was emptied.
		for range 3 {
			require.NoError(t, l.Conn.Publish("flood", nil))
		}
		require.NoError(t, lattice.Flush(t.Context(), l.Conn))
		e := told(t, heard, func(e event.SlowConsumer) bool { return e.Subject == "flood" })
		require.Equal(t, h.ID, e.HostID)
		require.NotZero(t, e.Count)
		more = first > 0 && e.Dropped > first
		first = e.Dropped
		_, err := sub.NextMsg(harness.Wait)
		require.ErrorIs(t, err, nats.ErrSlowConsumer)
		_, err = sub.NextMsg(harness.Wait)
		require.NoError(t, err)
	}
}

// A host whose connection will never come back ends, and says why.
func TestConnectionClosedForGood(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	h := l.Host(nil)
	h.Conn.Close()
	require.ErrorContains(t, h.Ended(), "closed for good")
}

// Own events are read by what their fields are called, in any version.
func TestTroublesOnTheWire(t *testing.T) {
	t.Parallel()
	for want, data := range map[string]event.Data{
		`{"host_id":"N","subject":"s","dropped":2,"count":1,"next":"n"}`:       event.SlowConsumer{HostID: "N", Subject: "s", Dropped: 2, Count: 1, Next: "n"},
		`{"host_id":"N","what":"w","bytes":2,"limit":1,"count":1,"next":"n"}`:  event.PayloadTooLarge{HostID: "N", What: "w", Bytes: 2, Limit: 1, Count: 1, Next: "n"},
		`{"host_id":"N","server":"nats://x","cause":"c","count":1,"next":"n"}`: event.StorageFull{HostID: "N", Server: "nats://x", Cause: "c", Count: 1, Next: "n"},
	} {
		got, err := json.Marshal(data)
		require.NoError(t, err)
		require.JSONEq(t, want, string(got))
	}
}
