//go:build unix && !linux

package process

import (
	"fmt"
	"runtime"
	"syscall"

	"github.com/lathhost/lath/lattice"
)

// attributes make a process the leader of a group.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit leaves the waiting to who collects the process: only Linux can wait
// without that.
func awaitExit(int) {}

func setLimits(_ int, l Limits) error {
	if l != (Limits{}) {
		return fmt.Errorf("%w on %s", lattice.ErrUnsupported, runtime.GOOS)
	}
	return nil
}
