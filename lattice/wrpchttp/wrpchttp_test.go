package wrpchttp_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/natsserver"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/lattice/wrpchttp"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const prefix = "default.site"

// pair is a client and a server on one NATS server.
type pair struct {
	url    string
	client *http.Client
	errs   chan error // of calls that the server failed
}

func newPair(t *testing.T, h http.HandlerFunc) *pair {
	t.Helper()
	ns, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ns.Shutdown(context.Background())) })
	p := &pair{url: ns.URL(), errs: make(chan error, 16)}
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: ns.URL()})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	server, err := wrpc.NewServer(nc, wrpc.ServerConfig{OnError: func(_ string, _ wrpc.Meta, err error) { p.errs <- err }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	_, err = server.Serve(t.Context(), wrpchttp.Export(wrpc.Export{Prefix: prefix}, h))
	require.NoError(t, err)
	c, err := wrpc.NewClient(nc, wrpc.ClientConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	p.client = &http.Client{Transport: &wrpchttp.Transport{Client: c, Prefix: prefix}, Timeout: 20 * time.Second}
	return p
}

func TestBodiesStreamBothWaysWithTrailers(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusAccepted)
		flush := http.NewResponseController(w).Flush
		_ = flush()
		in := bufio.NewReader(r.Body)
		for {
			line, err := in.ReadString('\n')
			_, _ = io.WriteString(w, strings.ToUpper(line))
			_ = flush()
			if err != nil {
				break
			}
		}
		w.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
	})
	r, w := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://site.example/echo?a", r)
	require.NoError(t, err)
	req.Trailer = http.Header{"X-Sum": nil}
	resp, err := p.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
	in := bufio.NewReader(resp.Body)
	for _, line := range []string{"one\n", "two\n", strings.Repeat("x", 3_000_000) + "\n"} {
		go func() { _, _ = io.WriteString(w, line) }()
		got, err := in.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, strings.ToUpper(line), got)
	}
	req.Trailer.Set("X-Sum", "12")
	require.NoError(t, w.Close())
	rest, err := io.ReadAll(in)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, "12", resp.Trailer.Get("X-Sum"))
	require.NoError(t, resp.Body.Close())
}

func TestRequestsArriveAsTheyWere(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", "7")
			_, err := io.WriteString(w, "nothing")
			if !errors.Is(err, http.ErrBodyNotAllowed) {
				panic(err)
			}
			return
		}
		w.Header().Set("X-Seen", strings.Join([]string{r.Method, r.RequestURI, r.URL.Path, r.Host, r.Header.Get("X-Two"), r.Header.Get("Connection")}, " ")+"|")
		w.Header()["X-Many"] = []string{"1", "2"}
	})
	req, err := http.NewRequestWithContext(t.Context(), "QUERY", "https://site.example:81/a%2Fb/%ff?q=%20", http.NoBody)
	require.NoError(t, err)
	req.Header = http.Header{"X-Two": {"1"}, "Connection": {"close"}}
	resp, err := p.client.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "QUERY /a%2Fb/%ff?q=%20 /a/b/\xff site.example:81 1 |", resp.Header.Get("X-Seen"))
	require.Equal(t, []string{"1", "2"}, resp.Header["X-Many"])
	resp, err = p.client.Head("http://site.example/")
	require.NoError(t, err)
	require.EqualValues(t, 7, resp.ContentLength)
	require.NoError(t, resp.Body.Close())
}

// failer is what response writers of calls have.
type failer interface{ Fail(err error) }

func TestFailures(t *testing.T) {
	t.Parallel()
	denied := contract.ErrorCode{Tag: contract.ErrorCodeHTTPRequestBodySize, HTTPRequestBodySize: wit.Some(uint64(1 << 40))}
	p := newPair(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/code":
			w.(failer).Fail(denied)
		case "/trap":
			w.(failer).Fail(&wrpc.Error{Code: wrpc.Trap, Detail: "unreachable"})
		case "/busy":
			w.(failer).Fail(&wrpc.Error{Code: wrpc.Busy})
		case "/half":
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			w.(failer).Fail(&wrpc.Error{Code: wrpc.Trap, Detail: "unreachable"})
		case "/abort":
			_, _ = io.WriteString(w, "half")
			panic(http.ErrAbortHandler)
		case "/panic":
			panic("a bug")
		}
	})
	get := func(path string) error {
		resp, err := p.client.Get("http://site.example" + path)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
		return err
	}
	require.ErrorIs(t, get("/code"), denied)
	require.ErrorIs(t, get("/trap"), wrpc.ErrTrap)
	require.ErrorIs(t, get("/busy"), wrpc.ErrBusy)
	require.ErrorIs(t, get("/half"), wrpc.ErrTrap)
	require.ErrorIs(t, get("/abort"), wrpc.ErrTrap)
	require.ErrorIs(t, get("/panic"), wrpc.ErrTrap)
	require.NoError(t, get("/"))
}
