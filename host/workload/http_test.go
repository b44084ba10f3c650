package workload

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/lattice/wrpc"
)

// TestHTTPAtOneThatHasStopped: who found a component just before it was replaced is
// told that nothing was done, and asks what has taken its place.
func TestHTTPAtOneThatHasStopped(t *testing.T) {
	t.Parallel()
	w, _ := serving(t, "../../examples/http-hello/http-hello.wasm", wasi.Config{})
	require.NoError(t, w.serveHTTP())
	ask := func() (int, error) {
		resp := httptest.NewRecorder()
		err := w.ServeHTTP(resp, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), 0)
		return resp.Code, err
	}
	status, err := ask()
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, w.admit.drain(t.Context()))
	_, err = ask()
	require.ErrorIs(t, err, wrpc.ErrBusy, "while it stops")
	w.closeHTTP()
	_, err = ask()
	require.ErrorIs(t, err, wrpc.ErrBusy, "when it has stopped")
	require.EqualValues(t, 1, w.meter.Succeeded())
	require.Equal(t, map[string]uint64{"busy": 2}, w.meter.failures())
}
