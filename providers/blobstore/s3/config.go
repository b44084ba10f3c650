package s3

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"strings"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/blobstore"
	"github.com/lathhost/lath/providers/internal/settings"
)

// Defaults of [Config].
const (
	DefaultRegion = "us-east-1"
	// DefaultMaxAttempts is v1's.
	DefaultMaxAttempts = 3
	DefaultPartBytes   = 8 << 20
	DefaultMaxUploads  = 16
)

const (
	// leastPart and mostPart are what S3 allows of a part, mostParts how many there may
	// be.
	leastPart, mostPart = 5 << 20, 1 << 30
	mostParts           = 10_000
	// maxKeyBytes is what S3 allows of a key.
	maxKeyBytes = 1 << 10
	// maxAttempts bounds how long a call may take.
	maxAttempts = 100
)

// Config says where blobs are kept. Without credentials requests are not signed.
type Config struct {
	blobstore.Limits
	// Endpoint is http://HOST[:PORT] or https://…; default: Amazon's of Region.
	Endpoint string
	// Region is what requests are signed for, default [DefaultRegion]; BucketRegion is
	// where buckets are made, default Region.
	Region, BucketRegion string
	// AccessKeyID, SecretAccessKey and, if need be, SessionToken are the credentials.
	AccessKeyID                   string
	SecretAccessKey, SessionToken provider.Secret
	// Prefix comes before the names of buckets that no alias names; default: none, as v1
	// has it.
	Prefix string
	// Aliases are buckets by what containers are called instead, in small letters, with
	// or without "alias_" before.
	Aliases map[string]string
	// MaxAttempts is how often a request is made before it has failed; default
	// [DefaultMaxAttempts].
	MaxAttempts int64
	// PartBytes is how much of an object that is written is held, and sent at once;
	// default [DefaultPartBytes]. S3 takes 10,000 parts at most.
	PartBytes int64
	// MaxUploads bounds the objects that are written at the same time; default
	// [DefaultMaxUploads]. One more is refused.
	MaxUploads int64

	roles bool // of which there are none
}

// encoded is v1's configuration in one piece. A field may be null.
type encoded struct {
	AccessKeyID     string            `json:"access_key_id"`
	SecretAccessKey string            `json:"secret_access_key"`
	SessionToken    string            `json:"session_token"`
	Region          string            `json:"region"`
	MaxAttempts     int64             `json:"max_attempts"`
	STS             json.RawMessage   `json:"sts_config"`
	Endpoint        string            `json:"endpoint"`
	Aliases         map[string]string `json:"aliases"`
	BucketRegion    string            `json:"bucket_region"`
}

// aliasPrefix may come before an alias, where it is set and where it is used.
const aliasPrefix = "alias_"

// ParseConfig reads the settings of a provider or a link: v1's config_json, config_b64,
// bucket_region and alias_NAME; the fields of config_json by their own names, which
// count before those in it; and prefix, part_bytes, max_uploads and the limits of
// [blobstore.Limits]. Each may be a secret. The host's environment, which v1 reads,
// gives nobody its credentials here, and roles (sts_config) are refused.
func ParseConfig(from provider.Settings) (Config, error) {
	cfg, whole := Config{Aliases: map[string]string{}}, encoded{}
	s := cfg.settings()
	s["config_json"] = func(value string) error { return whole.decode([]byte(value)) }
	s["config_b64"] = func(value string) error {
		text, err := base64.StdEncoding.DecodeString(value)
		if err != nil {
			return errors.New("want base64")
		}
		return whole.decode(text)
	}
	for _, names := range []iter.Seq[string]{maps.Keys(from.Config), maps.Keys(from.Secrets)} {
		for name := range names {
			if lower := strings.ToLower(name); strings.HasPrefix(lower, aliasPrefix) {
				s[lower] = func(bucket string) error { cfg.Aliases[lower[len(aliasPrefix):]] = bucket; return nil }
			}
		}
	}
	if err := s.Read("blob store", shown(from)); err != nil {
		return Config{}, err
	}
	cfg.join(whole)
	return cfg, cfg.check()
}

// shown has settings in one piece be secrets, of which no error shows anything: they
// have a secret in them.
func shown(from provider.Settings) provider.Settings {
	from = from.Over(provider.Settings{})
	for _, name := range []string{"config_json", "config_b64", "secret_access_key", "session_token"} {
		if value, ok := from.Config[name]; ok {
			from.Secrets[name] = provider.TextSecret(value)
			delete(from.Config, name)
		}
	}
	return from
}

func (c *Config) settings() settings.Set {
	s := c.Limits.Settings()
	s["endpoint"], s["region"], s["bucket_region"] = settings.Text(&c.Endpoint), settings.Text(&c.Region), settings.Text(&c.BucketRegion)
	s["access_key_id"], s["prefix"] = settings.Text(&c.AccessKeyID), settings.Text(&c.Prefix)
	s["secret_access_key"], s["session_token"] = settings.Secret(&c.SecretAccessKey), settings.Secret(&c.SessionToken)
	s["max_attempts"], s["part_bytes"] = settings.Within(&c.MaxAttempts, 1, maxAttempts), settings.Within(&c.PartBytes, leastPart, mostPart)
	s["max_uploads"] = settings.Positive(&c.MaxUploads)
	return s
}

// decode reads v1's configuration in one piece.
func (e *encoded) decode(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(e); err != nil {
		return err
	}
	if d.Decode(new(json.RawMessage)) != io.EOF {
		return errors.New("want one object")
	}
	return nil
}

// join takes what is said in one piece, and not by itself.
func (c *Config) join(e encoded) {
	text := func(to *string, value string) { *to = cmp.Or(*to, value) }
	text(&c.AccessKeyID, e.AccessKeyID)
	text(&c.Region, e.Region)
	text(&c.Endpoint, e.Endpoint)
	text(&c.BucketRegion, e.BucketRegion)
	for to, value := range map[*provider.Secret]string{&c.SecretAccessKey: e.SecretAccessKey, &c.SessionToken: e.SessionToken} {
		if len(to.Bytes()) == 0 && value != "" {
			*to = provider.TextSecret(value)
		}
	}
	c.MaxAttempts = cmp.Or(c.MaxAttempts, e.MaxAttempts)
	c.roles = len(e.STS) > 0 && string(e.STS) != "null"
	for alias, bucket := range e.Aliases {
		if alias = strings.ToLower(alias); c.Aliases[alias] == "" {
			c.Aliases[alias] = bucket
		}
	}
}

// bucketName is what a bucket's name looks like, and oddBucket what only some servers
// take, or for something else: an alias may lead there.
var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	oddBucket  = regexp.MustCompile(`\.\.|\.-|-\.|^[^.]{1,2}\.|\.[^.]{1,2}(\.|$)|^[0-9.]+$|^xn--|^sthree-|-s3alias$|--ol-s3$|\.mrap$|--x-s3$|--table-s3$`)
	prefixName = regexp.MustCompile(`^([a-z0-9][a-z0-9-]{0,5})?$`)
)

func (c *Config) check() error {
	if c.roles {
		return errors.New("blob store configuration: sts_config: roles are not assumed here: give the credentials of one, with session_token")
	}
	if !prefixName.MatchString(c.Prefix) {
		return fmt.Errorf("blob store configuration: prefix is %q: want up to 6 small letters, digits and -", c.Prefix)
	}
	for alias, bucket := range c.Aliases {
		if alias == "" || !bucketName.MatchString(bucket) {
			return fmt.Errorf("blob store configuration: alias %q is for %q: want the name of a bucket", alias, bucket)
		}
	}
	if c.MaxAttempts < 0 || c.MaxAttempts > maxAttempts {
		return fmt.Errorf("blob store configuration: max_attempts is %d: want 1 to %d", c.MaxAttempts, maxAttempts)
	}
	if (c.AccessKeyID == "") != (len(c.SecretAccessKey.Bytes()) == 0) {
		return errors.New("blob store configuration: access_key_id and secret_access_key go together")
	}
	_, _, err := c.server()
	return err
}

// server returns the host of the endpoint, and whether it is spoken to by TLS.
func (c *Config) server() (host string, secure bool, err error) {
	if c.Endpoint == "" {
		if c.Region == "" || c.Region == DefaultRegion {
			return "s3.amazonaws.com", true, nil
		}
		return "s3." + c.Region + ".amazonaws.com", true, nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return "", false, errors.New("blob store configuration: endpoint: want http://HOST[:PORT] or https://HOST[:PORT]")
	}
	return u.Host, u.Scheme == "https", nil
}

func (c *Config) setDefaults() {
	c.SetDefaults()
	for to, def := range map[*int64]int64{&c.MaxAttempts: DefaultMaxAttempts, &c.PartBytes: DefaultPartBytes, &c.MaxUploads: DefaultMaxUploads} {
		if *to <= 0 {
			*to = def
		}
	}
	c.MaxObjectBytes = min(c.MaxObjectBytes, c.PartBytes*mostParts)
	if c.Region == "" {
		c.Region = DefaultRegion
	}
	if c.BucketRegion == "" {
		c.BucketRegion = c.Region
	}
}
