// Package httpserver is the provider that takes in HTTP: it listens, finds by host,
// path, method and header which link a request is for, and hands it to what the
// link leads to.
//
// It decides apart from acting. [Build] makes of the links' rules a table, and says
// which of them cannot be followed; [Table.Match] picks a link for a request. Both
// are pure. A [Server] owns the listeners and does what the table says: limits,
// CORS, the access log, and a gentle end.
//
// It must not know hosts, components or lattices: a link's target is something
// that answers requests.
//
// Settings are those of wasmCloud v1's http-server (protocol §14.1), and more: see
// [Keys].
package httpserver
