package nats

// NameTo and NameFrom are for FuzzNames.
var (
	NameTo   = nameTo
	NameFrom = nameFrom
)

// BucketOf is for FuzzNames.
func BucketOf(container string) string { return new(Config).bucketOf(container) }
