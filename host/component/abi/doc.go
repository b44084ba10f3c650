// Package abi moves values between guests, and between a guest and the wRPC
// wire, as the component model's Canonical ABI says.
//
// Enter by [CompileTransfer] for a call between two components in one process,
// and by [CompileWire] for a call that crosses the lattice. Both turn a tuple
// of types, once, into a flat list of ops; running the list neither allocates
// nor reflects. Generated glue for host functions needs only [LiftString],
// [LowerString], [Region] and [Alloc].
//
// # Programs
//
// Memory layout and flattening depend on the type alone, not on the side: a
// field has one offset and one slot for both sides of a call, so one program
// serves every direction. Two forms exist per type: the memory form, in which
// adjacent fields that may be copied as bytes are merged into one copy, and the
// flat form, which keeps one op per slot. Elements of lists are always in
// memory, and so is the program that a list op runs for each of them. A type
// that occurs many times is compiled once and called.
//
// Bytes of padding are never copied: what one guest left in them is not the
// other's to read.
//
// # Flat values
//
// A slot is a uint64 as the engine has it. 32-bit values are written
// zero-extended and read by dropping the upper half, floats are their bits;
// with that, each coercion that joined variant slots need (i32 to i64, f32 to
// i32, f64 to i64 and back) is the identity and costs no op. Slots that the
// chosen case does not use are zero. NaNs pass with their payload.
//
// # What this package must not know
//
// It knows no engine, no instance and no network: guests are reached through
// [Guest], handle tables through [Handles]. Whether a call passes values flat
// or in memory is the caller's decision.
//
// # Errors
//
// What a guest did wrong is a [trap.Error]: trap.Abi, or trap.Handle from the
// handle table; an error of Realloc is returned as it is. What a peer sent
// wrong is wire.ErrMalformed, or io.ErrUnexpectedEOF where it is only the
// beginning of a value. Checks use 64-bit arithmetic and come before any
// allocation or copy that depends on the number checked.
//
// Source: component-model design/mvp/CanonicalABI.md (Loading, Storing,
// Flattening, Flat Lifting, Flat Lowering); for the wire, package wire.
package abi
