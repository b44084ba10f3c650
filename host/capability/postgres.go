package capability

import (
	"context"

	postgresbind "github.com/lathhost/lath/host/bind/wasmcloud/postgres"
	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/link"
	"github.com/lathhost/lath/host/provider"
	wrpcbind "github.com/lathhost/lath/lattice/bind/wasmcloud/postgres"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// adaptPostgres makes the wasmcloud:postgres interface of that name; nil: it is none.
func adaptPostgres(name string, imp *link.Import) *component.HostInterface {
	var h component.HostInterface
	switch name {
	case wit.Track(postgres.QueryInterface.Name):
		h = postgresbind.Query(sqlQuery{imp})
	case wit.Track(postgres.PreparedInterface.Name):
		h = postgresbind.Prepared(sqlPrepared{imp})
	default:
		return nil
	}
	return &h
}

// sqlQuery carries out statements for a guest.
type sqlQuery struct{ imp *link.Import }

var _ postgres.Query = sqlQuery{}

func (q sqlQuery) begin(ctx context.Context, fn string) (*call[postgres.Query], error) {
	return begin(ctx, q.imp, fn, postgres.QueryInterface,
		func(p *provider.Capabilities) postgres.Query { return p.PostgresQuery },
		func(inv *link.Invoker) postgres.Query { return wrpcbind.NewQueryClient(inv) })
}

// Query implements postgres.Query.
func (q sqlQuery) Query(ctx context.Context, query string, params []postgres.PgValue) ([]postgres.ResultRow, error) {
	c, err := q.begin(ctx, "query")
	if err != nil {
		return nil, err
	}
	rows, err := c.impl.Query(c.ctx, query, params)
	return rows, c.end(err)
}

// QueryBatch implements postgres.Query.
func (q sqlQuery) QueryBatch(ctx context.Context, query string) error {
	c, err := q.begin(ctx, "query-batch")
	if err != nil {
		return err
	}
	return c.end(c.impl.QueryBatch(c.ctx, query))
}

// sqlPrepared prepares statements for a guest. A token is known to the provider that
// gave it, and only along the link by which it did.
type sqlPrepared struct{ imp *link.Import }

var _ postgres.Prepared = sqlPrepared{}

func (p sqlPrepared) begin(ctx context.Context, fn string) (*call[postgres.Prepared], error) {
	return begin(ctx, p.imp, fn, postgres.PreparedInterface,
		func(p *provider.Capabilities) postgres.Prepared { return p.PostgresPrepared },
		func(inv *link.Invoker) postgres.Prepared { return wrpcbind.NewPreparedClient(inv) })
}

// Prepare implements postgres.Prepared.
func (p sqlPrepared) Prepare(ctx context.Context, statement string) (postgres.PreparedStatementToken, error) {
	c, err := p.begin(ctx, "prepare")
	if err != nil {
		return "", err
	}
	token, err := c.impl.Prepare(c.ctx, statement)
	return token, c.end(err)
}

// Exec implements postgres.Prepared.
func (p sqlPrepared) Exec(ctx context.Context, stmtToken postgres.PreparedStatementToken, params []postgres.PgValue) (uint64, error) {
	c, err := p.begin(ctx, "exec")
	if err != nil {
		return 0, err
	}
	n, err := c.impl.Exec(c.ctx, stmtToken, params)
	return n, c.end(err)
}
