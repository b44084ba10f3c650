package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/lathhost/lath/lattice"
)

// detachWait bounds the wait for a detached host to be ready.
const detachWait = 60 * time.Second

// poll is how often a process of which nothing is heard is looked at.
const poll = 30 * time.Millisecond

// detach starts this program again with the same arguments, in the background,
// and returns when its host is ready, for which it gets extra time.
func (c *cli) detach(ctx context.Context, dir stateDir, extra time.Duration) error {
	if running, err := dir.running(); err != nil {
		return err
	} else if running {
		return (&node{dir: dir}).explainLock()
	}
	if err := dir.removeInfo(); err != nil { // of a host that was killed
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	logPath := dir.path("host.log")
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	defer log.Close()
	child := exec.Command(self, attached(c.args)...) //nolint:noctx // it outlives this process
	child.Stdout, child.Stderr = log, log
	child.SysProcAttr = detached()
	if err := child.Start(); err != nil {
		return fmt.Errorf("detach: %w", err)
	}
	done := c.waiting("starting the host")
	info, err := awaitReady(ctx, dir, child, detachWait+extra)
	done()
	if err != nil {
		return fmt.Errorf("the host did not start: %w\n%s", err, tail(logPath))
	}
	info.NATSURL = lattice.PublicURL(info.NATSURL)
	return c.ready(*info)
}

// attached returns the arguments of a host that runs in the foreground.
func attached(args []string) []string {
	var out []string
	for _, a := range args {
		if a != "-d" && a != "--detach" && !strings.HasPrefix(a, "--detach=") {
			out = append(out, a)
		}
	}
	return out
}

// awaitReady waits for a child's host.json or its end. A child that is not
// ready in time is ended.
func awaitReady(ctx context.Context, dir stateDir, child *exec.Cmd, wait time.Duration) (*hostInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }() // ends with the child or with this process
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err == nil {
				err = errors.New("it ended at once")
			}
			return nil, err
		case <-ctx.Done():
			_ = child.Process.Kill()
			return nil, fmt.Errorf("not ready after %s: %w", wait, <-ended)
		case <-tick.C:
			if info, err := dir.readInfo(); err == nil && info != nil && info.PID == child.Process.Pid {
				return info, nil
			}
		}
	}
}

// tail returns the last lines of a log, for an error.
func tail(path string) string {
	const most = 2 << 10
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	data = bytes.TrimSpace(data[max(0, len(data)-most):])
	return string(data) + "\n(log: " + path + ")"
}
