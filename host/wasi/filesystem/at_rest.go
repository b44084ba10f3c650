//go:build !linux && !darwin && !windows

package filesystem

import (
	"os"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// chtimes sets the times of an open file.
func chtimes(*os.File, fileTimes) error { return contract.ErrorCodeUnsupported }
