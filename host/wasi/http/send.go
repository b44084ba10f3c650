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
	out := NewPrompt(c.w) // which leaves the server the time to find out the length of a small body
	defer out.Stop()
	return c.sendBody(r.body, out)
}

// sendBody copies the body to the client. What the guest has written goes soon; a
// client that reads slowly makes the guest wait.
func (c *Call) sendBody(b *outgoingBody, out *Prompt) error {
	buf, free := Buffer()
	defer free()
	for {
		n, err := b.pipe.Read(buf)
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				return errors.Join(ErrClientGone, err)
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, goio.EOF):
			out.Stop()
			c.trailers(b.sent())
			return nil
		case c.r.Context().Err() != nil:
			return errors.Join(ErrClientGone, c.r.Context().Err())
		default:
			return errors.Join(ErrAborted, err)
		}
	}
}

// trailers adds trailers to a response whose body has been written. In HTTP/1, they
// need a body in chunks: one that was sent already, or that is sent now.
func (c *Call) trailers(sent http.Header) {
	if len(sent) > 0 {
		c.flush()
	}
	for name, values := range sent {
		if !unsuited(name) {
			c.w.Header()[http.TrailerPrefix+name] = values
		}
	}
}

// flush sends what the server holds back. A failure shows at the next write.
func (c *Call) flush() { _ = http.NewResponseController(c.w).Flush() }
