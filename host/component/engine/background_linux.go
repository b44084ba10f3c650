package engine

import (
	"runtime"
	"syscall"
)

// niceness is how much less a compile is worth than a call: where both want a
// processor, it gets a third of what the call gets. Much less would be bad for
// calls too: the garbage collector waits for a thread that the system does not
// let run.
const niceness = 5

// background makes the rest of this goroutine work in the background: on a
// thread of its own, which ends with it, because who has no privileges may
// lower a thread's priority and not raise it again.
func background() {
	runtime.LockOSThread()
	const self = 0 // the thread: priorities are theirs, in Linux
	have, err := syscall.Getpriority(syscall.PRIO_PROCESS, self)
	if err == nil { // which is 20 less the niceness
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, self, min(20-have+niceness, 19))
	}
}
