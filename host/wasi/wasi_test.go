package wasi_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/wit"
	"github.com/lathhost/lath/wit/wasi/cli"
	"github.com/lathhost/lath/wit/wasi/clocks"
	"github.com/lathhost/lath/wit/wasi/config"
	"github.com/lathhost/lath/wit/wasi/filesystem"
	"github.com/lathhost/lath/wit/wasi/http"
	"github.com/lathhost/lath/wit/wasi/io"
	"github.com/lathhost/lath/wit/wasi/logging"
	"github.com/lathhost/lath/wit/wasi/random"
	"github.com/lathhost/lath/wit/wasi/sockets"
)

func TestEveryInterfaceIsThereOnceAndWhole(t *testing.T) {
	t.Parallel()
	served := map[string]int{}
	for _, h := range wasi.Interfaces(wasi.Config{}) {
		track := wit.Track(h.Name)
		require.NotContains(t, served, track)
		served[track] = len(h.Funcs)
	}
	for _, want := range []*wit.Interface{
		io.ErrorInterface, io.PollInterface, io.StreamsInterface,
		clocks.MonotonicClockInterface, clocks.WallClockInterface,
		random.RandomInterface, random.InsecureInterface, random.InsecureSeedInterface,
		cli.EnvironmentInterface, cli.ExitInterface, cli.StdinInterface, cli.StdoutInterface, cli.StderrInterface,
		cli.TerminalInputInterface, cli.TerminalOutputInterface,
		cli.TerminalStdinInterface, cli.TerminalStdoutInterface, cli.TerminalStderrInterface,
		config.StoreInterface, logging.LoggingInterface, filesystem.PreopensInterface, filesystem.TypesInterface,
		sockets.NetworkInterface, sockets.InstanceNetworkInterface, sockets.IPNameLookupInterface,
		sockets.TCPInterface, sockets.TCPCreateSocketInterface, sockets.UDPInterface, sockets.UDPCreateSocketInterface,
		http.TypesInterface, http.OutgoingHandlerInterface,
	} {
		require.Contains(t, served, wit.Track(want.Name))
		require.Equal(t, len(want.Funcs), served[wit.Track(want.Name)], want.Name)
	}
	require.Contains(t, served, "wasi:logging/logging")
}
