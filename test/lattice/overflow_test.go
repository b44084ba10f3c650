package lattice_test

import (
	"context"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/test/harness"
)

// Calls along a link to a component of the same host, which is full, are answered by
// another host: as soon as it steps aside, and where no room came in time.
func TestFullComponentOverflows(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]time.Duration{"it steps aside": 2 * harness.Wait, "no room came in time": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := harness.New(t)
			slow, quick := newGate(), newGate()
			close(quick.open)
			here := l.Host(func(c *host.Config) {
				c.MaxWait = wait
				slow.offer(c)
			})
			there := l.Host(quick.offer)
			for _, n := range []*harness.Node{here, there} {
				require.NoError(t, n.StartProvider("kv", "gate"))
				require.NoError(t, n.Start("count", "counter", 1))
			}
			require.NoError(t, here.Start("front", "greeter", 8))
			require.NoError(t, l.Link("count", "kv", "wasi:keyvalue/store,atomics"))
			require.NoError(t, l.Link("front", "count", "example:counter/counter"))
			runs(l, here, there, "count")
			runs(l, there, here, "count")
			greet := func(ctx context.Context) bool {
				got, err := l.Call(ctx, here, "front", `example:greeter/greeter.greet("Ada")`)
				return err == nil && len(got.WAVE) > 3 && got.WAVE[:3] == "ok("
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*harness.Wait)
			defer cancel()
			var held sync.WaitGroup
			defer held.Wait()
			defer close(slow.open)
			held.Go(func() { greet(ctx) }) // takes the only instance here
			<-slow.reached
			if wait > harness.Wait {
				held.Go(func() { greet(ctx) }) // waits for it
			}
			l.Eventually("the other host answers", func() bool {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				return greet(ctx)
			})
			before := quick.answered.Load()
			for range 10 {
				require.True(t, greet(ctx))
			}
			require.EqualValues(t, before+10, quick.answered.Load())
		})
	}
}

// An HTTP request that meets a full host is answered by another, whether the full one
// is that of the HTTP server or not: nothing of it was done, and its body is whole.
func TestHTTPGoesRoundAFullHost(t *testing.T) {
	t.Parallel()
	for name, local := range map[string]bool{"in process": true, "over NATS": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := harness.New(t)
			servers := l.HTTPServers()
			hasty := func(c *host.Config) { c.MaxWait = time.Millisecond }
			front := l.Host(func(c *host.Config) {
				hasty(c)
				servers.Offer(c)
			})
			hosts := []*harness.Node{front, l.Host(hasty)}
			if !local {
				hosts[0] = l.Host(hasty)
			}
			wasm, err := os.ReadFile(web)
			require.NoError(t, err)
			for _, n := range hosts {
				require.NoError(t, n.Scale(ctl.ScaleComponent{ComponentID: "site", ComponentRef: l.File("web.wasm", wasm), MaxInstances: 1}))
				if n != front {
					runs(l, front, n, "site")
				}
			}
			require.NoError(t, front.StartProvider("web", "http-server"))
			l.LinkHTTP("web", "site", map[string]string{"address": harness.Free})
			s := &site{Lattice: l, client: l.Web(), runner: front, url: servers.URL("web", harness.Free)}

			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/flood", http.NoBody)
			require.NoError(t, err)
			resp, err := s.client.Do(req) // takes one of the two instances, and keeps it
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, http.StatusOK, resp.StatusCode)
			for range 20 {
				status, text := s.get("/hello")
				require.Equal(t, http.StatusOK, status, text)
			}
		})
	}
}
