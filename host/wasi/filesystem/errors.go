package filesystem

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// code is what a guest is told of an error, without the host's paths in it.
func code(err error) error {
	if err == nil {
		return nil
	}
	if c, ok := contract.ErrorCodeFrom(err); ok {
		return c
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errnoCode(errno)
	}
	switch {
	case errors.Is(err, fs.ErrClosed):
		return contract.ErrorCodeBadDescriptor
	case errors.Is(err, fs.ErrNotExist):
		return contract.ErrorCodeNoEntry
	case errors.Is(err, fs.ErrExist):
		return contract.ErrorCodeExist
	}
	// What [os.Root] refuses itself, without asking the system, is a path that
	// leads out of it.
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return contract.ErrorCodeNotPermitted
	}
	if _, ok := errors.AsType[*os.LinkError](err); ok {
		return contract.ErrorCodeNotPermitted
	}
	return contract.ErrorCodeIO
}

func errnoCode(errno syscall.Errno) contract.ErrorCode {
	if c, ok := systemCode(errno); ok {
		return c
	}
	switch errno {
	case syscall.ENOENT:
		return contract.ErrorCodeNoEntry
	case syscall.EEXIST:
		return contract.ErrorCodeExist
	case syscall.ENOTDIR:
		return contract.ErrorCodeNotDirectory
	case syscall.EISDIR:
		return contract.ErrorCodeIsDirectory
	case syscall.ENOTEMPTY:
		return contract.ErrorCodeNotEmpty
	case syscall.EACCES:
		return contract.ErrorCodeAccess
	case syscall.EPERM:
		return contract.ErrorCodeNotPermitted
	case syscall.EROFS:
		return contract.ErrorCodeReadOnly
	case syscall.ELOOP:
		return contract.ErrorCodeLoop
	case syscall.ENAMETOOLONG:
		return contract.ErrorCodeNameTooLong
	case syscall.EINVAL:
		return contract.ErrorCodeInvalid
	case syscall.EBADF:
		return contract.ErrorCodeBadDescriptor
	case syscall.EXDEV:
		return contract.ErrorCodeCrossDevice
	case syscall.EMLINK:
		return contract.ErrorCodeTooManyLinks
	case syscall.EILSEQ:
		return contract.ErrorCodeIllegalByteSequence
	}
	return scarceCode(errno)
}

// scarceCode tells of what ran out or is in use; WASI has no word for too many
// open files.
func scarceCode(errno syscall.Errno) contract.ErrorCode {
	switch errno {
	case syscall.ENOSPC:
		return contract.ErrorCodeInsufficientSpace
	case syscall.EDQUOT:
		return contract.ErrorCodeQuota
	case syscall.EFBIG:
		return contract.ErrorCodeFileTooLarge
	case syscall.ENOMEM, syscall.EMFILE, syscall.ENFILE:
		return contract.ErrorCodeInsufficientMemory
	case syscall.EBUSY:
		return contract.ErrorCodeBusy
	case syscall.ETXTBSY:
		return contract.ErrorCodeTextFileBusy
	case syscall.EAGAIN:
		return contract.ErrorCodeWouldBlock
	case syscall.EINTR:
		return contract.ErrorCodeInterrupted
	case syscall.EDEADLK:
		return contract.ErrorCodeDeadlock
	case syscall.ENOLCK:
		return contract.ErrorCodeNoLock
	case syscall.ENODEV:
		return contract.ErrorCodeNoDevice
	case syscall.ENXIO:
		return contract.ErrorCodeNoSuchDevice
	case syscall.EOVERFLOW:
		return contract.ErrorCodeOverflow
	case syscall.ESPIPE:
		return contract.ErrorCodeInvalidSeek
	case syscall.EPIPE:
		return contract.ErrorCodePipe
	case syscall.ENOSYS, syscall.ENOTSUP:
		return contract.ErrorCodeUnsupported
	}
	return contract.ErrorCodeIO
}
