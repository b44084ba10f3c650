package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/wit"
)

func (c *cli) inspectCmd() *cobra.Command {
	var f transferFlags
	cmd := &cobra.Command{
		Use: "inspect FILE|REFERENCE", Short: "Show what a component imports and exports, as WIT",
		Long: `Show the world of a component as WIT, and what has to be granted or linked before
its imports do anything. That it imports something does not say that it uses it: a C
library brings all of WASI. Nothing of the component is run.`,
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
	Needs   []need   `json:"needs"`
	WIT     string   `json:"wit"`
}

// need is what a component can do nothing without, where it tries to.
type need struct {
	Interface string `json:"interface"`
	// By says who gives it: a flag of run, for which the file of up --grants has
	// a key on hosts, or a link.
	By string `json:"by"`
}

// needs lists what has to be granted or linked. That an interface is imported
// does not say that it is used: a C library brings all of them.
func needs(w *wit.World) []need {
	grants := []struct{ prefix, by string }{
		{"wasi:filesystem/preopens", "--dir"},
		{"wasi:sockets/tcp-create-socket", "--allow-net"},
		{"wasi:sockets/udp-create-socket", "--allow-net"},
		{"wasi:sockets/ip-name-lookup", "--allow-net"},
		{"wasi:http/outgoing-handler", "--allow-http"},
		{"wasi:config/store", "--config"},
		{"wasmcloud:secrets/store", "a secret (lath secret put; not in lath run)"},
		{"wasmcloud:secrets/reveal", "a secret"},
		{"wasi:keyvalue/", "a link (lath run keeps it in memory)"},
	}
	list := []need{}
	for _, x := range w.Imports {
		i := slices.IndexFunc(grants, func(g struct{ prefix, by string }) bool { return strings.HasPrefix(x.Name, g.prefix) })
		switch {
		case i >= 0:
			list = append(list, need{x.Name, grants[i].by})
		case !strings.HasPrefix(x.Name, "wasi:") && needsCode(x):
			list = append(list, need{x.Name, "a link"})
		}
	}
	return list
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
	seen := inspected{Digest: comp.Digest(), Size: len(a.Bytes), Imports: names(w.Imports), Exports: names(w.Exports), Needs: needs(w), WIT: text}
	return c.result(seen, func(out io.Writer) {
		fmt.Fprintf(out, "// %s, %d bytes\n", seen.Digest, seen.Size)
		for _, n := range seen.Needs {
			fmt.Fprintf(out, "// %s needs %s\n", n.Interface, n.By)
		}
		if slices.ContainsFunc(seen.Needs, func(n need) bool { return strings.HasPrefix(n.By, "--") }) {
			fmt.Fprintln(out, "// flags are those of lath run; on hosts the operator's file grants: lath up --help")
		}
		fmt.Fprint(out, text)
	})
}
