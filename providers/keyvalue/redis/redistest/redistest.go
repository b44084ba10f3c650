// Package redistest starts Redis servers for tests: the real one, redis-server.
package redistest

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds the start of a server.
const patience = 30 * time.Second

// Server is a redis-server of one test.
type Server struct {
	// Addr is where it listens.
	Addr string

	t    testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd
}

// Start starts a server with further arguments, such as "--requirepass", "hush". It
// ends with the test, and keeps nothing. Without redis-server the test is skipped.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skipf("SKIPPED: no Redis server: %v; install redis-server", err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	s := &Server{Addr: l.Addr().String(), t: t, dir: t.TempDir(), args: args}
	t.Cleanup(s.Stop)
	s.Restart()
	return s
}

// URL is the server's address, without user and password.
func (s *Server) URL() string { return "redis://" + s.Addr + "/" }

// Restart starts a server that was stopped, at the same address and empty.
func (s *Server) Restart() {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.Addr)
	require.NoError(s.t, err)
	args := append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log")}, s.args...)
	s.cmd = exec.CommandContext(s.t.Context(), "redis-server", args...)
	require.NoError(s.t, s.cmd.Start())
	dialer := net.Dialer{Timeout: time.Second}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		conn, err := dialer.DialContext(s.t.Context(), "tcp", s.Addr)
		if err == nil {
			require.NoError(s.t, conn.Close())
			return
		}
		require.Less(s.t, time.Since(begin), patience, fmt.Sprintf("redis-server does not listen: %v", err))
	}
}

// Stop kills the server. It may be called again.
func (s *Server) Stop() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}
