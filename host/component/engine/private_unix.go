//go:build unix

package engine

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// checkPrivate fails if someone else could put code into dir.
func checkPrivate(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("others may write to it: make it yours alone with chmod 700 %s, or use another directory", dir)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return errors.New("it belongs to another user: use another directory")
	}
	return nil
}
