package main

import (
	"context"
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/wit"
)

func (c *cli) pushCmd() *cobra.Command {
	var f transferFlags
	cmd := &cobra.Command{
		Use: "push FILE REFERENCE", Short: "Put a component into a registry",
		Long: `Put a component into an OCI registry. The file is read and checked first, so that
what no host could run is not published.`,
		Example: "  lath push counter.wasm ghcr.io/you/counter:0.1.0\n  lath push counter.wasm localhost:5000/counter:0.1.0 --insecure",
		Args:    nargs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.push(cmd.Context(), &f, args[0], args[1])
		},
	}
	f.add(cmd)
	return cmd
}

// pushed is the answer of push.
type pushed struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
}

func (c *cli) push(ctx context.Context, f *transferFlags, file, reference string) error {
	ref, err := oci.ParseReference(reference)
	if err != nil {
		return &usageError{err}
	}
	if err := checkFile(file); err != nil {
		return err
	}
	path, err := oci.FileReference(file)
	if err != nil {
		return err
	}
	client, err := f.client(ref)
	if err != nil {
		return err
	}
	defer client.Close()
	a, err := client.Pull(ctx, path, nil)
	if err != nil {
		return err
	}
	comp, err := decode(ctx, a.Bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	w := comp.World()
	progress, done := c.transfer(ctx, "push "+reference)
	digest, err := client.Push(ctx, reference, a.Bytes, oci.Meta{Imports: names(w.Imports), Exports: names(w.Exports)}, progress)
	done()
	if err != nil {
		return err
	}
	return c.result(pushed{reference, digest, len(a.Bytes)}, func(w io.Writer) {
		fmt.Fprintf(w, "pushed %s (%s)\n%s\n", reference, humanize.IBytes(uint64(len(a.Bytes))), digest)
	})
}

func names(externs []wit.Extern) []string {
	out := make([]string, len(externs))
	for i, x := range externs {
		out[i] = x.Name
	}
	return out
}
