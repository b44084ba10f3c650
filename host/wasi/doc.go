// Package wasi assembles the interfaces of WASI 0.2 that a component may
// import: each package below carries out one of WASI's, and this one joins them
// with the generated glue into what the runtime links.
//
// One value of an interface serves every 0.2.x version of it, also where one
// component mixes versions: the identity of a resource type belongs to the
// contract, not to a version. Of files and the network, a component reaches what
// it was granted: see [Grants]. The rest is refused, in words that name the
// missing grant.
//
// The package knows neither lattice nor log.
package wasi
