// Package wrpcblob carries calls of wrpc:blobstore across a lattice, in its
// versions 0.2.0 and 0.1.0: [Client] is a contract.Store that calls one, and
// [Serve] serves one. Objects stream both ways under wRPC's flow control, and
// neither side holds more of one than a window.
//
// It knows bytes and calls. It must not know WebAssembly, hosts or stores.
//
// Source: wasmCloud v1 protocol, "WIT contracts on the wire", and the contract
// wit/wrpc/blobstore.
package wrpcblob
