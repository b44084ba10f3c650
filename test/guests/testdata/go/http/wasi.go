//go:build wasip1

package main

import (
	"errors"
	"io"
	"net/http"
	"unsafe"

	"github.com/lathhost/lath/test/guests/testdata/go/abi"
)

// area is where the host writes a result: no result here is larger. It is of
// 64-bit words for its alignment.
type area [16]uint64

func (a *area) at() unsafe.Pointer { return unsafe.Pointer(a) }

// tag is the case of a variant, option or result at the start.
func (a *area) tag() uint8 { return *(*uint8)(a.at()) }

// word is the 32-bit word at a multiple of 4 bytes.
func (a *area) word(i int) uint32 { return (*[32]uint32)(a.at())[i] }

// text is the string or list of bytes whose pointer is the word i.
func (a *area) text(i int) string { return string(abi.Bytes(a.word(i), a.word(i+1))) }

// methods are the cases of wasi:http's method but the last, "other".
var methods = []string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// newRequest makes a request of the host's, which it takes over.
func newRequest(handle uint32) (*http.Request, error) {
	defer requestDrop(handle)
	var a area
	requestMethod(handle, a.at())
	method := ""
	if n := int(a.tag()); n < len(methods) {
		method = methods[n]
	} else {
		method = a.text(1)
	}
	path := "/"
	if requestPath(handle, a.at()); a.tag() == 1 {
		path = a.text(1)
	}
	if requestConsume(handle, a.at()); a.tag() != 0 {
		return nil, errors.New("the body was taken before")
	}
	body := &body{handle: a.word(1)}
	if incomingStream(body.handle, a.at()); a.tag() != 0 {
		return nil, errors.New("the body was taken before")
	}
	body.stream = a.word(1)
	r, err := http.NewRequest(method, path, body)
	if err == nil {
		r.Header = newHeader(requestHeaders(handle))
	}
	return r, err
}

// newHeader copies fields, which it takes over.
func newHeader(fields uint32) http.Header {
	defer fieldsDrop(fields)
	var a area
	fieldsEntries(fields, a.at())
	list := abi.Bytes(a.word(0), 16*a.word(1))
	h := http.Header{}
	for ; len(list) > 0; list = list[16:] {
		entry := *(*[4]uint32)(unsafe.Pointer(&list[0]))
		h.Add(string(abi.Bytes(entry[0], entry[1])), string(abi.Bytes(entry[2], entry[3])))
	}
	return h
}

// body reads a request's body.
type body struct {
	handle, stream uint32
	rest           []byte
}

// The cases of a stream's error.
const (
	streamFailed = 0
	streamClosed = 1
)

func (b *body) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		var a area
		streamRead(b.stream, uint64(len(p)), a.at())
		switch {
		case a.tag() == 0:
			b.rest = abi.Bytes(a.word(1), a.word(2))
		case uint8(a.word(1)) == streamClosed:
			return 0, io.EOF
		default:
			return 0, errors.New("the request broke off")
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func (b *body) Close() error {
	inputDrop(b.stream)
	incomingDrop(b.handle)
	return nil
}

// response is an http.ResponseWriter that sends as it is written to.
type response struct {
	outparam     uint32
	header       http.Header
	sent         bool
	body, stream uint32
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.sent {
		return
	}
	w.sent = true
	var a area
	fields := newFields()
	for name, values := range w.header {
		for _, value := range values {
			fieldsAppend(fields, unsafe.Pointer(unsafe.StringData(name)), uint32(len(name)),
				unsafe.Pointer(unsafe.StringData(value)), uint32(len(value)), a.at())
		}
	}
	r := newResponse(fields)
	responseSetStatus(r, uint32(status))
	responseBody(r, a.at())
	w.body = a.word(1)
	responseOutparamSet(w.outparam, 0, r, 0, 0, 0, 0, 0, 0)
	outgoingWrite(w.body, a.at())
	w.stream = a.word(1)
}

// maxWrite is what blocking-write-and-flush takes at a time.
const maxWrite = 4096

func (w *response) Write(p []byte) (n int, err error) {
	w.WriteHeader(http.StatusOK)
	for n < len(p) {
		piece := p[n:min(len(p), n+maxWrite)]
		var a area
		streamWrite(w.stream, unsafe.Pointer(&piece[0]), uint32(len(piece)), a.at())
		if a.tag() != 0 {
			return n, errors.New("the client is gone")
		}
		n += len(piece)
	}
	return n, nil
}

func (w *response) finish() {
	w.WriteHeader(http.StatusOK)
	outputDrop(w.stream)
	var a area
	outgoingFinish(w.body, 0, 0, a.at())
}
