package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

func (c *cli) getCmd() *cobra.Command {
	cmd := asGroup(&cobra.Command{
		Use: "get", Short: "Show what is in the lattice",
		Example: "  lath get inventory\n  lath get links --output json",
	})
	cmd.AddCommand(c.getHostsCmd(), c.getInventoryCmd(), c.getWorkCmd("component"), c.getWorkCmd("provider"), c.getLinksCmd(), c.getStatsCmd(), c.getClaimsCmd(), c.getEventsCmd())
	return cmd
}

// getter makes a verb that asks the lattice one thing and shows it.
func getter[T any](c *cli, cmd *cobra.Command, most int,
	ask func(ctx context.Context, s *session, args []string) ([]T, error), show func(w io.Writer, s *session, all []T)) *cobra.Command {
	var f latticeFlags
	f.add(cmd)
	cmd.Args = nargs(0, most)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := f.open(cmd)
		if err != nil {
			return err
		}
		defer s.close()
		all, err := ask(cmd.Context(), s, args)
		if err != nil {
			return err
		}
		if all == nil {
			all = []T{} // an empty list is [], not null
		}
		return c.result(all, func(w io.Writer) { show(w, s, all) })
	}
	return cmd
}

func (c *cli) getHostsCmd() *cobra.Command {
	return getter(c, &cobra.Command{Use: "hosts", Short: "Show the hosts", Example: "  lath get hosts", Aliases: []string{"host"}}, 0,
		func(ctx context.Context, s *session, _ []string) ([]ctl.Host, error) { return s.hosts(ctx) },
		func(w io.Writer, s *session, hosts []ctl.Host) {
			if len(hosts) == 0 {
				fmt.Fprintln(w, s.errNoHost())
				return
			}
			t := newTable(w, "NAME", "ID", "UPTIME", "VERSION", "LABELS")
			for _, h := range hosts {
				t.AppendRow([]any{h.FriendlyName, h.ID, lattice.HumanDuration(time.Duration(h.UptimeSeconds) * time.Second), h.Version, labels(h.Labels)})
			}
			t.Render()
		})
}

// labels writes the labels that people gave.
func labels(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if !strings.HasPrefix(k, "hostcore.") {
			out = append(out, k+"="+m[k])
		}
	}
	return strings.Join(out, ",")
}

func (c *cli) getInventoryCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "inventory [HOST]", Short: "Show what each host runs",
		Example: "  lath get inventory\n  lath get inventory bold-acorn-0042 --output json"}
	return getter(c, cmd, 1,
		func(ctx context.Context, s *session, args []string) ([]lattice.Inventory, error) {
			if len(args) == 0 {
				return s.inventories(ctx)
			}
			h, err := s.host(ctx, args[0])
			if err != nil {
				return nil, err
			}
			inv, err := s.ctl.Inventory(ctx, h.ID)
			if err != nil {
				return nil, err
			}
			return []lattice.Inventory{*inv}, nil
		}, showInventory)
}

func showInventory(w io.Writer, s *session, all []lattice.Inventory) {
	if len(all) == 0 {
		fmt.Fprintln(w, s.errNoHost())
		return
	}
	t := newTable(w, "HOST", "KIND", "ID", "MAX", "REFERENCE")
	for _, inv := range all {
		for _, d := range inv.Components {
			t.AppendRow([]any{inv.FriendlyName, "component", d.ID, d.MaxInstances, d.ImageRef})
		}
		for _, d := range inv.Providers {
			t.AppendRow([]any{inv.FriendlyName, "provider", d.ID, "", d.ImageRef})
		}
		if len(inv.Components)+len(inv.Providers) == 0 {
			t.AppendRow([]any{inv.FriendlyName, "(nothing)", "", "", ""})
		}
	}
	t.Render()
}

// work is a component or provider where it runs, in get's answer.
type work struct {
	ID          string            `json:"id"`
	Ref         string            `json:"image_ref"`
	HostID      string            `json:"host_id"`
	HostName    string            `json:"host_name"`
	Max         uint32            `json:"max_instances,omitempty"`
	Annotations map[string]string `json:"annotations"`
}

func (c *cli) getWorkCmd(kind string) *cobra.Command {
	cmd := &cobra.Command{Use: kind + "s", Short: "Show the " + kind + "s and where they run", Example: "  lath get " + kind + "s", Aliases: []string{kind}}
	return getter(c, cmd, 0,
		func(ctx context.Context, s *session, _ []string) ([]work, error) {
			all, err := s.inventories(ctx)
			return workOf(all, kind), err
		},
		func(w io.Writer, s *session, all []work) {
			if len(all) == 0 {
				fmt.Fprintf(w, "no %s runs in lattice %s: start one with: lath start %s REFERENCE\n", kind, s.lattice, kind)
				return
			}
			t := newTable(w, "ID", "HOST", "REFERENCE")
			for _, x := range all {
				t.AppendRow([]any{x.ID, x.HostName, x.Ref})
			}
			t.Render()
		})
}

func workOf(all []lattice.Inventory, kind string) []work {
	var out []work
	for _, inv := range all {
		if kind == "component" {
			for _, d := range inv.Components {
				out = append(out, work{d.ID, d.ImageRef, inv.HostID, inv.FriendlyName, d.MaxInstances, lattice.StringMap(d.Annotations)})
			}
			continue
		}
		for _, d := range inv.Providers {
			out = append(out, work{d.ID, d.ImageRef, inv.HostID, inv.FriendlyName, 0, lattice.StringMap(d.Annotations)})
		}
	}
	slices.SortStableFunc(out, func(a, b work) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (c *cli) getLinksCmd() *cobra.Command {
	return getter(c, &cobra.Command{Use: "links", Short: "Show the links and their states", Example: "  lath get links", Aliases: []string{"link"}}, 0,
		func(ctx context.Context, s *session, _ []string) ([]lattice.LinkStatus, error) {
			return s.linkStatuses(ctx)
		},
		func(w io.Writer, s *session, all []lattice.LinkStatus) {
			if len(all) == 0 {
				fmt.Fprintf(w, "no links in lattice %s: set one with: lath link put SOURCE TARGET --interface NS:PKG/INTERFACE\n", s.lattice)
				return
			}
			t := newTable(w, "SOURCE", "TARGET", "INTERFACES", "NAME", "STATE")
			for _, l := range all {
				t.AppendRow([]any{l.SourceID, l.Target, l.Package() + "/" + strings.Join(l.Interfaces, ","), l.Name, stateText(l)})
			}
			t.Render()
		})
}

func (c *cli) getClaimsCmd() *cobra.Command {
	return getter(c, &cobra.Command{Use: "claims", Short: "Show what signed components and providers say of themselves", Example: "  lath get claims"}, 0,
		func(ctx context.Context, s *session, _ []string) ([]map[string]string, error) {
			all, err := s.ctl.Claims(ctx)
			if err != nil {
				return nil, s.noHost(err)
			}
			return all, nil
		},
		func(w io.Writer, _ *session, all []map[string]string) {
			t := newTable(w, "SUBJECT", "NAME", "VERSION", "REVISION", "ISSUER")
			for _, claims := range all {
				t.AppendRow([]any{claims["sub"], claims["name"], claims["version"], claims["rev"], claims["iss"]})
			}
			t.Render()
		})
}
