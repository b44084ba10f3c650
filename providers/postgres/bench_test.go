package postgres_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	pg "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// BenchmarkQuery is a statement with a parameter and a row, one call after another and
// as many at once as there are connections; then a thousand rows of ten columns.
func BenchmarkQuery(b *testing.B) {
	p := newProvider(b, theServer.Settings(b))
	one := func(b *testing.B) {
		rows, err := p.Query(b.Context(), "SELECT $1::int8 + 1 AS n", []pg.PgValue{pg.NewPgValueInt8(41)})
		require.NoError(b, err)
		require.EqualValues(b, 42, rows[0][0].Value.Int8())
	}
	b.Run("one row", func(b *testing.B) {
		for b.Loop() {
			one(b)
		}
	})
	b.Run("one row at once", func(b *testing.B) {
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one(b)
			}
		})
	})
	b.Run("insert", func(b *testing.B) {
		require.NoError(b, p.QueryBatch(b.Context(), "CREATE TABLE IF NOT EXISTS t (n int8)"))
		for b.Loop() {
			_, err := p.Query(b.Context(), "INSERT INTO t VALUES ($1)", []pg.PgValue{pg.NewPgValueInt8(1)})
			require.NoError(b, err)
		}
	})
	b.Run("1000 rows", func(b *testing.B) {
		const sql = "SELECT n, n + 1 AS a, n::text AS b, n::float8 AS c, n % 2 = 0 AS d, now() AS e, n::numeric AS f, 'text' AS g, NULL AS h, n::int2 AS i FROM generate_series(1, 1000) n"
		for b.Loop() {
			rows, err := p.Query(b.Context(), sql, nil)
			require.NoError(b, err)
			require.Len(b, rows, 1000)
		}
	})
}
