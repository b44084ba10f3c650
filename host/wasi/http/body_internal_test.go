package http

import (
	goio "io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRequestBodyIsClosedWhileItIsDrained: an instance that is given up while the
// handler reads what its guest has left of the body goes on when that has ended.
func TestRequestBodyIsClosedWhileItIsDrained(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, client := goio.Pipe()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", from)
		b := NewRequestBody(httptest.NewRecorder(), r)
		ended, closed := make(chan struct{}), make(chan struct{})
		go func() {
			b.End(true)
			close(ended)
		}()
		synctest.Wait() // it reads
		go func() {
			_ = b.Close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed while the body is read")
		default:
		}
		require.NoError(t, client.Close())
		<-ended
		<-closed
	})
}

// deadlines is a connection from which nothing comes.
type deadlines struct {
	*httptest.ResponseRecorder

	mu     sync.Mutex
	change chan struct{} // closed when there is another one
	at     time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(d.change)
	d.change, d.at = make(chan struct{}), at
	return nil
}

func (d *deadlines) wait() {
	for {
		d.mu.Lock()
		change, left := d.change, time.Until(d.at)
		d.mu.Unlock()
		if left <= 0 {
			return
		}
		select {
		case <-change:
		case <-time.After(left):
		}
	}
}

// hesitant is a body that gives a read its own time, as a server may, a moment after
// patience has run out.
type hesitant struct{ *deadlines }

func (h hesitant) Read([]byte) (int, error) {
	time.Sleep(patience + patience/2)
	_ = h.SetReadDeadline(time.Now().Add(time.Hour))
	h.wait()
	return 0, os.ErrDeadlineExceeded
}

func (hesitant) Close() error { return nil }

// TestPatienceOutlastsAnotherDeadline: a read that has yet to set a deadline when the
// host breaks it off is broken off all the same.
func TestPatienceOutlastsAnotherDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &deadlines{ResponseRecorder: httptest.NewRecorder(), change: make(chan struct{})}
		b := NewRequestBody(d, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", hesitant{d}))
		began := time.Now()
		b.End(true)
		require.Less(t, time.Since(began), time.Minute)
	})
}
