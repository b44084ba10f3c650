//go:build !linux

package filesystem

import (
	"os"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

func datasync(f *os.File) error { return f.Sync() }

func appendTo(*os.File, []byte) (n int, ok bool, err error) { return 0, false, nil }

func advise(*os.File, int64, int64, contract.Advice) error { return nil }
