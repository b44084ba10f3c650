// Package wire is the value encoding of wRPC: how a value of a component-model
// type becomes bytes on a lattice. It knows types and bytes; it knows no
// subject, no connection and no guest memory.
//
// There are three ways in, for three callers:
//
//   - [Reader] and the Append functions are the parts that generated stubs and
//     the runtime's op programs are made of.
//   - [Skip], and [Skipper] where bytes arrive piece by piece, find where the
//     parameters or results of a call end. They allocate nothing per value.
//   - [Append] and [Decode] work on dynamic values, for the CLI and for tests.
//
// The encoding has no padding and no framing. Numbers of more than one byte
// are LEB128 (integers) or little-endian (floats); a list is its length and
// its elements; a case is its index and its payload. A stream or future is
// either in place or pending, which is the byte 0: what it carries then comes
// later, on a path of its own, and is not part of the value.
//
// Everything read here is hostile. A claimed length is compared with the bytes
// that are there before anything is done because of it; the work done for a
// message is proportional to its size; nesting is bounded by the type, which
// is bounded by [wit.MaxDepth].
//
// Two errors are told apart everywhere: [io.ErrUnexpectedEOF] itself where the
// bytes are the beginning of a value, and [ErrMalformed] where no further
// bytes can make them one.
//
// Source: wRPC 0.0.1 (bytecodealliance/wrpc, transport crate at
// transport-nats 0.29.0, and go/v0.1.0), the encoding that wasmCloud 1.9 uses.
package wire
