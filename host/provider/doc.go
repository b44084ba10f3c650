// Package provider runs capability providers for a host. A built-in provider
// is Go code in this process; it is served on the lattice like any other, and
// components of the same host call its contracts directly.
//
// The package knows contracts, not implementations: which built-ins there are
// is said by the program that makes the host.
package provider
