package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
)

// outcomeWait is how long verbs wait for what they asked for.
const outcomeWait = 5 * time.Minute

// await sends a command and waits for its outcome, which the host that took it
// keeps under the command's id: nothing is missed, and a failure has its cause.
func (c *cli) await(ctx context.Context, s *session, wait time.Duration, what string, send func(context.Context, *ctl.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer c.waiting(what)()
	accepted := ""
	op, err := s.ctl.Await(ctx, func(client *ctl.Client) error {
		if err := send(ctx, client); err != nil {
			return err
		}
		accepted = client.CommandID()
		return nil
	})
	switch {
	case accepted == "":
		return err
	case errors.Is(err, lattice.ErrNotFound):
		return fmt.Errorf("the host took the command, but keeps no outcomes (it speaks v1 alone); see what became of it by: lath get inventory")
	case errors.Is(err, lattice.ErrTimeout):
		return fmt.Errorf("no outcome after %s; the host may still be at it, see: lath get ops %s: %w", wait, accepted, lattice.ErrTimeout)
	case errors.Is(err, ctl.ErrHostGone):
		return fmt.Errorf("%w: it may have been carried out; see: lath get hosts, lath get inventory", err)
	case err != nil:
		return fmt.Errorf("%w; the host took the command, see: lath get ops %s", err, accepted)
	case op.State == lattice.OpFailed:
		return errors.New(op.Cause)
	}
	return nil
}
