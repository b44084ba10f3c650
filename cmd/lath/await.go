package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/ctl"
	"github.com/lathhost/lath/lattice/event"
)

// outcomeWait is how long verbs wait for what they asked for.
const outcomeWait = 5 * time.Minute

// telling is how hosts that speak v1 alone, and so keep no outcomes, tell that of a
// command: by an event of one of the names. ended says whether an
// event is that one, and why the command failed.
type telling struct {
	names []string
	ended func(e event.Event) (is bool, err error)
}

// tellsComponent is for commands about a component on a host.
func tellsComponent(host, id string) telling {
	return telling{[]string{event.ComponentScaledName, event.ComponentScaleFailedName}, func(e event.Event) (bool, error) {
		switch d := e.Data.(type) {
		case event.ComponentScaled:
			return d.HostID == host && d.ComponentID == id, nil
		case event.ComponentScaleFailed:
			return d.HostID == host && d.ComponentID == id, errors.New(d.Error)
		}
		return false, nil
	}}
}

// tellsProvider is for commands about a provider on a host.
func tellsProvider(host, id string) telling {
	return telling{[]string{event.ProviderStartedName, event.ProviderStartFailedName, event.ProviderStoppedName}, func(e event.Event) (bool, error) {
		switch d := e.Data.(type) {
		case event.ProviderStarted:
			return d.HostID == host && d.ProviderID == id, nil
		case event.ProviderStopped:
			return d.HostID == host && d.ProviderID == id, nil
		case event.ProviderStartFailed:
			return d.HostID == host && d.ProviderID == id, errors.New(d.Error)
		}
		return false, nil
	}}
}

// tellsHost is for the command that a host stops.
func tellsHost(host string) telling {
	return telling{[]string{event.HostStoppedName}, func(e event.Event) (bool, error) { return e.Source == host, nil }}
}

// hear waits for the event that tells the outcome.
func (t telling) hear(ctx context.Context, events *event.Subscription) error {
	for {
		e, err := events.Next(ctx)
		switch {
		case errors.Is(err, lattice.ErrInvalid), errors.Is(err, event.ErrMissed):
			continue
		case err != nil:
			return err
		}
		if is, err := t.ended(e); is {
			return err
		}
	}
}

// await sends a command and waits for its outcome, which the host that took it
// keeps under the command's id: nothing is missed, and a failure has its cause. Of a
// host that keeps none it waits for the event.
func (c *cli) await(ctx context.Context, s *session, wait time.Duration, what string, told telling, send func(context.Context, *ctl.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer c.waiting(what)()
	events, err := event.Subscribe(ctx, s.conn, s.lattice, told.names...)
	if err != nil {
		return err
	}
	defer events.Close() //nolint:errcheck // what it told counts
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
		err := told.hear(ctx, events)
		if errors.Is(err, lattice.ErrTimeout) {
			return fmt.Errorf("the host took the command, and has told no outcome in %s (it speaks v1 alone); see what runs by: lath get inventory: %w", wait, lattice.ErrTimeout)
		}
		return err
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
