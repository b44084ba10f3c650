// Package text reads WIT packages as people keep them: a file, or a folder
// with its deps. It is for tools. Parsing is wasm-tools' own, compiled to
// WebAssembly and run on wazero by go.bytecodealliance.org, which takes
// seconds the first time on a machine, so nothing that a running host does may
// import this package: [wit.ParseWorld] reads what hosts exchange.
//
// What that parser's Go side does not know, it refuses: async functions, lists
// of fixed length and maps. It takes plain comments ("//") for documentation,
// too.
//
// Source: component model, design/mvp/WIT.md.
package text
