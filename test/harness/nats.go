package harness

import (
	"context"
	"net/url"
	"path/filepath"
	"strconv"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/lattice/natsserver"
)

func (l *Lattice) startNATS(port int) {
	l.T.Helper()
	s, err := natsserver.Start(context.Background(), natsserver.Config{StoreDir: filepath.Join(l.dir, "nats"), Port: port, ConfigFile: l.natsConfig})
	require.NoError(l.T, err)
	l.server = s
}

// StopNATS ends the server; every connection is lost. It may be called again.
func (l *Lattice) StopNATS() {
	l.T.Helper()
	require.NoError(l.T, l.server.Shutdown(context.Background()))
}

// RestartNATS starts the server that was stopped anew, at the same address and
// with the same stored state, and waits until the test's own connection is back.
func (l *Lattice) RestartNATS() {
	l.T.Helper()
	u, err := url.Parse(l.URL)
	require.NoError(l.T, err)
	port, err := strconv.Atoi(u.Port())
	require.NoError(l.T, err)
	l.startNATS(port)
	l.Eventually("the test's connection is back", l.Conn.IsConnected)
}
