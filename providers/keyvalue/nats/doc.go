// Package nats keeps values in NATS' own key-value buckets (JetStream), so that
// they are on all servers of a cluster, and nats kv and other programs read them.
//
// Each bucket of the contract is one of NATS', named by a prefix and its own name;
// the bucket "default" may be given another, as v1's keyvalue-nats provider has
// it. Names and keys that NATS does not take are written as "b64-" or "=" and
// base64url; all others are as they are.
//
// It must not import host. Sources: the keyvalue-nats provider of wasmCloud v1.9.2
// for the names of settings; NATS ADR-8 for keys.
package nats
