package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/wit"
)

func (c *cli) inspectCmd() *cobra.Command {
	var f transferFlags
	cmd := &cobra.Command{
		Use: "inspect FILE|REFERENCE", Short: "Show what a component imports and exports, as WIT",
		Example: "  lath inspect counter.wasm\n  lath inspect ghcr.io/you/counter:0.1.0",
		Args:    nargs(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.inspect(cmd.Context(), &f, args[0]) },
	}
	f.add(cmd)
	return cmd
}

// inspected is the answer of inspect.
type inspected struct {
	Digest  string   `json:"digest"`
	Size    int      `json:"size"`
	Imports []string `json:"imports"`
	Exports []string `json:"exports"`
	WIT     string   `json:"wit"`
}

func (c *cli) inspect(ctx context.Context, f *transferFlags, arg string) error {
	a, err := c.pull(ctx, f, arg)
	if err != nil {
		return err
	}
	comp, err := decode(ctx, a.Bytes)
	if err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	w := comp.World()
	text, err := wit.Print(w)
	if err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	return c.result(inspected{comp.Digest(), len(a.Bytes), names(w.Imports), names(w.Exports), text}, func(out io.Writer) {
		fmt.Fprintf(out, "// %s, %d bytes\n%s", comp.Digest(), len(a.Bytes), text)
	})
}
