package postgrestest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	pg "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// Limits are those that [RunLimits] expects of a provider.
type Limits struct {
	Rows, ResultBytes, ParamBytes, QueryBytes int
}

// RunLimits tests that a provider holds limits, which are some thousand bytes and rows,
// says which, and has changed nothing.
func RunLimits(t *testing.T, limits Limits, open func(testing.TB) Backend) {
	t.Helper()
	s := newSubject(t, open)
	s.batch("CREATE TABLE t (id int)")
	const unexpected = pg.QueryErrorUnexpected
	number := func(n int) pg.PgValue { return pg.NewPgValueInt8(int64(n)) }

	const insert = "INSERT INTO t SELECT generate_series(1, $1::int) RETURNING 1 AS a"
	s.fails(unexpected, []string{"limit of max_rows"}, insert, number(limits.Rows+1))
	s.fails(unexpected, []string{"limit of max_rows"}, insert, number(1_000_000))
	require.Zero(t, s.number("SELECT count(*) FROM t"))
	require.Len(t, s.query(insert, number(limits.Rows)), limits.Rows)
	require.EqualValues(t, limits.Rows, s.number("SELECT count(*) FROM t"))

	const large = "INSERT INTO t VALUES (0) RETURNING repeat('x', $1::int) AS a"
	require.Len(t, s.query(large, number(limits.ResultBytes-100)), 1)
	for _, n := range []int{limits.ResultBytes, 4 * limits.ResultBytes, 64 << 20} {
		s.fails(unexpected, []string{"limit of max_result_bytes"}, large, number(n))
	}
	require.EqualValues(t, limits.Rows+1, s.number("SELECT count(*) FROM t"), "what was over a limit is there")
	// A name is in every row, and a word of a text at each of its places.
	s.fails(unexpected, []string{"limit of max_result_bytes"}, `SELECT 1 AS "`+strings.Repeat("x", 63)+`" FROM generate_series(1, $1::int)`, number(limits.ResultBytes/63))
	s.fails(unexpected, []string{"limit of max_result_bytes"}, "SELECT ($1::text)::tsvector",
		pg.NewPgValueText("'"+strings.Repeat("x", limits.ResultBytes/20)+"':1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21"))

	s.fails(pg.QueryErrorInvalidParams, []string{"$2", "limit of max_param_bytes"}, "SELECT $1::text, $2::text",
		text(strings.Repeat("x", limits.ParamBytes/2)), text(strings.Repeat("x", limits.ParamBytes/2+1)))
	s.fails(pg.QueryErrorInvalidQuery, []string{"limit of max_query_bytes"}, "SELECT 1 --"+strings.Repeat("x", limits.QueryBytes))
	requireError(t, s.Query.QueryBatch(s.ctx, "SELECT 1 --"+strings.Repeat("x", limits.QueryBytes)), pg.QueryErrorInvalidQuery, "limit of max_query_bytes")
	_, err := s.Prepared.Prepare(s.ctx, "SELECT 1 --"+strings.Repeat("x", limits.QueryBytes))
	require.ErrorContains(t, err, "limit of max_query_bytes")
}
