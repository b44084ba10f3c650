package http_test

import (
	gohttp "net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi/http"
	"github.com/lathhost/lath/wit"
	contract "github.com/lathhost/lath/wit/wasi/http"
)

// answered has a guest answer with so many bytes, and returns the body where it is
// to leave it unfinished.
func answered(t *testing.T, h *http.Host, c *http.Call, n int, finished bool) contract.OutgoingBody {
	t.Helper()
	r := response(t, h, entry("x-two", "1"), entry("x-two", "2"))
	b, err := r.Body(t.Context())
	require.NoError(t, err)
	set(t, h, c.Outparam(), r)
	s, err := b.Write(t.Context())
	require.NoError(t, err)
	for n > 0 {
		piece := min(n, 4096)
		require.NoError(t, s.BlockingWriteAndFlush(t.Context(), []byte(strings.Repeat("x", piece))))
		n -= piece
	}
	s.Drop()
	if finished {
		require.NoError(t, h.OutgoingBodyFinish(t.Context(), b, wit.None[contract.Trailers]()))
		return nil
	}
	return b
}

func TestWhatOfAResponseIsTheGuests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bytes    int
		finished bool
		settled  bool // nothing
		err      error
	}{
		"empty":                   {0, true, true, nil},
		"small":                   {16, true, true, nil},
		"as large as is kept":     {32 << 10, true, true, nil},
		"larger":                  {32<<10 + 1, true, false, nil},
		"not finished":            {16, false, false, http.ErrAborted},
		"not finished, nor small": {40 << 10, false, false, http.ErrAborted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, http.Config{})
			w := httptest.NewRecorder()
			w.Header().Set("X-Two", "the server's")
			call := http.NewCall(w, httptest.NewRequestWithContext(t.Context(), gohttp.MethodGet, "/", gohttp.NoBody))
			left := answered(t, h, call, c.bytes, c.finished)
			require.Equal(t, c.settled, call.Settle())
			if left != nil {
				left.Drop() // as the end of its instance does
			}
			over := make(chan struct{})
			close(over)
			err := call.Answer(over)
			call.Detach()
			require.ErrorIs(t, err, c.err)
			require.Equal(t, []string{"1", "2"}, w.Header()["X-Two"])
			require.Equal(t, c.bytes, w.Body.Len())
		})
	}
}

// A guest whose instance is kept may hold the body of its response when its call has
// ended: nobody waits for that without end.
func TestAResponseThatIsNeverFinished(t *testing.T) {
	t.Parallel()
	h := newHost(t, http.Config{})
	call := http.NewCall(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), gohttp.MethodGet, "/", gohttp.NoBody))
	call.WriteBy = time.Now().Add(20 * time.Millisecond)
	held := answered(t, h, call, 16, false)
	defer held.Drop()
	require.False(t, call.Settle())
	over, sent := make(chan struct{}), make(chan error, 1)
	close(over)
	go func() { sent <- call.Answer(over) }()
	select {
	case err := <-sent:
		require.ErrorIs(t, err, http.ErrAborted)
	case <-time.After(10 * time.Second):
		held.Drop()
		require.Fail(t, "the response is waited for", <-sent)
	}
	call.Detach()
}

// A client that goes away leaves nothing of the guest's behind, whoever is first.
func TestAResponseForNobody(t *testing.T) {
	t.Parallel()
	h := newHost(t, http.Config{})
	for n, late := range map[int]bool{16: false, 0: true} { // nothing can be written for who has left
		call := http.NewCall(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), gohttp.MethodGet, "/", gohttp.NoBody))
		if late {
			call.Detach()
		}
		answered(t, h, call, n, true)
		require.True(t, call.Settle())
		call.Detach()
	}
}
