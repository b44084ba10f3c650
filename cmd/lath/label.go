package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
)

func (c *cli) labelCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "label", Short: "Label hosts, so that work can be aimed at them",
		Example: "  lath label put bold-acorn-0042 zone=a\n  lath start component ghcr.io/you/shop:0.1.0 --constraint zone=a",
	})
	var put, del latticeFlags
	putCmd := &cobra.Command{
		Use: "put HOST KEY=VALUE…", Short: "Set labels of a host, until it stops", Example: "  lath label put bold-acorn-0042 zone=a",
		Args: nargs(2, math.MaxInt),
		RunE: func(cmd *cobra.Command, args []string) error {
			values, err := c.settings("", args[1:])
			if err != nil {
				return err
			}
			return c.relabel(cmd, &put, args[0], func(ctx context.Context, s *session, host string) error {
				for _, key := range slices.Sorted(maps.Keys(values)) {
					if err := s.ctl.PutLabel(ctx, host, key, values[key]); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	delCmd := &cobra.Command{
		Use: "del HOST KEY…", Short: "Take labels of a host back", Example: "  lath label del bold-acorn-0042 zone",
		Args: nargs(2, math.MaxInt),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.relabel(cmd, &del, args[0], func(ctx context.Context, s *session, host string) error {
				for _, key := range args[1:] {
					if err := s.ctl.DeleteLabel(ctx, host, key); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	put.add(putCmd)
	del.add(delCmd)
	cmd.AddCommand(putCmd, delCmd)
	return cmd
}

// labelled is the answer of the label verbs.
type labelled struct {
	HostID   string            `json:"host_id"`
	HostName string            `json:"host_name"`
	Labels   map[string]string `json:"labels"`
}

func (c *cli) relabel(cmd *cobra.Command, f *latticeFlags, host string, change func(ctx context.Context, s *session, host string) error) error {
	s, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	ctx := cmd.Context()
	h, err := s.host(ctx, host)
	if err != nil {
		return err
	}
	if err := change(ctx, s, h.ID); err != nil {
		return err
	}
	inv, err := s.ctl.Inventory(ctx, h.ID)
	if err != nil {
		return err
	}
	return c.result(labelled{h.ID, h.FriendlyName, lattice.StringMap(inv.Labels)}, func(w io.Writer) {
		fmt.Fprintf(w, "%s: %s\n", h.FriendlyName, labels(inv.Labels))
	})
}
