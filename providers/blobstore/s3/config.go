package s3

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"strings"

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

// Config says where blobs are kept. Without credentials requests are not signed. It
// holds secrets: it must not be printed.
type Config struct {
	blobstore.Limits
	// Endpoint is http://HOST[:PORT] or https://…; default: Amazon's of Region.
	Endpoint string
	// Region is what requests are signed for, default [DefaultRegion]; BucketRegion is
	// where buckets are made, default Region.
	Region, BucketRegion string
	// AccessKeyID, SecretAccessKey and, if need be, SessionToken are the credentials.
	AccessKeyID, SecretAccessKey, SessionToken string
	// Prefix comes before the names of buckets that no alias names; default: none, as v1
	// has it.
	Prefix string
	// Aliases are buckets by what containers are called instead, with or without
	// "alias_" before.
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
}

// encoded is v1's configuration in one piece.
type encoded struct {
	AccessKeyID     *string           `json:"access_key_id"`
	SecretAccessKey *string           `json:"secret_access_key"`
	SessionToken    *string           `json:"session_token"`
	Region          *string           `json:"region"`
	MaxAttempts     *int64            `json:"max_attempts"`
	STS             json.RawMessage   `json:"sts_config"`
	Endpoint        *string           `json:"endpoint"`
	Aliases         map[string]string `json:"aliases"`
	BucketRegion    *string           `json:"bucket_region"`
}

// aliasPrefix may come before an alias, where it is set and where it is used.
const aliasPrefix = "alias_"

// ParseConfig reads a provider's configuration: v1's config_json, config_b64,
// bucket_region and alias_NAME; the fields of config_json by their own names, which
// come before those in it; and prefix, part_bytes, max_uploads and the limits of
// [blobstore.Limits]. The host's environment, which v1 reads, gives nobody its
// credentials here, and roles (sts_config) are refused.
func ParseConfig(values map[string]string) (Config, error) {
	cfg := Config{Aliases: map[string]string{}}
	rest := map[string]string{}
	var errs []error
	for name, value := range values {
		switch key := strings.ToLower(name); {
		case key == "config_json":
			errs = append(errs, cfg.decode(key, []byte(value)))
		case key == "config_b64":
			text, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				text = nil // which is no JSON
			}
			errs = append(errs, cfg.decode(key, text))
		case !strings.HasPrefix(key, aliasPrefix):
			rest[name] = value
		}
	}
	for name, bucket := range values { // after those in one piece
		if len(name) >= len(aliasPrefix) && strings.EqualFold(name[:len(aliasPrefix)], aliasPrefix) {
			cfg.Aliases[name[len(aliasPrefix):]] = bucket
		}
	}
	errs = append(errs, cfg.settings().Read("blob store", rest))
	if err := errors.Join(errs...); err != nil {
		return Config{}, err
	}
	return cfg, cfg.check()
}

func (c *Config) settings() settings.Set {
	s := c.Limits.Settings()
	s["endpoint"], s["region"], s["bucket_region"] = settings.Text(&c.Endpoint), settings.Text(&c.Region), settings.Text(&c.BucketRegion)
	s["access_key_id"], s["session_token"] = settings.Text(&c.AccessKeyID), settings.Text(&c.SessionToken)
	s["secret_access_key"], s["prefix"] = settings.Text(&c.SecretAccessKey), settings.Text(&c.Prefix)
	s["max_attempts"], s["part_bytes"] = settings.Within(&c.MaxAttempts, 1, maxAttempts), settings.Within(&c.PartBytes, leastPart, mostPart)
	s["max_uploads"] = settings.Positive(&c.MaxUploads)
	return s
}

// decode reads v1's configuration in one piece. No error repeats any of it.
func (c *Config) decode(name string, text []byte) error {
	var e encoded
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || d.Decode(new(any)) != io.EOF {
		return fmt.Errorf("blob store configuration: %s: want an object with access_key_id, secret_access_key, session_token, region, max_attempts, endpoint, aliases, bucket_region", name)
	}
	if len(e.STS) > 0 && string(e.STS) != "null" {
		return fmt.Errorf("blob store configuration: %s: sts_config: roles are not assumed here: give credentials of the role, with session_token", name)
	}
	for to, value := range map[*string]*string{&c.AccessKeyID: e.AccessKeyID, &c.SecretAccessKey: e.SecretAccessKey, &c.SessionToken: e.SessionToken,
		&c.Region: e.Region, &c.Endpoint: e.Endpoint, &c.BucketRegion: e.BucketRegion} {
		if value != nil {
			*to = *value
		}
	}
	if e.MaxAttempts != nil {
		c.MaxAttempts = *e.MaxAttempts
	}
	maps.Copy(c.Aliases, e.Aliases)
	return nil
}

// bucketName is what a bucket's name looks like, and oddBucket what only some servers
// take, or for something else: an alias may lead there.
var (
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	oddBucket  = regexp.MustCompile(`\.\.|\.-|-\.|^[^.]{1,2}\.|\.[^.]{1,2}(\.|$)|^[0-9.]+$|^xn--|^sthree-|-s3alias$|--ol-s3$|\.mrap$|--x-s3$|--table-s3$`)
	prefixName = regexp.MustCompile(`^([a-z0-9][a-z0-9-]{0,5})?$`)
)

func (c *Config) check() error {
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
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
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
