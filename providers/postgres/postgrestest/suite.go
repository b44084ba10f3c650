package postgrestest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	pg "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

// Backend is a provider to test. Its database is empty, and nobody else uses it.
type Backend struct {
	Query    pg.Query
	Prepared pg.Prepared
}

// behaviours are the tests, by name.
var behaviours = map[string]func(*testing.T, *subject){
	"rows in order, columns by name":             rows,
	"a statement without rows":                   noRows,
	"parameters that do not fit":                 wrongParams,
	"statements that are wrong":                  wrongStatements,
	"a broken constraint":                        constraint,
	"what fails changes nothing":                 failsWhole,
	"a constraint that is checked at the end":    deferred,
	"a result without a form changes nothing":    formless,
	"a batch is one transaction":                 batches,
	"a batch drops what it returns":              batchResults,
	"copying from nowhere is refused":            copies,
	"a transaction that is left open":            openTransaction,
	"a statement is never more than itself":      injection,
	"prepared statements":                        preparedStatements,
	"tokens that are none":                       unknownTokens,
	"tables change under remembered statements":  tablesChange,
	"sessions that were reset":                   sessionReset,
	"more statements than are remembered":        manyStatements,
	"a statement that is too long to remember":   longStatement,
	"rows of statements that are known only now": lateColumns,
	"a call that is given up is cancelled":       givenUp,
	"many callers":                               manyCallers,
}

// Run tests the behaviour of a provider. open returns one with an empty database for
// each test, and ends it with the test's cleanup.
func Run(t *testing.T, open func(testing.TB) Backend) {
	t.Helper()
	for name, test := range behaviours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newSubject(t, open))
		})
	}
}

// subject is a provider with what its tests ask of it again and again.
type subject struct {
	Backend
	t   *testing.T
	ctx context.Context //nolint:containedctx // of one test
}

func newSubject(t *testing.T, open func(testing.TB) Backend) *subject {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &subject{Backend: open(t), t: t, ctx: ctx}
}

func (s *subject) query(sql string, params ...pg.PgValue) []pg.ResultRow {
	s.t.Helper()
	rows, err := s.Query.Query(s.ctx, sql, params)
	require.NoError(s.t, err)
	return rows
}

func (s *subject) batch(sql string) {
	s.t.Helper()
	require.NoError(s.t, s.Query.QueryBatch(s.ctx, sql))
}

// number is the one value of a query, an int8.
func (s *subject) number(sql string, params ...pg.PgValue) int64 {
	s.t.Helper()
	rows := s.query(sql, params...)
	require.Len(s.t, rows, 1)
	require.Len(s.t, rows[0], 1)
	require.Equal(s.t, pg.PgValueInt8, rows[0][0].Value.Tag)
	return rows[0][0].Value.Int8()
}

// fails wants a query to fail with a case of the contract's error that says all words.
func (s *subject) fails(tag pg.QueryErrorTag, words []string, sql string, params ...pg.PgValue) {
	s.t.Helper()
	rows, err := s.Query.Query(s.ctx, sql, params)
	require.Empty(s.t, rows)
	requireError(s.t, err, tag, words...)
}

func requireError(t testing.TB, err error, tag pg.QueryErrorTag, words ...string) {
	t.Helper()
	var e pg.QueryError
	require.ErrorAs(t, err, &e)
	require.Equal(t, tag, e.Tag, "%v", err)
	for _, w := range words {
		require.Contains(t, e.Error(), w)
	}
}

func text(s string) pg.PgValue { return pg.NewPgValueText(s) }

func entry(name string, v pg.PgValue) pg.ResultRowEntry {
	return pg.ResultRowEntry{ColumnName: name, Value: v}
}

func rows(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int PRIMARY KEY, name text)")
	require.Empty(t, s.query("INSERT INTO t VALUES ($1, $2), ($3, $4)", pg.NewPgValueInt4(2), text("b"), pg.NewPgValueInt8(1), pg.PgValue{}))
	got := s.query(`SELECT id, name, name AS "Na me", id AS id FROM t ORDER BY id`)
	one, two := pg.NewPgValueInt4(1), pg.NewPgValueInt4(2)
	require.Equal(t, []pg.ResultRow{
		{entry("id", one), entry("name", pg.PgValue{}), entry("Na me", pg.PgValue{}), entry("id", one)},
		{entry("id", two), entry("name", text("b")), entry("Na me", text("b")), entry("id", two)},
	}, got)
}

func noRows(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int)")
	for _, sql := range []string{"SELECT * FROM t", "DELETE FROM t", "", "-- nothing", ";", "CREATE INDEX ON t (id)", "VACUUM t"} {
		require.Empty(t, s.query(sql), sql)
	}
	require.Equal(t, []pg.ResultRow{{}}, s.query("SELECT"), "a row without columns")
	s.batch("")
	s.batch(";;")
}

func wrongParams(_ *testing.T, s *subject) {
	const params = pg.QueryErrorInvalidParams
	s.fails(params, []string{"2 parameters", "1 were given"}, "SELECT $1::int + $2", pg.NewPgValueInt4(1))
	s.fails(params, []string{"0 parameters", "1 were given"}, "SELECT 1", pg.NewPgValueInt4(1))
	s.fails(params, []string{"22P02", "integer"}, "SELECT $1::int", text("x"))
	s.fails(params, []string{"22003"}, "SELECT $1::int2", pg.NewPgValueInt4(1<<20))
	s.fails(params, []string{"22021"}, "SELECT $1::text", text("a\x00b"))
	s.fails(params, []string{"22007"}, "SELECT $1::date", pg.NewPgValueTime(noon))
	s.fails(params, []string{"22008"}, "SELECT $1::date", pg.NewPgValueDate(ymd(2023, 2, 29)))
	s.fails(params, []string{"$1", "sign"}, "SELECT $1::float8", pg.NewPgValueFloat8(Float(1, 0, 2)))
	s.fails(params, []string{"$1", "9 bits", "1 bytes"}, "SELECT $1::varbit", pg.NewPgValueVarbit(varbitsOf(9, 0xff)))
	s.fails(params, []string{"$1", "length"}, "SELECT $1::bpchar", pg.NewPgValueChar(pg.TupleU32Bytes{F0: 3, F1: []byte("ab")}))
	s.fails(params, []string{"$1", "at most 1"}, "SELECT $1::varchar", pg.NewPgValueVarchar(pg.TupleOptionU32Bytes{F0: varbitsOf(1).F0, F1: []byte("ab")}))
	s.fails(params, []string{"$2", "element 2", "3 decimals"}, "SELECT $1::money, $2::money[]", pg.NewPgValueMoney("1"), pg.NewPgValueMoneyArray([]string{"1", "0.125"}))
	s.fails(params, []string{"microseconds"}, "SELECT $1::time", pg.NewPgValueTime(pg.Time{Micro: 1_000_000}))
	s.fails(params, []string{"offset"}, "SELECT $1::timestamptz", pg.NewPgValueTimestampTz(pg.TimestampTz{Timestamp: moment, Offset: pg.Offset{EasternHemisphereSecs: -1 << 31}}))
	s.fails(params, []string{"points"}, "SELECT $1::path", pg.NewPgValuePath(nil))
}

func wrongStatements(_ *testing.T, s *subject) {
	const query = pg.QueryErrorInvalidQuery
	s.fails(query, []string{"42601", "at character 10", "syntax"}, "SELECT ! FROM")
	s.fails(query, []string{"42601", "multiple commands"}, "SELECT 1; SELECT 2")
	s.fails(query, []string{"42P01", "at character 15", `"nowhere"`}, "SELECT * FROM nowhere")
	s.fails(query, []string{"42703", `"x"`}, "SELECT x")
	s.fails(query, []string{"22P02"}, "SELECT 'x'::int")
	s.fails(query, []string{"25001"}, "SELECT 1 AS one, pg_catalog.set_config('transaction_isolation', 'serializable', false)")
	s.fails(query, []string{"zero byte"}, "SELECT 1\x00; DROP TABLE t")
	requireError(s.t, s.Query.QueryBatch(s.ctx, "SELECT 1; SELEC 2"), query, "42601", "at character 11")
	requireError(s.t, s.Query.QueryBatch(s.ctx, "SELECT 1\x00"), query, "zero byte")
}

func constraint(_ *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int CONSTRAINT only_once PRIMARY KEY); INSERT INTO t VALUES (7)")
	s.fails(pg.QueryErrorUnexpected, []string{"23505", "constraint: only_once", "table: t", "(id)=(7)"}, "INSERT INTO t VALUES ($1)", pg.NewPgValueInt4(7))
}

func failsWhole(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int)")
	s.fails(pg.QueryErrorInvalidQuery, []string{"22012"}, "INSERT INTO t SELECT 1 / (3 - n) FROM generate_series(1, 5) n RETURNING id")
	s.fails(pg.QueryErrorInvalidParams, []string{"22012"}, "INSERT INTO t SELECT 1 / ($1 - n) FROM generate_series(1, 5) n", pg.NewPgValueInt4(3))
	require.Zero(t, s.number("SELECT count(*) FROM t"))
}

func deferred(t *testing.T, s *subject) {
	s.batch("CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int REFERENCES p DEFERRABLE INITIALLY DEFERRED)")
	s.fails(pg.QueryErrorUnexpected, []string{"23503"}, "INSERT INTO t VALUES (1)")
	s.fails(pg.QueryErrorUnexpected, []string{"23503"}, "INSERT INTO t VALUES (1) RETURNING id")
	require.Zero(t, s.number("SELECT count(*) FROM t"))
}

func formless(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int)")
	for sql, word := range map[string]string{
		"ARRAY[1, NULL]":                   "null",
		"ARRAY[1.5, NULL]":                 "null",
		"ARRAY[[1, 2], [3, 4]]":            "dimension",
		"ARRAY[[1.5], [2.5]]":              "dimension",
		"'empty'::daterange":               "range",
		"daterange(NULL, '2024-01-01')":    "range",
		"ARRAY['(,)'::daterange]":          "range",
		"convert_from('\\x', 'UTF8'), 1/0": "22012",
	} {
		_, err := s.Query.Query(s.ctx, "INSERT INTO t VALUES (1) RETURNING "+sql+" AS oddly", nil)
		require.ErrorContains(t, err, word, sql)
	}
	require.Zero(t, s.number("SELECT count(*) FROM t"))
}

func batches(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int); INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)")
	require.EqualValues(t, 2, s.number("SELECT count(*) FROM t"))
	err := s.Query.QueryBatch(s.ctx, "INSERT INTO t VALUES (3); SELECT 1/0; INSERT INTO t VALUES (4)")
	requireError(t, err, pg.QueryErrorInvalidQuery, "22012")
	require.EqualValues(t, 2, s.number("SELECT count(*) FROM t"))
	s.batch("BEGIN; INSERT INTO t VALUES (3); COMMIT; DELETE FROM t WHERE id = 1")
	require.EqualValues(t, 2, s.number("SELECT count(*) FROM t"))
}

func batchResults(t *testing.T, s *subject) {
	s.batch("SELECT repeat('x', 1000) FROM generate_series(1, 20000); COPY (SELECT generate_series(1, 1000)) TO STDOUT; SELECT 1")
	require.EqualValues(t, 1, s.number("SELECT 1::int8"))
}

func copies(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int)")
	err := s.Query.QueryBatch(s.ctx, "COPY t FROM STDIN; INSERT INTO t VALUES (1)")
	requireError(t, err, pg.QueryErrorUnexpected, "COPY", "nothing to copy from")
	_, err = s.Query.Query(s.ctx, "COPY t FROM STDIN", nil)
	require.Error(t, err)
	_, err = s.Query.Query(s.ctx, "COPY t TO STDOUT", nil)
	require.Error(t, err)
	require.Zero(t, s.number("SELECT count(*) FROM t"))
}

func openTransaction(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int)")
	s.batch("BEGIN; INSERT INTO t VALUES (1)")
	require.Zero(t, s.number("SELECT count(*) FROM t"))
	s.query("BEGIN")
	s.query("INSERT INTO t VALUES (2)")
	require.EqualValues(t, 1, s.number("SELECT count(*) FROM t"))
}

func injection(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (name text, names text[], tags jsonb)")
	for _, evil := range awkward {
		s.query("INSERT INTO t VALUES ($1, $2, jsonb_build_object($1::text, $1::text))", text(evil), pg.NewPgValueTextArray([]string{evil, evil}))
		require.EqualValues(t, 1, s.number("SELECT count(*) FROM t WHERE name = $1 AND names = ARRAY[$1, $1] AND tags ->> $1 = $1", text(evil)), "%q", evil)
	}
	require.EqualValues(t, len(awkward), s.number("SELECT count(*) FROM t"))
}

func preparedStatements(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int, name text)")
	token, err := s.Prepared.Prepare(s.ctx, "INSERT INTO t VALUES ($1, $2)")
	require.NoError(t, err)
	for i := range 3 {
		n, err := s.Prepared.Exec(s.ctx, token, []pg.PgValue{pg.NewPgValueInt4(int32(i)), text("x")}) //nolint:gosec // small
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	}
	again, err := s.Prepared.Prepare(s.ctx, "INSERT INTO t VALUES ($1, $2)")
	require.NoError(t, err)
	require.Equal(t, token, again)
	other, err := s.Prepared.Prepare(s.ctx, "UPDATE t SET name = $1 WHERE id > 0")
	require.NoError(t, err)
	require.NotEqual(t, token, other)
	n, err := s.Prepared.Exec(s.ctx, other, []pg.PgValue{text("y")})
	require.NoError(t, err)
	require.EqualValues(t, 2, n)

	// Rows are counted, and those that have no form are none the less rows.
	many, err := s.Prepared.Prepare(s.ctx, "SELECT ARRAY[1, NULL], repeat('x', 1000) FROM generate_series(1, $1::int)")
	require.NoError(t, err)
	n, err = s.Prepared.Exec(s.ctx, many, []pg.PgValue{pg.NewPgValueInt4(30_000)})
	require.NoError(t, err)
	require.EqualValues(t, 30_000, n)

	_, err = s.Prepared.Exec(s.ctx, token, nil)
	var failed pg.PreparedStatementExecError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, pg.PreparedStatementExecErrorQueryError, failed.Tag)
	require.Equal(t, pg.QueryErrorInvalidParams, failed.QueryError.Tag)
	require.Contains(t, err.Error(), "2 parameters")
	_, err = s.Prepared.Prepare(s.ctx, "SELECT !")
	var refused pg.StatementPrepareError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Unexpected, "42601")
}

func unknownTokens(t *testing.T, s *subject) {
	for _, token := range []string{"", "prepared-statement-0", strings.Repeat("x", 1<<16)} {
		_, err := s.Prepared.Exec(s.ctx, token, nil)
		var e pg.PreparedStatementExecError
		require.ErrorAs(t, err, &e)
		require.Equal(t, pg.PreparedStatementExecErrorUnknownPreparedQuery, e.Tag)
	}
}

func tablesChange(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
	require.Len(t, s.query("SELECT * FROM t")[0], 1)
	token, err := s.Prepared.Prepare(s.ctx, "SELECT * FROM t")
	require.NoError(t, err)
	s.batch("ALTER TABLE t ADD name text; ALTER TABLE t ALTER id TYPE text")
	require.Equal(t, []pg.ResultRow{{entry("id", text("1")), entry("name", pg.PgValue{})}}, s.query("SELECT * FROM t"))
	n, err := s.Prepared.Exec(s.ctx, token, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func sessionReset(t *testing.T, s *subject) {
	token, err := s.Prepared.Prepare(s.ctx, "SELECT 1")
	require.NoError(t, err)
	for _, reset := range []string{"DEALLOCATE ALL", "DISCARD ALL"} {
		require.EqualValues(t, 1, s.number("SELECT 1::int8"))
		s.batch(reset)
		require.EqualValues(t, 1, s.number("SELECT 1::int8"))
		n, err := s.Prepared.Exec(s.ctx, token, nil)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	}
}

func manyStatements(t *testing.T, s *subject) {
	for range 2 {
		for i := range 300 {
			require.EqualValues(t, i, s.number(fmt.Sprintf("SELECT %d::int8", i)))
		}
	}
	require.LessOrEqual(t, s.number("SELECT count(*) FROM pg_prepared_statements"), int64(128))
}

func longStatement(t *testing.T, s *subject) {
	for range 3 {
		require.EqualValues(t, 7, s.number("SELECT $1::int8 /* "+strings.Repeat("long ", 10_000)+"*/", pg.NewPgValueInt8(7)))
	}
}

func lateColumns(t *testing.T, s *subject) {
	s.fails(pg.QueryErrorUnexpected, []string{"26000"}, "EXECUTE later")
	s.batch("PREPARE later AS SELECT 5 AS n, 'x' AS t FROM generate_series(1, 3)")
	want := pg.ResultRow{entry("n", text("5")), entry("t", text("x"))}
	require.Equal(t, []pg.ResultRow{want, want, want}, s.query("EXECUTE later"))
}

// givenUp has a call give up while the server works, and looks at what that does.
func givenUp(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int)")
	for name, call := range map[string]func(context.Context) error{
		"query": func(ctx context.Context) error {
			_, err := s.Query.Query(ctx, "INSERT INTO t SELECT 1 FROM pg_sleep(600) RETURNING id", nil)
			return err
		},
		"batch": func(ctx context.Context) error {
			return s.Query.QueryBatch(ctx, "INSERT INTO t SELECT 1 FROM pg_sleep(600)")
		},
	} {
		ctx, cancel := context.WithCancel(s.ctx)
		ended := make(chan error, 1)
		go func() { ended <- call(ctx) }()
		const active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'INSERT INTO t%' AND datname = current_database()"
		require.Eventually(t, func() bool { return s.number(active) == 1 }, patience, 10*time.Millisecond)
		cancel()
		require.Error(t, <-ended, name)
		require.Eventually(t, func() bool { return s.number(active) == 0 }, patience, 10*time.Millisecond)
		// And one whose time is over.
		ctx, cancel = context.WithTimeout(s.ctx, 300*time.Millisecond)
		require.Error(t, call(ctx), name)
		cancel()
		require.Eventually(t, func() bool { return s.number(active) == 0 }, patience, 10*time.Millisecond)
		require.Zero(t, s.number("SELECT count(*) FROM t"))
	}
}

func manyCallers(t *testing.T, s *subject) {
	s.batch("CREATE TABLE t (id int PRIMARY KEY, n int8); INSERT INTO t VALUES (1, 0)")
	const callers, each = 16, 20
	var group sync.WaitGroup
	errs := make(chan error, callers*each)
	for range callers {
		group.Go(func() {
			for range each {
				_, err := s.Query.Query(s.ctx, "UPDATE t SET n = n + $1 WHERE id = 1 RETURNING n", []pg.PgValue{pg.NewPgValueInt8(1)})
				errs <- err
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.EqualValues(t, callers*each, s.number("SELECT n FROM t"))
}
