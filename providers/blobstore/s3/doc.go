// Package s3 keeps blobs in Amazon S3, or in what speaks its protocol (MinIO, Ceph,
// R2).
//
// A container is a bucket by the same name, or by what an alias says for it, as v1's
// blobstore-s3 provider has it; a name that no bucket can have is written "lath-" and
// the base32 of its SHA-256. An object is a key by the same name. A name that
// some servers take for a path of another kind, or not at all, is written "%" and two
// hexadecimal digits for each byte, which keeps the order of names. Keys that another
// program wrote by such a name are not seen.
//
// An object that is larger than a part is written as a multipart upload, which is
// aborted when the object is given up; where the process dies meanwhile, its parts
// stay until a rule of the bucket's life cycle removes them. Writing is one step, as
// S3 has it, and so is copying, which the server does. Moving is a copy and then a
// deletion: whoever looks between them finds both. What all objects and buckets take
// together is bounded by their server. In a bucket with versions, what was replaced or
// deleted stays as an old version, and such a bucket cannot be deleted here.
//
// A server that is away makes calls fail until it is back; nothing has to be started
// again.
//
// It must not import host. Sources: the blobstore-s3 provider of wasmCloud v1.9.2 for
// the names of settings.
package s3
