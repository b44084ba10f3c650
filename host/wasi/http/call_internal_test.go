package http

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// drip is the body of a client that sends byte after byte for longer than the
// host is patient, and then nothing, until the host breaks the read off.
type drip struct {
	until time.Time
	cut   chan struct{}
	once  sync.Once
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-d.cut:
		return 0, http.ErrBodyReadAfterClose
	default:
	}
	if time.Now().Before(d.until) {
		p[0] = ' '
		return 1, nil
	}
	<-d.cut
	return 0, http.ErrBodyReadAfterClose
}

func (d *drip) Close() error { return nil }

// dripWriter is the writer beside it.
type dripWriter struct {
	*httptest.ResponseRecorder
	body *drip
}

func (w dripWriter) SetReadDeadline(time.Time) error {
	w.body.once.Do(func() { close(w.body.cut) })
	return nil
}

func TestPatienceWithABodyThatDripsEnds(t *testing.T) {
	t.Parallel()
	for range 64 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			body := &drip{until: time.Now().Add(patience + patience/2), cut: make(chan struct{})}
			r := httptest.NewRequest(http.MethodPost, "/", body)
			c := NewCall(dripWriter{httptest.NewRecorder(), body}, r)
			detached := make(chan struct{})
			go func() {
				defer close(detached)
				c.Detach()
			}()
			select {
			case <-detached:
			case <-time.After(10 * time.Second):
				body.once.Do(func() { close(body.cut) })
				require.Fail(t, "the host waits for what the client does not send")
			}
		})
	}
}
