package natsservertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// FreePorts are ports on which nothing listens, as far as one can know.
func FreePorts(t testing.TB, n int) []int {
	t.Helper()
	ports, err := Ports(t.Context(), n)
	require.NoError(t, err)
	return ports
}

// taken are the ports that were chosen in this process.
var taken sync.Map

// Ports are ports on which nothing listens, and which nothing takes that does not ask
// for them: they are below those that systems choose for whoever wants any.
func Ports(ctx context.Context, n int) ([]int, error) {
	var cfg net.ListenConfig
	ports := make([]int, 0, n)
	for tries := 0; len(ports) < n; tries++ {
		port := lowestPort + rand.IntN(firstEphemeral-lowestPort)
		if _, mine := taken.LoadOrStore(port, true); mine {
			continue
		}
		l, err := cfg.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
		switch {
		case err == nil:
			defer l.Close() //nolint:errcheck // not before all are chosen
			ports = append(ports, port)
		case tries > 1000 || ctx.Err() != nil:
			return nil, err
		}
	}
	return ports, nil
}

const (
	lowestPort     = 10_000
	firstEphemeral = 32_768 // Linux's; elsewhere they are higher
)
