package nats

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/settings"
	"github.com/lathhost/lath/providers/keyvalue"
)

// DefaultPrefix comes before the names of buckets.
const DefaultPrefix = "lath_kv_"

// DefaultMaxBuckets bounds how many buckets a store makes or uses.
const DefaultMaxBuckets = 1 << 10

// maxReplicas is what NATS allows.
const maxReplicas = 5

// Config says where values are kept. The zero value keeps them on the connection
// that [New] is given.
type Config struct {
	keyvalue.Limits
	// URL is of a server to connect to instead, and Auth how.
	URL  string
	Auth lattice.Auth
	// JSDomain is the JetStream domain of the buckets.
	JSDomain string
	// Bucket is NATS' name of the bucket "default"; default: as of any other.
	Bucket string
	// Prefix comes before the names of all other buckets; default [DefaultPrefix].
	Prefix string
	// NoCreate has buckets that are not there be "no-such-store". Otherwise they
	// are made when something is first stored in them.
	NoCreate bool
	// TTL, MaxBytes, Replicas and Memory are of buckets that are made: how long a
	// value lives after it was last set or incremented, how many bytes one holds,
	// on how many servers, and whether in memory.
	TTL                time.Duration
	MaxBytes, Replicas int64
	Memory             bool
	// MaxBuckets bounds the buckets; default [DefaultMaxBuckets].
	MaxBuckets int64
}

// bucketName is what NATS takes as one.
var bucketName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// ParseConfig reads a provider's configuration: v1's cluster_uri, js_domain,
// bucket, client_jwt, client_seed and enable_bucket_auto_create, and prefix, ttl,
// max_bytes, num_replicas, storage_type, max_buckets and the limits of
// [keyvalue.Limits].
func ParseConfig(from provider.Settings) (Config, error) {
	var cfg Config
	var storage string
	create := true
	s := cfg.Settings()
	s["cluster_uri"], s["js_domain"] = settings.Text(&cfg.URL), settings.Text(&cfg.JSDomain)
	s["client_jwt"], s["client_seed"] = settings.Text(&cfg.Auth.JWT), settings.Text(&cfg.Auth.Seed)
	s["bucket"], s["prefix"], s["storage_type"] = settings.Text(&cfg.Bucket), settings.Text(&cfg.Prefix), settings.Text(&storage)
	s["enable_bucket_auto_create"], s["ttl"] = settings.Flag(&create), settings.Life(&cfg.TTL)
	s["max_bytes"], s["num_replicas"], s["max_buckets"] = settings.Positive(&cfg.MaxBytes), settings.Positive(&cfg.Replicas), settings.Positive(&cfg.MaxBuckets)
	if err := s.Read("key-value", from); err != nil {
		return Config{}, err
	}
	cfg.NoCreate = !create
	switch storage {
	case "", "file":
	case "memory":
		cfg.Memory = true
	default:
		return Config{}, fmt.Errorf("key-value configuration: storage_type is %q: want file or memory", storage)
	}
	return cfg, cfg.check()
}

func (c *Config) check() error {
	for name, text := range map[string]string{"bucket": c.Bucket, "prefix": c.Prefix} {
		if text != "" && !bucketName.MatchString(text) {
			return fmt.Errorf("key-value configuration: %s is %q: want letters, digits, - and _", name, text)
		}
	}
	if c.Replicas > maxReplicas {
		return fmt.Errorf("key-value configuration: num_replicas is %d: want 1 to %d", c.Replicas, maxReplicas)
	}
	return c.Auth.Validate()
}

func (c *Config) setDefaults() {
	c.SetDefaults()
	if c.Prefix == "" {
		c.Prefix = DefaultPrefix
	}
	if c.MaxBuckets <= 0 {
		c.MaxBuckets = DefaultMaxBuckets
	}
}

// markerTTL is how long NATS keeps that a key was deleted.
const markerTTL = time.Minute

func (c *Config) bucket(name string) jetstream.KeyValueConfig {
	out := jetstream.KeyValueConfig{Bucket: name, TTL: c.TTL, MaxBytes: -1, Replicas: int(max(c.Replicas, 1)), LimitMarkerTTL: markerTTL,
		Description: "key-value store of a wasmCloud lattice"}
	if c.MaxBytes > 0 {
		out.MaxBytes = c.MaxBytes
	}
	if c.Memory {
		out.Storage = jetstream.MemoryStorage
	}
	return out
}

// nameOf is NATS' name of a bucket.
func (c *Config) nameOf(bucket string) string {
	const odd = "b64-"
	switch {
	case bucket == "default" && c.Bucket != "":
		return c.Bucket
	case bucketName.MatchString(bucket) && (len(bucket) < len(odd) || bucket[:len(odd)] != odd):
		return c.Prefix + bucket
	}
	return c.Prefix + odd + base64.RawURLEncoding.EncodeToString([]byte(bucket))
}

// plainKey is a key that NATS takes and that is not one of ours.
var plainKey = regexp.MustCompile(`^[-/_a-zA-Z0-9][-/_=a-zA-Z0-9]*(\.[-/_=a-zA-Z0-9]+)*$`)

// keyTo writes a key for NATS, and keyFrom reads it. A key of another program
// that is not of ours stays as it is.
func keyTo(key string) string {
	if plainKey.MatchString(key) && (len(key) < 3 || key[:3] != "_kv") {
		return key
	}
	return "=" + base64.RawURLEncoding.EncodeToString([]byte(key))
}

func keyFrom(name string) string {
	if name == "" || name[0] != '=' {
		return name
	}
	key, err := base64.RawURLEncoding.DecodeString(name[1:])
	if err != nil {
		return name
	}
	return string(key)
}
