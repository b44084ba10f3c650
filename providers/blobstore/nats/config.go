package nats

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/internal/settings"
)

// Defaults of [Config].
const (
	DefaultMaxContainers = 1 << 10
	// DefaultMaxWriteWait is v1's.
	DefaultMaxWriteWait = 30 * time.Second
)

const (
	// maxReplicas is what NATS allows.
	maxReplicas = 5
	// maxNameBytes is what fits into a subject.
	maxNameBytes = 2 << 10
	// maxSeconds bounds times that are given in seconds.
	maxSeconds = int64(100 * 365 * 24 * time.Hour / time.Second)
)

// Config says where blobs are kept. The zero value keeps them on the connection that
// [New] is given.
type Config struct {
	blobstore.Limits
	// URL is of a server to connect to instead, and Auth how.
	URL  string
	Auth lattice.Auth
	// CAFile names a file with certificates of authorities, for who may read it: see
	// [Config.Authorities].
	CAFile string
	// JSDomain is the JetStream domain of the containers.
	JSDomain string
	// Prefix comes before the names of containers; default: none, as v1 has it.
	Prefix string
	// MaxAge, MaxBytes, Replicas, Memory and Compression are of containers that are
	// made: how long an object lives after it was written (0: until it is deleted), how
	// many bytes one container holds, on how many servers, whether in memory, and
	// whether compressed there.
	MaxAge              time.Duration
	MaxBytes, Replicas  int64
	Memory, Compression bool
	// MaxContainers bounds the containers whose names begin with Prefix; default
	// [DefaultMaxContainers]. Providers that make containers at the same time may exceed
	// it.
	MaxContainers int64
	// MaxWriteWait bounds how long NATS may take to store a piece of an object; default
	// [DefaultMaxWriteWait].
	MaxWriteWait time.Duration
}

// bucketName is what NATS takes as one.
var bucketName = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)

// ParseConfig reads a provider's configuration: v1's cluster_uri, js_domain,
// client_jwt, client_seed, tls_ca, tls_ca_file, max_write_wait, max_age, storage_type, num_replicas and
// compression, and prefix, max_bytes, max_containers and the limits of
// [blobstore.Limits].
//
// Times are in seconds. v1's max_write_wait bounds the writing of a whole object;
// here it is that of one piece, so that objects may be of any size.
func ParseConfig(from provider.Settings) (Config, error) {
	var cfg Config
	var age, wait int64
	s := cfg.Settings()
	s["cluster_uri"], s["js_domain"], s["prefix"] = settings.Text(&cfg.URL), settings.Text(&cfg.JSDomain), settings.Text(&cfg.Prefix)
	s["client_jwt"], s["client_seed"] = settings.Text(&cfg.Auth.JWT), settings.Text(&cfg.Auth.Seed)
	s["tls_ca"], s["tls_ca_file"] = settings.Text(&cfg.Auth.CAs), settings.Text(&cfg.CAFile)
	s["max_write_wait"], s["max_age"] = settings.Within(&wait, 1, maxSeconds), settings.Within(&age, 0, maxSeconds)
	s["num_replicas"], s["compression"] = settings.Within(&cfg.Replicas, 1, maxReplicas), settings.Flag(&cfg.Compression)
	s["max_bytes"], s["max_containers"] = settings.Positive(&cfg.MaxBytes), settings.Positive(&cfg.MaxContainers)
	s["storage_type"] = func(value string) error {
		switch strings.ToLower(value) {
		case "file", "0":
			cfg.Memory = false
		case "memory", "1":
			cfg.Memory = true
		default:
			return fmt.Errorf("want file or memory")
		}
		return nil
	}
	if err := s.Read("blob store", from); err != nil {
		return Config{}, err
	}
	cfg.MaxAge, cfg.MaxWriteWait = time.Duration(age)*time.Second, time.Duration(wait)*time.Second
	return cfg, cfg.check()
}

// Authorities reads CAFile by read, which knows files by what the host's operator calls
// them. Certificates that the settings have themselves count before it, as in v1.
func (c *Config) Authorities(read func(name string) ([]byte, error)) error {
	if c.CAFile == "" || c.Auth.CAs != "" {
		return nil
	}
	pem, err := read(c.CAFile)
	if err != nil {
		return fmt.Errorf("blob store configuration: tls_ca_file: %w", err)
	}
	c.Auth.CAs = string(pem)
	return c.Auth.Validate()
}

func (c *Config) check() error {
	switch {
	case c.Prefix != "" && !bucketName.MatchString(c.Prefix):
		return fmt.Errorf("blob store configuration: prefix is %q: want letters, digits, - and _", c.Prefix)
	case len(c.Prefix) > maxBucketBytes-hashedBytes:
		return fmt.Errorf("blob store configuration: prefix has %d bytes: want %d at most", len(c.Prefix), maxBucketBytes-hashedBytes)
	case c.MaxNameBytes > maxNameBytes:
		return fmt.Errorf("blob store configuration: max_name_bytes is %d: NATS takes %d at most", c.MaxNameBytes, maxNameBytes)
	case c.Replicas > maxReplicas:
		return fmt.Errorf("blob store configuration: num_replicas is %d: want 1 to %d", c.Replicas, maxReplicas)
	}
	return c.Auth.Validate()
}

func (c *Config) setDefaults() {
	c.SetDefaults()
	if c.MaxContainers <= 0 {
		c.MaxContainers = DefaultMaxContainers
	}
	if c.MaxWriteWait <= 0 {
		c.MaxWriteWait = DefaultMaxWriteWait
	}
}

// bucket is a container that is to be made.
func (c *Config) bucket(container string) jetstream.ObjectStoreConfig {
	out := jetstream.ObjectStoreConfig{Bucket: c.bucketOf(container), TTL: c.MaxAge, MaxBytes: -1, Replicas: int(max(c.Replicas, 1)),
		Compression: c.Compression, Description: fmt.Sprintf("blob store of a wasmCloud lattice: container %.512q", container)}
	if c.MaxBytes > 0 {
		out.MaxBytes = c.MaxBytes
	}
	if c.Memory {
		out.Storage = jetstream.MemoryStorage
	}
	return out
}

const (
	// hashed begins the name of a bucket that is not its container's, of hashedBytes.
	hashed      = "sha256-"
	hashedBytes = len(hashed) + 43
	// maxBucketBytes leaves room for what NATS puts before it: a stream's name is that of
	// a folder.
	maxBucketBytes = 200
)

// bucketOf is NATS' name of a container.
func (c *Config) bucketOf(container string) string {
	if bucketName.MatchString(container) && len(c.Prefix)+len(container) <= maxBucketBytes && !strings.HasPrefix(container, hashed) {
		return c.Prefix + container
	}
	sum := sha256.Sum256([]byte(container))
	return c.Prefix + hashed + base64.RawURLEncoding.EncodeToString(sum[:])
}

// nameTo is an object's name for NATS, which takes any but the empty one, and
// nameFrom reads it.
func nameTo(object string) string {
	if object == "" || object[0] == 0 {
		return "\x00" + object
	}
	return object
}

func nameFrom(name string) string { return strings.TrimPrefix(name, "\x00") }
