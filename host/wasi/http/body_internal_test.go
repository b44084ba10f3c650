package http

import (
	goio "io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

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
