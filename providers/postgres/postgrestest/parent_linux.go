package postgrestest

import "syscall"

// endWithParent has a server end with tests that end without stopping it.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }
