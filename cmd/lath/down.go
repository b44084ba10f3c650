package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

// downMargin is what leaving takes beside the drain.
const downMargin = 5 * time.Second

func (c *cli) downCmd() *cobra.Command {
	var dir string
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "down", Short: "Stop the host of this machine",
		Long: `Stop the host that runs on a state directory, and wait until its process is gone.
It is asked through the lattice; if it does not answer, by a signal. Nothing to
stop is no error.`,
		Example: "  lath down\n  lath down --state-dir /var/lib/lath-2",
		Args:    nargs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			abs, err := filepath.Abs(dir)
			if err != nil || dir == "" {
				return usagef("name a --state-dir")
			}
			return c.down(cmd.Context(), stateDir(abs), wait)
		},
	}
	addStateDir(cmd, &dir)
	cmd.Flags().DurationVar(&wait, "timeout", 15*time.Second, "how long the host may take to end its calls")
	return cmd
}

// downResult is the answer of down.
type downResult struct {
	Stopped bool   `json:"stopped"`
	HostID  string `json:"host_id,omitempty"`
	Name    string `json:"name,omitempty"`
	By      string `json:"by,omitempty"`
}

func (c *cli) down(ctx context.Context, dir stateDir, wait time.Duration) error {
	running, err := dir.running()
	if err != nil {
		return err
	}
	if !running {
		if err := dir.removeInfo(); err != nil {
			return err
		}
		return c.result(downResult{}, func(w io.Writer) {
			fmt.Fprintf(w, "nothing is running on %s\n", dir)
		})
	}
	info, err := awaitInfo(ctx, dir)
	if err != nil {
		return err
	}
	done := c.waiting("stopping " + info.Name)
	defer done()
	by, err := stopProcess(ctx, dir, info, wait)
	if err != nil {
		return err
	}
	done()
	return c.result(downResult{Stopped: true, HostID: info.HostID, Name: info.Name, By: by}, func(w io.Writer) {
		if by == "signal" {
			fmt.Fprintf(w, "%s is stopped; it did not answer on the lattice, so its process %d was signalled\n", info.Name, info.PID)
			return
		}
		fmt.Fprintf(w, "%s is stopped\n", info.Name)
	})
}

// awaitInfo reads host.json of a host that may still be starting.
func awaitInfo(ctx context.Context, dir stateDir) (*hostInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, downMargin)
	defer cancel()
	for {
		info, err := dir.readInfo()
		if info != nil || err != nil {
			return info, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("a host holds %s but has not said which: it is starting or ending; try again", dir)
		case <-time.After(poll):
		}
	}
}

// stopProcess ends a host: by the control interface, else by a signal.
func stopProcess(ctx context.Context, dir stateDir, info *hostInfo, wait time.Duration) (by string, err error) {
	asked := askToStop(ctx, info, wait)
	if asked == nil {
		err := dir.awaitEnd(ctx, wait+downMargin)
		if err == nil || ctx.Err() != nil {
			return "control", err
		}
		asked = err
	}
	if err := terminate(info.PID); err != nil {
		return "", errors.Join(asked, err)
	}
	if err := dir.awaitEnd(ctx, wait+downMargin); err != nil {
		return "", fmt.Errorf("%w: asked by the lattice (%w) and by a signal; end process %d by hand", err, asked, info.PID)
	}
	return "signal", nil
}

func askToStop(ctx context.Context, info *hostInfo, wait time.Duration) error {
	s, err := connect(ctx, latticeFlags{name: info.Lattice, url: info.NATSURL, timeout: 2 * time.Second})
	if err != nil {
		return err
	}
	defer s.close()
	return s.ctl.StopHost(ctx, info.HostID, wait)
}

// awaitEnd waits until no process holds the directory.
func (d stateDir) awaitEnd(ctx context.Context, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		running, err := d.running()
		if err != nil || !running {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the host on %s still runs after %s", d, wait)
		case <-time.After(poll):
		}
	}
}
