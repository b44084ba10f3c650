package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/lathhost/lath/lattice"
)

func (c *cli) getStatsCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "stats [COMPONENT]", Short: "Show what each host has counted of its components",
		Long: `Show what each host has counted of its components since they were started: calls,
failures by kind, the nominal processor time of their code, the most memory that one
instance took, and what became of instances between calls.

REUSE is pristine, sticky or fresh; where instances were to be kept and cannot be,
--output json says why ("unpoolable"). HITS are the calls that found an instance, RESET
is what it took to bring one back to its first state, on average and off the path of calls.`,
		Example: "  lath get stats\n  lath get stats counter --output json",
	}
	return getter(c, cmd, 1,
		func(ctx context.Context, s *session, args []string) ([]lattice.HostStats, error) {
			return s.stats(ctx, strings.Join(args, ""))
		}, showStats)
}

// stats asks every host that speaks Lath what it has counted, of one component
// or of all.
func (s *session) stats(ctx context.Context, component string) ([]lattice.HostStats, error) {
	hosts, err := s.hosts(ctx)
	if err != nil {
		return nil, err
	}
	answers := make([]*lattice.HostStats, len(hosts))
	var g errgroup.Group
	g.SetLimit(maxAsked)
	for i, h := range hosts {
		g.Go(func() error {
			var err error
			answers[i], err = s.ctl.Stats(ctx, h.ID, component)
			if errors.Is(err, lattice.ErrNotFound) || errors.Is(err, lattice.ErrTimeout) {
				return ctx.Err() // a host of v1, or one that is gone
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []lattice.HostStats
	for _, a := range answers {
		if a != nil && (component == "" || len(a.Components) > 0) {
			out = append(out, *a)
		}
	}
	if component != "" && len(out) == 0 {
		running, err := s.inventories(ctx)
		if err != nil {
			return nil, err
		}
		var others []string
		for _, x := range workOf(running, "component") {
			others = append(others, x.ID)
		}
		return nil, s.errUnknown(component, others)
	}
	return out, nil
}

func showStats(s *session, all []lattice.HostStats) view {
	v := view{header: []any{"ID", "HOST", "CALLS", "RUNNING", "WAITING", "FAILED", "CPU", "MEMORY", "REUSE", "IDLE", "HITS", "RESET"},
		none: fmt.Sprintf("no component runs in lattice %s: start one with: lath start component REFERENCE", s.lattice)}
	for _, h := range all {
		for i := range h.Components {
			x := &h.Components[i]
			v.add(x.ID, h.FriendlyName, x.Calls, fmt.Sprintf("%d/%d", x.Running, x.MaxInstances), x.Waiting, failures(x.Errors),
				rounded(time.Duration(x.CPUNanoseconds)), humanize.IBytes(x.MemoryPeak), reuse(&x.Pool), x.Pool.Idle, hitRate(&x.Pool), meanReset(&x.Pool))
		}
	}
	return v
}

// failures writes how many calls failed, and of what.
func failures(kinds map[string]uint64) string {
	var all []string
	sum := uint64(0)
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		sum += kinds[kind]
		all = append(all, fmt.Sprintf("%s %d", kind, kinds[kind]))
	}
	if sum == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", sum, strings.Join(all, ", "))
}

func reuse(p *lattice.PoolStats) string {
	if len(p.Unpoolable) > 0 {
		return "fresh (not " + p.Reuse + ")"
	}
	return p.Reuse
}

func hitRate(p *lattice.PoolStats) string {
	if p.Hits+p.Misses == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f%%", 100*float64(p.Hits)/float64(p.Hits+p.Misses))
}

func meanReset(p *lattice.PoolStats) string {
	if p.Resets == 0 {
		return "-"
	}
	return rounded(time.Duration(p.ResetNanoseconds / p.Resets)).String()
}

// rounded leaves three digits or so.
func rounded(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d >= 1000*unit {
		unit *= 10
	}
	return d.Round(unit)
}
