package postgres_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

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

func open(t testing.TB) postgrestest.Backend {
	p, err := postgres.New(postgres.Config{Settings: theServer.Settings(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return postgrestest.Backend{Query: p, Prepared: p}
}

func TestValues(t *testing.T) {
	t.Parallel()
	postgrestest.RunValues(t, open)
}
