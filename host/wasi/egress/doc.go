// Package egress says which places of the network a component may reach: an
// allow-list of names, addresses, networks and ports, for wasi:sockets and
// wasi:http alike.
//
// Nothing is allowed by default. A rule for a name allows the public addresses
// that the name resolves to; private ones (loopback, link-local, RFC 1918,
// unique local, shared, multicast and the like, by which a guest could reach
// its own host, or a cloud's metadata service) are allowed only by a rule that
// names the address or a network that holds it, so that nobody who controls a
// name can point it inside.
//
// The package opens no socket and resolves no name.
package egress
