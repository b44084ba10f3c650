package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// changeFlags are those of verbs that change a component where it runs.
type changeFlags struct {
	lattice latticeFlags
	host    string
	wait    time.Duration
}

func (f *changeFlags) add(cmd *cobra.Command) {
	f.lattice.add(cmd)
	cmd.Flags().StringVar(&f.host, "host", "", "the one host to change it on: id, start of the id, or name (default: every host that runs it)")
	cmd.Flags().DurationVar(&f.wait, "timeout", outcomeWait, "how long to wait for each host")
}

// changed is the answer of scale and update.
type changed struct {
	ID    string        `json:"id"`
	Hosts []changedHost `json:"hosts"`
}

// changedHost is what a component is on one host after the change.
type changedHost struct {
	HostID   string `json:"host_id"`
	HostName string `json:"host_name"`
	Ref      string `json:"image_ref"`
	Max      uint32 `json:"max_instances"`
	Message  string `json:"message,omitempty"`
}

func (c *cli) scaleCmd() *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use: "scale COMPONENT MAX", Short: "Change how many calls a component takes at a time",
		Long: `Change how many calls a component takes at a time, on each host that runs it or on the one
that --host names, and wait until it does. Its image, configs, annotations and limits stay.
To run it on another host: lath start. To end it: lath stop.`,
		Example: "  lath scale counter 20\n  lath scale counter 5 --host bold-acorn-0042",
		Args:    nargs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			most, err := strconv.ParseUint(args[1], 10, 32)
			switch {
			case err != nil:
				return usagef("%q: want the most calls at a time, a number such as 20", args[1])
			case most == 0:
				return usagef("0 would stop it: use lath stop component %s", args[0])
			}
			return c.change(cmd, &f, args[0], func(ctx context.Context, client *ctl.Client, d *lattice.ComponentDescription, inv *ctl.Inventory) (string, error) {
				return client.ScaleComponent(ctx, inv.HostID, ctl.ScaleComponent{ComponentRef: d.ImageRef, ComponentID: d.ID, MaxInstances: uint32(most),
					Annotations: d.Annotations, Config: inv.ComponentConfigs[d.ID], Limits: d.Limits})
			})
		},
	}
	f.add(cmd)
	return cmd
}

func (c *cli) updateCmd() *cobra.Command {
	var f changeFlags
	cmd := &cobra.Command{
		Use: "update COMPONENT REFERENCE", Short: "Run another image of a component",
		Long: `Run another image of a component, on one host after the other or on the one that --host
names, and wait until it does. New calls run the new image; those that run finish on the
old. All else stays. Where it fails the old image goes on, and the hosts after that one are
left alone.`,
		Example: "  lath update counter ghcr.io/you/counter:0.2.0",
		Args:    nargs(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ref, err := parseReference(args[1])
			if err != nil {
				return &usageError{err}
			}
			return c.change(cmd, &f, args[0], func(ctx context.Context, client *ctl.Client, d *lattice.ComponentDescription, inv *ctl.Inventory) (string, error) {
				return client.UpdateComponent(ctx, inv.HostID, ctl.UpdateComponent{ComponentID: d.ID, NewComponentRef: ref.String()})
			})
		},
	}
	f.add(cmd)
	return cmd
}

// change sends a command to each host that runs a component, one after the other,
// and says what the component is there afterwards.
func (c *cli) change(cmd *cobra.Command, f *changeFlags, id string,
	send func(ctx context.Context, client *ctl.Client, d *lattice.ComponentDescription, inv *ctl.Inventory) (string, error)) error {
	s, err := f.lattice.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	ctx := cmd.Context()
	places, err := s.places(ctx, "component", id, f.host)
	if err != nil {
		return err
	}
	out := changed{ID: id}
	for _, p := range places {
		var message string
		err := c.await(ctx, s, f.wait, id+" on "+p.HostName, tellsComponent(p.HostID, id), func(ctx context.Context, client *ctl.Client) error {
			d, inv, err := s.componentOn(ctx, id, p)
			if err == nil {
				message, err = send(ctx, client, d, inv)
			}
			return err
		})
		var now *lattice.ComponentDescription
		if err == nil {
			now, _, err = s.componentOn(ctx, id, p)
		}
		if err != nil {
			return fmt.Errorf("component %s on %s: %w%s", id, p.HostName, err, out.already())
		}
		out.Hosts = append(out.Hosts, changedHost{p.HostID, p.HostName, now.ImageRef, now.MaxInstances, message})
	}
	return c.result(out, func(w io.Writer) {
		for _, h := range out.Hosts {
			fmt.Fprintf(w, "component %s on %s: %s, %d calls at a time\n", id, h.HostName, h.Ref, h.Max)
		}
	})
}

// already says where the change was made before one failed.
func (r *changed) already() string {
	var names []string
	for _, h := range r.Hosts {
		names = append(names, h.HostName)
	}
	if len(names) == 0 {
		return ""
	}
	return "; it is changed on " + strings.Join(names, ", ")
}

// componentOn returns a component as it is on one host, with all that runs there.
func (s *session) componentOn(ctx context.Context, id string, p place) (*lattice.ComponentDescription, *ctl.Inventory, error) {
	inv, err := s.inventory(ctx, p.HostID)
	if err != nil {
		return nil, nil, err
	}
	for i := range inv.Components {
		if inv.Components[i].ID == id {
			return &inv.Components[i], inv, nil
		}
	}
	return nil, nil, fmt.Errorf("it does not run there any more; see: lath get components")
}
