package main

import (
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain is the rig's children, too, which are started from this program.
func TestMain(m *testing.M) {
	if isChild, err := runChild(context.Background()); isChild {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// TestEveryRowAnswersRight runs the whole table once, for the answers.
func TestEveryRowAnswersRight(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "bench.json")
	var out strings.Builder
	require.NoError(t, run(t.Context(), []string{"-rounds", "1", "-failovers", "1", "-time", "1us", "-peers=false", "-json", file, "-results", dir}, &out, t.Output()))
	for _, want := range []string{"wazero v1.", "nats-server v2.", "host → guest", "= component → component", "bare NATS request-reply of 101 bytes", "counter.wasm"} {
		require.Contains(t, out.String(), want)
	}
	results, err := os.ReadFile(filepath.Join(dir, resultsFile))
	require.NoError(t, err)
	require.Contains(t, string(results), collectGroup)
	plot, err := os.Open(filepath.Join(dir, plotFile))
	require.NoError(t, err)
	defer plot.Close()
	_, err = png.DecodeConfig(plot)
	require.NoError(t, err)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var r report
	require.NoError(t, json.Unmarshal(b, &r))
	require.Len(t, r.Bars, len(hostile)+2*5+11+len(deadlines)+1+3+2+1+7+3+4+4+1+len(blobRows))
	for _, b := range r.Bars {
		switch {
		case b.Unit == unitCalls:
			require.Zero(t, b.Value, b.Name)
		case b.Unit == unitBytes || b.Group == failoverGroup: // few instances may take none, and one failover fail no call
			require.GreaterOrEqual(t, b.Value, 0.0, b.Name)
		default:
			require.Positive(t, b.Value, b.Name)
		}
		require.Contains(t, out.String(), b.Name)
	}
	for _, l := range r.Rows {
		require.NotEmpty(t, l.Samples, l.Name)
		if l.Floor != "" {
			require.Len(t, l.Samples, 1, l.Name)
			require.Len(t, l.Floors, 1, l.Name)
		}
	}
}

func TestWrongUse(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-rounds", "0"}, {"-time", "-1s"}, {"-row", "("}, {"what"}, {"-no-such-flag"}} {
		err := run(t.Context(), args, t.Output(), t.Output())
		require.ErrorAs(t, err, new(usageError), "%q", args)
	}
}

func TestChooseKeepsWhatRowsAreComparedTo(t *testing.T) {
	t.Parallel()
	floor, other := &row{group: "g", name: "floor"}, &row{group: "g", name: "other floor"}
	in, out := &row{group: "g", name: "in", floor: floor}, &row{group: "g", name: "out", floor: floor}
	step := &row{group: "g", name: "= step", floor: floor, of: out, less: in}
	all := []*row{floor, in, out, step, other}
	require.Equal(t, []*row{floor, in, out, step}, choose(all, regexp.MustCompile("^g: = step")))
	require.Equal(t, all, choose(all, nil))
	require.Empty(t, choose(all, regexp.MustCompile("none")))
	require.ErrorContains(t, run(t.Context(), []string{"-row", "none at all", "-peers=false"}, t.Output(), t.Output()), "no row matches")
}
