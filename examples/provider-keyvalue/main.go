// Program provider-keyvalue is a capability provider in Go: a key-value store in
// memory that a host runs as a process of its own.
//
//	go build -o provider-keyvalue ./examples/provider-keyvalue
//	lath start provider kv ./provider-keyvalue        # hosts with --allow-file-load
//	lath link put counter kv --interface wasi:keyvalue/store,atomics
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	bind "github.com/lathhost/lath/lattice/bind/wrpc/keyvalue"
	"github.com/lathhost/lath/providers/sdk"
	"github.com/lathhost/lath/wit/wrpc/keyvalue"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &store{values: map[string][]byte{}}
	err := sdk.Run(ctx, os.Stdin, sdk.Provider{
		Contracts: []sdk.Contract{
			sdk.Export(keyvalue.StoreInterface, bind.ServeStore, keyvalue.Store(s)),
			sdk.Export(keyvalue.AtomicsInterface, bind.ServeAtomics, keyvalue.Atomics(s)),
		},
		Init:          s.init,
		ConfigChanged: s.configure,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
