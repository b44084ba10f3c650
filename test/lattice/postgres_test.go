package lattice_test

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	bind "github.com/lathhost/lath/lattice/bind/wasmcloud/postgres"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/providers/postgres/postgrestest"
	"github.com/lathhost/lath/test/harness"
)

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
		r.l.Linked(id, "sql", "postgres")
		to := r.l.Invoker(id)
		backend := postgrestest.Backend{Query: bind.NewQueryClient(to), Prepared: bind.NewPreparedClient(to)}
		r.l.Eventually("the provider knows the link", func() bool {
			_, err := backend.Query.Query(context.Background(), "SELECT 1", nil)
			return err == nil || !strings.Contains(err.Error(), "is not set")
		})
		return backend
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
			a := l.Host(harness.Offer("sqldb-postgres"))
			b := a
			if !together {
				b = l.Host(harness.Offer("sqldb-postgres"))
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
