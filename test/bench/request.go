package main

import (
	"context"
	"encoding/binary"
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
