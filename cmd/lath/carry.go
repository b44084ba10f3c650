package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/state"
)

// stdio is the file name that means standard input or output.
const stdio = "-"

func (c *cli) latticeCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "lattice", Short: "Carry what a lattice stores to other NATS servers",
		Example: "  lath lattice export lattice.ndjson\n  lath lattice import lattice.ndjson",
	})
	cmd.AddCommand(c.exportCmd(), c.importCmd())
	return cmd
}

// carryFlags are those of the two verbs.
type carryFlags struct {
	lattice  latticeFlags
	jsDomain string
	replicas int
	merge    bool
}

func (f *carryFlags) add(cmd *cobra.Command) {
	f.lattice.add(cmd)
	cmd.Flags().StringVar(&f.jsDomain, "js-domain", "", "JetStream domain of the lattice's data, where the NATS server is a leaf node")
	fromEnv(cmd.Flags(), "js-domain", "LATH_JS_DOMAIN", "WASMCLOUD_JS_DOMAIN")
}

func (c *cli) exportCmd() *cobra.Command {
	var f carryFlags
	cmd := &cobra.Command{
		Use: "export FILE", Short: "Write all that a lattice stores to a file",
		Long: `Write all that a lattice stores to a file of one JSON value a line: links, named
configs, claims, and what each host is to run. The file holds configs, which may be
sensitive: only its owner may read it. FILE may be - for standard output.

What is written needs no host, only NATS. What hosts store meanwhile is in the file
or not: for a faithful copy, stop whoever changes the lattice.`,
		Example: "  lath lattice export lattice.ndjson",
		Args:    nargs(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.export(cmd, &f, args[0]) },
	}
	f.add(cmd)
	return cmd
}

// carried is the answer of the two verbs.
type carried struct {
	Lattice string `json:"lattice"`
	File    string `json:"file"`
	Entries int    `json:"entries"`
	Bytes   int64  `json:"bytes,omitempty"`
	*state.Imported
}

func (c *cli) export(cmd *cobra.Command, f *carryFlags, file string) error {
	s, err := f.lattice.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	write := func(w io.Writer) (int, error) {
		return state.Export(cmd.Context(), s.conn, s.lattice, state.Options{Domain: f.jsDomain}, w)
	}
	if file == stdio {
		_, err := write(c.stdout)
		return err
	}
	done := carried{Lattice: s.lattice, File: file}
	if done.Entries, done.Bytes, err = writePrivate(file, write); err != nil {
		return err
	}
	return c.result(done, func(w io.Writer) {
		fmt.Fprintf(w, "lattice %s: %d entries, %s, are in %s; next: lath lattice import %s, with another --nats-url\n",
			done.Lattice, done.Entries, humanize.IBytes(uint64(done.Bytes)), file, file)
	})
}

// writePrivate writes a file that only its owner may read, whole or not at all.
func writePrivate(file string, write func(io.Writer) (int, error)) (n int, size int64, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp") // 0600
	if err != nil {
		return 0, 0, fmt.Errorf("write %s: %w", file, err)
	}
	defer os.Remove(tmp.Name()) //nolint:errcheck // it is gone when all went well
	n, err = write(tmp)
	if err == nil {
		err = tmp.Sync()
	}
	if info, e := tmp.Stat(); e == nil {
		size = info.Size()
	}
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	return n, size, err
}

func (c *cli) importCmd() *cobra.Command {
	var f carryFlags
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Store what a file of lath lattice export holds",
		Long: `Store what a file of lath lattice export holds in a lattice. What is there already is
left, so that an import may be repeated after a failure. A lattice that has anything
else is refused before anything is written: one that has a key of the file with
another value always, and one that has other keys too unless --merge is given.

Hosts hear of links and configs at once. What a host is to run it finds when it is
started again, under the same identity (--state-dir or --host-seed).
FILE may be - for standard input.`,
		Example: "  lath lattice import lattice.ndjson\n  lath lattice import --nats-url nats://10.0.0.1:4222 lattice.ndjson",
		Args:    nargs(1, 1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.importFrom(cmd, &f, args[0]) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.merge, "merge", false, "also into a lattice that has other things, which stay as they are")
	cmd.Flags().IntVar(&f.replicas, "replicas", 0, "how many servers of a NATS cluster keep what the lattice stores (default: 3 in a cluster, 1 elsewhere)")
	fromEnv(cmd.Flags(), "replicas", "LATH_REPLICAS")
	return cmd
}

func (c *cli) importFrom(cmd *cobra.Command, f *carryFlags, file string) error {
	if f.replicas < 0 || f.replicas > maxReplicas {
		return usagef("--replicas %d: want 1 to %d", f.replicas, maxReplicas)
	}
	in := c.stdin
	if file != stdio {
		opened, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("import: %w", err)
		}
		defer opened.Close()
		in = opened
	}
	s, err := f.lattice.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	did, err := state.Import(cmd.Context(), s.conn, s.lattice, state.Options{Domain: f.jsDomain, Replicas: f.replicas}, in, f.merge)
	if err != nil {
		return explainImport(cmd.Context(), err, f.merge)
	}
	return c.result(carried{Lattice: s.lattice, File: file, Entries: did.Added + did.Same, Imported: &did}, func(w io.Writer) {
		fmt.Fprintf(w, "lattice %s: %d entries stored, %d were there; hosts find what they are to run when they start again\n", s.lattice, did.Added, did.Same)
	})
}

// explainImport says what to do about a refusal.
func explainImport(ctx context.Context, err error, merge bool) error {
	switch {
	case ctx.Err() != nil || !errors.Is(err, lattice.ErrConflict):
		return err
	case merge:
		return fmt.Errorf("%w; delete these, or import into another --lattice", err)
	default:
		return fmt.Errorf("%w; add what is missing with --merge, or import into another --lattice", err)
	}
}
