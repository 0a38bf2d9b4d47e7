package service

import (
	"errors"

	"golang.org/x/sys/unix"
)

// FromErrno is the one place where an IPC failure becomes a library result
// (common_lib/error_conversion.c:
// qb_to_cs_error). An Error stays what it is, nil is OK, and what
// is not in the table is ErrLibrary: the daemon is gone.
func FromErrno(err error) Error {
	if err == nil {
		return OK
	}
	var own Error
	if errors.As(err, &own) {
		return own
	}
	var e unix.Errno
	if !errors.As(err, &e) {
		return ErrLibrary
	}
	switch e {
	case unix.EBADF:
		return ErrBadHandle
	case unix.ENOMEM:
		return ErrNoMemory
	case unix.ENOMSG, unix.ENOBUFS, unix.ETIMEDOUT, unix.EAGAIN:
		return ErrTryAgain
	case unix.EBADE:
		return ErrFailedOperation
	case unix.ETIME:
		return ErrTimeout
	case unix.EINVAL:
		return ErrInvalidParam
	case unix.EBUSY:
		return ErrBusy
	case unix.EACCES:
		return ErrAccess
	case unix.EOVERFLOW:
		return ErrNameTooLong
	case unix.EEXIST:
		return ErrExist
	case unix.ENOSPC:
		return ErrNoSpace
	case unix.EINTR:
		return ErrInterrupt
	case unix.ENOENT, unix.ENODEV:
		return ErrNotExist
	case unix.ENOSYS, unix.ENOTSUP:
		return ErrNotSupported
	case unix.EBADMSG:
		return ErrMessageError
	case unix.EMSGSIZE, unix.E2BIG:
		return ErrTooBig
	default:
		return ErrLibrary
	}
}
