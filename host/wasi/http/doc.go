// Package http carries out wasi:http: the fields, requests, responses and
// bodies of guests, requests that they send, and requests that they answer.
//
// A [Host] sends the requests of one component's guests to the servers that its
// rules allow. An exchange is one goroutine, and what Go's transport makes; it
// ends when the guest drops the last resource of it, when its instance ends, or
// when its call's context does. Bodies go through buffers of a fixed size both
// ways: a guest that writes faster than its peer reads waits, and a guest that
// does not read makes its peer wait.
//
// A [Call] is one request to a guest: resources to call its incoming-handler
// with, and the answer, which goes to a [net/http.ResponseWriter] while the
// guest still runs. Package serve makes a server's handler of it.
//
// What guests keep here is charged to the budget of their instance. Source:
// WASI 0.2, package wasi:http.
package http
