package wasi_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/host/component"
	"github.com/lathhost/lath/host/component/trap"
	"github.com/lathhost/lath/host/wasi"
	"github.com/lathhost/lath/wit/wasi/logging"
)

func TestVersionsMixAndShareResources(t *testing.T) {
	t.Parallel()
	out, err := load(t, "testdata/probe.wasm").call(t.Context(), t, wasi.Config{}, "mixed()")
	require.NoError(t, err)
	require.Equal(t, "true", out)
}

func TestRefusalsAnswerInsteadOfTrapping(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/probe.wasm")
	for _, c := range []struct{ call, out, line string }{
		{"tcp()", "2", "host: wasi:sockets: tcp is not granted; grant it by --allow-net HOST:PORT"},
		{"udp()", "2", "host: wasi:sockets: udp is not granted; grant it by --allow-net udp://HOST:PORT"},
		{`resolve("example.com")`, "2", "host: wasi:sockets: the name example.com is not granted; grant it by --allow-net example.com"},
	} {
		t.Run(c.call, func(t *testing.T) {
			t.Parallel()
			var got record
			out, err := g.call(t.Context(), t, wasi.Config{Line: got.line}, c.call)
			require.NoError(t, err)
			require.Equal(t, c.out, out)
			require.Equal(t, []string{c.line}, got.all())
		})
	}
}

func TestFaultsTrapWithWords(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/probe.wasm")
	for call, want := range map[string]struct {
		code trap.Code
		msg  string
	}{
		"poll-nothing()":             {trap.Import, "poll of an empty list"},
		"dice(18446744073709551615)": {trap.Limit, "18446744073709551615 random bytes were asked for at a time, more than 16777216"},
	} {
		_, err := g.call(t.Context(), t, wasi.Config{}, call)
		require.ErrorIs(t, err, &trap.Error{Code: want.code}, call)
		require.ErrorContains(t, err, want.msg)
	}
	out, err := g.call(t.Context(), t, wasi.Config{}, "dice(1000)")
	require.NoError(t, err)
	require.Equal(t, "1000", out)
}

func TestLoggingGoesToLinesOrToLog(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/probe.wasm")
	var got record
	_, err := g.call(t.Context(), t, wasi.Config{Line: got.line}, `log("one\ntwo\n")`)
	require.NoError(t, err)
	require.Equal(t, []string{"log: warn: probe: one", "log: warn: probe: two"}, got.all())

	var level logging.Level
	var where, text string
	_, err = g.call(t.Context(), t, wasi.Config{Log: func(l logging.Level, c, m string) { level, where, text = l, c, m }}, `log("one\ntwo\u{1b}\n")`)
	require.NoError(t, err)
	require.Equal(t, logging.LevelWarn, level)
	require.Equal(t, "probe", where)
	require.Equal(t, "one\ntwo\ufffd", text)
}

func TestManyInstancesShareOneSetOfInterfaces(t *testing.T) {
	t.Parallel()
	g := load(t, "testdata/probe.wasm")
	var got record
	tm, err := g.c.Link(t.Context(), component.LinkConfig{Name: "guest", Host: wasi.Interfaces(wasi.Config{Line: got.line})})
	require.NoError(t, err)
	defer func() { require.NoError(t, tm.Close(context.Background())) }()
	var calls errgroup.Group
	for range 8 {
		calls.Go(func() error {
			for _, fn := range []string{"mixed", "udp"} {
				if _, err := tm.Call(t.Context(), tm.Export("", fn), nil, nil); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, calls.Wait())
	require.Len(t, got.all(), 1, "a refusal is said once")
}
