package process

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes make a process the leader of a group, and have it killed when the
// thread that made it ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit waits until a process has ended, and leaves its id taken, so that its
// group can still be signalled without hitting another.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func setLimits(pid int, l Limits) error {
	for _, limit := range []struct {
		name     string
		resource int
		value    uint64
	}{{"memory", unix.RLIMIT_DATA, l.Memory}, {"files", unix.RLIMIT_NOFILE, l.Files}} {
		if limit.value == 0 {
			continue
		}
		if err := unix.Prlimit(pid, limit.resource, &unix.Rlimit{Cur: limit.value, Max: limit.value}, nil); err != nil {
			return fmt.Errorf("%s %d: %w", limit.name, limit.value, err)
		}
	}
	return nil
}
