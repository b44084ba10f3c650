// Package grant says what of its host's world each component may have:
// directories, places of the network, environment variables, how much memory and
// time, and how many instances are kept for it. It reads grants as people write them, in flags and in the
// file of a host's operator, and knows neither hosts nor lattices.
//
// Nothing is granted by default. Who drives a lattice can start components on a
// host, and cannot grant them anything there.
package grant
