package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/lathhost/lath/host/component"
)

// exchange is a call of example:types/values, and its answer.
type exchange struct {
	fn             string
	params, result []byte
}

var (
	nothing = exchange{fn: "nothing"}
	// kilobyte is as much as a small HTTP request and its response.
	kilobyte = func() exchange {
		b := append(binary.AppendUvarint(nil, 1024), strings.Repeat("x", 1024)...)
		return exchange{"echo-bytes", b, b}
	}()
)

// request has types.wasm answer, on whatever instance its template has, in the
// state that its pool promises.
func request(t *component.Template, x exchange) func(context.Context, int) error {
	return pooledCall(t, t.Export(valuesInterface, x.fn), x.params, x.result)
}

// httpHandler is the least that a request can be in Go: a handler that copies
// its body, without a server, a connection or a header.
func httpHandler() func(context.Context, int) error {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }) // to memory
	body := bytes.Repeat([]byte("x"), 1024)
	w := &response{header: http.Header{}}
	return func(ctx context.Context, n int) error {
		for range n {
			w.body.Reset()
			r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(body))
			if err != nil {
				return err
			}
			if handler.ServeHTTP(w, r); !bytes.Equal(w.body.Bytes(), body) {
				return fmt.Errorf("%w: %d bytes", errWrong, w.body.Len())
			}
		}
		return nil
	}
}

// response keeps what a handler writes.
type response struct {
	header http.Header
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *response) Header() http.Header { return r.header }

// Write implements http.ResponseWriter.
func (r *response) Write(b []byte) (int, error) { return r.body.Write(b) }

// WriteHeader implements http.ResponseWriter.
func (r *response) WriteHeader(int) {}
