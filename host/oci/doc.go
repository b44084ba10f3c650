// Package oci moves components between registries and this host: it reads a
// reference, pulls or pushes the artifact, and keeps what it pulled in a cache
// on disk, so that a host can start while its registry is down.
//
// Everything that comes from a registry is checked by digest, also when it is
// read back from the cache; sizes are bounded before anything is read. The
// package knows bytes and media types only: it does not decode components,
// and what a component imports and exports comes in as text.
//
// It is the only package that imports ORAS.
//
// Source: the OCI distribution and image specifications 1.1; CNCF TAG Runtime,
// "Wasm OCI Artifact layout"; the accepted layer types and the rules for
// references are those of wasmCloud 1.9.2.
package oci
