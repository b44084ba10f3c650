package guests_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/filesystem"
	"github.com/lathhost/lath/host/wasi/serve"
)

// TestPooledGuests calls guests of every toolchain again and again on instances
// that are kept, and on fresh ones: the answers are the same, and every guest is
// kept. With -v it prints what that saves.
func TestPooledGuests(t *testing.T) {
	for name, use := range map[string]func(*testing.T, string, component.PoolConfig) pooled{
		"js-relay": relays, "py-relay": relays,
		"js-http": serves, "go-http": serves,
		"c-command": runs, "rust-command": runs, "go-command": runs, "py-command": runs,
	} {
		t.Run(name, func(t *testing.T) {
			fresh := use(t, name, component.PoolConfig{Reuse: component.Fresh})
			kept := use(t, name, component.PoolConfig{})
			want, cost := fresh.call(t), time.Hour
			least := time.Hour
			for round := range 10 {
				start := time.Now()
				require.Equal(t, want, fresh.call(t), "fresh, round %d", round)
				cost = min(cost, time.Since(start))
				kept.settle(t)
				start = time.Now()
				require.Equal(t, want, kept.call(t), "kept, round %d", round)
				least = min(least, time.Since(start))
			}
			require.Empty(t, kept.tm.Unpoolable())
			s := kept.tm.Pool()
			require.EqualValues(t, 9, s.Hits, "%+v", s)
			require.Zero(t, s.Discarded, "%+v", s)
			t.Logf("a call takes %v on a fresh instance, %v on one that was kept; a reset %v, of %d pages",
				cost, least, s.ResetTime/time.Duration(s.Resets), s.WrittenPages/s.Resets)
		})
	}
}

// pooled is a guest and a call of it that returns all that it answers.
type pooled struct {
	tm   *component.Template
	call func(t *testing.T) string
}

// settle waits until what was used is reset.
func (p pooled) settle(t *testing.T) {
	t.Helper()
	done := func() bool { s := p.tm.Pool(); return s.Resets+s.Discarded == s.Hits+s.Misses }
	require.Eventually(t, done, time.Minute, 100*time.Microsecond)
}

func relays(t *testing.T, name string, pool component.PoolConfig) pooled {
	t.Helper()
	types := link(t, example(t, "types"), component.LinkConfig{Name: "types"})
	below := target{tm: types, inst: instance(t, types)}
	tm := link(t, guest(t, name), component.LinkConfig{Name: name, Host: host(t), Import: below.imports, Pool: pool})
	return pooled{tm, func(t *testing.T) string {
		t.Helper()
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		got, err := try(t, i, tm, `example:types/values.echo-people([{name: "Ada", at: {x: -1, y: 2}, tags: ["a", "b"], born: some(1815), mood: green}])`)
		require.NoError(t, err)
		require.NoError(t, i.Release())
		return got
	}}
}

func serves(t *testing.T, name string, pool component.PoolConfig) pooled {
	t.Helper()
	tm := link(t, guest(t, name), component.LinkConfig{Name: name, Host: wasi.Interfaces(wasi.Config{}), Pool: pool})
	h, err := serve.NewHandler(tm, serve.Options{Failed: func(r *http.Request, err error) { t.Errorf("%s %s: %v", r.Method, r.URL, err) }})
	require.NoError(t, err)
	t.Cleanup(h.Close)
	return pooled{tm, func(t *testing.T) string {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/sum", strings.NewReader("[1, 20, 300]")))
		require.Equal(t, http.StatusOK, w.Code)
		return w.Body.String()
	}}
}

// runs has programs write to their standard streams, which the instances that are
// kept must find anew for every run.
func runs(t *testing.T, name string, pool component.PoolConfig) pooled {
	t.Helper()
	var stdout, stderr bytes.Buffer
	in := folder(t, map[string]string{"poem.txt": "füllest wieder Busch und Tal\n"})
	cfg := wasi.Config{Args: []string{"program", "/in/poem.txt"}, Stdout: &stdout, Stderr: &stderr}
	cfg.Dirs = []filesystem.Dir{{Host: in, Guest: "/in"}}
	tm := link(t, guest(t, name), component.LinkConfig{Name: name, Host: wasi.Interfaces(cfg), Pool: pool})
	return pooled{tm, func(t *testing.T) string {
		t.Helper()
		stdout.Reset()
		ctx, end := wasi.WithRun(context.Background())
		i, err := tm.Take(ctx)
		require.NoError(t, err)
		_, err = i.CallValues(ctx, tm.Export("wasi:cli/run@0.2.0", "run"))
		end()
		if exit := trap.As(err); exit == nil || exit.Code != trap.Exit {
			require.NoError(t, err, stderr.String())
		}
		require.NoError(t, i.Release())
		require.Contains(t, stdout.String(), "5 words")
		return stdout.String()
	}}
}
