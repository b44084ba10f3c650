package lattice_test

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpchttp"
	"github.com/lathhost/lath/test/harness"
	"github.com/lathhost/lath/wit"
)

// TestHTTPOutAlongLinks has a component's HTTP requests go where they are linked: to a
// component, on this host or another, or to a client as v1 has it.
func TestHTTPOutAlongLinks(t *testing.T) {
	t.Parallel()
	sites(t, nil, nil, func(t *testing.T, s *site) {
		status, text := s.get("/fetch?shop.example")
		require.Equal(t, 403, status, "nothing is granted: %s", text)

		other := s.Host(nil)
		for _, n := range []*harness.Node{s.runner, other} {
			require.NoError(t, n.Start("hello", "http-hello", 4))
			require.NoError(t, s.Link("site", "hello", "wasi:http/outgoing-handler"))
			s.Eventually("requests are linked", func() bool { status, text = s.get("/fetch?shop.example"); return status == 200 })
			require.Equal(t, "Hello from Lath\n", text)
			unlinkHTTPOut(t, s)
			require.NoError(t, n.Start("hello", "http-hello", 0))
		}
	})
}

// TestHTTPOutInProcess has a component's HTTP requests answered by another one of its
// host: by whichever is there now, and without NATS.
func TestHTTPOutInProcess(t *testing.T) {
	t.Parallel()
	l := harness.New(t)
	servers := l.HTTPServers()
	a := l.Host(servers.Offer)
	wasm, err := os.ReadFile(web)
	require.NoError(t, err)
	require.NoError(t, a.Scale(ctl.ScaleComponent{ComponentID: "site", ComponentRef: l.File("web.wasm", wasm), MaxInstances: 4}))
	require.NoError(t, a.Start("hello", "http-hello", 8))
	require.NoError(t, l.Link("site", "hello", "wasi:http/outgoing-handler"))
	require.NoError(t, a.StartProvider("web", "http-server"))
	l.LinkHTTP("web", "site", map[string]string{"address": harness.Free})
	s := &site{Lattice: l, client: l.Web(), runner: a, url: servers.URL("web", harness.Free)}
	s.Eventually("requests are linked", func() bool { status, _ := s.get("/fetch?shop.example"); return status == http.StatusOK })

	stop := asking(s.client, s.url+"/fetch?shop.example")
	for i := range 5 {
		renewHello(t, l, a, "hello", i)
	}
	require.NoError(t, stop())

	l.StopNATS()
	l.Eventually("the host notices", func() bool { return !a.Conn.IsConnected() })
	status, text := s.get("/fetch?shop.example")
	require.Equal(t, http.StatusOK, status, text)
	require.Equal(t, "Hello from Lath\n", text)
	l.RestartNATS()
}

// TestHTTPOutByAClient links a component to what answers wrpc:http/outgoing-handler.
func TestHTTPOutByAClient(t *testing.T) {
	t.Parallel()
	sites(t, nil, nil, func(t *testing.T, s *site) {
		server, err := wrpc.NewServer(s.Conn, wrpc.ServerConfig{})
		require.NoError(t, err)
		defer server.Close()
		x := wrpchttp.Export(wrpc.Export{Prefix: lattice.RPCPrefix(harness.Name, "client")}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			meta, _ := wrpc.MetaFromContext(r.Context())
			w.WriteHeader(http.StatusTeapot)
			fmt.Fprintf(w, "%s of %s for %s by %s", r.URL.Path, r.Host, meta.SourceID, meta.LinkName)
		}))
		x.Instance = wrpchttp.Outgoing
		options, err := wit.NewOption(wit.U64) // which there are none of
		require.NoError(t, err)
		x.Params = append(x.Params, options)
		_, err = server.Serve(t.Context(), x)
		require.NoError(t, err)

		require.NoError(t, s.Link("site", "client", "wasi:http/outgoing-handler"))
		state, reason := status(t, s.Lattice, "site", "client")
		require.Equal(t, lattice.LinkPending, state, reason)
		s.Eventually("requests are linked", func() bool { status, _ := s.get("/fetch?shop.example"); return status != 403 })
		status, text := s.get("/fetch?shop.example:81")
		require.Equal(t, http.StatusTeapot, status)
		require.Equal(t, "/ of shop.example:81 for site by default", text)

		// A link that leads nowhere is an error code of the guest's.
		unlinkHTTPOut(t, s)
		require.NoError(t, s.Link("site", "nobody", "wasi:http/outgoing-handler"))
		s.Eventually("nobody answers", func() bool { status, text = s.get("/fetch?shop.example"); return status >= 500 })
	})
}

func unlinkHTTPOut(t *testing.T, s *site) {
	t.Helper()
	require.NoError(t, s.Control.DeleteLink(t.Context(), lattice.LinkKey{SourceID: "site", WITNamespace: "wasi", WITPackage: "http"}))
	s.Eventually("there is no link", func() bool { status, _ := s.get("/fetch?shop.example"); return status == 403 })
}
