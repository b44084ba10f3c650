package egress

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// Proto is a transport.
type Proto string

// The transports.
const (
	TCP Proto = "tcp"
	UDP Proto = "udp"
)

// Rules is an allow-list. It never changes, so it is safe for concurrent use.
// A nil Rules allows nothing.
type Rules struct{ rules []rule }

// Strings returns the rules as they were written.
func (r *Rules) Strings() []string {
	if r == nil {
		return nil
	}
	texts := make([]string, len(r.rules))
	for i, rule := range r.rules {
		texts[i] = rule.text
	}
	return texts
}

// Empty tells whether nothing is allowed.
func (r *Rules) Empty() bool { return r == nil || len(r.rules) == 0 }

// Proto tells whether there is any rule for a transport: without one, a guest
// can do nothing with a socket of it. The error says what is missing.
func (r *Rules) Proto(proto Proto) error {
	for range r.of(proto) {
		return nil
	}
	return &DeniedError{What: string(proto), Rule: ruleText(proto, "HOST:PORT", 0)}
}

// of iterates over the rules for a transport; "" is either.
func (r *Rules) of(proto Proto) func(yield func(*rule) bool) {
	return func(yield func(*rule) bool) {
		if r == nil {
			return
		}
		for i := range r.rules {
			if r.rules[i].speaks(proto) && !yield(&r.rules[i]) {
				return
			}
		}
	}
}

// Name tells whether a name may be resolved, whatever the port; with proto ""
// also whatever the transport. A name that is an address in text may be if some
// port of the address is allowed. The error is a [DeniedError].
func (r *Rules) Name(proto Proto, name string) error {
	if ip, err := netip.ParseAddr(name); err == nil {
		return r.address(proto, ip)
	}
	canonical, err := CanonicalName(name)
	if err != nil {
		return &DeniedError{What: "the name " + quote(name), Why: err.Error()}
	}
	for rule := range r.of(proto) {
		if rule.matchesName(canonical) {
			return nil
		}
	}
	return &DeniedError{What: "the name " + canonical, Rule: ruleText(proto, canonical, 0)}
}

// address is Name for an address in text.
func (r *Rules) address(proto Proto, ip netip.Addr) error {
	p := placeOf(ip)
	for rule := range r.of(proto) {
		if rule.matchesAddr(p) {
			return nil
		}
	}
	return &DeniedError{What: "the address " + quote(ip.String()), Why: p.refused(), Rule: ruleText(proto, hostText(p.ip), 0)}
}

// Server tells whether somebody else may be asked to reach a server, who looks its
// name up: by a rule for its port that names it, or its address if host is one. What
// a name resolves to is not looked at. The error is a [DeniedError].
func (r *Rules) Server(proto Proto, host string, port uint16) error {
	if ip, err := netip.ParseAddr(host); err == nil {
		return r.Addr(proto, netip.AddrPortFrom(ip, port), "")
	}
	canonical, err := CanonicalName(host)
	if err != nil {
		return &DeniedError{What: "the name " + quote(host), Why: err.Error()}
	}
	for rule := range r.of(proto) {
		if rule.matchesName(canonical) && rule.hasPort(port) {
			return nil
		}
	}
	return &DeniedError{What: string(proto) + " " + joinPort(canonical, port), Rule: ruleText(proto, canonical, port)}
}

// Addr tells whether an address may be reached: by a rule that names it, a
// network that holds it, or "*"; or because name, under which the caller found
// it ("" for none), is allowed and the address is public. The error is a
// [DeniedError].
func (r *Rules) Addr(proto Proto, addr netip.AddrPort, name string) error {
	p := placeOf(addr.Addr())
	if canonical, err := CanonicalName(name); err == nil {
		name = canonical
	} else {
		name = "" // allows nothing, and is no word for a message
	}
	named := false
	for rule := range r.of(proto) {
		byName := p.public && rule.matchesName(name)
		if (byName || rule.matchesAddr(p)) && rule.hasPort(addr.Port()) {
			return nil
		}
		named = named || rule.matchesName(name)
	}
	return denied(proto, p, addr.Port(), name, named)
}

// denied says why an address may not be reached; named tells that the name,
// for some port, may be resolved.
func denied(proto Proto, p place, port uint16, name string, named bool) error {
	e := &DeniedError{What: fmt.Sprintf("%s %s", proto, joinPort(hostText(p.ip), port)), Why: p.refused()}
	switch {
	case e.Why != "": // no rule would help
		return e
	case p.public && name != "":
		if e.What += " of " + name; named {
			e.Why = "the rules for the name are for other ports"
		}
		e.Rule = ruleText(proto, name, port)
		return e
	case named:
		e.Why = name + " resolves to a " + p.kind + " address"
	case !p.public:
		e.Why = "it is a " + p.kind + " address"
	}
	e.Rule = ruleText(proto, hostText(p.ip), port)
	return e
}

// Listen tells whether an address of this machine may be listened on, or be
// bound to a port of the guest's choice: by a rule that names this very
// address, or "localhost" for a loopback one. All addresses at a time, 0.0.0.0
// or ::, are a place of their own, which no other rule allows. Port 0 needs
// a rule for every port. The error is a [DeniedError].
func (r *Rules) Listen(proto Proto, local netip.AddrPort) error {
	p := placeOf(local.Addr())
	e := &DeniedError{What: fmt.Sprintf("to listen on %s %s", proto, joinPort(hostText(p.ip), local.Port())), Why: p.refused()}
	for rule := range r.of(proto) {
		switch {
		case !rule.hasPort(local.Port()):
		case rule.matchesSelf(p):
			return nil
		case rule.matchesAddr(p):
			e.Why = "the rule " + rule.text + " is for peers"
		}
	}
	e.Rule = ruleText(proto, hostText(p.ip), local.Port())
	return e
}

// Control returns a function for [net.Dialer.ControlContext] that refuses to
// dial what is not allowed. name is what the dialer was asked to dial, without
// a port. The dialer calls it with each address that it tries, after the name
// was resolved and before a packet is sent: a name that resolves to another
// address each time gains nothing. Networks other than TCP and UDP are refused.
func (r *Rules) Control(name string) func(ctx context.Context, network, address string, _ syscall.RawConn) error {
	return func(_ context.Context, network, address string, _ syscall.RawConn) error {
		var proto Proto
		switch network {
		case "tcp", "tcp4", "tcp6":
			proto = TCP
		case "udp", "udp4", "udp6":
			proto = UDP
		default:
			return &DeniedError{What: "the network " + quote(network)}
		}
		addr, err := netip.ParseAddrPort(address)
		if err != nil {
			return &DeniedError{What: "the address " + quote(address), Why: err.Error()}
		}
		return r.Addr(proto, addr, name)
	}
}
