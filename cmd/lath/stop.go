package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// stopFlags are those of the stop verbs.
type stopFlags struct {
	lattice latticeFlags
	host    string
	wait    time.Duration
}

func (f *stopFlags) add(cmd *cobra.Command) {
	f.lattice.add(cmd)
	cmd.Flags().DurationVar(&f.wait, "timeout", 30*time.Second, "how long to wait until it has stopped")
}

func (c *cli) stopCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "stop", Short: "Stop a component, a provider or a host",
		Example: "  lath stop component counter\n  lath stop provider keyvalue\n  lath stop host bold-acorn-0042",
	})
	cmd.AddCommand(
		c.stopWorkCmd("component", "Stop a component; calls that run are finished", c.stopComponent),
		c.stopWorkCmd("provider", "Stop a capability provider", c.stopProvider),
		c.stopHostCmd())
	return cmd
}

// place is something that runs, and where.
type place struct{ ID, Ref, HostID, HostName string }

// stopped is the answer of stop.
type stopped struct {
	ID    string   `json:"id"`
	Hosts []string `json:"hosts"`
}

// stopWorkCmd stops what may run on several hosts.
func (c *cli) stopWorkCmd(kind, short string, stop func(context.Context, *session, time.Duration, place) error) *cobra.Command {
	var f stopFlags
	cmd := &cobra.Command{
		Use: kind + " ID", Short: short,
		Long:    short + ". Without --host it\nis stopped on every host that runs it.",
		Example: "  lath stop " + kind + " ID --host bold-acorn-0042",
		Args:    nargs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.lattice.open(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			places, err := s.places(cmd.Context(), kind, args[0], f.host)
			if err != nil {
				return err
			}
			out := stopped{ID: args[0]}
			for _, p := range places {
				if err := stop(cmd.Context(), s, f.wait, p); err != nil {
					return fmt.Errorf("%s %s on %s: %w", kind, p.ID, p.HostName, err)
				}
				out.Hosts = append(out.Hosts, p.HostName)
			}
			return c.result(out, func(w io.Writer) {
				fmt.Fprintf(w, "%s %s is stopped on %s\n", kind, out.ID, strings.Join(out.Hosts, ", "))
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.host, "host", "", "the one host to stop it on: id, start of the id, or name")
	return cmd
}

// places finds where a component or provider runs.
func (s *session) places(ctx context.Context, kind, id, host string) ([]place, error) {
	all, err := s.inventories(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, s.errNoHost()
	}
	only := ""
	if host != "" {
		h, err := s.host(ctx, host)
		if err != nil {
			return nil, err
		}
		only = h.ID
	}
	var found []place
	var others []string
	for _, inv := range all {
		for _, p := range runningOn(inv, kind) {
			if p.ID == id && (only == "" || only == inv.HostID) {
				found = append(found, p)
			} else {
				others = append(others, p.ID)
			}
		}
	}
	if len(found) == 0 {
		where := "in lattice " + s.lattice
		if host != "" {
			where = "on host " + host
		}
		return nil, fmt.Errorf("no %s %q runs %s: %s%s", kind, id, where, list("there is", others), didYouMean(id, others))
	}
	return found, nil
}

func runningOn(inv lattice.Inventory, kind string) []place {
	var out []place
	if kind == "component" {
		for _, d := range inv.Components {
			out = append(out, place{d.ID, d.ImageRef, inv.HostID, inv.FriendlyName})
		}
		return out
	}
	for _, d := range inv.Providers {
		out = append(out, place{d.ID, d.ImageRef, inv.HostID, inv.FriendlyName})
	}
	return out
}

func (c *cli) stopComponent(ctx context.Context, s *session, wait time.Duration, p place) error {
	return c.await(ctx, s, wait, "stopping "+p.ID, tellsComponent(p.HostID, p.ID), func(ctx context.Context, client *ctl.Client) error {
		_, err := client.ScaleComponent(ctx, p.HostID, ctl.ScaleComponent{ComponentRef: p.Ref, ComponentID: p.ID})
		return err
	})
}

func (c *cli) stopProvider(ctx context.Context, s *session, wait time.Duration, p place) error {
	return c.await(ctx, s, wait, "stopping "+p.ID, tellsProvider(p.HostID, p.ID), func(ctx context.Context, client *ctl.Client) error {
		return client.StopProvider(ctx, p.HostID, p.ID)
	})
}

func (c *cli) stopHostCmd() *cobra.Command {
	var f stopFlags
	cmd := &cobra.Command{
		Use: "host HOST", Short: "Stop a host; calls that run are finished",
		Long:    "Stop a host, named by its id, the start of its id or its name, anywhere in the\nlattice. To stop the one of this machine and wait for its process: lath down.",
		Example: "  lath stop host bold-acorn-0042",
		Args:    nargs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := f.lattice.open(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			h, err := s.host(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			err = c.await(cmd.Context(), s, f.wait, "stopping "+h.FriendlyName, tellsHost(h.ID), func(ctx context.Context, client *ctl.Client) error {
				return client.StopHost(ctx, h.ID, f.wait)
			})
			if err != nil {
				return fmt.Errorf("host %s: %w", h.FriendlyName, err)
			}
			return c.result(stopped{ID: h.ID, Hosts: []string{h.FriendlyName}}, func(w io.Writer) {
				fmt.Fprintf(w, "host %s is stopped\n", h.FriendlyName)
			})
		},
	}
	f.add(cmd)
	return cmd
}
