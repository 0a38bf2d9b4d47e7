package client

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/pacesync/pacesync/ipmi/session"
	"github.com/pacesync/pacesync/ipmi/wire"
)

// ErrNotVerified is matched when a command was accepted and the power state did
// not become what was asked for in time.
var ErrNotVerified = errors.New("power state not reached")

// Client is a fence device. Safe for concurrent use: each operation has a
// session of its own.
type Client struct {
	opt Options

	mu      sync.Mutex
	refused error // a refused log-in
	until   time.Time
}

// New makes a client; nothing is sent.
func New(o Options) (*Client, error) {
	if err := o.Valid(); err != nil {
		return nil, err
	}
	return &Client{opt: o}, nil
}

// session is the configuration of each session.
func (o *Options) session() session.Config {
	suites := []int{17, 3}
	if o.Cipher != 0 {
		suites = []int{o.Cipher}
	}
	return session.Config{
		V20: o.Lanplus, Suites: suites, Auth: o.Auth, Privilege: o.Privlvl, User: o.User, Password: []byte(o.Password),
		Kg: o.Kg, Timeout: o.Timeout, Retries: o.Retries, Rand: rand.Reader,
	}
}

func (c *Client) trace(format string, args ...any) {
	if c.opt.Trace != nil {
		c.opt.Trace(format, args...)
	}
}

func (c *Client) addr() string { return net.JoinHostPort(c.opt.Host, strconv.Itoa(c.opt.Port)) }

// wrap says which BMC an error is about.
func (c *Client) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("BMC %s: %w", c.addr(), err)
}

// line is one session over one socket. It is used by one goroutine.
type line struct {
	client *Client
	conn   net.Conn
	s      *session.Session
	buf    []byte
	netErr error // what the socket said last: "connection refused" explains a silence
}

// open logs in. A BMC without a free session is asked again until ctx ends or
// Retries are used up; a refused password is not.
func (c *Client) open(ctx context.Context) (*line, error) {
	if err := c.held(); err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		l, err := c.openOnce(ctx)
		if errors.Is(err, session.ErrPassword) || errors.Is(err, session.ErrUser) {
			c.hold(err)
		}
		if err == nil || !errors.Is(err, session.ErrBusy) || try >= c.opt.Retries {
			return l, err
		}
		c.trace("%v; again", err)
		if pause(ctx, c.opt.Timeout/2) != nil {
			return nil, err
		}
	}
}

// held is the refusal of a recent log-in with the same password.
func (c *Client) held() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refused != nil && time.Now().Before(c.until) {
		return fmt.Errorf("not tried again before %s: %w", c.until.Format(time.TimeOnly), c.refused)
	}
	return nil
}

func (c *Client) hold(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused, c.until = err, time.Now().Add(c.opt.RefusalHold)
}

func (c *Client) openOnce(ctx context.Context) (*line, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "udp", c.addr())
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", session.ErrNoAnswer, err)
	}
	s, err := session.New(c.opt.session())
	if err != nil {
		conn.Close()
		return nil, err
	}
	l := &line{client: c, conn: conn, s: s, buf: make([]byte, wire.MaxPacket+1)}
	if _, err := l.do(ctx, session.Open{}); err != nil {
		conn.Close()
		return nil, err
	}
	return l, nil
}

// close logs out, briefly: the BMC ends a forgotten session by itself.
func (l *line) close() {
	ctx, cancel := context.WithTimeout(context.Background(), l.client.opt.Timeout/2)
	defer cancel()
	l.do(ctx, session.Close{})
	l.conn.Close()
}

// do runs one event to its result.
func (l *line) do(ctx context.Context, e session.Event) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { l.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	l.s.Step(time.Now(), e)
	for {
		out := l.s.Take()
		for _, p := range out.Send {
			if _, err := l.conn.Write(p); err != nil {
				l.netErr = err // the same as a lost packet
			}
		}
		for _, why := range out.Dropped {
			l.client.trace("packet ignored: %s", why)
		}
		if r := out.Result; r != nil {
			return r.Data, l.explain(r.Err)
		}
		if err := l.await(ctx); err != nil {
			return nil, err
		}
	}
}

// await feeds the session its next event: a packet, or the end of its patience.
func (l *line) await(ctx context.Context) error {
	deadline := l.s.Deadline()
	l.conn.SetReadDeadline(deadline)
	if ctx.Err() != nil { // after SetReadDeadline, which may have undone the one of AfterFunc
		return l.explain(fmt.Errorf("%w: %w", session.ErrNoAnswer, context.Cause(ctx)))
	}
	n, err := l.conn.Read(l.buf)
	switch {
	case err == nil:
		l.netErr = nil
		l.s.Step(time.Now(), session.Datagram{Bytes: l.buf[:n]})
		return nil
	case errors.Is(err, net.ErrClosed):
		return err
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		// Such as "connection refused": the BMC may just be starting. The session
		// goes on at its own pace.
		l.netErr = err
		if pause(ctx, time.Until(deadline)) != nil {
			return nil // the next look at ctx ends it
		}
	}
	l.s.Step(time.Now(), session.Tick{})
	return nil
}

// explain adds what the socket said to a silence.
func (l *line) explain(err error) error {
	if err != nil && l.netErr != nil && errors.Is(err, session.ErrNoAnswer) {
		return fmt.Errorf("%w; %w", err, l.netErr)
	}
	return err
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
