package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/lathhost/lath/lattice"
	"github.com/lathhost/lath/lattice/event"
)

// heard is an event as get events shows it.
type heard struct {
	ID     string          `json:"id"`
	Time   time.Time       `json:"time"`
	Type   string          `json:"type"`
	HostID string          `json:"host_id"`
	Data   json.RawMessage `json:"data"`
}

func (c *cli) getEventsCmd() *cobra.Command {
	var f latticeFlags
	var watch, beats bool
	var most int
	cmd := &cobra.Command{
		Use: "events --watch", Short: "Show what happens, as it happens",
		Long: `Show the events of the lattice from now on, until it is interrupted: one line for
each, in JSON with --output json. Nobody keeps events, so that there are none of the past.`,
		Example: "  lath get events --watch\n  lath get events --watch --output json\n  lath get events --watch --count 1",
		Args:    nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case !watch:
				return usagef("events are not kept: give --watch to see those to come")
			case most < 0:
				return usagef("--count %d: want a number of events", most)
			}
			s, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer s.close()
			return c.watchEvents(cmd.Context(), s, beats, most)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVarP(&watch, "watch", "w", false, "go on until interrupted")
	cmd.Flags().BoolVar(&beats, "heartbeats", false, "show the hosts' heartbeats, too")
	cmd.Flags().IntVarP(&most, "count", "n", 0, "end after that many events (default: never)")
	return cmd
}

func (c *cli) watchEvents(ctx context.Context, s *session, beats bool, most int) error {
	events, err := s.subscribe(ctx)
	if err != nil {
		return err
	}
	defer events.Close() //nolint:errcheck // the connection ends with the verb
	for n := 0; most == 0 || n < most; {
		e, err := events.Next(ctx)
		switch {
		case errors.Is(err, context.Canceled):
			return nil // interrupted, as it is meant to end
		case errors.Is(err, lattice.ErrInvalid), errors.Is(err, event.ErrMissed):
			c.say("warning: %v", err)
			continue
		case err != nil:
			return err
		}
		if _, is := e.Data.(event.HostHeartbeat); is && !beats {
			continue
		}
		h, err := hear(e)
		if err == nil {
			err = c.result(h, func(w io.Writer) {
				fmt.Fprintf(w, "%s  %-24s %s  %s\n", h.Time.Local().Format(time.TimeOnly), h.Type, h.HostID, h.Data)
			})
		}
		if err != nil {
			return err
		}
		n++
	}
	return nil
}

func hear(e event.Event) (heard, error) {
	h := heard{ID: e.ID, Time: e.Time, Type: e.Data.EventName(), HostID: e.Source}
	if u, ok := e.Data.(event.Unknown); ok {
		h.Data = u.Raw
		return h, nil
	}
	var err error
	h.Data, err = lattice.EncodeJSON(e.Data)
	return h, err
}
