package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// drained is the answer of drain.
type drained struct {
	HostID   string        `json:"host_id"`
	HostName string        `json:"host_name"`
	Work     []drainedWork `json:"work"`
}

// drainedWork is what ran on a drained host.
type drainedWork struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Elsewhere are the other hosts that run it, and take its calls.
	Elsewhere []string `json:"elsewhere"`
}

func (c *cli) drainCmd() *cobra.Command {
	var f latticeFlags
	var wait time.Duration
	var force bool
	cmd := &cobra.Command{
		Use: "drain HOST", Short: "Empty a host and have it leave, without a failed call",
		Long: `Tell what runs on a host and where else each of it runs, have the host take no more calls,
let it finish those that run, and have it leave. What runs on this host alone would be gone:
then nothing is done, unless --force is given. A host that comes back later starts again
what ran on it.`,
		Example: "  lath drain bold-acorn-0042\n  lath drain bold-acorn-0042 --timeout 10m --force",
		Args:    nargs(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if wait < time.Second {
				return usagef("--timeout %s: want a second or more", wait)
			}
			s, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			return c.drain(cmd.Context(), s, args[0], wait, force)
		},
	}
	f.add(cmd)
	cmd.Flags().DurationVar(&wait, "timeout", time.Minute, "how long calls that run may go on")
	cmd.Flags().BoolVar(&force, "force", false, "also where something runs on this host alone")
	return cmd
}

// leaveMargin is what leaving takes beside the calls that run.
const leaveMargin = 30 * time.Second

func (c *cli) drain(ctx context.Context, s *session, arg string, wait time.Duration, force bool) error {
	h, err := s.host(ctx, arg)
	if err != nil {
		return err
	}
	all, err := s.inventories(ctx)
	if err != nil {
		return err
	}
	out := drained{HostID: h.ID, HostName: h.FriendlyName, Work: workToDrain(all, h.ID)}
	var only []string
	for _, x := range out.Work {
		if len(x.Elsewhere) == 0 {
			only = append(only, x.Kind+" "+x.ID)
			c.say("%s %s runs on %s alone", x.Kind, x.ID, h.FriendlyName)
		} else {
			c.say("%s %s runs on %s too", x.Kind, x.ID, strings.Join(x.Elsewhere, ", "))
		}
	}
	if len(only) > 0 && !force {
		return fmt.Errorf("host %s is not drained: %s: start that on another host first (lath start … --host), or give --force",
			h.FriendlyName, list("nowhere else runs", only))
	}
	err = c.await(ctx, s, wait+leaveMargin, "draining "+h.FriendlyName, tellsHost(h.ID), func(ctx context.Context, client *ctl.Client) error {
		return client.StopHost(ctx, h.ID, wait)
	})
	if err != nil {
		return fmt.Errorf("host %s: %w", h.FriendlyName, err)
	}
	return c.result(out, func(w io.Writer) {
		fmt.Fprintf(w, "host %s has left; what it ran starts again when it comes back\n", h.FriendlyName)
	})
}

// workToDrain is what runs on a host, and where else it does.
func workToDrain(all []lattice.Inventory, host string) []drainedWork {
	out := []drainedWork{}
	for _, kind := range []string{"component", "provider"} {
		running := workOf(all, kind)
		for _, here := range running {
			if here.HostID != host {
				continue
			}
			x := drainedWork{Kind: kind, ID: here.ID, Elsewhere: []string{}}
			for _, there := range running {
				if there.ID == here.ID && there.HostID != host {
					x.Elsewhere = append(x.Elsewhere, there.HostName)
				}
			}
			slices.Sort(x.Elsewhere)
			out = append(out, x)
		}
	}
	return out
}
