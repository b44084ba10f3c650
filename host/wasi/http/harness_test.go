package http_test

import (
	"context"
	gohttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
	wasiio "github.com/lathhost/lath/wit/wasi/io"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func rules(t testing.TB, texts ...string) *egress.Rules {
	t.Helper()
	r, err := egress.Parse(texts)
	require.NoError(t, err)
	return r
}

// newHost makes a host whose guests may reach this machine.
func newHost(t testing.TB, cfg http.Config) *http.Host {
	t.Helper()
	if cfg.Rules == nil {
		cfg.Rules = rules(t, "127.0.0.0/8")
	}
	h := http.New(cfg)
	t.Cleanup(h.CloseIdle)
	return h
}

func serve(t testing.TB, f gohttp.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s
}

// message is a request to make.
type message struct {
	method  contract.MethodTag
	scheme  contract.SchemeTag
	url     string // authority and path
	headers []contract.TupleStringBytes
	options func(contract.RequestOptions)
}

// build makes a request as a guest does.
func build(t testing.TB, h *http.Host, m message) contract.OutgoingRequest {
	t.Helper()
	ctx := t.Context()
	r, err := h.NewOutgoingRequest(ctx, newFields(t, h, m.headers...))
	require.NoError(t, err)
	require.NoError(t, r.SetMethod(ctx, contract.Method{Tag: m.method}))
	require.NoError(t, r.SetScheme(ctx, wit.Some(contract.Scheme{Tag: m.scheme})))
	url := strings.TrimPrefix(strings.TrimPrefix(m.url, "http://"), "https://")
	authority, path, _ := strings.Cut(url, "/")
	require.NoError(t, r.SetAuthority(ctx, wit.Some(authority)))
	require.NoError(t, r.SetPathWithQuery(ctx, wit.Some("/"+path)))
	return r
}

// start sends a request.
func start(t testing.TB, h *http.Host, r contract.OutgoingRequest, m message) (contract.FutureIncomingResponse, error) {
	t.Helper()
	options := wit.None[contract.RequestOptions]()
	if m.options != nil {
		o, err := h.NewRequestOptions(t.Context())
		require.NoError(t, err)
		m.options(o)
		options = wit.Some(o)
	}
	return h.Handle(t.Context(), r, options)
}

// await waits for a response or an error code, and drops the future.
func await(t testing.TB, f contract.FutureIncomingResponse) (contract.IncomingResponse, error) {
	t.Helper()
	block(t, f)
	got, err := f.Get(t.Context())
	require.NoError(t, err)
	require.True(t, got.OK)
	require.False(t, got.Value.IsErr)
	again, err := f.Get(t.Context())
	require.NoError(t, err)
	require.True(t, again.OK && again.Value.IsErr, "a response is had once")
	f.Drop()
	if got.Value.Value.IsErr {
		return nil, got.Value.Value.Err
	}
	return got.Value.Value.Value, nil
}

// block waits for something with a pollable.
func block(t testing.TB, s interface {
	Subscribe(ctx context.Context) (wasiio.Pollable, error)
}) {
	t.Helper()
	p, err := s.Subscribe(t.Context())
	require.NoError(t, err)
	defer p.Drop()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, p.Block(ctx))
}

// do sends a request without a body and waits.
func do(t testing.TB, h *http.Host, m message) (contract.IncomingResponse, error) {
	t.Helper()
	f, err := start(t, h, build(t, h, m), m)
	if err != nil {
		return nil, err
	}
	return await(t, f)
}

func requireCode(t testing.TB, tag contract.ErrorCodeTag, err error) contract.ErrorCode {
	t.Helper()
	var c contract.ErrorCode
	require.ErrorAs(t, err, &c)
	require.Equal(t, tag.String(), c.Tag.String(), "%v", c)
	return c
}

// readAll reads a stream to its end or its failure.
func readAll(t testing.TB, h *http.Host, in wasiio.InputStream) (string, error) {
	t.Helper()
	var text strings.Builder
	for {
		b, err := in.BlockingRead(t.Context(), 1<<20)
		if err != nil {
			return text.String(), streamError(t, h, err)
		}
		text.Write(b)
	}
}

// streamError returns the error code of a stream's error, nil if it is closed.
func streamError(t testing.TB, h *http.Host, err error) error {
	t.Helper()
	var e wasiio.StreamError
	require.ErrorAs(t, err, &e)
	if e.Tag == wasiio.StreamErrorClosed {
		return nil
	}
	defer e.LastOperationFailed.Drop()
	c, cerr := h.HTTPErrorCode(t.Context(), e.LastOperationFailed)
	require.NoError(t, cerr)
	require.True(t, c.OK)
	return c.Value
}

// body reads the body of a response, and its trailers.
func body(t testing.TB, h *http.Host, r contract.IncomingResponse) (string, []contract.TupleStringBytes) {
	t.Helper()
	b, err := r.Consume(t.Context())
	require.NoError(t, err)
	_, err = r.Consume(t.Context())
	require.Error(t, err)
	in, err := b.Stream(t.Context())
	require.NoError(t, err)
	_, err = b.Stream(t.Context())
	require.Error(t, err)
	text, err := readAll(t, h, in)
	require.NoError(t, err)
	in.Drop()
	trailers, err := finish(t, h, b)
	require.NoError(t, err)
	r.Drop()
	return text, trailers
}

// finish gives a body up for its trailers.
func finish(t testing.TB, h *http.Host, b contract.IncomingBody) ([]contract.TupleStringBytes, error) {
	t.Helper()
	f, err := h.IncomingBodyFinish(t.Context(), b)
	require.NoError(t, err)
	defer f.Drop()
	block(t, f)
	got, err := f.Get(t.Context())
	require.NoError(t, err)
	require.True(t, got.OK && !got.Value.IsErr)
	again, err := f.Get(t.Context())
	require.NoError(t, err)
	require.True(t, again.OK && again.Value.IsErr, "trailers are had once")
	if got.Value.Value.IsErr {
		return nil, got.Value.Value.Err
	}
	if !got.Value.Value.Value.OK {
		return nil, nil
	}
	defer got.Value.Value.Value.Value.Drop()
	return got.Value.Value.Value.Value.Entries(t.Context())
}

// open takes the body of a request and its stream.
func open(t testing.TB, r contract.OutgoingRequest) (contract.OutgoingBody, wasiio.OutputStream) {
	t.Helper()
	b, err := r.Body(t.Context())
	require.NoError(t, err)
	_, err = r.Body(t.Context())
	require.Error(t, err)
	out, err := b.Write(t.Context())
	require.NoError(t, err)
	_, err = b.Write(t.Context())
	require.Error(t, err)
	return b, out
}

var noTrailers = wit.None[contract.Fields]()
