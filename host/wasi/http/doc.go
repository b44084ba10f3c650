// Package http refuses wasi:http. A guest can build a request, as its library
// does before it asks for anything to be sent; sending it answers an error that
// says why not, so that the guest can go on. Whatever belongs to serving traps.
//
// It knows no network. Source: WASI 0.2, package wasi:http.
package http
