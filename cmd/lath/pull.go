package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

func (c *cli) pullCmd() *cobra.Command {
	var f transferFlags
	var file string
	cmd := &cobra.Command{
		Use: "pull REFERENCE -o FILE", Short: "Get a component out of a registry",
		Long:    "Get a component out of an OCI registry and write it to a file, or with \"-\" to\nstandard output. Its digest is checked.",
		Example: "  lath pull ghcr.io/you/counter:0.1.0 -o counter.wasm",
		Args:    nargs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file == "" {
				return usagef("name the file to write: -o FILE, or - for standard output")
			}
			return c.pullTo(cmd.Context(), &f, args[0], file)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&file, "file", "o", "", "file to write, or - for standard output")
	return cmd
}

// pulled is the answer of pull.
type pulled struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
	File      string `json:"file"`
	Origin    string `json:"origin"`
}

func (c *cli) pullTo(ctx context.Context, f *transferFlags, reference, file string) error {
	a, err := c.pull(ctx, f, reference)
	if err != nil {
		return err
	}
	if file == "-" {
		_, err := c.stdout.Write(a.Bytes)
		return err
	}
	if err := writeFile(file, a.Bytes); err != nil {
		return err
	}
	return c.result(pulled{reference, a.Digest, len(a.Bytes), file, string(a.Origin)}, func(w io.Writer) {
		fmt.Fprintf(w, "wrote %s (%s)\n%s\n", file, humanize.IBytes(uint64(len(a.Bytes))), a.Digest)
	})
}

// writeFile writes a file whole or not at all.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".lath-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // gone already if all went well
	_, err = tmp.Write(data)
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Chmod(tmp.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	return err
}
