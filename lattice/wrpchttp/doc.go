// Package wrpchttp carries HTTP requests across a lattice as wasmCloud v1 does,
// by calls of wrpc:http/incoming-handler, in the shapes of net/http: [Transport]
// is an [net/http.RoundTripper] that calls a component, and [Export] serves a
// [net/http.Handler] to such calls. Bodies stream both ways, under wRPC's flow
// control, with trailers after them.
//
// It knows requests, responses and their bytes. It must not know WebAssembly,
// hosts, routes or listeners.
//
// Source: wasmCloud v1 protocol, "Worked examples" (d), and the contract
// wrpc:http@0.1.0.
package wrpchttp
