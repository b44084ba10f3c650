package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/lathhost/lath/host/oci"
	"github.com/lathhost/lath/host/par"
	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/wit"
)

func (c *cli) pushCmd() *cobra.Command {
	var f transferFlags
	cmd := &cobra.Command{
		Use: "push FILE... REFERENCE", Short: "Put a component or a provider into a registry",
		Long: `Put a component into an OCI registry, or a provider: its programs, one for each platform,
or a provider archive of wasmCloud's. Files are read and checked first, so that what no
host could run is not published; a program's platform is read from its header.`,
		Example: "  lath push counter.wasm ghcr.io/you/counter:0.1.0\n  lath push counter.wasm localhost:5000/counter:0.1.0 --insecure\n" +
			"  lath push kv-linux-amd64 kv-linux-arm64 ghcr.io/you/kv:0.1.0",
		Args: nargs(2, maxPushed),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, reference := args[:len(args)-1], args[len(args)-1]
			provider, err := isProvider(files)
			switch {
			case err != nil:
				return err
			case provider:
				return c.pushProvider(cmd.Context(), &f, files, reference)
			}
			return c.push(cmd.Context(), &f, files[0], reference)
		},
	}
	f.add(cmd)
	return cmd
}

// maxPushed bounds the arguments: more platforms than there are.
const maxPushed = 33

// pushed is the answer of push.
type pushed struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	Size      int    `json:"size"`
	// Platforms are those of a provider's programs.
	Platforms []string `json:"platforms,omitempty"`
}

// isProvider says whether files are a provider's: not one that is WebAssembly, or
// cannot be read.
func isProvider(files []string) (bool, error) {
	if len(files) > 1 {
		return true, nil
	}
	info, err := os.Stat(files[0])
	if err != nil || !info.Mode().IsRegular() {
		return false, nil //nolint:nilerr // told when it is read as a component
	}
	head, err := readHead(files[0])
	if err != nil {
		return false, err
	}
	return par.IsArchive(head) || slices.ContainsFunc(programs, func(magic string) bool { return bytes.HasPrefix(head, []byte(magic)) }), nil
}

// programs is what programs begin with: of Linux and FreeBSD, macOS and Windows.
var programs = []string{"\x7fELF", "\xcf\xfa\xed\xfe", "MZ"}

// headSize is enough of a file to tell what it is.
const headSize = 512

func readHead(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return head[:n], err
}

// providerFile checks one of a provider's files.
func providerFile(ctx context.Context, file string) (oci.ProviderFile, error) {
	p := oci.ProviderFile{Path: file}
	head, err := readHead(file)
	if err != nil {
		return p, err
	}
	f, err := os.Open(file)
	if err != nil {
		return p, err
	}
	defer f.Close()
	if par.IsArchive(head) {
		_, err = par.Extract(ctx, f, par.Here(), io.Discard, par.Limits{})
		if errors.Is(err, lattice.ErrNotFound) {
			err = nil // it has none for this platform, which others may be
		}
	} else {
		p.OS, p.Arch, err = par.Platform(f)
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}

func (c *cli) pushProvider(ctx context.Context, f *transferFlags, names []string, reference string) error {
	ref, err := oci.ParseReference(reference)
	if err != nil {
		return &usageError{err}
	}
	answer := pushed{Reference: reference}
	var files []oci.ProviderFile
	for _, name := range names {
		file, err := providerFile(ctx, name)
		if err != nil {
			return err
		}
		info, err := os.Stat(name)
		if err != nil {
			return err
		}
		files, answer.Size = append(files, file), answer.Size+int(info.Size())
		if file.OS != "" {
			answer.Platforms = append(answer.Platforms, file.OS+"/"+file.Arch)
		}
	}
	client, err := f.client(ref)
	if err != nil {
		return err
	}
	defer client.Close()
	progress, done := c.transfer(ctx, "push "+reference)
	answer.Digest, err = client.PushProvider(ctx, reference, files, progress)
	done()
	if err != nil {
		return err
	}
	return c.result(answer, func(w io.Writer) {
		fmt.Fprintf(w, "pushed %s (%s) %s\n%s\n", reference, humanize.IBytes(uint64(answer.Size)), strings.Join(answer.Platforms, " "), answer.Digest)
	})
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
	return c.result(pushed{Reference: reference, Digest: digest, Size: len(a.Bytes)}, func(w io.Writer) {
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
