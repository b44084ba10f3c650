package sockets

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// addrOf returns the address that a guest gave. A scope is a zone, which no
// rule allows. The flow info is dropped.
func addrOf(a contract.IPSocketAddress) netip.AddrPort {
	if a.Tag == contract.IPSocketAddressIPv4 {
		return netip.AddrPortFrom(netip.AddrFrom4(a.IPv4.Address), a.IPv4.Port)
	}
	var b [16]byte
	for i, group := range a.IPv6.Address {
		binary.BigEndian.PutUint16(b[2*i:], group)
	}
	ip := netip.AddrFrom16(b)
	if a.IPv6.ScopeID != 0 {
		ip = ip.WithZone(strconv.FormatUint(uint64(a.IPv6.ScopeID), 10))
	}
	return netip.AddrPortFrom(ip, a.IPv6.Port)
}

// ipFor returns an address for a guest.
func ipFor(ip netip.Addr) contract.IPAddress {
	if ip.Is4() {
		return contract.IPAddress{Tag: contract.IPAddressIPv4, IPv4: ip.As4()}
	}
	a := contract.IPAddress{Tag: contract.IPAddressIPv6}
	b := ip.As16()
	for i := range a.IPv6 {
		a.IPv6[i] = binary.BigEndian.Uint16(b[2*i:])
	}
	return a
}

// addrFor returns an address with a port for a guest.
func addrFor(a netip.AddrPort) contract.IPSocketAddress {
	ip := ipFor(a.Addr())
	if ip.Tag == contract.IPAddressIPv4 {
		return contract.IPSocketAddress{
			Tag:  contract.IPSocketAddressIPv4,
			IPv4: contract.IPv4SocketAddress{Port: a.Port(), Address: ip.IPv4},
		}
	}
	scope, _ := strconv.ParseUint(a.Addr().Zone(), 10, 32) // 0 if there is none
	return contract.IPSocketAddress{
		Tag:  contract.IPSocketAddressIPv6,
		IPv6: contract.IPv6SocketAddress{Port: a.Port(), Address: ip.IPv6, ScopeID: uint32(scope)},
	}
}

// compatible are IPv6 addresses that stand for IPv4 ones by a rule of old,
// which systems read differently. :: and ::1 are not among them.
var compatible = netip.MustParsePrefix("::/96")

// checkFamily tells whether an address can be one of a socket's: sockets of
// IPv6 have nothing to do with IPv4.
func checkFamily(ip netip.Addr, family contract.IPAddressFamily) error {
	ok := ip.Is4()
	if family == contract.IPAddressFamilyIPv6 {
		old := compatible.Contains(ip.WithZone("")) && !ip.IsUnspecified() && !ip.IsLoopback()
		ok = ip.Is6() && !ip.Is4In6() && !old
	}
	if !ok {
		return contract.ErrorCodeInvalidArgument
	}
	return nil
}

// checkUnicast tells whether an address can be an end of a connection.
func checkUnicast(ip netip.Addr) error {
	if ip.IsMulticast() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return contract.ErrorCodeInvalidArgument
	}
	return nil
}

// checkRemote tells whether an address can be a peer's.
func checkRemote(a netip.AddrPort, family contract.IPAddressFamily) error {
	if a.Addr().IsUnspecified() || a.Port() == 0 {
		return contract.ErrorCodeInvalidArgument
	}
	return checkFamily(a.Addr(), family)
}
