package filesystem

import (
	"syscall"

	"golang.org/x/sys/windows"

	contract "github.com/lathhost/lath/wit/wasi/filesystem"
)

// systemCode knows Windows' own numbers.
func systemCode(errno syscall.Errno) (contract.ErrorCode, bool) {
	switch errno {
	case windows.ERROR_PATH_NOT_FOUND, windows.ERROR_INVALID_NAME:
		return contract.ErrorCodeNoEntry, true
	case windows.ERROR_ACCESS_DENIED, windows.ERROR_SHARING_VIOLATION:
		return contract.ErrorCodeAccess, true
	case windows.ERROR_PRIVILEGE_NOT_HELD:
		return contract.ErrorCodeNotPermitted, true
	case windows.ERROR_FILE_EXISTS, windows.ERROR_ALREADY_EXISTS:
		return contract.ErrorCodeExist, true
	case windows.ERROR_DIR_NOT_EMPTY:
		return contract.ErrorCodeNotEmpty, true
	case windows.ERROR_DIRECTORY:
		return contract.ErrorCodeNotDirectory, true
	case windows.ERROR_NOT_SAME_DEVICE:
		return contract.ErrorCodeCrossDevice, true
	case windows.ERROR_DISK_FULL, windows.ERROR_HANDLE_DISK_FULL:
		return contract.ErrorCodeInsufficientSpace, true
	case windows.ERROR_NOT_A_REPARSE_POINT:
		return contract.ErrorCodeInvalid, true
	}
	return 0, false
}
