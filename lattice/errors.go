package lattice

import (
	"errors"
	"fmt"
)

// The errors that callers tell apart with errors.Is, whatever package made
// them. Each is wrapped with what was being done and to which thing.
var (
	// ErrNotFound: the thing named does not exist, or no host knows it.
	ErrNotFound = errors.New("not found")
	// ErrDenied: it exists, but the asker may not.
	ErrDenied = errors.New("denied")
	// ErrBusy: no room now; nothing was done, and a later attempt may succeed.
	ErrBusy = errors.New("busy")
	// ErrInvalid: the request is wrong and will stay wrong.
	ErrInvalid = errors.New("invalid")
	// ErrConflict: the request contradicts what is stored.
	ErrConflict = errors.New("conflict")
	// ErrUnsupported: a valid request for something that this peer cannot do.
	ErrUnsupported = errors.New("unsupported")
	// ErrFull: what stores it has no room left; nothing was stored.
	ErrFull = errors.New("storage full")
	// ErrTimeout: no answer in time. The work may have been done.
	ErrTimeout = errors.New("timeout")
	// ErrDisconnected: there is no connection to NATS; nothing was sent.
	ErrDisconnected = errors.New("not connected to NATS")
)

// TooLargeError says that something is larger than NATS carries. Nothing was sent.
// It matches ErrInvalid.
type TooLargeError struct {
	// What is too large, such as "event host_heartbeat".
	What string
	// Bytes is its size, and Limit that of the server, its max_payload.
	Bytes, Limit int64
}

// Error implements error.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s has %d bytes, more than the %d that NATS carries (max_payload)", e.What, e.Bytes, e.Limit)
}

// Unwrap makes it match ErrInvalid.
func (e *TooLargeError) Unwrap() error { return ErrInvalid }
