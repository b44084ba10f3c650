// Package lattice tests hosts together: what holds across links, controls and
// failures, on real servers in one process.
package lattice
