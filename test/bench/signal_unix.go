//go:build unix

package main

import (
	"os"
	"syscall"
)

// suspend stops a process where it stands, as a debugger or a laptop's lid does;
// resume lets it go on.
func suspend(p *os.Process) error { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error  { return p.Signal(syscall.SIGCONT) }
