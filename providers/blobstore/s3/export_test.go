package s3

// What FuzzNames tests.
var (
	KeyOf    = keyOf
	ObjectOf = objectOf
)

// BucketOf is bucketOf of a prefix.
func BucketOf(prefix, container string) string { return (&Config{Prefix: prefix}).bucketOf(container) }
