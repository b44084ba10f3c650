package postgrestest

import pg "github.com/lathhost/lath/wit/wasmcloud/postgres"

// Backend is a provider to test. Its database is empty, and nobody else uses it.
type Backend struct {
	Query    pg.Query
	Prepared pg.Prepared
}
