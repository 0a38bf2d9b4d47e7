// Package libipc is what the client libraries of Corosync's services share: a
// connection whose calls take a context and whose failures are the result codes
// of the original libraries (service.Error).
//
// Its callers are the libraries: cpg, quorum, corosync/cmap/client and
// corosync/cfg/client. It knows no service's messages.
//
// Upstream: lib/util.h, common_lib/error_conversion.c, and the dispatch loops
// that lib/*.c have in common.
package libipc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/qbipc"
)

// Conn is a connection to one service. Safe for concurrent use: requests are
// served one after the other; Event must have one caller at a time.
type Conn struct {
	name string
	ipc  *qbipc.Client

	mcastMu sync.Mutex // flow control limit and send belong together
}

// Dial connects to the service with this socket name. ErrTryAgain means that
// the daemon is not ready yet, ErrLibrary that there is none, ErrAccess that it
// refuses this user. ctx's deadline bounds the handshake.
func Dial(ctx context.Context, name string) (*Conn, error) {
	timeout, err := remaining(ctx)
	if err != nil {
		return nil, failure(name+": connect", err)
	}
	o := qbipc.DialOptions{}
	if timeout > 0 {
		o.Timeout = timeout
	}
	c, err := qbipc.Dial(name, o)
	if err != nil {
		return nil, failure(name+": connect", err)
	}
	return &Conn{name: name, ipc: c}, nil
}

// Close ends the connection; waiting calls return ErrLibrary.
func (c *Conn) Close() error {
	if err := c.ipc.Close(); err != nil {
		return failure(c.name+": close", err)
	}
	return nil
}

// ServerPID is the daemon's process.
func (c *Conn) ServerPID() int { return c.ipc.ServerPID() }

// FD becomes readable when Event would not wait. It is for polling alone.
func (c *Conn) FD() int { return c.ipc.EventFD() }

// remaining is the time until ctx's deadline, -1 without one.
func remaining(ctx context.Context) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		return max(time.Until(deadline), time.Millisecond), nil
	}
	return -1, nil
}

// Call sends a request of one or two parts and waits for the answer, until
// ctx's deadline if it has one; cancellation is looked at before sending alone,
// because an answer cannot be called back. The answer is returned, whole, also
// when it carries an error.
func (c *Conn) Call(ctx context.Context, what string, hdr, body []byte) ([]byte, error) {
	timeout, err := remaining(ctx)
	if err != nil {
		return nil, failure(c.name+": "+what, err)
	}
	b, err := c.ipc.RequestParts(hdr, body, timeout)
	if timeout >= 0 && errors.Is(err, unix.ETIMEDOUT) {
		err = context.DeadlineExceeded
	}
	if err != nil {
		return nil, failure(c.name+": "+what, err)
	}
	h, err := mar.ParseRes(b)
	if err != nil {
		return nil, Malformed(c.name+": "+what, err)
	}
	if h.Err != service.OK {
		return b, fmt.Errorf("%s: %s: %w", c.name, what, h.Err)
	}
	return b, nil
}

// Cast sends a message that is not answered. It is refused with ErrTryAgain
// also under the flow control that lets other requests queue
// (cpg.c: cpg_mcast_joined). It does not allocate unless it fails.
func (c *Conn) Cast(what string, hdr, body []byte) error {
	c.mcastMu.Lock()
	c.ipc.SetFlowControlMax(2)
	err := c.ipc.SendParts(hdr, body)
	c.ipc.SetFlowControlMax(1)
	c.mcastMu.Unlock()
	if err != nil {
		return failure(c.name+": "+what, err)
	}
	return nil
}

// CallStrict is Call under Cast's flow control.
func (c *Conn) CallStrict(ctx context.Context, what string, hdr, body []byte) ([]byte, error) {
	c.mcastMu.Lock()
	defer c.mcastMu.Unlock()
	c.ipc.SetFlowControlMax(2)
	defer c.ipc.SetFlowControlMax(1)
	return c.Call(ctx, what, hdr, body)
}

// Event waits for the next event and returns its id and bytes, which are valid
// until the next call. The error is ctx's once it is done, ErrLibrary when the
// daemon is gone, ErrBadHandle after Close.
func (c *Conn) Event(ctx context.Context) (int32, []byte, error) {
	b, err := c.ipc.Recv(0)
	if errors.Is(err, unix.ETIMEDOUT) {
		b, err = c.await(ctx)
	}
	if err != nil {
		return 0, nil, failure(c.name+": event", err)
	}
	h, err := mar.ParseRes(b)
	if err != nil {
		return 0, nil, Malformed(c.name+": event", err)
	}
	return h.ID, b, nil
}

// liveness is how often a waiting Event looks whether the daemon still lives
// where its end does not show on the descriptor (socket type of connections).
const liveness = 500 * time.Millisecond

// await waits for an event until ctx is done.
func (c *Conn) await(ctx context.Context) ([]byte, error) {
	if ctx.Done() == nil {
		return c.ipc.Recv(-1)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _, _ = unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) })
	defer func() {
		if stop() {
			unix.Close(wake)
			return
		}
		// The function runs or has run: it may still use the descriptor.
		_ = unix.SetNonblock(wake, false)
		var buf [8]byte
		_, _ = unix.Read(wake, buf[:])
		unix.Close(wake)
	}()
	fds := []unix.PollFd{{Fd: int32(c.ipc.EventFD()), Events: unix.POLLIN}, {Fd: int32(wake), Events: unix.POLLIN}}
	for {
		b, err := c.ipc.Recv(0)
		if !errors.Is(err, unix.ETIMEDOUT) {
			return b, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := unix.Poll(fds, int(liveness.Milliseconds())); err != nil && err != unix.EINTR {
			return nil, err
		}
	}
}

// Failure is a call that failed below the service: no daemon, no access, no
// time. It matches both the result code and the cause with errors.Is and As.
type Failure struct {
	What  string
	Code  service.Error
	Cause error
}

func (f *Failure) Error() string   { return fmt.Sprintf("%s: %v (%v)", f.What, f.Code, f.Cause) }
func (f *Failure) Unwrap() []error { return []error{f.Code, f.Cause} }

func failure(what string, cause error) error {
	return &Failure{what, codeOf(cause), cause}
}

// Malformed is the failure of an answer or event that cannot be read.
func Malformed(what string, cause error) error {
	return &Failure{what, service.ErrMessageError, cause}
}

// codeOf maps what the transport says (error_conversion.c: qb_to_cs_error).
func codeOf(err error) service.Error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return service.ErrTimeout
	}
	var no syscall.Errno
	if !errors.As(err, &no) {
		return service.ErrLibrary
	}
	switch no {
	case unix.EBADF:
		return service.ErrBadHandle
	case unix.ENOMEM:
		return service.ErrNoMemory
	case unix.ENOMSG, unix.ENOBUFS, unix.ETIMEDOUT, unix.EAGAIN:
		return service.ErrTryAgain
	case unix.EBADE:
		return service.ErrFailedOperation
	case unix.ETIME:
		return service.ErrTimeout
	case unix.EINVAL:
		return service.ErrInvalidParam
	case unix.EBUSY:
		return service.ErrBusy
	case unix.EACCES:
		return service.ErrAccess
	case unix.EOVERFLOW:
		return service.ErrNameTooLong
	case unix.EEXIST:
		return service.ErrExist
	case unix.ENOSPC:
		return service.ErrNoSpace
	case unix.EINTR:
		return service.ErrInterrupt
	case unix.ENOENT, unix.ENODEV:
		return service.ErrNotExist
	case unix.ENOSYS, unix.ENOTSUP:
		return service.ErrNotSupported
	case unix.EBADMSG:
		return service.ErrMessageError
	case unix.EMSGSIZE, unix.E2BIG:
		return service.ErrTooBig
	}
	return service.ErrLibrary
}

// Code is the result code within err: OK for nil, ErrLibrary for an error that
// carries none.
func Code(err error) service.Error {
	if err == nil {
		return service.OK
	}
	var code service.Error
	if errors.As(err, &code) {
		return code
	}
	return service.ErrLibrary
}

// Strerror is cs_strerror's text for the code within err, which the tools print.
func Strerror(err error) string {
	code := Code(err)
	if text := code.Error(); !strings.HasPrefix(text, "unknown error") {
		return text
	}
	return "unknown error"
}

// Retry calls fn again, after a pause, while it says ErrTryAgain: at most tries
// calls in all. It returns fn's last error, or ctx's.
func Retry(ctx context.Context, tries int, pause time.Duration, fn func() error) error {
	for {
		err := fn()
		if tries--; Code(err) != service.ErrTryAgain || tries <= 0 {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return failure("retry", ctx.Err())
		}
	}
}
