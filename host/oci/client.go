package oci

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/lathhost/lath/lattice"
)

// The limits that a zero [Config] stands for.
const (
	DefaultMaxSize         = 64 << 20
	DefaultMaxProviderSize = 1 << 30
	DefaultMaxCacheSize    = 2 << 30
	DefaultTimeout         = 5 * time.Minute
	DefaultResolveTimeout  = 15 * time.Second
)

// maxManifest bounds a manifest, in bytes; registries refuse larger ones.
const maxManifest = 4 << 20

// Config says where a [Client] may go and how much it may take. The zero value
// pulls over HTTPS without credentials and keeps nothing.
type Config struct {
	// CacheDir holds what was pulled, by digest. It is made, for the user
	// alone, when something is first put there. Empty: no cache.
	CacheDir string
	// MaxCacheSize bounds the cache, in bytes; what was used longest ago goes
	// first. 0 means [DefaultMaxCacheSize].
	MaxCacheSize int64
	// MaxSize bounds one component, in bytes. 0 means [DefaultMaxSize].
	MaxSize int64
	// MaxProviderSize bounds one provider's image, in bytes. 0 means
	// [DefaultMaxProviderSize].
	MaxProviderSize int64
	// Insecure names the registries, host[:port], to speak plain HTTP to.
	Insecure []string
	// Credentials are sent to the registry they are filed under, host[:port].
	Credentials map[string]Credential
	// DockerConfig is the path of a file in the form of docker's config.json, for
	// registries that Credentials has nothing for: what "docker login" wrote, in
	// itself or by the credential store and helpers that it names, which are run. It
	// is read when a registry asks, so that it may change and need not be there.
	// Empty: none.
	DockerConfig string
	// AllowLatest lets references have the tag "latest" or none.
	AllowLatest bool
	// AllowFile lets references name local files.
	AllowFile bool
	// Timeout bounds one pull or push. 0 means [DefaultTimeout].
	Timeout time.Duration
	// ResolveTimeout bounds the wait for an artifact's manifest, after which a
	// cached one is used. 0 means [DefaultResolveTimeout].
	ResolveTimeout time.Duration
	// Transport carries the requests; nil means HTTP of its own, with the
	// system's certificates and the environment's proxy.
	Transport http.RoundTripper
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	for name, n := range map[string]int64{
		"MaxCacheSize": c.MaxCacheSize, "MaxSize": c.MaxSize, "MaxProviderSize": c.MaxProviderSize,
		"Timeout": int64(c.Timeout), "ResolveTimeout": int64(c.ResolveTimeout),
	} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("%s %d: %w: negative", name, n, lattice.ErrInvalid))
		}
	}
	for _, addr := range c.Insecure {
		if addr == "" || strings.Contains(addr, "/") {
			errs = append(errs, fmt.Errorf("insecure registry %q: %w: want host[:port]", addr, lattice.ErrInvalid))
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	setDefault(&c.MaxCacheSize, DefaultMaxCacheSize)
	setDefault(&c.MaxSize, DefaultMaxSize)
	setDefault(&c.MaxProviderSize, DefaultMaxProviderSize)
	setDefault(&c.Timeout, DefaultTimeout)
	setDefault(&c.ResolveTimeout, DefaultResolveTimeout)
	return c
}

func setDefault[T int64 | time.Duration](v *T, to T) {
	if *v == 0 {
		*v = to
	}
}

// Client pulls and pushes components, and pulls providers. Any number of goroutines may use it.
type Client struct {
	cfg       Config
	insecure  map[string]bool
	transport http.RoundTripper
	http      *auth.Client
	known     known
	cache     *cache // nil: none
}

// New returns a client. It touches neither network nor disk.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("oci: %w", err)
	}
	c := &Client{cfg: cfg.withDefaults(), insecure: map[string]bool{}, transport: cfg.Transport}
	for _, addr := range cfg.Insecure {
		c.insecure[strings.ToLower(addr)] = true
	}
	if c.transport == nil {
		c.transport = newTransport()
	}
	if cfg.CacheDir != "" {
		c.cache = &cache{dir: cfg.CacheDir, maxSize: c.cfg.MaxCacheSize}
	}
	c.known.file = cfg.DockerConfig
	c.AddCredentials(cfg.Credentials)
	c.http = &auth.Client{
		Client:     &http.Client{Transport: &retry.Transport{Base: c.transport, Policy: retryPolicy}},
		Cache:      auth.NewCache(),
		Credential: c.known.find,
	}
	c.http.SetUserAgent("lath")
	return c, nil
}

// Close closes idle connections. Pulls and pushes that run go on.
func (c *Client) Close() { (&http.Client{Transport: c.transport}).CloseIdleConnections() }

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       30 * time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
	}
}

// retryPolicy tries a request that a registry could not serve twice more.
// Waiting longer is for whoever wanted the artifact.
func retryPolicy() retry.Policy {
	return &retry.GenericPolicy{
		Retryable: retry.DefaultPredicate,
		Backoff:   retry.ExponentialBackoff(100*time.Millisecond, 3, 0.2),
		MinWait:   50 * time.Millisecond,
		MaxWait:   2 * time.Second,
		MaxRetry:  2,
	}
}

// repository opens the repository that holds the artifact.
func (c *Client) repository(ref Reference) *remote.Repository {
	return &remote.Repository{
		Client:           c.http,
		Reference:        ref.remote,
		PlainHTTP:        c.insecure[ref.remote.Registry],
		MaxMetadataBytes: maxManifest,
	}
}

// check applies the operator's rules to a reference.
func (c *Client) check(ref Reference) error {
	if _, ok := ref.File(); ok {
		if !c.cfg.AllowFile {
			return fmt.Errorf("local files are off by default: allow them with --allow-file-load: %w", lattice.ErrDenied)
		}
		return nil
	}
	if ref.Tag() == "latest" && !c.cfg.AllowLatest {
		return fmt.Errorf("the tag latest (or none) names another artifact tomorrow: name a version or a digest, or allow it with --allow-latest (WASMCLOUD_OCI_ALLOW_LATEST): %w", lattice.ErrDenied)
	}
	return nil
}
