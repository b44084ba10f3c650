package egress

import (
	"errors"
	"net/netip"
	"strconv"
)

// ErrDenied is wrapped by every refusal.
var ErrDenied = errors.New("not granted")

// DeniedError is a refusal. It is an [ErrDenied].
type DeniedError struct {
	// What was asked for: "tcp 10.0.0.5:5432", "the name example.org".
	What string
	// Why it is not granted though a rule seems to, "" if there is none.
	Why string
	// Rule would allow it, and not much more. "": no rule can.
	Rule string
}

// Error implements error.
func (e *DeniedError) Error() string { return e.By("a rule") }

// By returns the words for whoever runs the component: flag, "--allow-net",
// say, is what grants the rule.
func (e *DeniedError) By(flag string) string {
	text := e.What + " is not granted"
	if e.Why != "" {
		text += ": " + e.Why
	}
	if e.Rule != "" {
		text += "; grant it by " + flag + " " + e.Rule
	}
	return text
}

// Unwrap returns [ErrDenied].
func (*DeniedError) Unwrap() error { return ErrDenied }

// Words returns what err says, and if it is or wraps a [DeniedError], what it
// says of the flag that would grant it: see [DeniedError.By].
func Words(err error, flag string) string {
	if e, ok := errors.AsType[*DeniedError](err); ok {
		return e.By(flag)
	}
	return err.Error()
}

// ruleText writes a rule for one place; port 0 leaves it out. A rule without a
// transport is for both, so that of UDP says so.
func ruleText(proto Proto, host string, port uint16) string {
	if port != 0 {
		host = joinPort(host, port)
	}
	if proto == UDP {
		return "udp://" + host
	}
	return host
}

// hostText writes an address as a rule does, IPv6 in brackets.
func hostText(ip netip.Addr) string {
	if ip.Is6() {
		return "[" + ip.WithZone("").String() + "]"
	}
	return ip.String()
}

func joinPort(host string, port uint16) string { return host + ":" + strconv.Itoa(int(port)) }

// quote makes a text of a guest's fit for a message.
func quote(s string) string {
	const limit = 100
	if len(s) > limit {
		return strconv.QuoteToASCII(s[:limit]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
