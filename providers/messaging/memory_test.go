package messaging_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"pgregory.net/rapid"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/messaging"
	"github.com/lathhost/lath/providers/messaging/messagingtest"
	contract "github.com/lathhost/lath/wit/wasmcloud/messaging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, values map[string]string) *messaging.Memory {
	t.Helper()
	m, err := messaging.NewMemory(messaging.MemoryConfig{Settings: provider.Settings{Config: values}, Lattice: "default", Log: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func TestMemory(t *testing.T) {
	t.Parallel()
	messagingtest.Run(t, func(t testing.TB, values map[string]string) messagingtest.Backend {
		return messagingtest.Backend{Broker: open(t, values)}
	})
}

type handler func(ctx context.Context, msg contract.BrokerMessage) error

func (h handler) HandleMessage(ctx context.Context, msg contract.BrokerMessage) error {
	return h(ctx, msg)
}

// TestMemoryHoldsPublishersBack: no message is dropped while a handler is slow.
func TestMemoryHoldsPublishersBack(t *testing.T) {
	t.Parallel()
	m := open(t, nil)
	leave := make(chan struct{})
	handled := make(chan struct{}, 100)
	h := handler(func(context.Context, contract.BrokerMessage) error {
		<-leave
		handled <- struct{}{}
		return nil
	})
	require.NoError(t, m.SetLinks(provider.Settings{}, []messaging.Link{{Name: "a", Target: "t", Handler: h,
		Settings: provider.Settings{Config: map[string]string{"subscriptions": "slow", "max_in_flight": "1", "max_pending": "3"}}}})[0])
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	sent := 0
	var err error
	for ; err == nil; sent++ {
		require.Less(t, sent, 100)
		err = m.Publish(ctx, contract.BrokerMessage{Subject: "slow"})
	}
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "which is the limit")
	require.GreaterOrEqual(t, sent-1, 3)
	require.LessOrEqual(t, sent-1, 5, "one runs, one is on its way, three wait")
	close(leave)
	for range sent - 1 {
		<-handled
	}
}

// TestPatterns holds matching against a slow and simple one.
func TestPatterns(t *testing.T) {
	t.Parallel()
	token := rapid.SampledFrom([]string{"a", "b", "*", ">"})
	simple := func(pattern, subject string) bool {
		p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
		for i, x := range p {
			if x == ">" {
				return i < len(s)
			}
			if i >= len(s) || x != "*" && x != s[i] {
				return false
			}
		}
		return len(p) == len(s)
	}
	var every []string // subjects of up to four words
	for n, last := 1, []string{""}; n <= 4; n++ {
		var next []string
		for _, s := range last {
			for _, w := range []string{"a", "b", "c"} {
				next = append(next, strings.TrimPrefix(s+"."+w, "."))
			}
		}
		every, last = append(every, next...), next
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) string {
			p := strings.Join(rapid.SliceOfN(token, 1, 3).Draw(t, label), ".")
			if i := strings.Index(p, ">"); i >= 0 {
				p = p[:i+1]
			}
			return p
		}
		a, b := draw("a"), draw("b")
		both := false
		for _, s := range every {
			if got := messaging.Match(a, s); got != simple(a, s) {
				t.Fatalf("Match(%q, %q) = %v", a, s, got)
			}
			both = both || simple(a, s) && simple(b, s)
		}
		if got := messaging.Overlap(a, b); got != both {
			t.Fatalf("Overlap(%q, %q) = %v", a, b, got)
		}
	})
}

// FuzzSubjects: what is allowed is no subject of the lattice's, whatever it is.
func FuzzSubjects(f *testing.F) {
	for _, s := range []string{"a.b", "wasmbus.ctl", "_INBOX.x", "default.x.wrpc.0.0.1.f", "a.*.>", "$JS.API", "a|b"} {
		f.Add(s)
	}
	r := messaging.Rules{Lattice: "default", Inbox: "_INBOX.default.me"}
	f.Fuzz(func(t *testing.T, s string) {
		if r.CheckPublish(s) == nil {
			for _, own := range []string{"wasmbus.", "lath.", "$"} {
				require.False(t, strings.HasPrefix(s+".", own), s)
			}
			require.False(t, messaging.Match("*.*.wrpc.0.0.1.>", s), s)
			require.False(t, strings.ContainsAny(s, " \t\r\n*>"), s)
		}
		if r.CheckSubscribe(s) == nil {
			for _, own := range []string{"wasmbus.ctl.v1.default.host.ping", "lath.v1.default.beat.x", "$JS.API.INFO", "_INBOX.x.y", "default.x.wrpc.0.0.1.f"} {
				require.False(t, messaging.Match(s, own), fmt.Sprintf("%q reads %q", s, own))
			}
		}
	})
}

// TestJoinedPatterns: they match all that they are of, and do not overlap, which a
// stream refuses.
func TestJoinedPatterns(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"a", "b.*"}, messaging.JoinPatterns([]string{"a"}, "b.*", "b.x", "a"))
	require.Equal(t, []string{"wild.>"}, messaging.JoinPatterns(nil, "wild.*.b", "wild.exact", "wild.x.>"))
	require.Equal(t, []string{"a.>"}, messaging.JoinPatterns([]string{"a.b.*", "a.c"}, "a.*.c"), "what covers may overlap what came before")
	token := rapid.SampledFrom([]string{"a", "b", "*"})
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.Map(rapid.SliceOfN(token, 1, 3), func(w []string) string { return "w." + strings.Join(w, ".") })
		list := rapid.SliceOfN(pattern, 0, 5).Draw(t, "list")
		joined := messaging.JoinPatterns(nil, list...)
		for i, p := range joined {
			for _, q := range joined[i+1:] {
				if messaging.Overlap(p, q) {
					t.Fatalf("%q of %q: %q overlaps %q", joined, list, p, q)
				}
			}
		}
		for _, p := range list {
			covered := false
			for _, q := range joined {
				covered = covered || messaging.Cover(q, p)
			}
			if !covered {
				t.Fatalf("%q of %q: nothing covers %q", joined, list, p)
			}
		}
	})
}
