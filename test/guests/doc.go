// Package guests tests the runtime with components of real toolchains:
// JavaScript by componentize-js, Python by componentize-py, Go by its standard
// toolchain, C by clang, Rust by rustc, compositions of them by wac, and
// programs that nobody here wrote.
//
// The sources are in testdata; the components are megabytes large and are not
// committed. Command build makes those that are missing:
//
//	make test-guests
//
// Toolchains come from npm, PyPI, crates.io and the Go module proxy, into the
// folder of the guests. Where one is missing, its guests are not built and
// their tests are skipped, by name; so they are in a plain "go test", which
// builds nothing. RESULTS.md has the outcome.
//
// It must not know how the runtime works inside.
package guests
