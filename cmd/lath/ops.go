package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// defaultOps is how many commands get ops shows where nothing is said.
const defaultOps = 50

// shownOp is a command as get ops shows it.
type shownOp struct {
	lattice.Op
	HostName string `json:"host_name"`
	// Gone: its host does not answer any more.
	Gone bool `json:"host_gone,omitempty"`
}

func (c *cli) getOpsCmd() *cobra.Command {
	var most int
	cmd := &cobra.Command{
		Use: "ops [ID]", Short: "Show commands and what became of them", Aliases: []string{"op"},
		Long: `Show the commands that the lattice was given, the newest first, and what became of them;
with an ID that one, and with --watch until it has ended. Outcomes are kept for ten minutes.
A command that stays accepted and whose host is gone may have been carried out or not.`,
		Example: "  lath get ops\n  lath get ops 01ARZ3NDEKTSV4RRFFQ69G5FAV --watch",
	}
	var f getFlags
	f.add(cmd)
	cmd.Flags().IntVarP(&most, "count", "n", defaultOps, "how many, at most")
	cmd.Args = nargs(0, 1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if most < 1 {
			return usagef("--count %d: want a number of commands", most)
		}
		if len(args) > 0 {
			return c.getOp(cmd, &f, args[0])
		}
		return get(c, cmd, &f, args, func(ctx context.Context, s *session, _ []string) ([]shownOp, error) {
			all, err := s.ctl.Ops(ctx, most)
			if err != nil {
				return nil, s.noHost(err)
			}
			return s.showOps(ctx, all)
		}, showOps)
	}
	return cmd
}

func showOps(s *session, all []shownOp) view {
	v := view{header: []any{"ID", "VERB", "THING", "HOST", "AGE", "STATE"}, ticking: "AGE",
		none: fmt.Sprintf("no commands in lattice %s in the last ten minutes", s.lattice)}
	for i := range all {
		op := &all[i]
		v.add(op.ID, op.Verb, op.Thing, op.HostName, lattice.HumanDuration(time.Since(op.Accepted)), opText(op))
	}
	return v
}

// opText says how far a command is.
func opText(op *shownOp) string {
	switch {
	case op.State == lattice.OpFailed:
		return "failed: " + op.Cause
	case op.State == lattice.OpAccepted && op.Gone:
		return "accepted, and its host is gone: it may have been carried out"
	default:
		return string(op.State)
	}
}

// showOps adds the hosts' names.
func (s *session) showOps(ctx context.Context, all []lattice.Op) ([]shownOp, error) {
	hosts, err := s.hosts(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]shownOp, len(all))
	for i, op := range all {
		out[i] = shownOp{Op: op, HostName: lattice.FriendlyName(op.HostID)}
		out[i].Gone = !slices.ContainsFunc(hosts, func(h ctl.Host) bool { return h.ID == op.HostID })
	}
	return out, nil
}

// getOp shows one command, and with --watch waits for its end.
func (c *cli) getOp(cmd *cobra.Command, f *getFlags, id string) error {
	if _, err := lattice.ParseOpID(id); err != nil {
		return &usageError{err}
	}
	s, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer s.close()
	ctx := cmd.Context()
	op, err := s.ctl.Op(ctx, id)
	if err == nil && f.watch && op.State == lattice.OpAccepted {
		done := c.waiting(op.Verb + " " + op.Thing)
		if op, err = s.ctl.WaitOp(ctx, id); errors.Is(err, ctl.ErrHostGone) {
			err = nil // which is what there is to show
		}
		done()
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil
		}
	}
	if _, silent := errors.AsType[*ctl.CallError](err); silent {
		return s.noHost(err)
	}
	if err != nil {
		return fmt.Errorf("%w; see: lath get ops", err)
	}
	shown, err := s.showOps(ctx, []lattice.Op{*op})
	if err != nil {
		return err
	}
	return c.result(shown[0], func(w io.Writer) {
		fmt.Fprintf(w, "%s %s on %s, %s ago: %s\n", op.Verb, op.Thing, shown[0].HostName, lattice.HumanDuration(time.Since(op.Accepted)), opText(&shown[0]))
		if op.State == lattice.OpAccepted && shown[0].Gone {
			fmt.Fprintf(w, "see what runs by: lath get inventory; %s may be sent again\n", op.Verb)
		}
	})
}
