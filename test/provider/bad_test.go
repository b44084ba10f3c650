package provider_test

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/process"
	"github.com/lathhost/lath/host/provider/external"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/test/harness"
)

// bed is a host whose log and events a test reads.
type bed struct {
	*harness.Lattice
	n      *harness.Node
	log    *observer.ObservedLogs
	events *event.Subscription
	passed []event.Data // events that came before one that was waited for
}

func newBed(t *testing.T, edit func(*host.Config)) *bed {
	t.Helper()
	b := &bed{Lattice: harness.New(t)}
	core, log := observer.New(zap.DebugLevel)
	b.log = log
	b.n = b.Host(func(c *host.Config) {
		c.Log, c.Drain = zap.New(core), 2*time.Second
		c.ProviderTimes = external.Times{HealthFirst: 200 * time.Millisecond, HealthEvery: 100 * time.Millisecond}
		if edit != nil {
			edit(c)
		}
	})
	var err error
	b.events, err = event.Subscribe(t.Context(), b.Conn, harness.Name)
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.events.Close() })
	return b
}

func (b *bed) start(t *testing.T, behaviour string, config ...string) error {
	t.Helper()
	return b.n.Provide(ctl.StartProvider{ProviderID: "kv", ProviderRef: script(t, behaviour), Config: config})
}

// status is how the host says that the provider is.
func (b *bed) status(t *testing.T) lattice.ProviderStatus {
	t.Helper()
	all, err := b.Control.Providers(t.Context(), b.n.ID)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, "kv", all[0].ID)
	return all[0]
}

func (b *bed) becomes(t *testing.T, state lattice.ProviderState) (s lattice.ProviderStatus) {
	t.Helper()
	b.Eventually(string(state), func() bool { s = b.status(t); return s.State == state })
	return s
}

// said is what the provider has written, by its host's log.
func (b *bed) said() (lines []string) {
	for _, e := range b.log.All() {
		if e.ContextMap()["stream"] != nil && e.ContextMap()["provider"] == "kv" {
			lines = append(lines, e.Message)
		}
	}
	return lines
}

func (b *bed) says(t *testing.T, line string) {
	t.Helper()
	b.Eventually(line, func() bool { return slices.Contains(b.said(), line) })
}

// next is the next event of a type. v1's events and Lath's own come by two
// subjects, whose order among each other is not theirs.
func next[T event.Data](t *testing.T, b *bed) T {
	t.Helper()
	for i, data := range b.passed {
		if d, is := data.(T); is {
			b.passed = slices.Delete(b.passed, i, i+1)
			return d
		}
	}
	ctx, cancel := timeout(t, harness.Wait)
	defer cancel()
	var d T
	_, err := b.events.Wait(ctx, func(e event.Event) (is bool) {
		if d, is = e.Data.(T); !is {
			b.passed = append(b.passed, e.Data)
		}
		return is
	})
	require.NoError(t, err)
	return d
}

// TestEndsAtOnce: the start fails with the process's own words.
func TestEndsAtOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	require.EqualError(t, b.start(t, "exits"), `start provider "kv": exit status 9; its last words: no database at db:5432`)
	all, err := b.Control.Providers(t.Context(), b.n.ID)
	require.NoError(t, err)
	require.Empty(t, all)
	require.NoError(t, b.start(t, "keyvalue"), "its id is free again")
}

// TestCrash: a provider that ends in the middle of a call is started again, with
// its links, and the caller is told.
func TestCrash(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	require.NoError(t, b.n.Start("count", "counter", 4))
	require.NoError(t, b.start(t, "dies"))
	require.NoError(t, b.Link("count", "kv", "wasi:keyvalue/store,atomics"))
	first := call(t, b.Lattice)
	require.Contains(t, first, "ok(")
	before := b.becomes(t, lattice.ProviderRunning)
	require.Positive(t, before.PID)
	require.Zero(t, before.Restarts)
	next[event.HealthPassed](t, b)

	ctx, cancel := timeout(t, 500*time.Millisecond)
	defer cancel()
	got, err := b.Call(ctx, nil, "count", `example:counter/counter.increment("die")`)
	require.True(t, err != nil || strings.Contains(got.WAVE, "err("), "%v %v", got.WAVE, err)

	require.Equal(t, event.HealthFailed{HostID: b.n.ID, ProviderID: "kv"}, next[event.HealthFailed](t, b))
	crash := next[event.ProviderCrashed](t, b)
	require.Equal(t, "exit status 3", strings.SplitN(crash.Cause, ";", 2)[0])
	require.EqualValues(t, 1, crash.Crashes)
	b.Eventually("it serves again, by another process", func() bool {
		again := call(t, b.Lattice)
		return strings.Contains(again, "ok(") && again != first
	})
	after := b.becomes(t, lattice.ProviderRunning)
	require.NotEqual(t, before.PID, after.PID)
	require.EqualValues(t, 1, after.Restarts)
	require.Empty(t, after.Reason)
}

// TestCrashLoop: one that ends soon after each start is started ever more seldom,
// and its host says so.
func TestCrashLoop(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	require.NoError(t, b.start(t, "loops"), "it answered before it ended")
	loop := next[event.ProviderCrashLoop](t, b)
	require.EqualValues(t, 5, loop.Crashes)
	require.Contains(t, loop.Cause, "exit status 4")
	require.GreaterOrEqual(t, loop.RestartMilliseconds, uint64(1600))
	require.Greater(t, loop.WindowSeconds, 1.5)
	s := b.becomes(t, lattice.ProviderCrashLoop)
	require.Contains(t, s.Reason, "exit status 4")
	require.Zero(t, s.PID)
	require.Positive(t, s.RestartMilliseconds)
	inv, err := b.Control.Inventory(t.Context(), b.n.ID)
	require.NoError(t, err)
	require.Len(t, inv.Providers, 1, "v1's inventory has it for as long as the host tries")
	require.NoError(t, b.Control.StopProvider(t.Context(), b.n.ID, "kv"), "also in a pause")
	require.Empty(t, b.n.Host.Stats().Components)
}

// TestNeverAnswers: the start goes on without, and the end comes all the same.
func TestNeverAnswers(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(c *host.Config) {
		c.Drain, c.ProviderTimes.Start, c.ProviderTimes.Health = 400*time.Millisecond, 200*time.Millisecond, 100*time.Millisecond
	})
	require.NoError(t, b.start(t, "silent"))
	s := b.becomes(t, lattice.ProviderSilent)
	require.Contains(t, s.Reason, "not found: nobody listens on wasmbus.rpc.default.kv.health")
	require.NoError(t, b.Control.StopProvider(t.Context(), b.n.ID, "kv"))
	require.Equal(t, 1, b.log.FilterMessage("provider did not end when it was asked to").Len())
	require.Equal(t, "signal: killed", b.log.FilterMessage("provider process ended").All()[0].ContextMap()["how"])
	for _, line := range b.said() {
		pid, err := strconv.Atoi(strings.TrimPrefix(line, "pid "))
		require.NoError(t, err)
		require.ErrorIs(t, unix.Kill(pid, 0), unix.ESRCH)
	}
}

// TestStubborn: one that says that it will end and does not is killed.
func TestStubborn(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(c *host.Config) { c.Drain = 400 * time.Millisecond })
	require.NoError(t, b.start(t, "stubborn"))
	require.NoError(t, b.Control.StopProvider(t.Context(), b.n.ID, "kv"))
	require.Equal(t, "signal: killed", b.log.FilterMessage("provider process ended").All()[0].ContextMap()["how"])
	next[event.ProviderStopped](t, b)
}

// TestSlowEnd: v1's clients wait for 2 seconds, whatever a provider does. Its id
// is taken until it has ended.
func TestSlowEnd(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(c *host.Config) { c.Drain = 3 * time.Second })
	require.NoError(t, b.start(t, "stubborn"))
	require.NoError(t, b.Control.StopProvider(t.Context(), b.n.ID, "kv"))
	require.ErrorContains(t, b.start(t, "keyvalue"), "already running")
	next[event.ProviderStopped](t, b)
	require.NoError(t, b.start(t, "keyvalue"))
}

// TestHealth: what a provider says of itself, in states and in v1's events.
func TestHealth(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	require.NoError(t, b.start(t, "garbage"))
	s := b.becomes(t, lattice.ProviderUnhealthy)
	require.Contains(t, s.Reason, "its answer makes no sense")
	next[event.HealthStatus](t, b)
	require.NoError(t, b.Control.StopProvider(t.Context(), b.n.ID, "kv"))

	b = newBed(t, nil)
	require.NoError(t, b.start(t, "unwell"))
	s = b.becomes(t, lattice.ProviderUnhealthy)
	require.Equal(t, "disk full", s.Reason)
	require.Equal(t, event.HealthStatus{HostID: b.n.ID, ProviderID: "kv"}, next[event.HealthStatus](t, b), "unwell from the start is no change, as in v1")

	// The first two answers are those that show that it listens.
	b = newBed(t, nil)
	require.NoError(t, b.start(t, "healing"))
	next[event.HealthStatus](t, b)
	next[event.HealthPassed](t, b)
	b.becomes(t, lattice.ProviderRunning)
	next[event.HealthStatus](t, b)
}

// TestNoise: what a provider writes costs its own words, not its host's log.
func TestNoise(t *testing.T) {
	t.Parallel()
	b := newBed(t, func(c *host.Config) { c.LogRate = 64 << 10 })
	require.NoError(t, b.start(t, "noisy"))
	b.Eventually("the log says what it does not have", func() bool {
		return b.log.FilterMessageSnippet("output left out").Len() > 0
	})
	bytes := 0
	for _, l := range b.said() {
		bytes += len(l)
	}
	require.Less(t, bytes, 4<<20)
}

// TestLimits: the host's operator bounds what each provider process takes.
func TestLimits(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("limits are Linux's")
	}
	b := newBed(t, func(c *host.Config) { c.ProviderLimits = process.Limits{Files: 33} })
	require.NoError(t, b.start(t, "limits"))
	b.says(t, "files 33")
}
