package postgres_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice"
	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/lattice/wrpc"
	"github.com/lathhost/lath/providers/postgres"
	"github.com/lathhost/lath/providers/postgres/postgrestest"
	pg "github.com/lathhost/lath/wit/wasmcloud/postgres"
)

func link(source, name string, settings wire.Settings) wire.Link {
	return wire.Link{Link: lattice.Link{SourceID: source, Target: "sql", Name: name, WITNamespace: "wasmcloud", WITPackage: "postgres", Interfaces: []string{"query", "prepared"}}, Settings: settings}
}

// by is the context of a call along a link.
func by(t testing.TB, source, name string) context.Context {
	t.Helper()
	return wrpc.ContextWithMeta(testContext(t), wrpc.Meta{SourceID: source, LinkName: name})
}

func query(ctx context.Context, p *postgres.Provider, sql string) (string, error) {
	rows, err := p.Query(ctx, "SELECT ("+sql+")::text", nil)
	if err != nil {
		return "", err
	}
	return rows[0][0].Value.Text(), nil
}

func mustQuery(ctx context.Context, t testing.TB, p *postgres.Provider, sql string) string {
	t.Helper()
	value, err := query(ctx, p, sql)
	require.NoError(t, err)
	return value
}

// TestLinksAreApart: each has the database, the session and the tokens of its own.
func TestLinksAreApart(t *testing.T) {
	t.Parallel()
	own, other := theServer.Settings(t), theServer.Settings(t)
	p := newProvider(t, with(own, map[string]string{"postgres_pool_size": "1"}))
	database := map[string]string{"postgres_database": other.Config["POSTGRES_DATABASE"]}
	errs := p.Relink(own, []wire.Link{
		link("a", "default", wire.Settings{}), link("b", "default", wire.Settings{}), link("a", "second", wire.Settings{Config: database}),
	})
	require.Equal(t, []error{nil, nil, nil}, errs)
	a, b, second := by(t, "a", "default"), by(t, "b", ""), by(t, "a", "second")
	require.Equal(t, own.Config["POSTGRES_DATABASE"], mustQuery(a, t, p, "current_database()"))
	require.Equal(t, own.Config["POSTGRES_DATABASE"], mustQuery(b, t, p, "current_database()"))
	require.Equal(t, database["postgres_database"], mustQuery(second, t, p, "current_database()"))

	require.NoError(t, p.QueryBatch(a, "CREATE TEMP TABLE mine (id int); SET search_path = pg_temp"))
	require.Equal(t, "0", mustQuery(a, t, p, "SELECT count(*) FROM mine"))
	_, err := query(b, p, "SELECT count(*) FROM mine")
	require.ErrorContains(t, err, "42P01")

	token, err := p.Prepare(a, "SELECT 1")
	require.NoError(t, err)
	for _, ctx := range []context.Context{b, second, testContext(t)} {
		_, err = p.Exec(ctx, token, nil)
		var e pg.PreparedStatementExecError
		require.ErrorAs(t, err, &e)
		require.Equal(t, pg.PreparedStatementExecErrorUnknownPreparedQuery, e.Tag)
	}
	n, err := p.Exec(a, token, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)

	// A link that stays as it is keeps its session; one that is gone has none.
	require.Equal(t, []error{nil, nil}, p.Relink(own, []wire.Link{link("a", "default", wire.Settings{}), link("a", "second", wire.Settings{})}))
	require.Equal(t, "0", mustQuery(a, t, p, "SELECT count(*) FROM mine"))
	require.Equal(t, own.Config["POSTGRES_DATABASE"], mustQuery(second, t, p, "current_database()"))
	_, err = query(by(t, "b", "default"), p, "SELECT 1")
	require.ErrorContains(t, err, `no link`)
}

// TestLinkThatChanges: what is under way ends where it began, and what comes goes to
// the other database.
func TestLinkThatChanges(t *testing.T) {
	t.Parallel()
	one, other := theServer.Settings(t), theServer.Settings(t)
	p := newProvider(t, wire.Settings{})
	require.Equal(t, []error{nil}, p.Relink(wire.Settings{}, []wire.Link{link("a", "default", one)}))
	ctx := by(t, "a", "default")
	holder := newProvider(t, with(one, map[string]string{"postgres_pool_size": "1"})) // one session, which holds the lock
	require.NoError(t, holder.QueryBatch(testContext(t), "SELECT pg_advisory_lock(1)"))
	answer := make(chan string, 1)
	go func() {
		value, err := query(ctx, p, "SELECT current_database() FROM (SELECT pg_advisory_lock(1)) AS held")
		if err != nil {
			value = err.Error()
		}
		answer <- value
	}()
	watch := newProvider(t, one)
	require.Eventually(t, func() bool {
		return mustQuery(testContext(t), t, watch, "SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())") == "1"
	}, patience, 10*time.Millisecond)
	require.Equal(t, []error{nil}, p.Relink(wire.Settings{}, []wire.Link{link("a", "default", other)}))
	require.Equal(t, other.Config["POSTGRES_DATABASE"], mustQuery(ctx, t, p, "current_database()"))
	require.NoError(t, holder.QueryBatch(testContext(t), "SELECT pg_advisory_unlock_all()"))
	require.Equal(t, one.Config["POSTGRES_DATABASE"], <-answer)
}

// TestSharedConnections: links with the same settings may ask for that, as v1's do; a
// token is still of one link.
func TestSharedConnections(t *testing.T) {
	t.Parallel()
	own := with(theServer.Settings(t), map[string]string{"postgres_pool_size": "1", "postgres_share_connections_by_url": "YES"})
	p := newProvider(t, own)
	require.Equal(t, []error{nil, nil, nil}, p.Relink(own, []wire.Link{link("a", "default", wire.Settings{}), link("b", "default", wire.Settings{}),
		link("c", "default", wire.Settings{Config: map[string]string{"postgres_share_connections_by_url": "no"}})}))
	a, b, c := by(t, "a", ""), by(t, "b", ""), by(t, "c", "")
	session := mustQuery(a, t, p, "pg_backend_pid()")
	require.Equal(t, session, mustQuery(b, t, p, "pg_backend_pid()"))
	require.NotEqual(t, session, mustQuery(c, t, p, "pg_backend_pid()"))
	token, err := p.Prepare(a, "SELECT 1")
	require.NoError(t, err)
	_, err = p.Exec(b, token, nil)
	require.ErrorContains(t, err, "unknown-prepared-query")

	// Who says no link is nobody in particular, whatever name it gives itself.
	token, err = p.Prepare(wrpc.ContextWithMeta(testContext(t), wrpc.Meta{SourceID: "x"}), "SELECT 1")
	require.NoError(t, err)
	_, err = p.Exec(testContext(t), token, nil)
	require.NoError(t, err)
	_, err = p.Exec(a, token, nil)
	require.ErrorContains(t, err, "unknown-prepared-query")
}

// TestLinksThatDoNotWork say why, and show no secret.
func TestLinksThatDoNotWork(t *testing.T) {
	t.Parallel()
	p := newProvider(t, wire.Settings{})
	const hush = "hush-hush"
	full := func(values ...string) wire.Settings {
		s := wire.Settings{Config: map[string]string{"POSTGRES_HOST": "127.0.0.1", "POSTGRES_USERNAME": "u", "POSTGRES_DATABASE": "d"},
			Secrets: map[string]wire.Secret{"POSTGRES_PASSWORD": wire.TextSecret(hush)}}
		for i := 0; i < len(values); i += 2 {
			s.Config[values[i]] = values[i+1]
		}
		return s
	}
	tests := []struct {
		settings wire.Settings
		want     string
	}{
		{full(), ""},
		{full("POSTGRES_HOST", ""), "postgres_host is not set"},
		{full("POSTGRES_DATABASE", ""), "postgres_database is not set"},
		{full("POSTGRES_USERNAME", ""), "postgres_username is not set"},
		{full("POSTGRES_HOST", "/var/run/postgresql"), "want one name or address"},
		{full("POSTGRES_HOST", "a,b"), "want one name or address"},
		{full("POSTGRES_PORT", "70000"), "from 1 to 65535"},
		{full("POSTGRES_POOL_SIZE", "0"), "from 1 to 1000"},
		{full("POSTGRES_TLS_REQUIRED", "perhaps"), "want true or false"},
		{full("POSTGRES_TLS_CA_FILE", "ca.pem"), "without postgres_tls_required"},
		{full("POSTGRES_PASWORD", "x"), `no setting "postgres_pasword"`},
		{full("max_rows", "many"), "want a positive number"},
	}
	links := make([]wire.Link, len(tests))
	for i, test := range tests {
		links[i] = link("c"+strconv.Itoa(i), "default", test.settings)
	}
	for i, err := range p.Relink(wire.Settings{}, links) {
		if tests[i].want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, tests[i].want)
		require.NotContains(t, err.Error(), hush)
		_, err = query(by(t, "c"+strconv.Itoa(i), ""), p, "SELECT 1")
		require.ErrorContains(t, err, tests[i].want)
		var e pg.QueryError
		require.ErrorAs(t, err, &e)
	}
	_, err := query(testContext(t), p, "SELECT 1")
	require.ErrorContains(t, err, "postgres_host is not set")
	_, err = postgres.New(postgres.Config{Settings: wire.Settings{Config: map[string]string{"postgres_prot": "5432"}}})
	require.ErrorContains(t, err, `no setting "postgres_prot"`)
}

// TestWhoIsNotLetIn: wrong credentials are errors of calls, and show no secret.
func TestWhoIsNotLetIn(t *testing.T) {
	t.Parallel()
	good := theServer.Settings(t)
	const hush = "not the password"
	wrong := good.Clone()
	wrong.Secrets["POSTGRES_PASSWORD"] = wire.TextSecret(hush)
	none := good.Clone()
	none.Secrets = nil
	for _, test := range []struct {
		settings wire.Settings
		want     string
	}{
		{wrong, "28P01"},
		{none, "28P01"},
		{with(good, map[string]string{"POSTGRES_USERNAME": "nobody"}), "28P01"},
		{with(good, map[string]string{"POSTGRES_DATABASE": "nowhere"}), "3D000"},
		{with(good, map[string]string{"POSTGRES_PORT": "1"}), "refused"},
		{with(good, map[string]string{"POSTGRES_HOST": "nowhere.invalid"}), "nowhere.invalid"},
	} {
		p := newProvider(t, test.settings)
		_, err := query(testContext(t), p, "SELECT 1")
		var e pg.QueryError
		require.ErrorAs(t, err, &e)
		require.Equal(t, pg.QueryErrorUnexpected, e.Tag)
		require.Contains(t, e.Unexpected, "no connection to postgres at")
		require.Contains(t, e.Unexpected, test.want)
		require.NotContains(t, e.Unexpected, hush)
		_, err = p.Prepare(testContext(t), "SELECT 1")
		require.ErrorContains(t, err, test.want)
	}
}

// TestTLS: where it is asked for, the server is known by a certificate or not spoken to.
func TestTLS(t *testing.T) {
	t.Parallel()
	settings := with(theServer.Settings(t), map[string]string{"postgres_tls_required": "yes"})
	const isTLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
	ctx := testContext(t)
	withCA := with(settings, map[string]string{"postgres_tls_ca_file": "ca.pem"})
	opened := func(s wire.Settings, read func(string) ([]byte, error)) *postgres.Provider {
		p, err := postgres.New(postgres.Config{Settings: s, ReadFile: read})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, p.Close()) })
		return p
	}
	right := func(name string) ([]byte, error) {
		require.Equal(t, "ca.pem", name)
		return theServer.CA(), nil
	}
	require.Equal(t, "true", mustQuery(ctx, t, opened(withCA, right), isTLS))
	require.Equal(t, "false", mustQuery(ctx, t, newProvider(t, theServer.Settings(t)), isTLS))

	for text, p := range map[string]*postgres.Provider{
		"certificate": newProvider(t, settings), // the machine does not know it
		"granted":     opened(withCA, func(string) ([]byte, error) { return nil, errors.New("not granted") }),
		"no certificate in PEM": opened(withCA, func(string) ([]byte, error) {
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY"}), nil
		}),
		"grants no files": opened(withCA, nil),
		"localhost":       opened(with(withCA, map[string]string{"POSTGRES_HOST": "localhost"}), right),
	} {
		_, err := query(ctx, p, "SELECT 1")
		require.ErrorContains(t, err, text)
	}
}

// TestTLSOrNothing: a server that does not speak it gets no password.
func TestTLSOrNothing(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	heard := make(chan []byte, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		request := make([]byte, 8)
		_, _ = conn.Read(request)
		_, _ = conn.Write([]byte("N"))
		rest := make([]byte, 100)
		n, _ := conn.Read(rest)
		heard <- rest[:n]
	}()
	p := newProvider(t, wire.Settings{
		Config:  map[string]string{"postgres_host": "127.0.0.1", "postgres_port": strconv.Itoa(l.Addr().(*net.TCPAddr).Port), "postgres_username": "u", "postgres_database": "d", "postgres_tls_required": "true"}, //nolint:forcetypeassert // of TCP
		Secrets: map[string]wire.Secret{"postgres_password": wire.TextSecret("hush")},
	})
	_, err = query(testContext(t), p, "SELECT 1")
	require.ErrorContains(t, err, "TLS")
	require.Empty(t, <-heard)
}

// TestPoolSize: a call waits for a connection as long as it may, and says what it waited
// for.
func TestPoolSize(t *testing.T) {
	t.Parallel()
	p := newProvider(t, with(theServer.Settings(t), map[string]string{"postgres_pool_size": "1"}))
	long, stop := context.WithCancel(testContext(t))
	defer stop()
	ended := make(chan error, 1)
	begun := mustQuery(long, t, p, "pg_backend_pid()")
	go func() {
		_, err := query(long, p, "SELECT pg_sleep(600)")
		ended <- err
	}()
	watch := newProvider(t, theServer.Settings(t))
	require.Eventually(t, func() bool {
		return mustQuery(testContext(t), t, watch, "SELECT state FROM pg_stat_activity WHERE pid = "+begun) == "active"
	}, patience, 10*time.Millisecond)
	short, cancel := context.WithTimeout(testContext(t), 50*time.Millisecond)
	defer cancel()
	_, err := query(short, p, "SELECT 1")
	require.ErrorContains(t, err, "all 1 connections")
	require.ErrorContains(t, err, "postgres_pool_size")
	stop()
	require.ErrorContains(t, <-ended, "given up")
	require.Equal(t, "1", mustQuery(testContext(t), t, p, "SELECT 1"))
	require.Equal(t, begun, mustQuery(testContext(t), t, p, "pg_backend_pid()"), "the connection on which a statement was cancelled is still good")
}

// TestServerThatComesBack: calls fail while it is away, and work again after, without
// anything being started anew.
func TestServerThatComesBack(t *testing.T) {
	t.Parallel()
	var server postgrestest.Server
	t.Cleanup(server.Stop)
	p := newProvider(t, server.Settings(t))
	ctx := testContext(t)
	require.NoError(t, p.QueryBatch(ctx, "CREATE TABLE t (id int); INSERT INTO t VALUES (1)"))
	token, err := p.Prepare(ctx, "INSERT INTO t VALUES (2)")
	require.NoError(t, err)
	hanging := make(chan error, 1)
	go func() {
		_, err := query(ctx, p, "SELECT pg_sleep(600)")
		hanging <- err
	}()
	require.Eventually(t, func() bool {
		return mustQuery(ctx, t, p, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()") == "1"
	}, patience, 10*time.Millisecond)
	server.Kill()
	var e pg.QueryError
	require.ErrorAs(t, <-hanging, &e, "the statement that was under way")
	require.Equal(t, pg.QueryErrorUnexpected, e.Tag)
	for range 20 { // more than there are connections
		_, err := query(ctx, p, "SELECT 1")
		require.ErrorAs(t, err, &e)
		require.Equal(t, pg.QueryErrorUnexpected, e.Tag)
	}
	_, err = p.Exec(ctx, token, nil)
	require.Error(t, err)
	require.NoError(t, server.Start())
	require.Eventually(t, func() bool { _, err := query(ctx, p, "SELECT 1"); return err == nil }, patience, 10*time.Millisecond)
	n, err := p.Exec(ctx, token, nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Equal(t, "2", mustQuery(ctx, t, p, "SELECT count(*) FROM t"))
}

// TestEncoding: texts are UTF-8, whatever a database keeps.
func TestEncoding(t *testing.T) {
	t.Parallel()
	settings := theServer.Settings(t)
	ctx := testContext(t)
	name := settings.Config["POSTGRES_DATABASE"] + "_latin1"
	_, err := newProvider(t, settings).Query(ctx, "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING LATIN1", nil)
	require.NoError(t, err)
	p := newProvider(t, with(settings, map[string]string{"postgres_database": name}))
	rows, err := p.Query(ctx, "SELECT $1::text, octet_length($1), tstzrange('2024-02-01', '2024-03-01', '[]')::text", []pg.PgValue{pg.NewPgValueText("ünï")})
	require.NoError(t, err)
	require.Equal(t, "ünï", rows[0][0].Value.Text())
	require.EqualValues(t, 3, rows[0][1].Value.Int4())
	_, err = p.Query(ctx, "SELECT $1::text", []pg.PgValue{pg.NewPgValueText("Ж")})
	require.ErrorContains(t, err, "22P05")
}

// TestEnvironment: what PG variables say is not for providers.
func TestEnvironment(t *testing.T) { //nolint:paralleltest // of the environment
	settings := theServer.Settings(t)
	for name, value := range map[string]string{"PGHOST": "nowhere.invalid", "PGPASSWORD": "wrong", "PGSSLMODE": "require", "PGOPTIONS": "-c search_path=nowhere", "PGTARGETSESSIONATTRS": "standby", "PGREQUIREAUTH": "none"} {
		t.Setenv(name, value)
	}
	require.Equal(t, `"$user", public`, mustQuery(testContext(t), t, newProvider(t, settings), "current_setting('search_path')"))
}
