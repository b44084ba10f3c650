package main

import (
	"context"
	"os"
	"syscall"
)

func main() {
	// The first signal asks to end in order; a second one ends at once.
	ctx, end := withSignals(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	end()
	os.Exit(code)
}
