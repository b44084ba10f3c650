//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package memory

// hugeAlways is a matter of Linux.
func hugeAlways() bool { return false }

func noHugePages([]byte) {}
