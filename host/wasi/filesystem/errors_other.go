//go:build !linux && !darwin && !windows

package filesystem

import (
	"syscall"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

func systemCode(syscall.Errno) (contract.ErrorCode, bool) { return 0, false }
