// Package binary decodes a WebAssembly component into a syntax tree.
//
// The decoder reads the input once, front to back, and allocates nothing that
// the input has not paid for: every count is checked against the bytes that
// are left and against [Limits] before a slice is made. Byte slices of the
// tree point into the input, which must not change while the tree is used.
//
// The package checks the grammar only (encodings, opcodes, UTF-8, sizes). What
// an index means, which names are allowed and whether types fit is the work of
// package validate. It knows no WIT types, no engine and no host.
//
// Source: the component model's "Binary.md". Both spellings of plain names
// (0x00 and 0x01) are read, as today's toolchains still write either.
package binary
