package postgres

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/lathhost/lath/lattice"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/internal/linked"
	contract "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// Config is what a provider is made of.
type Config struct {
	// Settings are what its links do not say themselves. Their names are those of v1's
	// provider: POSTGRES_HOST, POSTGRES_PORT, POSTGRES_USERNAME, POSTGRES_PASSWORD,
	// POSTGRES_DATABASE, POSTGRES_TLS_REQUIRED, POSTGRES_POOL_SIZE and
	// POSTGRES_SHARE_CONNECTIONS_BY_URL. Besides, there are POSTGRES_TLS_CA_FILE, and
	// the limits of [Limits] in words with "_".
	Settings wire.Settings
	// ReadFile reads a file that the host's operator grants the provider; nil: there
	// are none.
	ReadFile func(name string) ([]byte, error)
}

// Provider carries out wasmcloud:postgres for the links that it is told. It is safe
// for concurrent use.
type Provider struct {
	table *linked.Table[*backend]
}

var (
	_ contract.Query    = (*Provider)(nil)
	_ contract.Prepared = (*Provider)(nil)
)

// New returns a provider without links. A server that is not there is an error of
// calls, not of New. Close it.
func New(cfg Config) (*Provider, error) {
	t, err := linked.New("wasmcloud:postgres", func(s wire.Settings) (linked.Opener[*backend], error) { return opener(s, cfg.ReadFile) }, cfg.Settings)
	return &Provider{t}, err
}

// Relink has these be the provider's settings and links from now on, and says of each
// link why it does not work.
func (p *Provider) Relink(own wire.Settings, links []wire.Link) []error {
	each := make([]wire.Link, len(links))
	for i, l := range links {
		each[i] = l
		each[i].Settings = l.Over(own)
		of := linkOf(l.SourceID, l.Name)
		if c, err := parseConfig(each[i].Settings); err == nil && c.share {
			of = "" // as for all that share
		}
		each[i].Config[linkSetting] = of
	}
	return p.table.Relink(own, each)
}

// Close ends all connections. No call is under way.
func (p *Provider) Close() error { return p.table.Close() }

// linkSetting tells a link's settings from those of others, so that it has connections
// of its own, and from the provider's. No setting that is read has such a name.
const linkSetting = "\x00link"

func linkOf(source, name string) string {
	return source + "\x00" + cmp.Or(name, lattice.DefaultLinkName)
}

// opener checks settings.
func opener(s wire.Settings, readFile func(string) ([]byte, error)) (linked.Opener[*backend], error) {
	s = s.Clone()
	_, isLink := s.Config[linkSetting]
	delete(s.Config, linkSetting)
	c, err := parseConfig(s)
	if err == nil && isLink {
		err = c.complete()
	}
	if err != nil {
		return nil, err
	}
	return func(context.Context) (*backend, error) {
		if err := c.complete(); err != nil { // of a call without a link
			return nil, err
		}
		p, err := newPool(c, readFile)
		if err != nil {
			return nil, err
		}
		return &backend{pool: p, limits: &c.limits, isLink: isLink, tokens: map[string]*statements{}}, nil
	}, nil
}

// backend is the connections of a link, or of several that share theirs.
type backend struct {
	pool   *pool
	limits *Limits
	isLink bool // false: of calls that say no link

	mu     sync.Mutex
	tokens map[string]*statements // by link
}

// Close implements io.Closer.
func (b *backend) Close() error { return b.pool.close() }

// maxSharing bounds the links that have prepared statements on shared connections: they
// come and go, and the connections stay.
const maxSharing = 1 << 10

// of returns the prepared statements of the call's link. Calls that say none are people's,
// and have theirs together.
func (b *backend) of(ctx context.Context) *statements {
	link := ""
	if b.isLink {
		m, _ := wrpc.MetaFromContext(ctx)
		link = linkOf(m.SourceID, m.LinkName)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.tokens[link]
	if s == nil {
		if len(b.tokens) >= maxSharing {
			clear(b.tokens) // who goes on prepares again
		}
		s = newStatements(b.limits)
		b.tokens[link] = s
	}
	return s
}

// check refuses what cannot be sent as a statement.
func (b *backend) check(sql string) error {
	switch {
	case int64(len(sql)) > b.limits.MaxQueryBytes:
		return invalidQuery("a statement of %d bytes is over the limit of max_query_bytes, which is %d", len(sql), b.limits.MaxQueryBytes)
	case strings.IndexByte(sql, 0) >= 0:
		return invalidQuery("a statement has no zero byte in it")
	}
	return nil
}

// on has f use what the call's link has. Its error is a [contract.QueryError].
func (p *Provider) on(ctx context.Context, f func(*backend) error) error {
	b, done, err := p.table.Use(ctx)
	if err != nil {
		return unexpected("%v", err)
	}
	defer done()
	return f(b)
}

// Query implements contract.Query.
func (p *Provider) Query(ctx context.Context, query string, params []contract.PgValue) (rows []contract.ResultRow, err error) {
	err = p.on(ctx, func(b *backend) error {
		out, err := b.run(ctx, query, params, true)
		rows = out.rows
		return err
	})
	return rows, err
}

// QueryBatch implements contract.Query.
func (p *Provider) QueryBatch(ctx context.Context, query string) error {
	return p.on(ctx, func(b *backend) error {
		if err := b.check(query); err != nil {
			return err
		}
		return b.pool.with(ctx, func(s *session) error {
			if err := s.batch(ctx, query); err != nil {
				return s.queryError(ctx, err, false)
			}
			return nil
		})
	})
}

// run carries out one statement on a free connection.
func (b *backend) run(ctx context.Context, sql string, params []contract.PgValue, keep bool) (out outcome, err error) {
	if err := b.check(sql); err != nil {
		return outcome{}, err
	}
	err = b.pool.with(ctx, func(s *session) error {
		out, err = s.run(ctx, sql, params, keep)
		return err
	})
	return out, err
}

// Prepare implements contract.Prepared.
func (p *Provider) Prepare(ctx context.Context, statement string) (token contract.PreparedStatementToken, err error) {
	err = p.on(ctx, func(b *backend) error {
		if err := b.check(statement); err != nil {
			return err
		}
		return b.pool.with(ctx, func(s *session) error {
			if _, err := s.statement(ctx, statement); err != nil {
				return s.queryError(ctx, err, false)
			}
			token = b.of(ctx).put(statement)
			return nil
		})
	})
	if err != nil {
		return "", contract.StatementPrepareError{Tag: contract.StatementPrepareErrorUnexpected, Unexpected: err.Error()}
	}
	return token, nil
}

// Exec implements contract.Prepared.
func (p *Provider) Exec(ctx context.Context, stmtToken contract.PreparedStatementToken, params []contract.PgValue) (affected uint64, err error) {
	err = p.on(ctx, func(b *backend) error {
		sql, ok := b.of(ctx).get(stmtToken)
		if !ok {
			return contract.PreparedStatementExecError{Tag: contract.PreparedStatementExecErrorUnknownPreparedQuery}
		}
		out, err := b.run(ctx, sql, params, false)
		affected = out.affected
		return err
	})
	if e, ok := errors.AsType[contract.QueryError](err); ok {
		return 0, contract.PreparedStatementExecError{Tag: contract.PreparedStatementExecErrorQueryError, QueryError: e}
	}
	return affected, err
}
