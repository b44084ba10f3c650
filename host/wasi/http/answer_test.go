package http_test

import (
	"errors"
	goio "io"
	gohttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// answers is a server whose guest is a function; errs gets what Answer returns.
func answers(t *testing.T, guest func(out contract.ResponseOutparam)) (s *httptest.Server, errs <-chan error) {
	t.Helper()
	all := make(chan error, 10)
	return serve(t, func(w gohttp.ResponseWriter, r *gohttp.Request) {
		c := http.NewCall(w, r)
		over := make(chan struct{})
		go func() {
			defer close(over)
			c.Request().Drop()
			guest(c.Outparam())
		}()
		err := c.Answer(over)
		c.Detach()
		<-over
		all <- err
		switch {
		case errors.Is(err, http.ErrNoAnswer):
			w.WriteHeader(gohttp.StatusBadGateway)
		case err != nil:
			panic(gohttp.ErrAbortHandler)
		}
	}), all
}

func response(t *testing.T, h *http.Host, headers ...contract.TupleStringBytes) contract.OutgoingResponse {
	t.Helper()
	r, err := h.NewOutgoingResponse(t.Context(), newFields(t, h, headers...))
	require.NoError(t, err)
	return r
}

func set(t *testing.T, h *http.Host, out contract.ResponseOutparam, r contract.OutgoingResponse) {
	t.Helper()
	require.NoError(t, h.ResponseOutparamSet(t.Context(), out, wit.Result[contract.OutgoingResponse, contract.ErrorCode]{Value: r}))
}

func TestTrailersThatFrameAMessageAreNotSent(t *testing.T) {
	t.Parallel()
	h := newHost(t, http.Config{})
	s, errs := answers(t, func(out contract.ResponseOutparam) {
		r := response(t, h)
		b, err := r.Body(t.Context())
		require.NoError(t, err)
		set(t, h, out, r)
		trailers := newFields(t, h, entry("content-length", "5"), entry("trailer", "x-other"), entry("x-sum", "1"))
		require.NoError(t, h.OutgoingBodyFinish(t.Context(), b, wit.Some(trailers)))
	})
	resp, err := gohttp.Get(s.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	_, err = goio.Copy(goio.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, <-errs)
	require.Equal(t, gohttp.Header{"X-Sum": {"1"}}, resp.Trailer)
}

func TestLengthsThatDifferAreNoResponse(t *testing.T) {
	t.Parallel()
	h := newHost(t, http.Config{})
	s, errs := answers(t, func(out contract.ResponseOutparam) {
		set(t, h, out, response(t, h, entry("content-length", "5"), entry("content-length", "7")))
	})
	resp, err := gohttp.Get(s.URL)
	if err == nil {
		_ = resp.Body.Close()
	}
	requireCode(t, contract.ErrorCodeHTTPProtocolError, <-errs)
	require.Error(t, err)
}

// What is left of a request's body is read before the host's own response, and
// begins no other.
func TestAFailureWithABodyThatWasLeft(t *testing.T) {
	t.Parallel()
	s, errs := answers(t, func(out contract.ResponseOutparam) { out.Drop() })
	for range 3 {
		resp, err := gohttp.Post(s.URL, "text/plain", strings.NewReader(strings.Repeat("x", 10_000)))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.ErrorIs(t, <-errs, http.ErrNoAnswer)
		require.Equal(t, gohttp.StatusBadGateway, resp.StatusCode)
	}
}
