package interop_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/par"
	"github.com/lathhost/lath/host/par/partest"
	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/test/harness"
)

// TestLathRunsWasmCloudsProvider: a provider made with wasmCloud's Go SDK runs
// unchanged as a process of our host, from its start to its end, and a component
// calls it.
func TestLathRunsWasmCloudsProvider(t *testing.T) {
	t.Parallel()
	peers := build(t)
	l := harness.New(t)
	core, logged := observer.New(zap.InfoLevel)
	n := l.Host(func(c *host.Config) { c.Log = zap.New(core) })
	// What the provider itself says, labelled with its id, is in the host's log.
	says := func(text string) bool {
		for _, e := range logged.All() {
			if strings.Contains(e.Message, text) && e.ContextMap()["provider"] == "kv" && e.ContextMap()["stream"] != nil {
				return true
			}
		}
		return false
	}
	ctx := testContext(t)
	events, err := event.Subscribe(ctx, l.Conn, harness.Name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = events.Close() })

	// A link that is there before it starts comes with its host data, a later one
	// by itself.
	require.NoError(t, n.Start("early", "counter", 8))
	require.NoError(t, n.Start("late", "counter", 8))
	require.NoError(t, l.Link("early", "kv", "wasi:keyvalue/store"))
	ref, err := oci.FileReference(peers.provider)
	require.NoError(t, err)
	require.NoError(t, n.Provide(ctl.StartProvider{ProviderID: "kv", ProviderRef: ref}))
	l.Eventually("it has its first link", func() bool { return says("Handling new target link {early kv") })
	require.NoError(t, l.Link("late", "kv", "wasi:keyvalue/store"))
	l.Eventually("it is told the new link", func() bool { return says("Handling new target link {late kv") })

	store := bind.NewStoreClient(l.Calls.Bind("default.kv", func(context.Context) wrpc.Meta { return wrpc.Meta{SourceID: "test"} }))
	require.NoError(t, store.Set(ctx, "default", "visits", []byte("41")))
	// It serves one call at a time of each function; the others wait their turn.
	var wg sync.WaitGroup
	errs := make([]error, 32)
	for i := range errs {
		wg.Go(func() {
			id := []string{"early", "late"}[i%2]
			got, err := l.Call(ctx, n, id, `example:counter/counter.get("visits")`)
			if err == nil && got.WAVE != "ok(some(41))" {
				err = harness.Failed(got.WAVE)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}

	_, err = events.Wait(ctx, func(e event.Event) bool { d, is := e.Data.(event.HealthPassed); return is && d.ProviderID == "kv" })
	require.NoError(t, err)
	require.True(t, says("Handling health check"))

	require.NoError(t, l.Control.DeleteLink(ctx, lattice.LinkKey{SourceID: "late", Name: "default", WITNamespace: "wasi", WITPackage: "keyvalue"}))
	l.Eventually("it is told that the link is gone", func() bool { return says("Handling del target link {late kv") })

	begun := time.Now()
	require.NoError(t, l.Control.StopProvider(ctx, n.ID, "kv"))
	require.True(t, says("Handling shutdown"), "it is asked before it is killed")
	require.Less(t, time.Since(begun), host.DefaultDrain, "it ended by itself")
	l.Eventually("the host says how", func() bool {
		return logged.FilterMessage("provider process ended").FilterField(zap.String("how", "exit status 0")).Len() == 1
	})
	_, err = events.Wait(ctx, func(e event.Event) bool { d, is := e.Data.(event.ProviderStopped); return is && d.ProviderID == "kv" })
	require.NoError(t, err)
}

// TestLathRunsAnArchiveOfWasmCloudsProvider: the same, out of a provider archive.
func TestLathRunsAnArchiveOfWasmCloudsProvider(t *testing.T) {
	t.Parallel()
	peers := build(t)
	l := harness.New(t)
	n := l.Host(nil)
	program, err := os.ReadFile(peers.provider)
	require.NoError(t, err)
	ref := l.File("kv.par.gz", partest.Compress(t, partest.Pack(t, partest.Signed(t, map[string]string{par.Here(): string(program)}, nil),
		partest.File{Name: par.Here() + ".bin", Content: string(program)})))
	require.NoError(t, n.Provide(ctl.StartProvider{ProviderID: "kv", ProviderRef: ref}))
	require.NoError(t, n.Start("count", "counter", 8))
	require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store"))
	store := bind.NewStoreClient(l.Calls.Bind("default.kv", func(context.Context) wrpc.Meta { return wrpc.Meta{SourceID: "test"} }))
	require.NoError(t, store.Set(testContext(t), "default", "visits", []byte("41")))
	l.Eventually("it has its link, and answers", func() bool {
		got, err := l.Call(t.Context(), n, "count", `example:counter/counter.get("visits")`)
		return err == nil && got.WAVE == "ok(some(41))"
	})
	require.NoError(t, l.Control.StopProvider(t.Context(), n.ID, "kv"))
}
