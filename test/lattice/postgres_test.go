package lattice_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host"
	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wasmcloud/postgres"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/providers/postgres"
	"github.com/lathhost/lath/providers/postgres/postgrestest"
	"github.com/lathhost/lath/test/harness"
)

func offerPostgres(c *host.Config) {
	c.Builtins = append(c.Builtins, provider.Builtin{Name: "sqldb-postgres", Start: func(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
		p, err := postgres.New(postgres.Config{Settings: cfg.Settings, ReadFile: cfg.ReadFile})
		if err != nil {
			return nil, err
		}
		return &provider.Capabilities{PostgresQuery: p, PostgresPrepared: p, Relink: p.Relink, Close: p.Close}, nil
	}})
}

// relays start, for each database, a component that hands SQL on to the provider "sql"
// by a link that says which database it is.
type relays struct {
	l       *harness.Lattice
	on      *harness.Node
	server  *postgrestest.Server
	started atomic.Int64
}

func (r *relays) open(settings map[string]string) func(testing.TB) postgrestest.Backend {
	return func(t testing.TB) postgrestest.Backend {
		t.Helper()
		id := fmt.Sprintf("relay%d", r.started.Add(1))
		database := r.server.Settings(t)
		values := maps.Clone(database.Config)
		values["postgres_password"] = string(database.Secrets["POSTGRES_PASSWORD"].Bytes())
		maps.Copy(values, settings)
		ctx, cancel := context.WithTimeout(context.Background(), harness.Wait)
		defer cancel()
		require.NoError(t, r.l.Control.PutConfig(ctx, id, values))
		require.NoError(t, r.on.Scale(ctl.ScaleComponent{ComponentID: id, ComponentRef: r.l.Image("sql-relay"), MaxInstances: 16}))
		require.NoError(t, r.l.Control.PutLink(ctx, lattice.Link{SourceID: id, Target: "sql", WITNamespace: "wasmcloud", WITPackage: "postgres",
			Interfaces: []string{"query", "prepared"}, TargetConfig: []string{id}}))
		r.l.Eventually("the link is known", func() bool { return r.l.Knows(id, "sql") })
		to := r.l.Invoker(id)
		return postgrestest.Backend{Query: bind.NewQueryClient(to), Prepared: bind.NewPreparedClient(to)}
	}
}

// What a component asks of a database is the same whether the provider runs on its host
// or on another.
func TestPostgres(t *testing.T) {
	t.Parallel()
	var server postgrestest.Server
	t.Cleanup(server.Stop)
	server.Need(t)
	for _, together := range []bool{true, false} {
		t.Run(fmt.Sprintf("together=%v", together), func(t *testing.T) {
			t.Parallel()
			l := harness.New(t)
			a := l.Host(offerPostgres)
			b := a
			if !together {
				b = l.Host(offerPostgres)
			}
			require.NoError(t, b.StartProvider("sql", "sqldb-postgres"))
			r := &relays{l: l, on: a, server: &server}
			t.Run("values", func(t *testing.T) { postgrestest.RunValues(t, r.open(nil)) })
			t.Run("behaviour", func(t *testing.T) { postgrestest.Run(t, r.open(nil)) })
			t.Run("limits", func(t *testing.T) {
				limits := postgrestest.Limits{Rows: 200, ResultBytes: 10_000, ParamBytes: 10_000, QueryBytes: 5000}
				postgrestest.RunLimits(t, limits, r.open(map[string]string{"max_rows": strconv.Itoa(limits.Rows), "max_result_bytes": strconv.Itoa(limits.ResultBytes),
					"max_param_bytes": strconv.Itoa(limits.ParamBytes), "max_query_bytes": strconv.Itoa(limits.QueryBytes)}))
			})
		})
	}
}
