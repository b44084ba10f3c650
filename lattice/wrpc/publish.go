package wrpc

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// publishBytes sends bytes on a channel, cut at the server's max_payload. It
// never sends an empty message: that would be the end. It returns how many bytes it
// handed to nats.go.
func publishBytes(nc *nats.Conn, subject string, p []byte) (sent int, err error) {
	for sent < len(p) {
		n := min(len(p)-sent, maxPayload(nc))
		if err := nc.Publish(subject, p[sent:sent+n]); err != nil {
			return sent, publishError(err)
		}
		sent += n
	}
	return sent, nil
}

// publishEnd sends the empty message that ends a channel; h is nil but for
// results of a Lath call.
func publishEnd(nc *nats.Conn, subject string, h nats.Header) error {
	if h == nil {
		return publishError(nc.Publish(subject, nil))
	}
	return publishError(nc.PublishMsg(&nats.Msg{Subject: subject, Header: h}))
}

// maxPayload is at least 1, so that cutting makes progress whatever a server
// says.
func maxPayload(nc *nats.Conn) int {
	return int(max(1, min(nc.MaxPayload(), 1<<30)))
}

// firstSlice is how many bytes of parameters go with the invocation (rule 2 of
// the NATS transport): max_payload less the caller's inbox and the headers.
func firstSlice(payload int, inbox string, h nats.Header, params int) int {
	return max(0, min(params, payload-len(inbox)-headerSize(h)))
}

// publishError tells a connection that is down, on which nothing was sent,
// from other failures, after which nobody knows.
func publishError(err error) error {
	switch {
	case err == nil:
		return nil
	case lattice.IsDisconnected(err), errors.Is(err, nats.ErrConnectionDraining):
		return &Error{Code: Disconnected, Err: err}
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject), errors.Is(err, nats.ErrHeadersNotSupported):
		return fmt.Errorf("publish: %w: %w", lattice.ErrInvalid, err)
	default:
		return &Error{Code: Lost, Err: err, MayHaveRun: true}
	}
}
