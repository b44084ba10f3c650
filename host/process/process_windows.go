package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/windows"

	"github.com/lathhost/lath/lattice"
)

// attributes make a process one that no console's signal reaches.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

func awaitExit(int) {}

// terminate kills: Windows has no way to ask a process without windows.
func terminate(p *os.Process) { _ = p.Kill() }

// killGroup does nothing: a process's children are not known here.
func killGroup(int) {}

func setLimits(_ int, l Limits) error {
	if l != (Limits{}) {
		return fmt.Errorf("%w on windows", lattice.ErrUnsupported)
	}
	return nil
}

func isNoProgram(err error) bool { return errors.Is(err, windows.ERROR_BAD_EXE_FORMAT) }
