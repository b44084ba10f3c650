package postgres_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	wire "github.com/lathhost/lath/lattice/provider"
	"github.com/lathhost/lath/providers/postgres"
	"github.com/lathhost/lath/providers/postgres/postgrestest"
)

var theServer postgrestest.Server

func TestMain(m *testing.M) {
	code := m.Run()
	theServer.Stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// patience bounds every wait of a test that is expected to succeed.
const patience = time.Minute

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// with returns settings with some more.
func with(s wire.Settings, values map[string]string) wire.Settings {
	s = s.Clone()
	maps.Copy(s.Config, values)
	return s
}

// newProvider returns one whose calls need no link.
func newProvider(t testing.TB, settings wire.Settings) *postgres.Provider {
	t.Helper()
	p, err := postgres.New(postgres.Config{Settings: settings})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func open(t testing.TB) postgrestest.Backend {
	p := newProvider(t, theServer.Settings(t))
	return postgrestest.Backend{Query: p, Prepared: p}
}

// small are limits for tests.
var small = postgrestest.Limits{Rows: 200, ResultBytes: 10_000, ParamBytes: 10_000, QueryBytes: 5000}

func openSmall(t testing.TB) postgrestest.Backend {
	p := newProvider(t, with(theServer.Settings(t), map[string]string{
		"max_rows": strconv.Itoa(small.Rows), "max_result_bytes": strconv.Itoa(small.ResultBytes),
		"max_param_bytes": strconv.Itoa(small.ParamBytes), "max_query_bytes": strconv.Itoa(small.QueryBytes),
	}))
	return postgrestest.Backend{Query: p, Prepared: p}
}

func TestProvider(t *testing.T) {
	t.Parallel()
	t.Run("values", func(t *testing.T) {
		t.Parallel()
		postgrestest.RunValues(t, open)
	})
	t.Run("behaviour", func(t *testing.T) {
		t.Parallel()
		postgrestest.Run(t, open)
	})
	t.Run("limits", func(t *testing.T) {
		t.Parallel()
		postgrestest.RunLimits(t, small, openSmall)
	})
}
