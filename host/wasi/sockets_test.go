//go:build linux || darwin

package wasi_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/host/wasi/egress"
	"github.com/lathhost/lath/wit/wave"
)

func grantNet(t testing.TB, rules ...string) wasi.Config {
	t.Helper()
	r, err := egress.Parse(rules)
	require.NoError(t, err)
	return wasi.Config{Grants: wasi.Grants{Sockets: r}}
}

// greeters answer every question, by TCP and by UDP, on one port each.
func greeters(t *testing.T) (tcp, udp string) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	p, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	var serving errgroup.Group
	serving.Go(func() error {
		for {
			c, err := l.Accept()
			if err != nil {
				return nil
			}
			q, err := io.ReadAll(c)
			if err == nil {
				_, err = fmt.Fprintf(c, "tcp: %s!", q)
			}
			c.Close()
			if err != nil {
				return err
			}
		}
	})
	serving.Go(func() error {
		b := make([]byte, 100)
		for {
			n, from, err := p.ReadFrom(b)
			if err != nil {
				return nil
			}
			if _, err := p.WriteTo(fmt.Appendf(nil, "udp: %s!", b[:n]), from); err != nil {
				return err
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.Close()
		require.NoError(t, serving.Wait())
	})
	port := func(a net.Addr) string { return a.String()[strings.LastIndexByte(a.String(), ':')+1:] }
	return port(l.Addr()), port(p.LocalAddr())
}

func TestGuestsReachWhatTheirRulesAllow(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/sockets.wasm")
	tcp, udp := greeters(t)
	for _, c := range []struct {
		rules []string
		call  string
		out   string
		lines []string
	}{
		{[]string{"localhost:" + tcp}, `fetch("localhost", ` + tcp + `, "hi")`, `ok("tcp: hi!")`, nil},
		{[]string{"tcp://127.0.0.1:" + tcp}, `fetch("127.0.0.1", ` + tcp + `, "hi")`, `ok("tcp: hi!")`, nil},
		{[]string{"udp://127.0.0.1:" + udp}, `ask(` + udp + `, "hi")`, `ok("udp: hi!")`, nil},
		{[]string{"*"}, `fetch("127.0.0.1", ` + tcp + `, "hi")`, `err("start b")`,
			[]string{"host: wasi:sockets: tcp 127.0.0.1:" + tcp + " is not granted: it is a loopback address; grant it by --allow-net 127.0.0.1:" + tcp}},
		{[]string{"127.0.0.1"}, `fetch("localhost", ` + tcp + `, "hi")`, `err("resolve b")`,
			[]string{"host: wasi:sockets: the name localhost is not granted; grant it by --allow-net localhost"}},
		{[]string{"tcp://*"}, `ask(` + udp + `, "hi")`, `err("create b")`,
			[]string{"host: wasi:sockets: udp is not granted; grant it by --allow-net udp://HOST:PORT"}},
		{[]string{"*"}, `listen()`, `err("start b")`, []string{"host: wasi:sockets: to listen on tcp 127.0.0.1:"}},
	} {
		t.Run(c.call+" "+strings.Join(c.rules, " "), func(t *testing.T) {
			t.Parallel()
			var got record
			cfg := grantNet(t, c.rules...)
			cfg.Line = got.line
			out, err := g.call(t.Context(), t, cfg, c.call)
			require.NoError(t, err)
			require.Equal(t, c.out, out)
			require.Len(t, got.all(), len(c.lines), "%q", got.all())
			for i, line := range got.all() {
				require.Contains(t, line, c.lines[i])
			}
		})
	}
}

func TestGuestServes(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/sockets.wasm")
	tm, i := take(t, g, grantNet(t, "127.0.0.1"))
	defer tm.Close(context.Background())
	defer i.Close()
	port := strings.TrimSuffix(strings.TrimPrefix(callOn(t, tm, i, "listen()"), "ok("), ")")
	_, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)

	const size = 4 << 20 // more than all buffers on the way
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, 10*time.Second)
	require.NoError(t, err)
	defer c.Close()
	var peer errgroup.Group
	peer.Go(func() error {
		if _, err := c.Write(make([]byte, size)); err != nil {
			return err
		}
		return c.(*net.TCPConn).CloseWrite()
	})
	peer.Go(func() error {
		n, err := io.Copy(io.Discard, c)
		if n != size {
			return fmt.Errorf("%d of %d bytes came back: %w", n, size, err)
		}
		return err
	})
	require.Equal(t, fmt.Sprintf("ok(%d)", size), callOn(t, tm, i, "echo()"))
	require.NoError(t, peer.Wait())
}

func TestAGuestThatWaitsForAConnectionEndsWithItsCall(t *testing.T) {
	t.Parallel()
	tm, i := take(t, load(t, "testdata/sockets.wasm"), grantNet(t, "127.0.0.1"))
	defer tm.Close(context.Background())
	callOn(t, tm, i, "listen()")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	_, err := i.CallValues(ctx, tm.Export("", "echo"))
	require.ErrorIs(t, err, &trap.Error{Code: trap.Cancelled})
	require.NoError(t, i.Close()) // and with it, what it left open: goleak
}

func TestHoardedSocketsAreBoundedAndComeBack(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/sockets.wasm")
	cfg := grantNet(t, "*")
	tm, err := g.c.Link(t.Context(), component.LinkConfig{Name: "guest", Host: wasi.Interfaces(cfg)})
	require.NoError(t, err)
	defer tm.Close(context.Background())
	for range 3 {
		i, err := tm.Take(t.Context())
		require.NoError(t, err)
		// By default the host holds no more than 64 MiB for an instance.
		require.Equal(t, "341", callOn(t, tm, i, "hoard()"))
		require.NoError(t, i.Close())
	}
}

func take(t testing.TB, g guest, cfg wasi.Config) (*component.Template, *component.Instance) {
	t.Helper()
	tm, err := g.c.Link(context.Background(), component.LinkConfig{Name: "guest", Host: wasi.Interfaces(cfg)})
	require.NoError(t, err)
	i, err := tm.Take(t.Context())
	require.NoError(t, err)
	return tm, i
}

func callOn(t testing.TB, tm *component.Template, i *component.Instance, expr string) string {
	t.Helper()
	call, err := wave.ParseCall(expr)
	require.NoError(t, err)
	e := tm.Export(call.Instance, call.Func)
	require.NotNil(t, e)
	v, err := i.CallValues(t.Context(), e)
	require.NoError(t, err)
	return wave.Format(e.Type.Result, *v)
}
