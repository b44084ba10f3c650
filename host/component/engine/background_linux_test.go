package engine

import (
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBackgroundEndsWithItsGoroutine: the thread is worth less, and no other
// goroutine ever gets it.
func TestBackgroundEndsWithItsGoroutine(t *testing.T) {
	t.Parallel()
	priority := func() int {
		n, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
		require.NoError(t, err)
		return n
	}
	runtime.LockOSThread()
	before := priority()
	runtime.UnlockOSThread()
	within := make(chan int)
	for range 20 {
		go func() {
			background()
			within <- priority()
		}()
		require.Equal(t, max(before-niceness, 1), <-within)
	}
	for range 100 {
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			within <- priority()
		}()
		require.Equal(t, before, <-within)
	}
}
