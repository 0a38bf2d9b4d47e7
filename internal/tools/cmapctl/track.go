package cmapctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/cmap/cmapclient"
	"github.com/pacesync/pacesync/internal/corosync/libipc"
	"github.com/pacesync/pacesync/internal/libc"
)

// track prints changes until a line that begins with q, or the end of standard
// input. The original does not see the end of a pipe, and then takes a whole
// processor; here it goes on tracking, quietly.
func (p *program) track(ctx context.Context) bool {
	for i, key := range p.args {
		if _, err := p.client.Track(ctx, key, p.trackPrefix, cmapclient.AnyKind, uint64(i)); err != nil {
			p.complain("Failed to add tracking function. Error %s", libipc.Strerror(err))
			return false
		}
	}
	stdin := newInput(p.env.Stdin)
	fmt.Fprint(p.out, "Type \"q\" to finish\n")
	for {
		p.out.Flush()
		fds := []unix.PollFd{{Fd: int32(p.client.FD()), Events: unix.POLLIN}, {Fd: stdin.fd, Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil {
			if err == unix.EINTR {
				continue
			}
			p.complain("poll: %s", libc.Strerror(err))
			return true
		}
		quit := stdin.ready(fds[1].Revents)
		if fds[0].Revents&unix.POLLIN != 0 && !p.printChanges() {
			return true
		}
		if quit {
			return true
		}
	}
}

// input is standard input while tracking.
type input struct {
	fd   int32 // -1: not looked at (any more)
	line []byte
}

func newInput(r any) *input {
	if f, ok := r.(*os.File); ok {
		return &input{fd: int32(f.Fd())}
	}
	return &input{fd: -1}
}

// ready reads what there is and tells whether to quit.
func (in *input) ready(revents int16) (quit bool) {
	if revents&unix.POLLIN == 0 {
		if revents != 0 { // hung up without a word: nobody will type q
			in.fd = -1
		}
		return false
	}
	var buf [512]byte
	n, err := unix.Read(int(in.fd), buf[:])
	if n <= 0 {
		return err != unix.EINTR && err != unix.EAGAIN
	}
	in.line = append(in.line, buf[:n]...)
	for {
		if bytes.HasPrefix(in.line, []byte("q")) {
			return true
		}
		i := bytes.IndexByte(in.line, '\n')
		if i < 0 {
			in.line = in.line[:min(len(in.line), 1)] // only its beginning matters
			return false
		}
		in.line = in.line[i+1:]
	}
}

// printChanges prints the changes that wait; false when the connection is lost.
func (p *program) printChanges() bool {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	for {
		c, err := p.client.Next(now)
		switch {
		case errors.Is(err, context.Canceled):
			return true
		case err != nil:
			p.complain("Dispatch error %s", libipc.Strerror(err))
			return false
		}
		switch c.Kind {
		case cmapclient.Added:
			fmt.Fprint(p.out, "create> ")
			p.printValue(c.Key, c.New)
		case cmapclient.Deleted:
			fmt.Fprint(p.out, "delete> ")
			p.printValue(c.Key, c.Old)
		case cmapclient.Modified:
			fmt.Fprint(p.out, "modify> ")
			p.printValue(c.Key, c.New)
		default:
			fmt.Fprint(p.out, "unknown change> ")
		}
	}
}
