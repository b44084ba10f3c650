package filesystem

import (
	"errors"
	goio "io"
	"os"

	"golang.org/x/sys/unix"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// chtimes sets the times of an open file. Linux before 5.8 has no empty path.
func chtimes(f *os.File, t fileTimes) error {
	spec, err := t.spec()
	if err != nil {
		return err
	}
	err = again(func() error { return unix.UtimesNanoAt(int(f.Fd()), "", spec, unix.AT_EMPTY_PATH) })
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
		return futimes(f, spec)
	}
	return err
}

func datasync(f *os.File) error {
	return again(func() error { return unix.Fdatasync(int(f.Fd())) })
}

// appendTo writes b at the end of f, whoever else does so at the same time;
// ok is false where the system or its file system cannot.
func appendTo(f *os.File, b []byte) (n int, ok bool, err error) {
	for n < len(b) {
		var k int
		err := again(func() (err error) {
			k, err = unix.Pwritev2(int(f.Fd()), [][]byte{b[n:]}, 0, unix.RWF_APPEND)
			return err
		})
		if n == 0 && (errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)) {
			return 0, false, nil
		}
		if err == nil && k == 0 {
			err = goio.ErrShortWrite
		}
		if err != nil {
			return n, true, err
		}
		n += k
	}
	return n, true, nil
}

func advise(f *os.File, offset, length int64, advice contract.Advice) error {
	advices := [...]int{unix.FADV_NORMAL, unix.FADV_SEQUENTIAL, unix.FADV_RANDOM, unix.FADV_WILLNEED, unix.FADV_DONTNEED, unix.FADV_NOREUSE}
	return again(func() error { return unix.Fadvise(int(f.Fd()), offset, length, advices[advice]) })
}
