package postgres

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/internal/settings"
)

// Defaults of [Limits] and of connections.
const (
	DefaultPort           = 5432
	DefaultPoolSize       = 8
	DefaultMaxRows        = 10_000
	DefaultMaxResultBytes = 8 << 20
	DefaultMaxParamBytes  = 8 << 20
	DefaultMaxQueryBytes  = 1 << 20
	DefaultMaxStatements  = 256
	DefaultStatementTTL   = time.Hour
	DefaultConnectTimeout = 5 * time.Second
)

// The largest pool, and the largest limit in bytes, that settings may ask for.
const (
	maxPoolSize = 1000
	maxBytes    = 1 << 29
)

// Limits bound what one call may have, and what is kept for one link. Fields that are
// zero or negative mean the defaults.
type Limits struct {
	// MaxRows and MaxResultBytes bound the rows that a statement returns. Bytes are
	// those of the values, with their columns' names, which are in every row.
	MaxRows, MaxResultBytes int64
	// MaxParamBytes bounds the parameters of a statement, MaxQueryBytes its text.
	MaxParamBytes, MaxQueryBytes int64
	// MaxStatements is how many prepared statements a link has at most; the one that
	// was used longest ago makes room. One that was not used for StatementTTL is
	// forgotten.
	MaxStatements int64
	StatementTTL  time.Duration
}

func (l *Limits) setDefaults() {
	for _, d := range []struct {
		to  *int64
		def int64
	}{
		{&l.MaxRows, DefaultMaxRows}, {&l.MaxResultBytes, DefaultMaxResultBytes}, {&l.MaxParamBytes, DefaultMaxParamBytes},
		{&l.MaxQueryBytes, DefaultMaxQueryBytes}, {&l.MaxStatements, DefaultMaxStatements},
	} {
		if *d.to <= 0 {
			*d.to = d.def
		}
	}
	if l.StatementTTL <= 0 {
		l.StatementTTL = DefaultStatementTTL
	}
}

// config is the settings of one link.
type config struct {
	limits               Limits
	host, user, database string
	password             wire.Secret
	port, poolSize       int64
	tls, share           bool
	caFile               string
}

func (c *config) settings() settings.Set {
	return settings.Set{
		"postgres_host":                     settings.Text(&c.host),
		"postgres_port":                     settings.Within(&c.port, 1, 1<<16-1),
		"postgres_username":                 settings.Text(&c.user),
		"postgres_password":                 settings.Secret(&c.password),
		"postgres_database":                 settings.Text(&c.database),
		"postgres_tls_required":             yes(&c.tls),
		"postgres_tls_ca_file":              settings.Text(&c.caFile),
		"postgres_pool_size":                settings.Within(&c.poolSize, 1, maxPoolSize),
		"postgres_share_connections_by_url": yes(&c.share),

		"max_rows":         settings.Positive(&c.limits.MaxRows),
		"max_result_bytes": settings.Within(&c.limits.MaxResultBytes, 1, maxBytes),
		"max_param_bytes":  settings.Within(&c.limits.MaxParamBytes, 1, maxBytes),
		"max_query_bytes":  settings.Within(&c.limits.MaxQueryBytes, 1, maxBytes),
		"max_statements":   settings.Positive(&c.limits.MaxStatements),
		"statement_ttl":    settings.Life(&c.limits.StatementTTL),
	}
}

// yes takes what v1 takes for true, and its opposites.
func yes(to *bool) func(string) error {
	return func(value string) error {
		switch strings.ToLower(value) {
		case "true", "yes":
			*to = true
		case "false", "no":
			*to = false
		default:
			return errors.New("want true or false")
		}
		return nil
	}
}

// parseConfig reads the settings of a link, joined with those of its provider: those
// of v1's provider (postgres_host, postgres_port, postgres_username,
// postgres_password, postgres_database, postgres_tls_required, postgres_pool_size and
// postgres_share_connections_by_url), postgres_tls_ca_file, and the limits of [Limits]
// (max_rows, max_result_bytes, max_param_bytes, max_query_bytes, max_statements and
// statement_ttl). A provider itself may leave out what its links have: see complete.
func parseConfig(from wire.Settings) (*config, error) {
	c := &config{port: DefaultPort, poolSize: DefaultPoolSize}
	if err := c.settings().Read("postgres", from); err != nil {
		return nil, err
	}
	c.limits.setDefaults()
	if strings.ContainsAny(c.host, "/\\@,") {
		// A path would be a socket, to which the host's own user may be known.
		return nil, errors.New("postgres configuration: postgres_host: want one name or address")
	}
	if c.caFile != "" && !c.tls {
		return nil, errors.New("postgres configuration: postgres_tls_ca_file without postgres_tls_required")
	}
	return c, nil
}

// complete refuses settings that do not say where to connect to.
func (c *config) complete() error {
	for _, s := range []struct{ name, value string }{{"postgres_host", c.host}, {"postgres_username", c.user}, {"postgres_database", c.database}} {
		if s.value == "" {
			return fmt.Errorf("postgres configuration: %s is not set: name a config that has it where the link is put (--target-config) or the provider started (--config)", s.name)
		}
	}
	return nil
}

// tlsConfig verifies the server by its name: with the given roots, or the system's.
func (c *config) tlsConfig(readFile func(string) ([]byte, error)) (*tls.Config, error) {
	if !c.tls {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	cfg := &tls.Config{ServerName: c.host, MinVersion: tls.VersionTLS12}
	if c.caFile == "" {
		return cfg, nil
	}
	if readFile == nil {
		return nil, errors.New("postgres configuration: postgres_tls_ca_file: this host grants no files")
	}
	pem, err := readFile(c.caFile)
	if err != nil {
		return nil, fmt.Errorf("postgres configuration: postgres_tls_ca_file: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("postgres configuration: postgres_tls_ca_file: %s holds no certificate in PEM", c.caFile)
	}
	return cfg, nil
}
