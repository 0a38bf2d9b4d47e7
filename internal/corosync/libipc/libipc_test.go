package libipc_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/corosync/libipc/libipctest"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/qbipc"
)

// Requests of the scripted service.
const (
	askStatus = 1 // answered with the code in the u32 @16
	askShort  = 2 // answered with less than a header
	askNever  = 3 // not answered
)

func serve(t *testing.T) *libipctest.Daemon {
	return libipctest.Serve(t, libipctest.Service{Message: func(c *qbipc.Conn, id int32, msg []byte) {
		switch id {
		case askStatus:
			c.Reply(mar.AppendStatus(nil, 0, service.Error(mar.View{B: msg}.U32(16))), nil)
		case askShort:
			c.Reply(make([]byte, 8), nil)
		}
	}})
}

func request(id int32, n uint32) []byte {
	b := make([]byte, 24)
	mar.PutReq(b, id, len(b))
	mar.PutU32(b, 16, n)
	return b
}

func dial(t *testing.T, d *libipctest.Daemon) *libipc.Conn {
	t.Helper()
	c, err := libipc.Dial(t.Context(), d.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestCall(t *testing.T) {
	c := dial(t, serve(t))
	b, err := c.Call(t.Context(), "ask", request(askStatus, uint32(service.OK)), nil)
	if err != nil || len(b) != mar.ResSize {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	b, err = c.Call(t.Context(), "ask", request(askStatus, uint32(service.ErrNotExist)), nil)
	if !errors.Is(err, service.ErrNotExist) || libipc.Code(err) != service.ErrNotExist || len(b) != mar.ResSize {
		t.Errorf("%d bytes, %v, want them and ErrNotExist", len(b), err)
	}
	if _, err = c.Call(t.Context(), "ask", request(askShort, 0), nil); libipc.Code(err) != service.ErrMessageError {
		t.Errorf("a short answer: %v, want ErrMessageError", err)
	}
}

func TestCallEndsWithContext(t *testing.T) {
	c := dial(t, serve(t))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := c.Call(ctx, "ask", request(askNever, 0), nil)
	if !errors.Is(err, context.DeadlineExceeded) || libipc.Code(err) != service.ErrTimeout {
		t.Errorf("%v, want the deadline and ErrTimeout", err)
	}
	if _, err = c.Call(ctx, "ask", request(askStatus, 1), nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a context that is over: %v", err)
	}
}

func TestDialErrors(t *testing.T) {
	if _, err := libipc.Dial(t.Context(), "no-such-service"); libipc.Code(err) != service.ErrLibrary {
		t.Errorf("no daemon: %v, want ErrLibrary", err)
	}
	for errno, want := range map[unix.Errno]service.Error{unix.EACCES: service.ErrAccess, unix.EAGAIN: service.ErrTryAgain} {
		d := libipctest.Serve(t, libipctest.Service{Accept: func(*qbipc.Peer) error { return errno }})
		if _, err := libipc.Dial(t.Context(), d.Name); libipc.Code(err) != want || !errors.Is(err, errno) {
			t.Errorf("refused with %v: %v, want %v", errno, err, want)
		}
	}
}

func TestEvent(t *testing.T) {
	d := serve(t)
	c := dial(t, d)
	d.Event(mar.AppendStatus(nil, 7, service.OK))
	if id, _, err := c.Event(t.Context()); id != 7 || err != nil {
		t.Errorf("event %d, %v, want 7", id, err)
	}
	// One that comes while we wait, with a context that could end and does not.
	got := make(chan int32, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		id, _, _ := c.Event(ctx)
		got <- id
	}()
	d.Event(mar.AppendStatus(nil, 8, service.OK))
	if id := <-got; id != 8 {
		t.Errorf("event %d, want 8", id)
	}
	// A context that ends while we wait.
	errs := make(chan error, 1)
	go func() {
		_, _, err := c.Event(ctx)
		errs <- err
	}()
	cancel()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// Over before: what waits is still returned, then the context's error.
	d.Event(mar.AppendStatus(nil, 9, service.OK))
	if id, _, err := c.Event(ctx); id != 9 || err != nil {
		t.Errorf("event %d, %v, want 9", id, err)
	}
	if _, _, err := c.Event(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("nothing there: %v, want Canceled", err)
	}
	d.Shut()
	if _, _, err := c.Event(t.Context()); libipc.Code(err) != service.ErrLibrary {
		t.Errorf("the daemon is gone: %v, want ErrLibrary", err)
	}
	if _, err := c.Call(t.Context(), "ask", request(askStatus, 1), nil); libipc.Code(err) != service.ErrLibrary {
		t.Errorf("a call to a dead daemon: %v, want ErrLibrary", err)
	}
}

func TestRetry(t *testing.T) {
	for _, tt := range []struct {
		name    string
		answers []error
		tries   int
		calls   int
		want    service.Error
	}{
		{"at once", []error{nil}, 5, 1, service.OK},
		{"third time", []error{service.ErrTryAgain, service.ErrTryAgain, nil}, 5, 3, service.OK},
		{"never", []error{service.ErrTryAgain, service.ErrTryAgain, service.ErrTryAgain}, 3, 3, service.ErrTryAgain},
		{"another error", []error{service.ErrTryAgain, service.ErrBusy}, 5, 2, service.ErrBusy},
	} {
		calls := 0
		err := libipc.Retry(t.Context(), tt.tries, time.Microsecond, func() error {
			calls++
			return tt.answers[calls-1]
		})
		if libipc.Code(err) != tt.want || calls != tt.calls {
			t.Errorf("%s: %v after %d calls, want %v after %d", tt.name, err, calls, tt.want, tt.calls)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := libipc.Retry(ctx, 5, time.Hour, func() error { cancel(); return service.ErrTryAgain })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the pause: %v", err)
	}
}

func TestStrerror(t *testing.T) {
	for err, want := range map[error]string{
		nil: "success", service.ErrNotExist: "CS_ERR_NOT_EXIST", service.Error(77): "unknown error", errors.New("other"): "CS_ERR_LIBRARY",
	} {
		if got := libipc.Strerror(err); got != want {
			t.Errorf("Strerror(%v) = %q, want %q", err, got, want)
		}
	}
}
