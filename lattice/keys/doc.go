// Package keys makes and reads the keys of a lattice as text: nkeys of NATS, and
// the two kinds that wasmCloud v1 adds, of modules (M) and services (V), which
// Go's nkeys does not know. It must not know what a key is used for.
//
// A key is base32 without padding of a prefix, 32 bytes, and a CRC-16 (XMODEM) of
// both in little-endian. The prefix of a public key is one byte, whose first five
// bits are the kind's letter; that of a seed is two, an S and the same letter.
package keys
