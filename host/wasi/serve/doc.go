// Package serve answers HTTP requests by a component that exports
// wasi:http/incoming-handler: a [net/http.Handler] that calls a pristine
// instance for each request; and [RoundTrip], which has one answer a client of the
// same process.
//
// It owns no listener and no server: how long a client may leave a connection's
// responses unread, when their handlers have returned, is the server's to bound.
// Source: WASI 0.2, package wasi:http, world proxy.
package serve
