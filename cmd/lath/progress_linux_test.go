package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// openTerminal returns the two ends of a new terminal.
func openTerminal(t *testing.T) (screen, terminal *os.File) {
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("SKIPPED: no terminal to be had:", err)
	}
	t.Cleanup(func() { screen.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(int(screen.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { terminal.Close() })
	require.NoError(t, unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120}))
	return screen, terminal
}

// TestCompilingIsShown: how far compiling is stands on the terminal, once it has
// taken a second.
func TestCompilingIsShown(t *testing.T) {
	t.Parallel()
	screen, terminal := openTerminal(t)
	c := &cli{stderr: terminal}
	progress, done := c.compiling("big.wasm")
	progress(3, 4)
	seen := bufio.NewScanner(screen)
	seen.Split(bufio.ScanRunes)
	var text strings.Builder
	for !strings.Contains(text.String(), "compiling big.wasm: 3 of 4 modules") {
		require.True(t, seen.Scan(), "%q", text.String())
		text.Write(seen.Bytes())
	}
	done()
}

// TestQuickCompilingIsNotShown: what takes less than a second, and what nobody
// looks at, leaves no trace.
func TestQuickCompilingIsNotShown(t *testing.T) {
	t.Parallel()
	screen, terminal := openTerminal(t)
	var text strings.Builder
	for _, c := range []*cli{{stderr: terminal}, {stderr: &text}} {
		progress, done := c.compiling("small.wasm")
		progress(0, 1)
		progress(1, 1)
		done()
	}
	require.NoError(t, terminal.Close())
	var b [64]byte
	n, _ := screen.Read(b[:])
	require.Zero(t, n)
	require.Empty(t, text.String())
}
