//go:build unix

package external_test

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/lathhost/lath/host/provider/external"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
	"github.com/lathhost/lath/lattice/natsserver"
	wire "github.com/lathhost/lath/lattice/provider"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A provider is stopped also while what another process of it is to be told, such as
// its secrets, is not to be had.
func TestStopWhileNothingAnswers(t *testing.T) {
	t.Parallel()
	srv, err := natsserver.Start(t.Context(), natsserver.Config{StoreDir: t.TempDir(), Port: natsserver.RandomPort})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, srv.Shutdown(context.Background())) })
	for name, hang := range map[string]string{"data": "data", "links": "links"} {
		t.Run(name, func(t *testing.T) {
			conn, err := lattice.Connect(t.Context(), lattice.ConnConfig{URL: srv.URL()})
			require.NoError(t, err)
			defer conn.Close()
			path := filepath.Join(t.TempDir(), "provider")
			require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700)) //nolint:gosec // it is a program
			var starts atomic.Int32
			asked := make(chan struct{})
			wait := func(ctx context.Context, what string) {
				if what == hang && starts.Load() > 1 {
					close(asked)
					<-ctx.Done()
				}
			}
			p, err := external.Start(t.Context(), external.Config{ID: "p", Ref: "file://" + path, Path: path, Lattice: "default", HostID: "H",
				Conn: conn, Now: time.Now, Publish: func(event.Data) {}, Log: zap.NewNop(), Times: external.Times{Start: time.Millisecond},
				Data: func(ctx context.Context) (*wire.HostData, error) {
					starts.Add(1)
					wait(ctx, "data")
					return &wire.HostData{}, context.Cause(ctx)
				},
				Links: func(ctx context.Context, _ *wire.Keys) []wire.LinkDefinition {
					wait(ctx, "links")
					return nil
				},
				Values: func() map[string]string { return nil },
			})
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(p.Status().PID, syscall.SIGKILL))
			<-asked
			now, cancel := context.WithCancel(t.Context())
			cancel()
			require.NoError(t, p.Stop(now))
			require.Equal(t, int32(2), starts.Load())
		})
	}
}
