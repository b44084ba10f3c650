// Package capability joins what guests import to what the wire and the
// providers speak. A guest imports wasi:keyvalue, in which a bucket is a
// resource; wasmCloud v1's twin wrpc:keyvalue has none, and names the bucket
// in every call. One typed adapter per capability stands between, the same
// whether the provider runs in this process or across the lattice. Where nothing
// need be joined, as for wasmcloud:messaging, the adapter is there so that a provider
// that cannot be reached is an error that the guest can handle, and no trap. HTTP
// requests of guests go to the network unless a link takes them elsewhere.
//
// Source: wasmCloud v1 protocol, "Imports the host implements itself".
package capability
