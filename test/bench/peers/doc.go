// Command peers runs guests on other runtimes, for test/bench to compare: it is
// told what to measure, line by line, so that its figures are taken in turns
// with ours, in one run.
//
//	< {"op":"wazero: instantiate callee","n":100}
//	> {"ns":19000.5,"cpu":18950.1,"allocs":40,"bytes":7700}
//
// It begins with a line that names its versions and all its operations. The
// guests are files that PEERS_GUESTS names the folder of. An answer that is
// wrong, or a call that fails, is told as {"error":"..."}.
//
// Without cgo there is no wasmtime, without the build tag wazy no wazy:
//
//	go build -modfile go-with-wazy.mod -tags wazy
//
// where that file is go.mod with a replacement of github.com/samyfodil/wazy by
// a checkout. wasmtime's C headers are in the folder build/include of its Go
// module, to be named by CGO_CFLAGS. test/bench does all that by itself.
package main
