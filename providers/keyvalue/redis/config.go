package redis

import (
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/settings"
	"github.com/lathhost/lath/providers/keyvalue"
)

// DefaultURL is where a server is looked for when none is named.
const DefaultURL = "redis://127.0.0.1:6379/"

// Defaults of [Config], which are v1's.
const (
	DefaultDialTimeout     = 3 * time.Second
	DefaultResponseTimeout = time.Second
	DefaultRetries         = 3
	DefaultRetryDelay      = 300 * time.Millisecond
)

// Config says where values are kept. The zero value is usable.
type Config struct {
	keyvalue.Limits
	// URL is redis:// or rediss:// (TLS), with user, password and database if need
	// be; default [DefaultURL].
	URL string
	// Username and Password count before those of the URL; they may be empty.
	Username string
	Password provider.Secret
	// Prefix comes before every key, so that several may share a database.
	Prefix string
	// IgnoreBuckets has all buckets be one, and a key be its own name, as v1's
	// provider has it.
	IgnoreBuckets bool
	// TTL is how long a value lives after it was last set or incremented; default:
	// until it is deleted.
	TTL time.Duration
	// DialTimeout bounds the making of a connection, ResponseTimeout the answer to
	// one command.
	DialTimeout, ResponseTimeout time.Duration
	// Retries is how often a command is sent again after the connection broke, and
	// RetryDelay the longest pause before it is. An increment is never sent again
	// once it was written.
	Retries    int64
	RetryDelay time.Duration
}

// ParseConfig reads the settings of a provider or a link: url, username, password, prefix, ignore_buckets, ttl,
// the limits of [keyvalue.Limits], and v1's backend_connection_timeout_ms,
// backend_response_timeout_ms, backend_reconnect_num_retries and
// backend_reconnect_max_delay_ms.
func ParseConfig(from provider.Settings) (Config, error) {
	var cfg Config
	var dial, response, delay int64
	s := cfg.Settings()
	s["username"], s["password"] = settings.Text(&cfg.Username), settings.Secret(&cfg.Password)
	s["url"], s["prefix"] = settings.Text(&cfg.URL), settings.Text(&cfg.Prefix)
	s["ignore_buckets"], s["ttl"] = settings.Flag(&cfg.IgnoreBuckets), settings.Life(&cfg.TTL)
	s["backend_connection_timeout_ms"], s["backend_response_timeout_ms"] = settings.Positive(&dial), settings.Positive(&response)
	s["backend_reconnect_num_retries"], s["backend_reconnect_max_delay_ms"] = settings.Positive(&cfg.Retries), settings.Positive(&delay)
	if err := s.Read("key-value", from); err != nil {
		return Config{}, err
	}
	const most = int64(time.Hour / time.Millisecond)
	for to, ms := range map[*time.Duration]int64{&cfg.DialTimeout: dial, &cfg.ResponseTimeout: response, &cfg.RetryDelay: delay} {
		*to = time.Duration(min(ms, most)) * time.Millisecond
	}
	_, err := cfg.options()
	return cfg, err
}

// options are those of go-redis.
func (c *Config) options() (*goredis.Options, error) {
	url := c.URL
	if url == "" {
		url = DefaultURL
	}
	opts, err := goredis.ParseURL(url)
	if err != nil {
		// The error would repeat the address, with its password.
		return nil, fmt.Errorf("key-value configuration: url: want redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS")
	}
	if c.Username != "" {
		opts.Username = c.Username
	}
	if password := c.Password.Bytes(); len(password) > 0 {
		opts.Password = string(password)
	}
	opts.DialTimeout, opts.ReadTimeout = settings.OrDefault(c.DialTimeout, DefaultDialTimeout), settings.OrDefault(c.ResponseTimeout, DefaultResponseTimeout)
	opts.WriteTimeout, opts.ContextTimeoutEnabled = opts.ReadTimeout, true
	opts.MaxRetries = int(settings.OrDefault(c.Retries, DefaultRetries))
	opts.MaxRetryBackoff = settings.OrDefault(c.RetryDelay, DefaultRetryDelay)
	opts.DisableIdentity = true // older servers know no CLIENT SETINFO
	return opts, nil
}
