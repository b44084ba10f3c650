// Package secrets finds the secrets that components and providers of a host are
// given, and shows them to guests by wasmcloud:secrets.
//
// A reference, which is stored in the lattice, names a backend:
//
//	lath    the lattice's own bucket; sealed, and for the ids that were named when
//	        it was stored
//	env     an environment variable of the host
//	file    a file in the operator's folder for secrets
//	vault   a key of Vault's KV engine, version 2
//
// and else one of wasmCloud v1's, which answers on NATS. Whoever drives a lattice
// can write references. So env, file and vault, which have the host's own rights,
// need its operator's grant to each id; v1's backends decide by signed tokens.
//
// The package must not keep values, log them or put them into errors.
package secrets
