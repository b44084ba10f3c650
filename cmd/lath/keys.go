package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice/keys"
)

func (c *cli) keysCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "keys", Short: "Make and look at keys of hosts, accounts, users and what is signed",
		Example: "  lath keys gen account\n  lath keys inspect account.nk",
	})
	cmd.AddCommand(c.keysGenCmd(), c.keysInspectCmd())
	return cmd
}

// keyInfo is the answer of the keys verbs.
type keyInfo struct {
	Kind   string `json:"kind"`
	Public string `json:"public"`
	File   string `json:"file,omitempty"`
	Seed   string `json:"seed,omitempty"`
}

func kindNames() string {
	var names []string
	for _, k := range keys.Kinds() {
		names = append(names, k.Name)
	}
	return strings.Join(names, ", ")
}

func (c *cli) keysGenCmd() *cobra.Command {
	var file string
	var show bool
	cmd := &cobra.Command{
		Use: "gen KIND", Short: "Make a key",
		Long: `Make a key of a kind: ` + kindNames() + `. NATS's and wasmCloud's names
(server, module, service, curve) are known as well. The seed, which is the secret, goes into
a new file that only you can read, PUBLICKEY.nk or the one that --file names; with --seed it
is printed instead.`,
		Example: "  lath keys gen account\n  lath keys gen host --file host.nk\n  lath keys gen xkey --seed",
		Args:    nargs(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			kind, err := keys.ParseKind(args[0])
			if err != nil {
				return &usageError{err}
			}
			if show && file != "" {
				return usagef("--seed and --file: give one of them")
			}
			k, err := keys.New(kind)
			if err != nil {
				return err
			}
			out := keyInfo{Kind: kind.Name, Public: k.Public, Seed: k.Seed()}
			if !show {
				if out.File, out.Seed = file, ""; file == "" {
					out.File = k.Public + ".nk"
				}
				if err := writeSeed(out.File, k.Seed()); err != nil {
					return err
				}
			}
			return c.result(out, func(w io.Writer) {
				fmt.Fprintf(w, "%s %s\n", out.Kind, out.Public)
				if show {
					fmt.Fprintln(w, out.Seed)
				} else {
					c.say("its seed is in %s: keep it to yourself", out.File)
				}
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "file for the seed, which must not be there yet (default: PUBLICKEY.nk)")
	cmd.Flags().BoolVar(&show, "seed", false, "print the seed, and write no file")
	return cmd
}

// writeSeed writes a secret to a file that only its owner reads, and never over
// another one.
func writeSeed(name, seed string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("file %s is there already, and may hold a key: name another with --file", name)
	}
	if err != nil {
		return fmt.Errorf("write the seed: %w", err)
	}
	_, err = f.WriteString(seed + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the seed: %w", err), os.Remove(name))
	}
	return nil
}

// maxKeyFile bounds a file with a key, in bytes.
const maxKeyFile = 64 << 10

func (c *cli) keysInspectCmd() *cobra.Command {
	return &cobra.Command{
		Use: "inspect KEY|FILE|-", Short: "Show the kind and the public key of a seed or key",
		Long: `Show the kind and the public key of a public key, or of the seed in a file or on standard
input (-). The seed itself is never shown. One that is typed is seen by everyone who can list
this machine's processes: better name its file.`,
		Example: "  lath keys inspect host.nk\n  lath keys inspect NAHDLC3SLFGP3WD62IBZ34KRCW53AV2OBXJK3IPCKFQF37XXS5KWSICR",
		Args:    nargs(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := c.keyText(args[0])
			if err != nil {
				return err
			}
			k, err := keys.Parse(text)
			if err != nil {
				return err
			}
			out := keyInfo{Kind: k.Kind.Name, Public: k.Public}
			return c.result(out, func(w io.Writer) { fmt.Fprintf(w, "%s %s\n", out.Kind, out.Public) })
		},
	}
}

// keyText is a key as it was typed, or the first line of a file that looks like
// one: NATS's own tools write seeds with decoration.
func (c *cli) keyText(arg string) (string, error) {
	in := c.stdin
	if arg != "-" {
		if _, err := keys.Parse(arg); err == nil {
			return arg, nil
		}
		f, err := os.Open(arg)
		if errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(arg, "/.") {
			return arg, nil // which is told to be no key
		}
		if err != nil {
			return "", fmt.Errorf("read the key: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxKeyFile+1))
	if err == nil && len(data) > maxKeyFile {
		err = fmt.Errorf("more than %d bytes", maxKeyFile)
	}
	if err != nil {
		return "", fmt.Errorf("read the key: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if _, err := keys.Parse(line); err == nil {
			return line, nil
		}
	}
	return string(data), nil
}
