package lattice

import "strings"

// This file spells what is stored as subject.go spells what is sent.

// LatticeBucket returns the bucket of component specs and claims:
//
//	LATTICEDATA_{lattice}
func LatticeBucket(lattice string) string { return "LATTICEDATA_" + lattice }

// ConfigBucket returns the bucket of named configs:
//
//	CONFIGDATA_{lattice}
func ConfigBucket(lattice string) string { return "CONFIGDATA_" + lattice }

// LathBucket returns the bucket of what Lath stores beyond v1:
//
//	LATH_{lattice}
func LathBucket(lattice string) string { return "LATH_" + lattice }

// SecretBucket returns the bucket of sealed secrets:
//
//	LATHSECRETS_{lattice}
func SecretBucket(lattice string) string { return "LATHSECRETS_" + lattice }

// WantKey returns the key, in the LathBucket, of what a host is to run:
//
//	want.{host}
func WantKey(host string) string { return "want." + host }

const opKeyPrefix = "op."

// OpKey returns the key, in the LathBucket, of a command and its outcome:
//
//	op.{id}
func OpKey(id string) string { return opKeyPrefix + id }

// ParseOpKey returns the id in an OpKey; ok is false for another key.
func ParseOpKey(key string) (id string, ok bool) { return strings.CutPrefix(key, opKeyPrefix) }

// BucketStream returns the stream that holds a bucket:
//
//	KV_{bucket}
func BucketStream(bucket string) string { return "KV_" + bucket }

// LastMessageSubject returns the subject on which the leader of a stream is asked
// for one of its messages, in the JetStream domain that is named, or in the
// connection's own:
//
//	$JS.API.STREAM.MSG.GET.{stream}
//	$JS.{domain}.API.STREAM.MSG.GET.{stream}
func LastMessageSubject(domain, stream string) string {
	if domain != "" {
		domain += "."
	}
	return "$JS." + domain + "API.STREAM.MSG.GET." + stream
}

// BucketSubject returns the subject that stores a key of a bucket, in the
// JetStream domain that is named, or in the connection's own:
//
//	$KV.{bucket}.{key}
//	$JS.{domain}.API.$KV.{bucket}.{key}
func BucketSubject(domain, bucket, key string) string {
	subject := "$KV." + bucket + "." + key
	if domain != "" {
		subject = "$JS." + domain + ".API." + subject
	}
	return subject
}

const specKeyPrefix = "COMPONENT_"

// SpecKey returns the key, in the LatticeBucket, of the spec of a component or
// provider:
//
//	COMPONENT_{id}
func SpecKey(id string) string { return specKeyPrefix + id }

// SpecKeys is the filter that matches every SpecKey but, being a whole token in
// NATS, also every other key; use ParseSpecKey on what arrives.
const SpecKeys = ">"

// ParseSpecKey returns the id in a SpecKey; ok is false for another key.
func ParseSpecKey(key string) (id string, ok bool) {
	return strings.CutPrefix(key, specKeyPrefix)
}

// ClaimsKey returns the key, in the LatticeBucket, of the claims of one signed
// thing:
//
//	CLAIMS_{subject}
func ClaimsKey(subject string) string { return "CLAIMS_" + subject }

// CronBucket returns the bucket of what is known of schedules:
//
//	LATHCRON_{lattice}
func CronBucket(lattice string) string { return "LATHCRON_" + lattice }

// CronKey returns the key, in the CronBucket, of the schedule of one link of a
// provider:
//
//	{provider}.{link}.{target}
func CronKey(provider, link, target string) string { return provider + "." + link + "." + target }
