// Package nats keeps blobs in NATS' own object stores (JetStream), so that they are
// on all servers of a cluster, and nats object and other programs read them.
//
// A container is one object store, by the same name, as v1's blobstore-nats provider
// has it; a name that NATS does not take is written "sha256-" and the base64url of
// its digest, and stands in the store's description. An object is what NATS ADR-20
// says: pieces on a subject of their own, and a record of them that replaces the one
// before in one step, if that is still the one that was replaced. The empty name,
// which NATS has not, is written as a zero byte, and a zero byte goes before a name
// that begins with one.
//
// Objects are written and read piece by piece, so that neither a slow reader nor a
// slow server makes this process hold more than some pieces. What NATS does not do
// for an object is done by sending it through the provider: copying, and moving,
// which is a copy and a deletion. What a container holds is bounded by its server,
// and by max_bytes. Who reads an object keeps its pieces while this store writes it anew
// or deletes it; where another store does, reading ends in an error. Pieces of an upload
// whose process died stay until their container is deleted: nobody knows whether they
// are still being written.
//
// It must not import host. Sources: the blobstore-nats provider of wasmCloud v1.9.2
// for the names of settings; NATS ADR-20 for what is stored.
package nats
