package s3

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lathhost/lath/providers/blobstore"
)

// hashed begins the name of a bucket that is not its container's.
const hashed = "lath-"

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// bucketOf is the bucket of a container.
func (c *Config) bucketOf(container string) string {
	name := strings.TrimPrefix(container, aliasPrefix)
	if bucket, ok := c.Aliases[strings.ToLower(name)]; ok {
		return bucket
	}
	bucket := c.Prefix + name
	if bucketName.MatchString(bucket) && !oddBucket.MatchString(bucket) && !strings.HasPrefix(name, hashed) {
		return bucket
	}
	sum := sha256.Sum256([]byte(container))
	return c.Prefix + hashed + base32Lower.EncodeToString(sum[:])
}

// escape begins a key that is not its object's name.
const escape = "%"

// plain reports whether a name is its own key. Such a one is a path of which each part
// is a file's name, since some servers take it for that.
func plain(name string) bool {
	if name == "" || name[0] == escape[0] || !utf8.ValidString(name) || strings.TrimSpace(name) != name {
		return false
	}
	for _, r := range name {
		if unicode.IsControl(r) || r == utf8.RuneError || r == '\\' {
			return false
		}
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return false
		}
	}
	return true
}

// keyOf is the key of an object.
func keyOf(object string) (string, error) {
	key := object
	if !plain(object) {
		key = escape + hex.EncodeToString([]byte(object))
	}
	if len(key) > maxKeyBytes {
		return "", blobstore.Errorf("name %.40q takes a key of %d bytes, which is over the limit of %d", object, len(key), maxKeyBytes)
	}
	return key, nil
}

// objectOf is the object that a key is of; false: of none.
func objectOf(key string) (string, bool) {
	if !strings.HasPrefix(key, escape) {
		return key, plain(key)
	}
	name, err := hex.DecodeString(key[len(escape):])
	if err != nil || plain(string(name)) || strings.ToLower(key) != key {
		return "", false
	}
	return string(name), true
}
