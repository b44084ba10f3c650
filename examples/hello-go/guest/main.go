// Command hello-go is a component that answers HTTP requests: "/" greets the world,
// and "/Ada" Ada.
//
// The packages below gen are made from ../wit, by go generate; make guests in the
// folder of Lath does that and builds the component, which can be done by hand too:
//
//	go generate .
//	tinygo build -target=wasm-unknown -no-debug -o core.wasm .
//	wasm-tools component embed ../wit --world guest core.wasm -o embedded.wasm
//	wasm-tools component new embedded.wasm -o ../hello-go.wasm
package main

import (
	"strings"
	"unsafe"

	"go.bytecodealliance.org/cm"

	"example.com/hello-go/gen/wasi/http/incoming-handler"
	"example.com/hello-go/gen/wasi/http/types"
)

//go:generate go tool wit-bindgen-go generate --world guest --out gen --package-root example.com/hello-go/gen ../wit

func init() { incominghandler.Exports.Handle = handle }

func main() {}

func handle(request types.IncomingRequest, out types.ResponseOutparam) {
	path := request.PathWithQuery()
	request.ResourceDrop()

	headers := types.NewFields()
	headers.Append("content-type", types.FieldValue(cm.ToList([]byte("text/plain; charset=utf-8"))))
	response := types.NewOutgoingResponse(headers)
	body := response.Body()
	types.ResponseOutparamSet(out, cm.OK[answer](response))

	stream := body.OK().Write() // of a new response there is a body, and of that a stream
	stream.OK().BlockingWriteAndFlush(cm.ToList([]byte(greeting(path.Value()))))
	stream.OK().ResourceDrop()
	types.OutgoingBodyFinish(*body.OK(), cm.None[types.Trailers]())
}

// answer is a response, or why there is none.
type answer = cm.Result[types.ErrorCodeShape, types.OutgoingResponse, types.ErrorCode]

func greeting(path string) string {
	path, _, _ = strings.Cut(path, "?")
	name := strings.TrimPrefix(path, "/")
	if name == "" {
		name = "World"
	}
	return "Hello, " + name + ", from Go!\n"
}

// realloc gives the host room for what it passes. Memory is freed with the instance:
// a host makes a new one for each request, or brings it back to its first state.
//
//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	room := make([]uint64, size/8+1) // nothing is aligned to more than 8 bytes
	p := unsafe.Pointer(&room[0])
	copy(unsafe.Slice((*byte)(p), size), unsafe.Slice((*byte)(old), min(oldSize, size)))
	return p
}
