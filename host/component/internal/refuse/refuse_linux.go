package refuse

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is a system call to refuse.
type call struct {
	number uintptr
	// arg is the argument that must have value, in its lower half, for the call
	// to be refused; -1: it is refused always.
	arg   int
	value uint32
	errno syscall.Errno
}

// calls are what can be refused, by name. There are two other names: "space" has
// the kernel refuse mappings where the process has 1 GiB more than at its start,
// and "files" has it refuse descriptors above [Files].
var calls = map[string]call{
	"scan":         {unix.SYS_IOCTL, 1, pagemapScan, unix.EPERM},  // as a container's filter does
	"scan-unknown": {unix.SYS_IOCTL, 1, pagemapScan, unix.ENOTTY}, // as before Linux 6.7
	"pagemap":      {unix.SYS_PREAD64, -1, 0, unix.EPERM},         // reading it, as any other file at a place
	"madvise":      {unix.SYS_MADVISE, 2, unix.MADV_DONTNEED, unix.EINVAL},
	"memfd":        {unix.SYS_MEMFD_CREATE, -1, 0, unix.ENOSYS},
}

const pagemapScan = 0xc0606610

// install makes the kernel refuse calls to all threads of this process, to its
// end. It needs no privileges.
func install(names []string) error {
	var code []unix.SockFilter
	for _, name := range names {
		if limit := limits[name]; limit != nil {
			if err := limit(); err != nil {
				return err
			}
			continue
		}
		c, ok := calls[name]
		if !ok {
			return fmt.Errorf("no refusal %q", name)
		}
		code = append(code, c.filter()...)
	}
	code = append(code, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	runtime.LockOSThread() // the privileges to gain are those of the thread that installs
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("refuse system calls: %w", err)
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if errno != 0 {
		return fmt.Errorf("refuse system calls: %w", errno)
	}
	return nil
}

// limits are refusals that the kernel has a limit for.
var limits = map[string]func() error{"space": limitSpace, "files": limitFiles}

// limitFiles has the process open no more than a few files.
func limitFiles() error {
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: Files, Max: Files}); err != nil {
		return fmt.Errorf("limit open files: %w", err)
	}
	return nil
}

// limitSpace leaves the process 1 GiB of address space beside what it has.
func limitSpace() error {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return fmt.Errorf("limit address space: %w", err)
	}
	var pages uint64
	if _, err := fmt.Sscan(string(b), &pages); err != nil {
		return fmt.Errorf("limit address space: %w", err)
	}
	most := pages*uint64(os.Getpagesize()) + 1<<30
	if err := unix.Setrlimit(unix.RLIMIT_AS, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return fmt.Errorf("limit address space: %w", err)
	}
	return nil
}

// The offsets in struct seccomp_data.
const (
	dataNumber = 0
	dataArgs   = 16
)

// filter is code that goes on after its end where the call is another one.
func (c call) filter() []unix.SockFilter {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	unless := func(value uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: value, Jf: skip}
	}
	refuse := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(c.errno)}
	if c.arg < 0 {
		return []unix.SockFilter{load(dataNumber), unless(uint32(c.number), 1), refuse}
	}
	return []unix.SockFilter{load(dataNumber), unless(uint32(c.number), 3), load(lowerHalf(c.arg)), unless(c.value, 1), refuse}
}

// lowerHalf is where the lower half of an argument is.
func lowerHalf(arg int) uint32 {
	at := uint32(dataArgs + 8*arg)
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		at += 4
	}
	return at
}
