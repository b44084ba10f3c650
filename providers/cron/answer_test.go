package cron

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/lathhost/lath/providers/messaging"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

// deaf is a bucket that stores what is changed, and loses every other answer.
type deaf struct {
	jetstream.KeyValue
	changes atomic.Int64
}

func (d *deaf) Update(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	rev, err := d.KeyValue.Update(ctx, key, value, revision)
	if err == nil && d.changes.Add(1)%2 == 1 {
		return 0, context.DeadlineExceeded
	}
	return rev, err
}

// TestAnswersAreLost: a copy that does not hear that its claim, its lease or the end of
// a tick is stored still fires it, is not cut off, and fires it once.
func TestAnswersAreLost(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	p := b.provider("a", b.connect())
	kv, err := p.bucket(t.Context())
	require.NoError(t, err)
	lossy := &deaf{KeyValue: kv}
	note := b.note("a")
	slow := handler(func(ctx context.Context, msg contract.BrokerMessage) error {
		for until := lossy.changes.Load() + 4; lossy.changes.Load() < until; { // the lease is held meanwhile
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Millisecond):
			}
		}
		return note(ctx, msg)
	})
	every, err := Parse("@every 1s", time.UTC)
	require.NoError(t, err)
	s := p.begin(lossy, messaging.Link{Name: "nightly", Target: "job", Handler: slow},
		config{schedule: every, subject: "x", timeout: time.Minute, lease: 3 * time.Second, history: 10})
	require.Eventually(t, func() bool { n, _ := b.ticks(); return n >= 2 }, time.Minute, 10*time.Millisecond)
	s.Stop()
	require.NoError(t, s.End(t.Context()))
	b.mu.Lock()
	defer b.mu.Unlock()
	for tick, by := range b.fired {
		require.Len(t, by, 1, tick)
	}
	for _, was := range b.record().History {
		require.Equal(t, stateDone, was.State)
		require.Equal(t, 1, was.Attempt)
	}
}

// mute is a bucket that does not answer changes at all.
type mute struct{ jetstream.KeyValue }

func (mute) Update(ctx context.Context, _ string, _ []byte, _ uint64) (uint64, error) {
	<-ctx.Done()
	return 0, ctx.Err()
}

// TestLeaseEndsUnanswered: who cannot hold its lease stops when it is over, and no
// later, although NATS has not said yet that it is away: another may fire it then.
func TestLeaseEndsUnanswered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var ran time.Duration
		s := schedule{config: config{timeout: time.Minute, lease: time.Second}, log: zap.NewNop(), handler: handler(func(ctx context.Context, _ contract.BrokerMessage) error {
			began := time.Now()
			<-ctx.Done()
			ran = time.Since(began)
			return errors.New("cut off")
		})}
		s.base, s.cut = context.WithCancel(t.Context())
		defer s.cut()
		require.Error(t, s.fire(mute{}, record{Last: firing{Tick: time.Now(), State: stateRunning}}, 1, time.Now()))
		require.Equal(t, time.Second, ran)
	})
}
