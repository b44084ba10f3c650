package wrpc

import (
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/lathhost/lath/lattice"
)

// Headers by which a NATS server or nats.go itself tells a status.
const (
	headerStatus      = "Status"
	headerDescription = "Description"
)

// wantMore is the value of the header that asks for the rest of the parameters.
const wantMore = "1"

// maxSubject bounds the subjects that a peer may make this side publish on.
const maxSubject = 512

// answer is what a message on C, the caller's inbox, means.
type answer struct {
	reply  string // S, when accepted
	lath   bool
	window int
	more   bool   // a Lath callee misses parameters
	err    *Error // when not accepted
}

// parseAnswer reads a message on C: the handshake, a callee's "not accepted"
// or a status of the NATS server.
func parseAnswer(m *nats.Msg) answer {
	if len(m.Header) > 0 {
		if s := first(m.Header, headerStatus); s != "" && s[0] != '2' {
			return answer{err: statusError(s, first(m.Header, headerDescription))}
		}
	}
	lath := first(m.Header, lattice.HeaderLath) == lattice.LathVersion
	if m.Reply == "" {
		if word := first(m.Header, lattice.HeaderStatus); lath && word != "" {
			return answer{lath: true, err: notAccepted(m.Header, word)}
		}
		return answer{err: &Error{Code: Protocol, Detail: "peer did not specify a reply subject", MayHaveRun: true}}
	}
	if !validSubject(m.Reply) {
		return answer{err: &Error{Code: Protocol, Detail: "peer's reply subject is malformed", MayHaveRun: true}}
	}
	a := answer{reply: m.Reply, lath: lath, window: DefaultWindow}
	if lath {
		if v := first(m.Header, lattice.HeaderWindow); v != "" {
			a.window, _ = parseWindow(v)
		}
		a.more = first(m.Header, lattice.HeaderMore) == wantMore
	}
	return a
}

// notAccepted reads a callee's refusal. Nothing was executed, whatever word
// the callee used.
func notAccepted(h nats.Header, word string) *Error {
	code, ok := parseCode(word)
	if !ok || code == OK {
		code = Refused
	}
	e := &Error{Code: code, Detail: CleanDetail(first(h, lattice.HeaderError)), Remote: true}
	if host := first(h, lattice.HeaderHost); len(host) <= MaxID && plainText(host) {
		e.Host = host
	}
	return e
}

func statusError(status, description string) *Error {
	description = CleanDetail(description)
	switch status {
	case "503":
		return &Error{Code: NotConnected}
	case "408":
		return &Error{Code: Timeout, Detail: description, Remote: true, MayHaveRun: true}
	case "409":
		return &Error{Code: Incomplete, Detail: description, Remote: true, MayHaveRun: true}
	default:
		return &Error{Code: Protocol, Detail: CleanDetail(fmt.Sprintf("status %.3s %s", status, description)), MayHaveRun: true}
	}
}

// parseTrailer reads the headers of the message that ends results. Between
// Lath peers the word is mandatory, so that an end without it is not taken for
// success.
func parseTrailer(h nats.Header) *Error {
	word := first(h, lattice.HeaderStatus)
	code, ok := parseCode(word)
	switch {
	case ok && code == OK:
		return nil
	case ok:
		return &Error{Code: code, Detail: CleanDetail(first(h, lattice.HeaderError)), Remote: true, MayHaveRun: true}
	case word == "":
		return &Error{Code: Incomplete, Detail: "peer gave no status", MayHaveRun: true}
	default:
		return &Error{Code: Protocol, Detail: fmt.Sprintf("unknown status %.40q", word), Remote: true, MayHaveRun: true}
	}
}

// okTrailer is shared by all calls: nobody writes to it.
var okTrailer = trailer(OK, "")

// trailer builds the headers of the message that ends results.
func trailer(code Code, detail string) nats.Header {
	h := nats.Header{lattice.HeaderStatus: []string{code.String()}}
	if detail != "" && code != OK {
		h[lattice.HeaderError] = []string{detail}
	}
	return h
}

// validSubject reports whether a subject that a peer chose may be published
// on: whole tokens, no wildcards, not too long.
func validSubject(s string) bool {
	if s == "" || len(s) > maxSubject || s[0] == '.' || s[len(s)-1] == '.' || s[0] == '$' {
		return false
	}
	dot := false
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c == 0x7f || c == '*' || c == '>' || c == '.' && dot {
			return false
		}
		dot = c == '.'
	}
	return true
}
