package nats

// NameTo and NameFrom are for FuzzNames.
var (
	NameTo   = nameTo
	NameFrom = nameFrom
)

// BucketOf is for FuzzNames.
func BucketOf(container string) string { return new(Config).bucketOf(container) }

// ParseRecord is for FuzzRecord.
func ParseRecord(record []byte) (nuid string, size uint64, deleted bool, err error) {
	v, err := parseVersion(record)
	if err != nil {
		return "", 0, false, err
	}
	return v.info.NUID, v.info.Size, v.info.Deleted, nil
}
