package memory

import (
	"bytes"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// hugeAlways tells whether the system makes huge pages of what nobody asked it
// to. A guest that writes one byte would then have 2 MiB, and every reset would
// write them all.
//
// Source: Linux, Documentation/admin-guide/mm/transhuge.rst.
var hugeAlways = sync.OnceValue(func() bool {
	b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	return err == nil && bytes.Contains(b, []byte("[always]"))
})

// noHugePages has the kernel make none of mem. What it refuses is no loss but of
// memory.
func noHugePages(mem []byte) { _ = unix.Madvise(mem, unix.MADV_NOHUGEPAGE) }
