//go:build linux || darwin

package filesystem

import (
	"syscall"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// systemCode knows the numbers that only some systems have apart from others.
func systemCode(errno syscall.Errno) (contract.ErrorCode, bool) {
	return contract.ErrorCodeUnsupported, errno == syscall.EOPNOTSUPP
}
