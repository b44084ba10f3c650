//go:build unix

package process

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// terminate asks a process to end. It fails where it has ended already.
func terminate(p *os.Process) { _ = p.Signal(unix.SIGTERM) }

// killGroup kills a process with all its children but those that have left its
// group. It fails where none is left.
func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }

func isNoProgram(err error) bool { return errors.Is(err, unix.ENOEXEC) }
