package http

import (
	"context"
	"errors"
	goio "io"
	"net/http"
	"strconv"
	"time"

	contract "github.com/lathhost/lath/wit/wasi/http"
)

// send writes a response, header first, while its guest writes the body.
func (c *Call) send(r *outgoingResponse) error {
	head, err := r.head()
	if err != nil {
		return err
	}
	c.began = true
	c.timeWrites()
	head.put(c.w)
	if r.body == nil {
		return nil
	}
	// A client that goes away ends the guest's writing, also where nothing is
	// there to be written that would fail.
	giveUp := func() { r.body.pipe.CloseRead(nil) }
	defer context.AfterFunc(c.r.Context(), giveUp)()
	if by := c.WriteBy; !by.IsZero() { // an instance that is kept may hold the body without end
		defer time.AfterFunc(time.Until(by), giveUp).Stop()
	}
	out := NewPrompt(c.w) // which leaves the server the time to find out the length of a small body
	defer out.Stop()
	return c.sendBody(r.body, out)
}

// head is what a response begins with. It is the host's: it lasts longer than the
// response.
type head struct {
	status  int
	length  int64 // what the entries announce; -1: nothing
	typed   bool  // they have a content-type
	entries []contract.TupleStringBytes
}

func (r *outgoingResponse) head() (head, error) {
	length, err := contentLength(r.headers)
	if err != nil {
		return head{}, code(contract.ErrorCodeHTTPProtocolError) // who reads it could be led to take the one or the other
	}
	return head{int(r.status), length, r.headers.has("content-type"), r.headers.entries}, nil
}

// put begins a response. Fields that the server has set give way.
func (h *head) put(w http.ResponseWriter) {
	fields := w.Header()
	if len(fields) > 0 {
		for _, e := range h.entries {
			fields.Del(e.F0)
		}
	}
	for _, e := range h.entries {
		fields.Add(e.F0, string(e.F1))
	}
	if h.length >= 0 {
		fields.Set("Content-Length", strconv.FormatInt(h.length, 10)) // once
	}
	if !h.typed {
		fields["Content-Type"] = nil // or the server would guess
	}
	w.WriteHeader(h.status)
}

// wholeResponse is a response that is whole, and no guest's any more.
type wholeResponse struct {
	head
	body     []byte
	trailers http.Header
	free     func() // the body's buffer
}

// settle makes a response that its guest has finished a whole one, and drops it, if
// it can.
func (r *outgoingResponse) settle() *wholeResponse {
	if r.body != nil && !r.body.whole() {
		return nil
	}
	head, err := r.head()
	if err != nil {
		return nil
	}
	s := &wholeResponse{head: head, free: func() {}}
	if r.body != nil {
		s.trailers = r.body.sent()
		s.body, s.free = Buffer()
		n, _ := r.body.pipe.Buffered()
		if n > len(s.body) {
			s.free()
			return nil
		}
		s.body = s.body[:n]
		if n > 0 {
			_, _ = r.body.pipe.Read(s.body) // it is there, all of it
		}
	}
	r.Drop()
	return s
}

// serverBytes is how much of a body net/http keeps, at least, until the handler has
// returned.
const serverBytes = 2 << 10

// sendWhole writes the response that was settled.
func (c *Call) sendWhole() error {
	r := c.whole
	c.began = true
	if len(r.body) > serverBytes || len(r.trailers) > 0 || c.r.ProtoMajor >= 2 && len(r.body) > 0 {
		c.timeWrites()
	}
	r.put(c.w)
	if len(r.body) > 0 {
		if _, err := c.w.Write(r.body); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
			return errors.Join(ErrClientGone, err)
		}
	}
	c.trailers(r.trailers)
	return nil
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
