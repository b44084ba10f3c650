package egress

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// rule allows one host, in one of four forms, and a range of ports.
type rule struct {
	text        string
	proto       Proto        // "" for both
	net         netip.Prefix // an address or a network, if valid
	name        string       // a name in canonical form, if not ""
	below       bool         // the names below name, not name itself
	all         bool         // "*"
	first, last uint16
}

// Parse reads rules, each written
//
//	[tcp://|udp://]HOST[:PORT|:FIRST-LAST]
//
// where HOST is
//
//   - a name, in ASCII (xn--…), whose case and last dot do not count;
//   - "*.example.org" for all names below example.org, not itself;
//   - "localhost", which is the loopback addresses, too, by whatever name;
//   - an address, IPv6 in brackets where a port follows;
//   - a network in CIDR notation: 10.0.0.0/8:5432, [fd00::/8]:5432;
//   - "*" for every public address, and every name.
//
// Without a port every port is meant. Space around a rule does not count. The
// error names the first rule that is not one.
func Parse(texts []string) (*Rules, error) {
	r := &Rules{rules: make([]rule, 0, len(texts))}
	for _, text := range texts {
		text = strings.TrimSpace(text)
		rule, err := parseRule(text)
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", quote(text), err)
		}
		r.rules = append(r.rules, rule)
	}
	return r, nil
}

func parseRule(text string) (rule, error) {
	r := rule{text: text}
	rest := text
	if scheme, after, ok := strings.Cut(text, "://"); ok {
		r.proto, rest = Proto(strings.ToLower(scheme)), after
		if r.proto != TCP && r.proto != UDP {
			return rule{}, fmt.Errorf("begins with neither tcp:// nor udp:// but %s: want HOST or HOST:PORT", quote(scheme+"://"))
		}
	}
	host, ports, err := splitPorts(rest)
	if err != nil {
		return rule{}, err
	}
	if err := r.setPorts(ports); err != nil {
		return rule{}, err
	}
	return r, r.setHost(host)
}

// splitPorts parts a host from the ports after it; the brackets are gone.
func splitPorts(s string) (host string, ports *string, err error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		host, after, ok := strings.Cut(inner, "]")
		switch {
		case !ok:
			return "", nil, errors.New("a bracket is not closed")
		case !strings.Contains(host, ":"):
			return "", nil, errors.New("only IPv6 stands in brackets")
		case after == "":
			return host, nil, nil
		case after[0] != ':':
			return "", nil, errors.New("only a port can follow a bracket")
		}
		after = after[1:]
		return host, &after, nil
	}
	// Of an IPv6 network only what follows the slash can be a port, and an
	// IPv6 address has none without brackets.
	slash := max(strings.IndexByte(s, '/'), 0)
	if slash == 0 && strings.Count(s, ":") > 1 {
		return s, nil, nil
	}
	if i := strings.IndexByte(s[slash:], ':'); i >= 0 {
		after := s[slash+i+1:]
		return s[:slash+i], &after, nil
	}
	return s, nil, nil
}

// setPorts reads a port or a range; nil is every port.
func (r *rule) setPorts(text *string) error {
	r.first, r.last = 0, math.MaxUint16
	if text == nil {
		return nil
	}
	first, last, ranged := strings.Cut(*text, "-")
	if !ranged {
		last = first
	}
	var err error
	if r.first, err = parsePort(first); err != nil {
		return err
	}
	if r.last, err = parsePort(last); err != nil {
		return err
	}
	if r.first > r.last {
		return fmt.Errorf("ports %d-%d run backwards", r.first, r.last)
	}
	return nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s is not a port from 1 to 65535", quote(s))
	}
	return uint16(n), nil
}

func (r *rule) setHost(host string) error {
	if host == "*" {
		r.all = true
		return nil
	}
	if strings.Contains(host, "/") {
		return r.setNetwork(host)
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return errors.New("addresses with a zone are not supported")
		}
		ip = ip.Unmap()
		r.net = netip.PrefixFrom(ip, ip.BitLen())
		return nil
	}
	if strings.Contains(host, ":") {
		return fmt.Errorf("%s is no address", quote(host))
	}
	name, below := strings.CutPrefix(host, "*.")
	name, err := CanonicalName(name)
	r.name, r.below = name, below
	return err
}

func (r *rule) setNetwork(host string) error {
	p, err := netip.ParsePrefix(host)
	if err != nil {
		return fmt.Errorf("%s is no network: %w", quote(host), err)
	}
	if ip := p.Addr(); ip.Is4In6() {
		if p.Bits() < 96 {
			return fmt.Errorf("%s mixes IPv4 and IPv6", quote(host))
		}
		p = netip.PrefixFrom(ip.Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return fmt.Errorf("%s has bits set after its first %d: is %s meant?", quote(host), p.Bits(), p.Masked())
	}
	r.net = p
	return nil
}

// CanonicalName returns a name in lower case and without its last dot. It fails
// for what is no name in ASCII, and for what some resolvers read as an address.
func CanonicalName(s string) (string, error) {
	name := strings.TrimSuffix(s, ".")
	if name == "" || len(name) > 253 {
		return "", fmt.Errorf("a name has 1 to 253 letters, not %d", len(name))
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", err
		}
		last = label
	}
	if last[0] >= '0' && last[0] <= '9' && isNumber(last) {
		return "", errors.New("it is neither a name nor an address")
	}
	return strings.ToLower(name), nil
}

func checkLabel(label string) error {
	if label == "" || len(label) > 63 {
		return fmt.Errorf("a part of a name has 1 to 63 letters, not %d", len(label))
	}
	if label[0] == '-' || label[len(label)-1] == '-' {
		return errors.New("a part of a name neither begins nor ends with a hyphen")
	}
	for i := range len(label) {
		switch c := label[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		case c >= 0x80:
			return errors.New("names are written in ASCII: xn--…")
		default:
			return fmt.Errorf("a name has no %s", quote(string(rune(c))))
		}
	}
	return nil
}

// isNumber tells whether a resolver may read a last label as a number.
func isNumber(label string) bool {
	_, err := strconv.ParseUint(label, 10, 64)
	hex := len(label) > 1 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X')
	return err == nil || hex || strings.Trim(label, "0123456789") == ""
}

// speaks tells whether the rule is for a transport; "" is either.
func (r *rule) speaks(proto Proto) bool { return r.proto == "" || proto == "" || r.proto == proto }

// hasPort tells whether the rule is for a port; only a rule for every port is
// for port 0.
func (r *rule) hasPort(port uint16) bool { return r.first <= port && port <= r.last }

// matchesName tells whether a canonical name may be resolved; "" may not.
func (r *rule) matchesName(name string) bool {
	switch {
	case name == "":
		return false
	case r.all:
		return true
	case r.below:
		return strings.HasSuffix(name, "."+r.name)
	}
	return r.name == name
}

// matchesAddr tells whether the rule allows the place without a name.
func (r *rule) matchesAddr(p place) bool {
	switch {
	case p.refused() != "":
		return false
	case r.net.IsValid():
		return r.net.Contains(p.ip) || p.inner.IsValid() && r.net.Contains(p.inner)
	case r.all:
		return p.public
	}
	return r.isLocalhost() && p.ip.IsLoopback()
}

// matchesSelf tells whether the rule names this very address.
func (r *rule) matchesSelf(p place) bool {
	if p.refused() != "" {
		return false
	}
	return r.net.IsSingleIP() && r.net.Addr() == p.ip || r.isLocalhost() && p.ip.IsLoopback()
}

func (r *rule) isLocalhost() bool { return !r.below && r.name == "localhost" }
