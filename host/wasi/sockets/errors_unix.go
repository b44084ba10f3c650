//go:build linux || darwin

package sockets

import (
	"errors"

	"golang.org/x/sys/unix"

	contract "github.com/lathhost/lath/wit/wasi/sockets"
)

// codes are the errors of the system that WASI has a code for.
var codes = map[unix.Errno]contract.ErrorCode{
	unix.EACCES: contract.ErrorCodeAccessDenied, unix.EPERM: contract.ErrorCodeAccessDenied,
	unix.EADDRINUSE: contract.ErrorCodeAddressInUse, unix.EADDRNOTAVAIL: contract.ErrorCodeAddressNotBindable,
	unix.EAGAIN: contract.ErrorCodeWouldBlock, unix.EALREADY: contract.ErrorCodeConcurrencyConflict,
	unix.ETIMEDOUT: contract.ErrorCodeTimeout, unix.ECONNREFUSED: contract.ErrorCodeConnectionRefused,
	unix.ECONNRESET: contract.ErrorCodeConnectionReset, unix.ECONNABORTED: contract.ErrorCodeConnectionAborted,
	unix.EPIPE:  contract.ErrorCodeConnectionAborted,
	unix.EINVAL: contract.ErrorCodeInvalidArgument, unix.EAFNOSUPPORT: contract.ErrorCodeNotSupported,
	unix.EHOSTUNREACH: contract.ErrorCodeRemoteUnreachable, unix.EHOSTDOWN: contract.ErrorCodeRemoteUnreachable,
	unix.ENETUNREACH: contract.ErrorCodeRemoteUnreachable, unix.ENETDOWN: contract.ErrorCodeRemoteUnreachable,
	unix.EISCONN: contract.ErrorCodeInvalidState, unix.ENOTCONN: contract.ErrorCodeInvalidState,
	unix.EDESTADDRREQ: contract.ErrorCodeInvalidState, unix.EMSGSIZE: contract.ErrorCodeDatagramTooLarge,
	unix.ENOMEM: contract.ErrorCodeOutOfMemory, unix.ENOBUFS: contract.ErrorCodeOutOfMemory,
	unix.EMFILE: contract.ErrorCodeNewSocketLimit, unix.ENFILE: contract.ErrorCodeNewSocketLimit,
	unix.EOPNOTSUPP: contract.ErrorCodeNotSupported, unix.ENOPROTOOPT: contract.ErrorCodeNotSupported,
	unix.EPFNOSUPPORT: contract.ErrorCodeNotSupported, unix.EPROTONOSUPPORT: contract.ErrorCodeNotSupported,
	unix.EPROTOTYPE: contract.ErrorCodeNotSupported, unix.ESOCKTNOSUPPORT: contract.ErrorCodeNotSupported,
}

// code returns the code of an error, nil for nil. A code is its own.
func code(err error) error {
	if err == nil {
		return nil
	}
	if c, ok := errors.AsType[contract.ErrorCode](err); ok {
		return c
	}
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		if c, ok := codes[errno]; ok {
			return c
		}
	}
	return contract.ErrorCodeUnknown
}
