package service

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFromErrno(t *testing.T) {
	for _, c := range []struct {
		err  error
		want Error
	}{
		{nil, OK},
		{ErrNoSections, ErrNoSections},
		{unix.EAGAIN, ErrTryAgain},
		{fmt.Errorf("cmap: %w", unix.EACCES), ErrAccess},
		{unix.ECONNREFUSED, ErrLibrary},
		{unix.ENOTCONN, ErrLibrary},
		{unix.EMSGSIZE, ErrTooBig},
		{errors.New("other"), ErrLibrary},
	} {
		if got := FromErrno(c.err); got != c.want {
			t.Errorf("FromErrno(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}
