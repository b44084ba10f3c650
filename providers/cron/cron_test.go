package cron

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/messaging"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bed is a lattice's NATS, and what was fired there.
type bed struct {
	t   testing.TB
	url string

	mu    sync.Mutex
	fired map[string][]string // holders by tick
}

func newBed(t testing.TB) *bed {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	srv, err := natsserver.Start(ctx, natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	return &bed{t: t, url: srv.URL(), fired: map[string][]string{}}
}

func (b *bed) connect() *lattice.Conn {
	b.t.Helper()
	nc, err := lattice.Connect(b.t.Context(), lattice.ConnConfig{URL: b.url})
	require.NoError(b.t, err)
	b.t.Cleanup(nc.Close)
	return nc
}

func (b *bed) provider(holder string, nc *lattice.Conn) *Provider {
	b.t.Helper()
	return b.clocked(holder, nc, nil)
}

func (b *bed) clocked(holder string, nc *lattice.Conn, now func() time.Time) *Provider {
	b.t.Helper()
	p, err := New(Config{ID: "cron", Holder: holder, Lattice: "default", Conn: nc, Now: now, Log: zap.NewNop()})
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, p.Close()) })
	return p
}

type handler func(ctx context.Context, msg contract.BrokerMessage) error

func (h handler) HandleMessage(ctx context.Context, msg contract.BrokerMessage) error {
	return h(ctx, msg)
}

// note is the handler of a holder.
func (b *bed) note(holder string) handler {
	return func(_ context.Context, msg contract.BrokerMessage) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.fired[string(msg.Body)] = append(b.fired[string(msg.Body)], holder)
		return nil
	}
}

func (b *bed) ticks() (n int, holders map[string]int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	holders = map[string]int{}
	for _, list := range b.fired {
		for _, h := range list {
			holders[h]++
		}
	}
	return len(b.fired), holders
}

func link(h handler, settings map[string]string) []messaging.Link {
	return []messaging.Link{{Name: "nightly", Target: "job", Settings: provider.Settings{Config: settings}, Handler: h}}
}

// TestOncePerTick: three copies fire each tick once, and go on when the one that
// fired last is gone without a word.
func TestOncePerTick(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	conns := map[string]*lattice.Conn{}
	for _, holder := range []string{"a", "b", "c"} {
		conns[holder] = b.connect()
		require.NoError(t, b.provider(holder, conns[holder]).SetLinks(provider.Settings{}, link(b.note(holder), map[string]string{"schedule": "@every 1s"}))[0])
	}
	for range 2 {
		before, _ := b.ticks()
		require.Eventually(t, func() bool { n, _ := b.ticks(); return n >= before+3 }, time.Minute, 10*time.Millisecond)
		last := b.record().Last.Holder
		conns[last].Close() // as if its host had died
		delete(conns, last)
	}
	before, _ := b.ticks()
	require.Eventually(t, func() bool { n, _ := b.ticks(); return n >= before+3 }, time.Minute, 10*time.Millisecond)
	b.mu.Lock()
	defer b.mu.Unlock()
	for tick, by := range b.fired {
		require.Len(t, by, 1, tick)
		_, err := time.Parse(time.RFC3339, tick)
		require.NoError(t, err)
	}
}

func (b *bed) record() record {
	b.t.Helper()
	e, err := b.bucket().Get(b.t.Context(), "cron.nightly.job")
	require.NoError(b.t, err)
	var r record
	require.NoError(b.t, json.Unmarshal(e.Value(), &r))
	return r
}

func (b *bed) bucket() jetstream.KeyValue {
	b.t.Helper()
	js, err := jetstream.New(b.connect())
	require.NoError(b.t, err)
	kv, err := js.KeyValue(b.t.Context(), "LATHCRON_default")
	require.NoError(b.t, err)
	return kv
}

// TestClocksDiffer: copies on machines whose clocks are minutes off fire each tick
// when it is due and once, also while its handler takes longer than their lease.
func TestClocksDiffer(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	settings := map[string]string{"schedule": "@every 1s", "misfire": "once", "lease_ms": "500"}
	took := 0
	for holder, skew := range map[string]time.Duration{"behind": -10 * time.Minute, "right": 0, "ahead": 10 * time.Minute} {
		note := b.note(holder)
		slow := handler(func(ctx context.Context, msg contract.BrokerMessage) error {
			b.mu.Lock()
			took++
			slow := took == 2
			b.mu.Unlock()
			if slow {
				select {
				case <-time.After(1500 * time.Millisecond): // three leases
				case <-ctx.Done():
				}
			}
			return note(ctx, msg)
		})
		p := b.clocked(holder, b.connect(), func() time.Time { return time.Now().Add(skew) })
		require.NoError(t, p.SetLinks(provider.Settings{}, link(slow, settings))[0])
	}
	began := time.Now()
	require.Eventually(t, func() bool { n, _ := b.ticks(); return n >= 5 }, time.Minute, 10*time.Millisecond)
	b.mu.Lock()
	defer b.mu.Unlock()
	for text, by := range b.fired {
		require.Len(t, by, 1, text)
		tick, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		require.WithinDuration(t, began, tick, time.Minute, "no clock of theirs counts")
	}
}

// TestClockIsSet: where only the machine tells the time, a clock that was set is
// noticed, and what is due then is fired.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	s, err := Parse("@every 1h", time.UTC)
	require.NoError(t, err)
	x := schedule{config: config{schedule: s}, clock: clock{told: at(t, "2026-01-01 10:30:00"), at: time.Now()}}
	x.next = s.Next(x.clock.now())
	require.False(t, x.due(at(t, "2026-01-01 10:59:59")))
	require.True(t, x.due(at(t, "2026-01-01 11:00:00")), "it was set forward")
	require.True(t, x.due(at(t, "2026-01-01 09:10:00")), "it was set back: ten o'clock comes first")
}

// TestBucketGoes: schedules begin anew where NATS has lost their bucket.
func TestBucketGoes(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	nc := b.connect()
	require.NoError(t, b.provider("a", nc).SetLinks(provider.Settings{}, link(b.note("a"), map[string]string{"schedule": "@every 1s"}))[0])
	require.Eventually(t, func() bool { n, _ := b.ticks(); return n > 0 }, time.Minute, 10*time.Millisecond)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	require.NoError(t, js.DeleteKeyValue(t.Context(), "LATHCRON_default"))
	before, _ := b.ticks()
	require.Eventually(t, func() bool { n, _ := b.ticks(); return n >= before+2 }, time.Minute, 10*time.Millisecond)
}

// TestHolderDiesWhileItRuns: what it did not end is fired again by another, one
// lease after that has seen it, where the schedule says that ticks are made up for.
func TestHolderDiesWhileItRuns(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	begun := make(chan string, 10)
	var gone = b.connect()
	settings := map[string]string{"schedule": "@every 2s", "misfire": "once", "lease_ms": "500"}
	hangs := handler(func(ctx context.Context, msg contract.BrokerMessage) error {
		begun <- string(msg.Body)
		<-ctx.Done()
		return ctx.Err()
	})
	require.NoError(t, b.provider("dies", gone).SetLinks(provider.Settings{}, link(hangs, settings))[0])
	tick := <-begun
	gone.Close()
	require.NoError(t, b.provider("lives", b.connect()).SetLinks(provider.Settings{}, link(b.note("lives"), settings))[0])
	require.Eventually(t, func() bool { n, _ := b.ticks(); return n > 0 }, time.Minute, 5*time.Millisecond)
	r := b.record()
	require.Equal(t, "lives", r.Last.Holder)
	require.NotEmpty(t, r.History)
	oldest := r.History[len(r.History)-1]
	require.Equal(t, "dies", oldest.Holder)
	require.Equal(t, stateLost, oldest.State)
	require.Equal(t, tick, oldest.Tick.Format(time.RFC3339))
}

// TestHistory: what became of ticks is kept, also that a handler failed.
func TestHistory(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	n := 0
	fails := handler(func(context.Context, contract.BrokerMessage) error {
		n++
		return fmt.Errorf("failure %d", n)
	})
	p := b.provider("a", b.connect())
	require.NoError(t, p.SetLinks(provider.Settings{}, link(fails, map[string]string{"schedule": "@every 1s", "history": "2"}))[0])
	changes, err := b.bucket().Watch(t.Context(), "cron.nightly.job")
	require.NoError(t, err)
	for e := range changes.Updates() {
		if e == nil { // what was there already has been told
			continue
		}
		var r record
		require.NoError(t, json.Unmarshal(e.Value(), &r))
		if len(r.History) == 2 && r.Last.State == stateFailed {
			break
		}
	}
	require.NoError(t, changes.Stop())
	require.NoError(t, p.Drain(t.Context()))
	r := b.record()
	require.Equal(t, fmt.Sprintf("failure %d", n), r.Last.Error)
	require.Equal(t, fmt.Sprintf("failure %d", n-1), r.History[0].Error)
	require.GreaterOrEqual(t, r.Last.Tick.Sub(r.History[0].Tick), time.Second, "each is a tick of its own; one that was missed is skipped")
}

// TestGarbage: what somebody else writes over the record does not end the schedule.
func TestGarbage(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	nc := b.connect()
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	kv, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "LATHCRON_default"})
	require.NoError(t, err)
	_, err = kv.PutString(t.Context(), "cron.nightly.job", `{"since": 7, "his`)
	require.NoError(t, err)
	require.NoError(t, b.provider("a", nc).SetLinks(provider.Settings{}, link(b.note("a"), map[string]string{"schedule": "@every 1s"}))[0])
	require.Eventually(t, func() bool { n, _ := b.ticks(); return n >= 2 }, time.Minute, 10*time.Millisecond)
}

func TestBadSettings(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.provider("a", b.connect())
	for _, x := range []struct{ name, value, reason string }{
		{"schedule", "", "there is none"}, {"schedule", "* *", "2 fields"}, {"timezone", "Mars/Base", "timezone"}, {"timezone", "Local", "timezone"},
		{"misfire", "twice", "want skip or once"}, {"lease_ms", "1", "lease_ms"}, {"history", "1000", "history"}, {"subject", "a b", "subject"},
		{"subject", "wasmbus.x", "lattice's own"}, {"scheduel", "x", "no setting"},
	} {
		values := map[string]string{"schedule": "@every 1h"}
		values[x.name] = x.value
		require.ErrorContains(t, p.SetLinks(provider.Settings{}, link(b.note("a"), values))[0], x.reason, x.name)
	}
	require.NoError(t, p.SetLinks(provider.Settings{}, link(b.note("a"), map[string]string{"schedule": "0 3 * * *", "timezone": "Europe/Berlin"}))[0])
	require.NoError(t, p.Drain(t.Context()))
	require.Error(t, p.SetLinks(provider.Settings{}, link(b.note("a"), map[string]string{"schedule": "@daily"}))[0])
}
