// Command conformance plays component-model test scripts on the runtime:
//
//	go run ./test/conformance -suite DIR -jco DIR
//
// DIR holds .wast files of the specification's suite or wasmtime's, which are
// other projects' and are not kept here. The scripts are first converted to
// binaries by convert.mjs, which needs node and a folder in which npm has
// installed @bytecodealliance/jco; a folder that was converted before needs
// neither. The tool prints a line per file and then the totals. Every
// top-level form of a script counts as one: a component that must load, an
// instance, an invocation, an assertion. What may be skipped, and why, is
// listed in skips.txt, and what is known to fail in differs.txt; a listed form
// that passes is a failure. The status is 1 if forms failed that differs.txt
// does not list. RESULTS.md has the outcome.
//
// Scripts link components to each other and to an instance "host". The runtime
// has no such linker, so that the tool composes: it writes a component that
// contains the others (testdata/host.wat for "host"), instantiates them, and is
// run like any other.
//
// It must not know how the runtime works inside: it uses its public interface,
// and the decoder to see what a script's component imports.
//
// Source: component model, test/README.md; wasmtime, crates/wast.
package main
