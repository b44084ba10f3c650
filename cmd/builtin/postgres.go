package builtin

import (
	"context"

	"github.com/lathhost/lath/host/provider"
	"github.com/lathhost/lath/providers/postgres"
)

// startPostgres carries out SQL, each link on connections of its own.
func startPostgres(_ context.Context, cfg provider.Config) (*provider.Capabilities, error) {
	p, err := postgres.New(postgres.Config{Settings: cfg.Settings, ReadFile: cfg.ReadFile})
	if err != nil {
		return nil, err
	}
	return &provider.Capabilities{PostgresQuery: p, PostgresPrepared: p, Relink: p.Relink, Close: p.Close}, nil
}
