package http

import (
	"context"
	"errors"
	goio "io"
	"maps"
	"net/http"
	"strconv"

	contract "github.com/lathhost/lath/wit/wasi/http"
)

// sendBytes is how much of a response is written at a time.
const sendBytes = 32 << 10

// send writes a response, header first, while its guest writes the body.
func (c *Call) send(r *outgoingResponse) error {
	length, err := contentLength(r.headers)
	if err != nil {
		return code(contract.ErrorCodeHTTPProtocolError) // who reads it could be led to take the one or the other
	}
	c.began = true
	h := c.w.Header()
	maps.Copy(h, r.headers.header())
	if length >= 0 {
		h.Set("Content-Length", strconv.FormatInt(length, 10)) // once
	}
	if !r.headers.has("content-type") {
		h["Content-Type"] = nil // or the server would guess
	}
	if r.body == nil {
		c.w.WriteHeader(int(r.status))
		return nil
	}
	// A client that goes away ends the guest's writing, also where nothing is
	// there to be written that would fail.
	defer context.AfterFunc(c.r.Context(), func() { r.body.pipe.CloseRead(nil) })()
	c.w.WriteHeader(int(r.status))
	if !r.body.whole() || r.body.sent() != nil {
		c.flush() // else the server finds out the length of a small body
	}
	return c.sendBody(r.body)
}

// sendBody copies the body to the client. What the guest has written goes at
// once; a client that reads slowly makes the guest wait.
func (c *Call) sendBody(b *outgoingBody) error {
	buf := make([]byte, sendBytes)
	for {
		n, err := b.pipe.Read(buf)
		if n > 0 {
			if _, err := c.w.Write(buf[:n]); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
				return errors.Join(ErrClientGone, err)
			}
			if left, ended := b.pipe.Buffered(); left == 0 && !ended {
				c.flush()
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, goio.EOF):
			for name, values := range b.sent() {
				if !unsuited(name) {
					c.w.Header()[http.TrailerPrefix+name] = values
				}
			}
			return nil
		case c.r.Context().Err() != nil:
			return errors.Join(ErrClientGone, c.r.Context().Err())
		default:
			return errors.Join(ErrAborted, err)
		}
	}
}

// flush sends what the server holds back. A failure shows at the next write.
func (c *Call) flush() { _ = http.NewResponseController(c.w).Flush() }
