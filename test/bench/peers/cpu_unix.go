//go:build unix

package main

import (
	"syscall"
	"time"
)

// processorTime is how long this process has run so far, on all cores together.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
