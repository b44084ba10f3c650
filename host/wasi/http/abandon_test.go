package http_test

import (
	"context"
	"crypto/x509"
	goio "io"
	"net"
	gohttp "net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/wit"
	wasiclocks "github.com/lathhost/lath/wit/wasi/clocks"
	contract "github.com/lathhost/lath/wit/wasi/http"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

// unfinished is a request under way whose guest holds on to the body, from
// which the transport waits for more.
type unfinished struct {
	future contract.FutureIncomingResponse
	body   contract.OutgoingBody
	out    wasiio.OutputStream
}

// hold sends one. The server is at it when hold returns.
func hold(ctx context.Context, t testing.TB, h *http.Host, url string, began <-chan struct{}, options func(contract.RequestOptions)) unfinished {
	t.Helper()
	r := build(t, h, message{method: contract.MethodPost, url: url, scheme: schemeOf(url)})
	b, out := open(t, r)
	require.NoError(t, out.BlockingWriteAndFlush(t.Context(), []byte("some")))
	o := wit.None[contract.RequestOptions]()
	if options != nil {
		made, err := h.NewRequestOptions(t.Context())
		require.NoError(t, err)
		options(made)
		o = wit.Some(made)
	}
	f, err := h.Handle(ctx, r, o)
	require.NoError(t, err)
	<-began
	return unfinished{f, b, out}
}

func schemeOf(url string) contract.SchemeTag {
	if len(url) > 5 && url[:5] == "https" {
		return contract.SchemeHTTPS
	}
	return contract.SchemeHTTP
}

// drop drops all, the future first.
func (u unfinished) drop(t testing.TB) {
	t.Helper()
	dropped := make(chan struct{})
	go func() {
		defer close(dropped)
		u.future.Drop()
		u.out.Drop()
		u.body.Drop()
	}()
	select {
	case <-dropped:
	case <-time.After(10 * time.Second):
		u.out.Drop()
		u.body.Drop()
		require.Fail(t, "the drop of the future waits for the body's end")
	}
}

// silent is a server that answers nothing, of either protocol.
func silent(t *testing.T, test func(t *testing.T, h *http.Host, url string, began <-chan struct{})) {
	t.Helper()
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1", true: "HTTP/2"}[secure], func(t *testing.T) {
			t.Parallel()
			began := make(chan struct{}, 1)
			handle := func(_ gohttp.ResponseWriter, r *gohttp.Request) {
				_, _ = r.Body.Read(make([]byte, 4))
				began <- struct{}{}
				_, _ = goio.Copy(goio.Discard, r.Body) // to the end of the connection
			}
			s := httptest.NewUnstartedServer(gohttp.HandlerFunc(handle))
			t.Cleanup(s.Close)
			var cfg http.Config
			if secure {
				s.EnableHTTP2 = true
				s.StartTLS()
				cfg.Roots = x509.NewCertPool()
				cfg.Roots.AddCert(s.Certificate())
			} else {
				s.Start()
			}
			test(t, newHost(t, cfg), s.URL, began)
		})
	}
}

func TestDropsWaitForNoBody(t *testing.T) {
	t.Parallel()
	silent(t, func(t *testing.T, h *http.Host, url string, began <-chan struct{}) {
		hold(t.Context(), t, h, url, began, nil).drop(t)
	})
}

func TestTheCallsEndWaitsForNoBody(t *testing.T) {
	t.Parallel()
	silent(t, func(t *testing.T, h *http.Host, url string, began <-chan struct{}) {
		ctx, cancel := context.WithCancel(t.Context())
		u := hold(ctx, t, h, url, began, nil)
		cancel()
		defer u.drop(t)
		block(t, u.future)
	})
}

func TestATimeoutWaitsForNoBody(t *testing.T) {
	t.Parallel()
	silent(t, func(t *testing.T, h *http.Host, url string, began <-chan struct{}) {
		u := hold(t.Context(), t, h, url, began, func(o contract.RequestOptions) {
			require.NoError(t, o.SetFirstByteTimeout(t.Context(), wit.Some(wasiclocks.Duration(50*time.Millisecond))))
		})
		defer u.drop(t)
		block(t, u.future)
		got, err := u.future.Get(t.Context())
		require.NoError(t, err)
		require.True(t, got.Value.Value.IsErr)
		requireCode(t, contract.ErrorCodeConnectionReadTimeout, got.Value.Value.Err)
	})
}

func TestAServerThatHangsUpEndsTheBody(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	began := make(chan struct{})
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = c.Read(make([]byte, 4<<10))
		close(began)
	}()
	h := newHost(t, http.Config{})
	u := hold(t.Context(), t, h, "http://"+l.Addr().String(), began, nil)
	defer u.drop(t)
	block(t, u.future)
	got, err := u.future.Get(t.Context())
	require.NoError(t, err)
	require.True(t, got.Value.Value.IsErr)
	requireCode(t, contract.ErrorCodeConnectionTerminated, got.Value.Value.Err)
	block(t, u.out)
	_, err = u.out.CheckWrite(t.Context())
	require.NoError(t, streamError(t, h, err), "the stream is closed")
}
