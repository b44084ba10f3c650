package main

import (
	"context"
	"errors"
	"fmt"
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
	cmd.AddCommand(c.getHostsCmd(), c.getInventoryCmd(), c.getComponentsCmd(), c.getProvidersCmd(), c.getLinksCmd(), c.getConfigsCmd(), c.getStatsCmd(), c.getClaimsCmd(),
		c.getEventsCmd(), c.getOpsCmd())
	return cmd
}

func (c *cli) getHostsCmd() *cobra.Command {
	return getter(c, &cobra.Command{Use: "hosts", Short: "Show the hosts", Example: "  lath get hosts", Aliases: []string{"host"}}, 0,
		func(ctx context.Context, s *session, _ []string) ([]seen, error) { return s.seenHosts(ctx) },
		func(s *session, hosts []seen) view {
			v := view{header: []any{"NAME", "ID", "STATE", "UPTIME", "VERSION", "LABELS"}, ticking: "UPTIME", none: s.errNoHost().Error()}
			for _, h := range hosts {
				up := ""
				if h.SilentMS == 0 {
					up = lattice.HumanDuration(time.Duration(h.UptimeSeconds) * time.Second)
				}
				v.add(h.FriendlyName, h.ID, h.stateText(), up, h.Version, labels(h.Labels))
			}
			return v
		})
}

// stateText is the state, and for how long it has been so where that says more.
func (h *seen) stateText() string {
	if h.SilentMS == 0 {
		return h.State
	}
	return h.State + " for " + lattice.HumanDuration((time.Duration(h.SilentMS) * time.Millisecond).Round(time.Second))
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
			inv, err := s.inventory(ctx, h.ID)
			if err != nil {
				return nil, err
			}
			return []lattice.Inventory{inv.Inventory}, nil
		}, showInventory)
}

func showInventory(s *session, all []lattice.Inventory) view {
	v := view{header: []any{"HOST", "KIND", "ID", "MAX", "REFERENCE"}, none: s.errNoHost().Error()}
	for _, inv := range all {
		for _, d := range inv.Components {
			v.add(inv.FriendlyName, "component", d.ID, d.MaxInstances, d.ImageRef)
		}
		for _, d := range inv.Providers {
			v.add(inv.FriendlyName, "provider", d.ID, "", d.ImageRef)
		}
		if len(inv.Components)+len(inv.Providers) == 0 {
			v.add(inv.FriendlyName, "(nothing)", "", "", "")
		}
	}
	return v
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

func (c *cli) getComponentsCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "components", Short: "Show the components and where they run", Example: "  lath get components", Aliases: []string{"component"}}
	return getter(c, cmd, 0,
		func(ctx context.Context, s *session, _ []string) ([]work, error) {
			all, err := s.inventories(ctx)
			return workOf(all, "component"), err
		},
		func(s *session, all []work) view {
			v := view{header: []any{"ID", "HOST", "REFERENCE"},
				none: fmt.Sprintf("no component runs in lattice %s: start one with: lath start component REFERENCE", s.lattice)}
			for _, x := range all {
				v.add(x.ID, x.HostName, x.Ref)
			}
			return v
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
			return s.linkStatuses(ctx, "")
		},
		func(s *session, all []lattice.LinkStatus) view {
			v := view{header: []any{"SOURCE", "TARGET", "INTERFACES", "NAME", "STATE"},
				none: fmt.Sprintf("no links in lattice %s: set one with: lath link put SOURCE TARGET --interface NS:PKG/INTERFACE", s.lattice)}
			for _, l := range all {
				v.add(l.SourceID, l.Target, l.Package()+"/"+strings.Join(l.Interfaces, ","), l.Name, stateText(l))
			}
			return v
		})
}

func (c *cli) getClaimsCmd() *cobra.Command {
	return getter(c, &cobra.Command{Use: "claims", Short: "Show what signed components and providers say of themselves", Example: "  lath get claims"}, 0,
		func(ctx context.Context, s *session, _ []string) ([]map[string]string, error) {
			all, err := s.ctl.AllClaims(ctx)
			if errors.Is(err, lattice.ErrNotFound) { // only hosts of v1
				all, err = s.ctl.Claims(ctx)
			}
			return all, s.noHost(err)
		},
		func(_ *session, all []map[string]string) view {
			v := view{header: []any{"SUBJECT", "NAME", "VERSION", "REVISION", "ISSUER"}}
			for _, claims := range all {
				v.add(claims["sub"], claims["name"], claims["version"], claims["rev"], claims["iss"])
			}
			return v
		})
}

func (c *cli) getConfigsCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show the named configs", Aliases: []string{"configs"}, Example: "  lath get config",
		Long: "Show all configs by name, how many settings each has, and its version,\nwhich each change makes another. To see the settings of one: lath config get NAME."}
	return getter(c, cmd, 0,
		func(ctx context.Context, s *session, _ []string) ([]ctl.ConfigInfo, error) {
			all, err := s.ctl.Configs(ctx)
			return all, s.noHost(err)
		},
		func(s *session, all []ctl.ConfigInfo) view {
			v := view{header: []any{"NAME", "SETTINGS", "VERSION"}, none: fmt.Sprintf("no configs in lattice %s: store one with: lath config put NAME KEY=VALUE", s.lattice)}
			for _, x := range all {
				v.add(x.Name, x.Settings, x.Version)
			}
			return v
		})
}
