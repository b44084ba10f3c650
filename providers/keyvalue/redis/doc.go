// Package redis keeps values in a Redis server, or in what speaks its protocol
// (Valkey, KeyDB). A key of a bucket is one Redis key, "BUCKET:KEY", in which a
// ":" or "%" of the bucket's name is written "%3A" or "%25"; values are Redis
// strings, so that redis-cli and other programs read them.
//
// A server that is away makes calls fail with the contract's "other" until it is
// back; nothing has to be started again.
//
// It must not import host. Sources: the keyvalue-redis provider of wasmCloud
// v1.9.2 for the names of settings; it ignores buckets, and so does this one
// with ignore_buckets.
package redis
