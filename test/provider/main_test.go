package provider_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	memory "github.com/lathhost/lath/providers/keyvalue"
	"github.com/lathhost/lath/providers/sdk"
	"github.com/lathhost/lath/test/harness"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

// A provider has neither arguments nor environment: a script gives it the one
// that tells this program from a test.
const asProvider = "be-provider"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == asProvider {
		behaviours[os.Args[2]]()
		return
	}
	goleak.VerifyTestMain(m)
}

// script makes a program that is this one with a behaviour, and returns its
// reference.
func script(t *testing.T, behaviour string) string {
	t.Helper()
	require.Contains(t, behaviours, behaviour)
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), behaviour)
	text := fmt.Sprintf("#!/bin/sh\nexec '%s' %s %s\n", self, asProvider, behaviour)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o700)) //nolint:gosec // it is a program
	return "file://" + path
}

// behaviours are the mains of providers.
var behaviours = map[string]func(){
	"keyvalue": func() { run(sdk.Provider{Contracts: contracts()}) },
}

func contracts() []sdk.Contract {
	m := memory.NewMemory(memory.MemoryConfig{})
	return []sdk.Contract{
		sdk.Export(keyvalue.StoreInterface, bind.ServeStore, keyvalue.Store(m)),
		sdk.Export(keyvalue.AtomicsInterface, bind.ServeAtomics, keyvalue.Atomics(m)),
	}
}

func run(p sdk.Provider) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := sdk.Run(ctx, os.Stdin, p); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const increment = `example:counter/counter.increment("k")`

func call(t *testing.T, l *harness.Lattice) string {
	t.Helper()
	got, err := l.Call(t.Context(), nil, "count", increment)
	require.NoError(t, err)
	return got.WAVE
}
