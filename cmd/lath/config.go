package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

func (c *cli) configCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "config", Short: "Name settings that components and providers are given",
		Long: `Settings are stored in the lattice under a name. A component that was started with
--config NAME reads them by wasi:config/store, and sees every change at its next call.`,
		Example: "  lath config put shop color=blue size=7\n  lath start component ghcr.io/you/shop:0.1.0 --config shop\n  lath config put shop color=red --merge",
	})
	cmd.AddCommand(c.configPutCmd(), c.configGetCmd(), c.configDelCmd())
	return cmd
}

// namedConfig is the answer of the config verbs.
type namedConfig struct {
	Name   string            `json:"name"`
	Values map[string]string `json:"values"`
}

// maxConfigFile bounds a file of settings, in bytes: the store takes no more.
const maxConfigFile = 1 << 20

func (c *cli) configPutCmd() *cobra.Command {
	var f latticeFlags
	var file string
	var merge bool
	cmd := &cobra.Command{
		Use: "put NAME [KEY=VALUE…]", Short: "Store settings under a name, in the place of what was there",
		Example: "  lath config put shop color=blue size=7\n  lath config put shop --file shop.json\n  lath config put shop color=red --merge",
		Args:    nargs(1, math.MaxInt),
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := c.settings(file, args[1:])
			if err != nil {
				return err
			}
			s, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			ctx := cmd.Context()
			all := values
			if merge {
				switch before, err := s.ctl.Config(ctx, args[0]); {
				case err == nil:
					all = before
					maps.Copy(all, values)
				case !noSuchConfig(err):
					return s.noHost(err)
				}
			}
			if err := s.ctl.PutConfig(ctx, args[0], all); err != nil {
				return s.noHost(err)
			}
			return c.result(namedConfig{args[0], all}, func(w io.Writer) {
				noun := "settings"
				if len(all) == 1 {
					noun = "setting"
				}
				fmt.Fprintf(w, "config %s has %d %s\n", args[0], len(all), noun)
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVarP(&file, "file", "f", "", "JSON object of texts to read settings from; - is stdin")
	cmd.Flags().BoolVar(&merge, "merge", false, "keep the settings that are there and not named here")
	return cmd
}

// settings are those of a file, and over them those of the command line.
func (c *cli) settings(file string, pairs []string) (map[string]string, error) {
	values := map[string]string{}
	if file != "" {
		in := c.stdin
		if file != "-" {
			f, err := os.Open(file)
			if err != nil {
				return nil, &usageError{err}
			}
			defer f.Close()
			in = f
		}
		data, err := io.ReadAll(io.LimitReader(in, maxConfigFile+1))
		if err == nil && len(data) > maxConfigFile {
			err = fmt.Errorf("more than %d bytes", maxConfigFile)
		}
		if err == nil {
			err = json.Unmarshal(data, &values)
		}
		if err != nil {
			return nil, usagef(`--file %s: %w: want a JSON object of texts, such as {"color": "blue"}`, file, err)
		}
	}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usagef("%q: want KEY=VALUE", pair)
		}
		values[key] = value
	}
	return values, nil
}

// noSuchConfig tells a host's answer that there is no config from the lack of a
// host.
func noSuchConfig(err error) bool {
	_, silent := errors.AsType[*ctl.CallError](err)
	return errors.Is(err, lattice.ErrNotFound) && !silent
}

func (c *cli) configGetCmd() *cobra.Command {
	var f latticeFlags
	cmd := &cobra.Command{
		Use: "get NAME", Short: "Show the settings of a name", Example: "  lath config get shop\n  lath config get shop --output json", Args: nargs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			values, err := s.ctl.Config(cmd.Context(), args[0])
			switch {
			case noSuchConfig(err):
				return fmt.Errorf("config %s: %w: store it by: lath config put %[1]s KEY=VALUE", args[0], lattice.ErrNotFound)
			case err != nil:
				return s.noHost(err)
			}
			return c.result(namedConfig{args[0], values}, func(w io.Writer) {
				t := newTable(w, "KEY", "VALUE")
				for _, key := range slices.Sorted(maps.Keys(values)) {
					t.AppendRow([]any{key, values[key]})
				}
				t.Render()
			})
		},
	}
	f.add(cmd)
	return cmd
}

func (c *cli) configDelCmd() *cobra.Command {
	var f latticeFlags
	cmd := &cobra.Command{
		Use: "del NAME", Short: "Remove the settings of a name", Example: "  lath config del shop", Args: nargs(1, 1),
		Long: "Remove the settings of a name. Components that were started with it read none\nfrom then on. Nothing to remove is no error.",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.ctl.DeleteConfig(cmd.Context(), args[0]); err != nil {
				return s.noHost(err)
			}
			return c.result(struct {
				Name    string `json:"name"`
				Deleted bool   `json:"deleted"`
			}{args[0], true}, func(w io.Writer) { fmt.Fprintf(w, "config %s is gone\n", args[0]) })
		},
	}
	f.add(cmd)
	return cmd
}
