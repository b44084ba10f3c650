// Package par makes executables of provider images: of wasmCloud's provider
// archives (PAR), which hold one binary for each platform and the claims that
// were signed for them, and of files that are a binary themselves.
//
// [Extract] reads an archive as a stream: memory does not grow with it. What it
// takes out is checked with the claims before anyone may run it. [Store] keeps
// executables in a folder, by their digest. The package must not know where
// images come from, nor what is done with executables.
//
// The source of the format is wasmCloud v1.9.2 (crates/provider-archive): a tar,
// perhaps compressed by gzip, of claims.jwt, perhaps world.wasm, and one file
// ARCH-OS.bin for each platform, in Rust's words. Unlike v1, an archive whose
// claims are not signed by their issuer is refused.
package par
