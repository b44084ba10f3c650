// Package postgrestest runs PostgreSQL servers for tests, and has what every provider
// of wasmcloud:postgres must do, as tests: [Run] for the behaviour, [RunValues] for the
// forms of values. A provider is done when both pass, called directly and by wRPC.
package postgrestest
