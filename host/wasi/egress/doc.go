// Package egress says which places of the network a component may reach: an
// allow-list of names, addresses, networks and ports, for wasi:sockets and
// wasi:http alike.
//
// Nothing is allowed by default. A rule for a name allows the public addresses
// that the name resolves to; private ones (loopback, link-local, RFC 1918,
// unique local, shared, multicast and the like, by which a guest could reach
// its own host, or a cloud's metadata service) are allowed only by a rule that
// names the address or a network that holds it, so that nobody who controls a
// name can point it inside. A public address of the host's own is public.
//
// To connect and to listen are two grants: a place to listen on is allowed only
// by a rule that names that very address, so that no rule that was written with
// peers in mind, a network, say, or "*", makes a server of its guest.
//
// The package opens no socket and resolves no name. Who resolves a name and
// dials must check the address that is really dialled, not an earlier answer of
// the resolver: see [Rules.Control].
//
// Sources: the IANA registries of special-purpose addresses for IPv4 and IPv6;
// RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).
package egress
