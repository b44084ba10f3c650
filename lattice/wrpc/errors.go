package wrpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lathhost/lath/lattice"
)

// Code says how a call ended.
type Code uint8

// The codes. Those with a word in the lath-status header travel; the others
// are found out by the caller alone.
const (
	// OK: the call returned its results.
	OK Code = iota
	// Trap: the callee ran and failed ("trap").
	Trap
	// Refused: the callee would not run it, and would not later ("refused").
	Refused
	// Busy: the callee had no room ("busy").
	Busy
	// Timeout: the deadline passed ("timeout").
	Timeout
	// Cancelled: the caller gave up ("cancelled").
	Cancelled
	// Lost: a connection or a peer went away in mid-call ("lost").
	Lost
	// NotConnected: nobody serves the subject.
	NotConnected
	// Incomplete: the results ended before they were whole and the callee, not
	// speaking Lath, could not say why.
	Incomplete
	// Overflow: a peer sent more than this side was ready to hold.
	Overflow
	// Disconnected: this side has no connection; nothing was sent.
	Disconnected
	// Protocol: a peer broke the rules of wRPC.
	Protocol
)

var codeNames = [...]string{
	OK: "ok", Trap: "trap", Refused: "refused", Busy: "busy", Timeout: "timeout", Cancelled: "cancelled",
	Lost: "lost", NotConnected: "no responders", Incomplete: "ended without a result, cause unknown",
	Overflow: "overflow", Disconnected: "not connected to NATS", Protocol: "protocol error",
}

// String returns the code's word, which for OK to Lost is the one on the wire.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code(%d)", uint8(c))
}

// parseCode returns the code of a word in a lath-status header.
func parseCode(s string) (Code, bool) {
	for c := OK; c <= Lost; c++ {
		if codeNames[c] == s {
			return c, true
		}
	}
	return OK, false
}

// Sentinels for errors.Is, one for each code but OK. ErrBusy, ErrTimeout and
// ErrDisconnected match those of package lattice too; ErrTimeout and
// ErrCancelled match the errors of package context.
var (
	ErrTrap              = errors.New("trap")
	ErrRefused           = errors.New("refused")
	ErrBusy              = errors.New("busy")
	ErrTimeout           = errors.New("timeout")
	ErrCancelled         = errors.New("cancelled")
	ErrLost              = errors.New("lost")
	ErrNotConnected      = errors.New("no responders")
	ErrIncompleteResults = errors.New("ended without a result, cause unknown")
	ErrOverflow          = errors.New("overflow")
	ErrDisconnected      = errors.New("not connected to NATS")
	ErrProtocol          = errors.New("protocol error")
	// ErrMayHaveRun matches every error of a call after which the callee may
	// have done its work, in whole or in part. Without it, nothing was done and
	// the call may be made again, here or elsewhere.
	ErrMayHaveRun = errors.New("may have run")
)

// Errors that tell of wrong use and not of a call.
var (
	// ErrReconnectBuffer: the connection would send later what is published
	// while it is down.
	ErrReconnectBuffer = errors.New("connection keeps what is published while it is down: connect with nats.ReconnectBufSize(-1)")
	// ErrClosed: the Client, Server, Writer or Call was closed.
	ErrClosed = errors.New("closed")
	// ErrNoPath: the path was not announced when the call was made or served.
	ErrNoPath = errors.New("no such stream path")
)

var sentinels = [...][]error{
	OK:           nil,
	Trap:         {ErrTrap},
	Refused:      {ErrRefused},
	Busy:         {ErrBusy, lattice.ErrBusy},
	Timeout:      {ErrTimeout, lattice.ErrTimeout, context.DeadlineExceeded},
	Cancelled:    {ErrCancelled, context.Canceled},
	Lost:         {ErrLost},
	NotConnected: {ErrNotConnected},
	Incomplete:   {ErrIncompleteResults},
	Overflow:     {ErrOverflow},
	Disconnected: {ErrDisconnected, lattice.ErrDisconnected},
	Protocol:     {ErrProtocol},
}

// Error is how a call failed. A handler that returns one chooses the status
// and the text that a Lath caller receives.
type Error struct {
	Code Code
	// Detail is a short text without secrets; on the wire it is cut at
	// [MaxDetail] bytes.
	Detail string
	// Remote: the callee said so, in a trailer or instead of accepting.
	Remote bool
	// MayHaveRun: the callee may have done its work, in whole or in part.
	MayHaveRun bool
	// Subject is the invocation subject, for messages.
	Subject string
	// Host is the host that did not accept the call, or was lost with it, if that
	// is known.
	Host string
	// Err is the cause on this side, if there is one.
	Err error
}

// MaxDetail is the most bytes of an error's text that go over the wire.
const MaxDetail = 1024

// Error returns the text: what was called, how it ended and why.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Subject != "" {
		b.WriteString("call " + e.Subject + ": ")
	}
	b.WriteString(e.Code.String())
	if e.Detail != "" {
		b.WriteString(": " + e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.MayHaveRun && (e.Code == Lost || e.Code == Disconnected) {
		b.WriteString(" (may have run)")
	}
	return b.String()
}

// Is reports whether target is a sentinel of the error's code, or
// [ErrMayHaveRun] and the callee may have run.
func (e *Error) Is(target error) bool {
	if target == ErrMayHaveRun {
		return e.MayHaveRun
	}
	if int(e.Code) >= len(sentinels) {
		return false
	}
	return slices.Contains(sentinels[e.Code], target)
}

// Unwrap returns the cause on this side.
func (e *Error) Unwrap() error { return e.Err }

// statusOf says which status and text a callee's error has on the wire.
func statusOf(err error) (Code, string) {
	if err == nil {
		return OK, ""
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		code := e.Code
		if code == OK || code > Lost {
			// Not a word of the wire: seen from the caller, the callee failed.
			code = Trap
		}
		detail := e.Detail
		if detail == "" && (code != e.Code || e.Err != nil) {
			detail = e.Error()
		}
		return code, CleanDetail(detail)
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout, ""
	case errors.Is(err, context.Canceled):
		return Cancelled, ""
	default:
		return Trap, CleanDetail(err.Error())
	}
}

// CleanDetail makes one bounded line of printable text. It keeps the first
// line only, since what follows in a trap's text is its backtrace.
func CleanDetail(s string) string {
	s, _, _ = strings.Cut(strings.TrimLeft(s, "\r\n"), "\n")
	if len(s) > MaxDetail {
		s = s[:MaxDetail]
		for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
			s = s[:len(s)-1]
		}
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) { // it could drive a terminal, or turn text around
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?")))
}
