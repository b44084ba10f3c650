// Package keyvalue is the key-value capability: backends that carry out the
// contract wrpc:keyvalue@0.2.0-draft (store, atomics, batch) of package
// wit/wrpc/keyvalue. [Memory] is the one in this package; others live in
// folders below it, and each passes the behaviour suite of keyvaluetest.
//
// [Linked] gives each link that ends at a provider a backend of its own settings, and
// [Watching] tells the targets of links that start there of changes, as
// wrpc:keyvalue/watcher has it: at most once, in order, and each copy of a provider
// tells what it hears.
//
// A backend is a plain Go value. It knows neither guests nor wires: the same
// value is called directly by a host that runs it and by the generated wRPC
// stubs for everyone else. It must not import host.
//
// What the contract leaves open is settled so, and the suite holds backends to
// it:
//
//   - Any string is a key, the empty one too, and any bytes are a value.
//   - A bucket in which nothing was ever stored is an empty one, unless the
//     backend cannot make buckets; only then is it "no-such-store".
//   - A counter is a value in decimal ASCII, from 0 to 2^64-1, so that get shows
//     it and set starts it, as v1's Redis provider has it. Incrementing anything
//     else, or past the end, is an error and changes nothing.
//   - Keys that are there during a whole listing are listed; a cursor is valid
//     for as long as the provider runs, and 0 is the start.
//   - What is over a limit is refused as "other" with the word limit in its
//     text, and changes nothing.
//
// Sources: the wRPC package wrpc:keyvalue 0.2.0-draft as wasmCloud v1.9.2 and
// its keyvalue-redis provider speak it.
package keyvalue
