package http

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
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
		time.Sleep(time.Millisecond) // patience may run out during a read, or between two
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
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			body := &drip{until: began.Add(patience + patience/2), cut: make(chan struct{})}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
			NewCall(dripWriter{httptest.NewRecorder(), body}, r).Detach()
			require.Less(t, time.Since(began), patience+patience/2, "the host waits for what the client sends")
		})
	}
}
