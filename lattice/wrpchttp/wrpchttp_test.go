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
	wrpc      *wrpc.Client
	url       string
	transport *wrpchttp.Transport
	client    *http.Client
}

func newPair(t *testing.T, h http.HandlerFunc) *pair {
	t.Helper()
	ns, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ns.Shutdown(context.Background())) })
	p := &pair{url: ns.URL()}
	nc, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: ns.URL()})
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	server, err := wrpc.NewServer(nc, wrpc.ServerConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	_, err = server.Serve(t.Context(), wrpchttp.Export(wrpc.Export{Prefix: prefix}, h))
	require.NoError(t, err)
	c, err := wrpc.NewClient(nc, wrpc.ClientConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	p.wrpc = c
	p.transport = &wrpchttp.Transport{Open: wrpchttp.At(c, prefix)}
	p.client = &http.Client{Transport: p.transport, Timeout: 20 * time.Second}
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

// TestACallerThatGoesEndsTheHandler, in the middle of either body.
func TestACallerThatGoesEndsTheHandler(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	p := newPair(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begun")
		_ = http.NewResponseController(w).Flush()
		_, err := io.ReadAll(r.Body)
		<-r.Context().Done()
		ended <- err
	})
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	defer w.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://site.example/", r)
	require.NoError(t, err)
	resp, err := p.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	cancel()
	require.Error(t, <-ended, "a body that was broken off is not whole")
	_, err = io.ReadAll(resp.Body)
	require.ErrorIs(t, err, context.Canceled)
}

// TestABodyMayBeClosedWhileItIsRead, as a host does that wants no more of it.
func TestABodyMayBeClosedWhileItIsRead(t *testing.T) {
	t.Parallel()
	p := newPair(t, func(w http.ResponseWriter, r *http.Request) {
		read := make(chan error, 1)
		go func() {
			_, err := r.Body.Read(make([]byte, 1))
			read <- err
		}()
		_ = r.Body.Close()
		if err := <-read; !errors.Is(err, wrpc.ErrClosed) {
			panic(err)
		}
		_, _ = io.WriteString(w, "enough")
	})
	r, w := io.Pipe()
	defer w.Close()
	resp, err := p.client.Post("http://site.example/", "", r)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "enough", string(b))
}

// callAt has the client call another component.
func (p *pair) callAt(prefix string) { p.transport.Open = wrpchttp.At(p.wrpc, prefix) }
