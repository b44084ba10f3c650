// Command wasi plays WASI's own test suite on the runtime:
//
//	go run ./test/wasi -suite DIR -jco DIR
//
// DIR is a checkout of WebAssembly/wasi-testsuite's branch
// prod/testsuite-base, which carries the programs that its CI built from the
// sources beside them. They are another project's and are not kept here. Its
// preview 1 programs first become components, by adapt.mjs: it needs node and a
// folder in which npm has installed @bytecodealliance/jco, for the preview 1
// adapter. A suite whose programs are components already needs neither.
//
// Each program runs in a fresh copy of its directory, on the host's own
// implementation of WASI (host/wasi), without a command line between. The tool
// prints a line per test and then the totals. What may be skipped or is known
// to fail is listed in expectations.txt with its reason; a listed test that
// passes is a failure. The status is 1 if a test failed that is not listed.
// RESULTS.md has the outcome.
//
// It must not know how WASI is carried out: it grants a directory and reads
// what the program wrote.
//
// Source: wasi-testsuite, doc/specification.md.
package main
