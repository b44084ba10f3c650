// Package secret is what the lattice knows of secrets: the references that stand
// among the named configs, the bucket in which Lath keeps secrets sealed, and the
// wire of wasmCloud v1's secrets backends. It must not know who on a host gets a
// secret, nor of places of secrets that are not on NATS.
//
// Nothing here writes a value to NATS in plain text, and no error or String has one.
//
// # The bucket
//
// Each entry is the value, its name and the ids that may have it, in JSON, sealed by
// an ephemeral key once for each of the hosts that are to read it (nkeys' curve
// keys: X25519, XSalsa20-Poly1305). Who reads the bucket sees which secrets there
// are and for which keys; who writes to it can remove a secret, bring back an older
// one or put one of his own under its name, and cannot read, change or rename one.
//
// Sources: protocol §8 and §10.3; wasmCloud v1.9.2, crates secrets-types and
// secrets-client.
package secret
