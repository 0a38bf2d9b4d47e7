package crmipc

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/qbipc"
	"github.com/pacesync/pacesync/internal/xmltree"
)

// Buffers that clients of some services ask for.
const (
	CIBBuffer       = 512 << 10 // CIB and event-driven clients
	SchedulerBuffer = 5 << 20   // the controller towards the scheduler
)

// DefaultTimeout bounds a call whose context has no deadline (ipc_client.c:
// crm_ipc_send with 0 ms).
const DefaultTimeout = 5 * time.Second

// requestID numbers the requests of the process, all connections together.
var requestID atomic.Uint32

// DialOptions are optional.
type DialOptions struct {
	// Buffer is the longest message wanted; PCMK_ipc_buffer is the least.
	Buffer int
}

// Conn is a connection to a daemon. Safe for concurrent use: calls are served
// one after the other; Next must have one caller at a time.
//
// Errors wrap an errno: ENOTCONN: the daemon is gone; ECONNREFUSED or ENOENT:
// there is none; EACCES: it refuses us; ETIMEDOUT.
type Conn struct {
	ipc *qbipc.Client
}

// Dial connects to a daemon's socket. A server that runs neither as root nor as
// hacluster or in haclient is refused with ECONNABORTED (ipc_client.c:
// crm_ipc_connect): anybody may take a socket's name.
func Dial(ctx context.Context, service string, o DialOptions) (*Conn, error) {
	uid, gid, userErr := pcmk.DaemonUser()
	q := qbipc.DialOptions{MaxMsg: uint32(max(o.Buffer, pcmk.IPCBuffer()))}
	if d, ok := ctx.Deadline(); ok {
		q.Timeout = max(time.Until(d), time.Millisecond)
	}
	stranger := false
	q.Trust = func(_ int32, u, g uint32) bool {
		stranger = userErr != nil || u != uid && g != gid
		return !stranger
	}
	c, err := qbipc.Dial(service, q)
	if err != nil {
		if stranger {
			err = errors.Join(unix.ECONNABORTED, err)
		}
		return nil, fmt.Errorf("crmipc: %w", err)
	}
	return &Conn{c}, nil
}

// Service is the socket's name.
func (c *Conn) Service() string { return c.ipc.Name() }

// ServerPID is the daemon's process.
func (c *Conn) ServerPID() int { return c.ipc.ServerPID() }

// FD becomes readable when Next would not wait. It is for polling alone.
func (c *Conn) FD() int { return c.ipc.EventFD() }

// Close ends the connection; waiting calls return ENOTCONN.
func (c *Conn) Close() error { return c.ipc.Close() }

// Call sends a request and waits for its answer, until the context's deadline
// or for DefaultTimeout without one. The answer may be an acknowledgement whose
// status says that the real one comes as an event (see Status).
func (c *Conn) Call(ctx context.Context, doc *xmltree.Node) (*xmltree.Node, error) {
	return c.CallFlags(ctx, doc, WantReply)
}

// CallFlags is Call with a choice of flags.
func (c *Conn) CallFlags(ctx context.Context, doc *xmltree.Node, flags Flags) (*xmltree.Node, error) {
	timeout, err := patience(ctx)
	if err != nil {
		return nil, c.wrap("request", err)
	}
	head, body, id, err := c.prepare(doc, flags)
	if err != nil {
		return nil, c.wrap("request", err)
	}
	until := time.Now().Add(timeout)
	msg, err := c.ipc.RequestParts(head[:], body, timeout)
	for errors.Is(err, unix.EAGAIN) && time.Now().Before(until) {
		time.Sleep(busyPause) // its ring is full of requests
		msg, err = c.ipc.RequestParts(head[:], body, max(time.Until(until), time.Millisecond))
	}
	if err != nil {
		return nil, c.wrap("request", err)
	}
	h, text, err := Decode(msg)
	if err != nil {
		return nil, c.wrap("answer", err)
	}
	if h.ID != id {
		return nil, c.wrap("answer", fmt.Errorf("%w: it is for request %d and not for %d", ErrBadMessage, h.ID, id))
	}
	root, err := xmltree.ParseString(text, xmltree.Limits{Bytes: MaxText})
	if err != nil {
		return nil, c.wrap("answer", errors.Join(ErrBadMessage, err))
	}
	return root, nil
}

// busyPause is between two tries when the daemon's ring has no room.
const busyPause = 5 * time.Millisecond

func patience(ctx context.Context) (time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if d, ok := ctx.Deadline(); ok {
		return max(time.Until(d), time.Millisecond), nil
	}
	return DefaultTimeout, nil
}

// Post sends a request that wants no answer.
func (c *Conn) Post(doc *xmltree.Node) error { return c.PostFlags(doc, 0) }

// PostFlags is Post with a choice of flags.
func (c *Conn) PostFlags(doc *xmltree.Node, flags Flags) error {
	head, body, _, err := c.prepare(doc, flags)
	until := time.Now().Add(DefaultTimeout)
	for err == nil {
		err = c.ipc.SendParts(head[:], body)
		if !errors.Is(err, unix.EAGAIN) || !time.Now().Before(until) {
			return c.wrap("request", err)
		}
		err = nil
		time.Sleep(busyPause)
	}
	return c.wrap("request", err)
}

func (c *Conn) prepare(doc *xmltree.Node, flags Flags) (head [HeaderSize]byte, body []byte, id uint32, err error) {
	p, err := pack(Text(doc), c.ipc.MaxMsg(), c.ipc.MaxMsg())
	if err != nil {
		return head, nil, 0, err
	}
	id = requestID.Add(1)
	p.header(id, flags).put(&head, len(p.body))
	return head, p.body, id, nil
}

func (c *Conn) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("crmipc: %s: %s: %w", c.ipc.Name(), what, err)
}

// Incoming is one event of a daemon.
type Incoming struct {
	ID    uint32
	Flags Flags
	XML   *xmltree.Node
}

// Next waits for the next event. It looks at the context every so often only;
// closing the connection wakes it at once.
func (c *Conn) Next(ctx context.Context) (Incoming, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Incoming{}, c.wrap("event", err)
		}
		wait := time.Duration(-1)
		if d, ok := ctx.Deadline(); ok {
			wait = max(time.Until(d), time.Millisecond)
		}
		if ctx.Done() != nil && (wait < 0 || wait > contextLook) {
			wait = contextLook
		}
		msg, err := c.ipc.Recv(wait)
		if errors.Is(err, unix.ETIMEDOUT) {
			continue
		}
		if err != nil {
			return Incoming{}, c.wrap("event", err)
		}
		h, text, err := Decode(msg)
		if err != nil {
			return Incoming{}, c.wrap("event", err)
		}
		root, err := xmltree.ParseString(text, xmltree.Limits{Bytes: MaxText})
		if err != nil {
			return Incoming{}, c.wrap("event", errors.Join(ErrBadMessage, err))
		}
		return Incoming{h.ID, h.Flags, root}, nil
	}
}

// contextLook is how often a waiting Next looks whether its context has ended.
const contextLook = 500 * time.Millisecond

// Pump calls f with every event, in a goroutine of its own, until the
// connection ends; the last call has the reason and no event. A daemon's loop
// gets its events so: f puts them into a channel.
func (c *Conn) Pump(f func(Incoming, error)) {
	go func() {
		for {
			in, err := c.Next(context.Background())
			f(in, err)
			if err != nil {
				return
			}
		}
	}()
}

// Status returns the status of an acknowledgement, ok false when the answer is
// none. ExitIndeterminate means that the real answer follows as an event.
func Status(answer *xmltree.Node) (status pcmk.Exit, ok bool) {
	if answer == nil || (answer.Name != "ack" && answer.Name != "nack") {
		return 0, false
	}
	n := 0
	if _, err := fmt.Sscan(answer.Attr("status"), &n); err != nil {
		return pcmk.ExitProtocol, true
	}
	return pcmk.Exit(n), true
}

// ErrnoOf is the errno within an error of this package, EIO if there is none.
func ErrnoOf(err error) unix.Errno {
	var no unix.Errno
	if errors.As(err, &no) {
		return no
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return unix.ETIMEDOUT
	}
	return unix.EIO
}
