package egress

import "net/netip"

// place is an address as rules see it.
type place struct {
	// ip is the address; one of IPv4 mapped into IPv6 is that of IPv4.
	ip netip.Addr
	// inner is the IPv4 address that a NAT64 gateway reaches for ip.
	inner  netip.Addr
	public bool
	// kind says why the address is not public, with the words "a … address"
	// around it.
	kind string
}

// placeOf classifies an address.
func placeOf(ip netip.Addr) place {
	p := place{ip: ip.Unmap()}
	if nat64.Contains(p.ip) {
		p.inner = embedded(p.ip, 12)
	}
	p.kind = kind(p.ip)
	p.public = p.kind == "" && ip.IsValid() && p.ip.Zone() == ""
	return p
}

// refused says why no rule can allow the place, or "".
func (p place) refused() string {
	switch {
	case !p.ip.IsValid():
		return "it is no address"
	case p.ip.Zone() != "":
		return "addresses with a zone are not supported"
	}
	return ""
}

// network is a part of the address space that is not public.
type network struct {
	prefix netip.Prefix
	kind   string
}

func net4(a, b, c, d byte, bits int, kind string) network {
	return network{netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), bits), kind}
}

func net6(a, b uint16, bits int, kind string) network {
	ip := netip.AddrFrom16([16]byte{byte(a >> 8), byte(a), byte(b >> 8), byte(b)})
	return network{netip.PrefixFrom(ip, bits), kind}
}

// private4 is what of IPv4 is not public. The kinds hold the words of RFC 6890
// where people know them.
var private4 = [...]network{
	net4(0, 0, 0, 0, 32, "wildcard"),
	net4(0, 0, 0, 0, 8, "reserved"),
	net4(10, 0, 0, 0, 8, "private"),
	net4(100, 64, 0, 0, 10, "private"), // shared with the provider (RFC 6598)
	net4(127, 0, 0, 0, 8, "loopback"),
	// The service of Azure's hosts for their machines, on a public address.
	net4(168, 63, 129, 16, 32, "cloud host's"),
	net4(169, 254, 0, 0, 16, "link-local"), // and most clouds' metadata
	net4(172, 16, 0, 0, 12, "private"),
	net4(192, 0, 0, 0, 24, "reserved"),
	net4(192, 0, 2, 0, 24, "documentation"),
	net4(192, 88, 99, 0, 24, "reserved"), // relays of 6to4
	net4(192, 168, 0, 0, 16, "private"),
	net4(198, 18, 0, 0, 15, "benchmarking"),
	net4(198, 51, 100, 0, 24, "documentation"),
	net4(203, 0, 113, 0, 24, "documentation"),
	net4(224, 0, 0, 0, 4, "multicast"),
	net4(255, 255, 255, 255, 32, "broadcast"),
	net4(240, 0, 0, 0, 4, "reserved"),
}

// private6 is what of IPv6 is not public and has a name, or lies in the global
// part.
var private6 = [...]network{
	net6(0x2001, 0, 23, "reserved"), // Teredo, ORCHID, benchmarking and others
	net6(0x2001, 0x0db8, 32, "documentation"),
	net6(0x3fff, 0, 20, "documentation"),
	net6(0xfc00, 0, 7, "private"), // unique local
	net6(0xfe80, 0, 10, "link-local"),
	net6(0xff00, 0, 8, "multicast"),
}

var (
	// global is what of IPv6 is handed out at all: the rest is not public.
	global = net6(0x2000, 0, 3, "").prefix
	// nat64 and sixToFour hold an IPv4 address, and lead to it.
	nat64     = net6(0x0064, 0xff9b, 96, "").prefix
	sixToFour = net6(0x2002, 0, 16, "").prefix
)

// kind returns what an address is, "" for a public one.
func kind(ip netip.Addr) string {
	switch {
	case !ip.IsValid():
		return "missing"
	case ip.Is4():
		return kindIn(private4[:], ip)
	case ip.IsUnspecified():
		return "wildcard"
	case ip.IsLoopback():
		return "loopback"
	}
	ip = ip.WithZone("")
	switch {
	case nat64.Contains(ip):
		return kindIn(private4[:], embedded(ip, 12))
	case sixToFour.Contains(ip):
		return kindIn(private4[:], embedded(ip, 2))
	}
	if k := kindIn(private6[:], ip); k != "" || global.Contains(ip) {
		return k
	}
	return "reserved"
}

func kindIn(networks []network, ip netip.Addr) string {
	for _, n := range networks {
		if n.prefix.Contains(ip) {
			return n.kind
		}
	}
	return ""
}

// embedded returns the IPv4 address at a byte of an IPv6 one.
func embedded(ip netip.Addr, at int) netip.Addr {
	b := ip.As16()
	return netip.AddrFrom4([4]byte(b[at : at+4]))
}
