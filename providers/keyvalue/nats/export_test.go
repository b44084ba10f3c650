package nats

// For tests.
var (
	KeyTo   = keyTo
	KeyFrom = keyFrom
)

// NameOf is what a bucket is called by default.
func NameOf(bucket string) string {
	cfg := Config{Prefix: DefaultPrefix}
	return cfg.nameOf(bucket)
}
