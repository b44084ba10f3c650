// A module of its own: only here may there be cgo, and only benchmarks need
// other runtimes.
module github.com/lathhost/lath/test/bench/peers

go 1.26.0

require (
	github.com/bytecodealliance/wasmtime-go/v37 v37.0.0
	github.com/tetratelabs/wazero v1.12.0
)

require golang.org/x/sys v0.44.0 // indirect
