// Package blobstoretest is what every blob store must do, as tests: [Run] for the
// behaviour, [RunLimits] for a backend's own limits. A backend is done when both
// pass, called directly and through lattice/wrpcblob.
package blobstoretest
