package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pacesync/pacesync/ipmi/session"
	"github.com/pacesync/pacesync/ipmi/wire"
)

// Reboot tells what a reboot or cycle has shown.
type Reboot struct {
	Off   bool  // the power was seen off: the node is fenced for certain
	On    bool  // the power was seen on at the end
	OnErr error // why it was not
}

// conversation is one operation: a session that is opened again when the BMC
// loses it, until ctx ends. A BMC may restart its network with the host's power.
type conversation struct {
	c *Client
	l *line
}

func (c *Client) begin(ctx context.Context) (*conversation, error) {
	v := &conversation{c: c}
	return v, v.reopen(ctx)
}

func (v *conversation) reopen(ctx context.Context) (err error) {
	v.drop()
	v.l, err = v.c.open(ctx)
	return err
}

// drop forgets a session that the BMC does not answer in.
func (v *conversation) drop() {
	if v.l != nil {
		v.l.conn.Close()
		v.l = nil
	}
}

func (v *conversation) end() {
	if v.l != nil {
		v.l.close()
		v.l = nil
	}
}

// lost tells errors that a new session may mend.
func lost(err error) bool {
	return errors.Is(err, session.ErrNoAnswer) || errors.Is(err, session.ErrExpired)
}

// command runs one command, in a new session if the present one is lost. A lost
// control command is not repeated: whether it was executed shows in the power state.
func (v *conversation) command(ctx context.Context, e session.Command) ([]byte, error) {
	if v.l == nil {
		if err := v.reopen(ctx); err != nil {
			return nil, err
		}
	}
	data, err := v.l.do(ctx, e)
	if lost(err) {
		v.drop()
	}
	return data, err
}

func (v *conversation) status(ctx context.Context) (wire.ChassisStatus, error) {
	data, err := v.command(ctx, session.Command{Name: "chassis status", NetFn: wire.NetFnChassis, Cmd: wire.CmdGetChassisStatus})
	if err != nil {
		return wire.ChassisStatus{}, err
	}
	s, err := wire.ParseChassisStatus(data)
	if err != nil {
		return s, fmt.Errorf("%w: %w", session.ErrBadAnswer, err)
	}
	v.c.trace("power is %s", onOff(s.On))
	return s, nil
}

func (v *conversation) control(ctx context.Context, c wire.Control) error {
	v.c.trace("chassis control %v", c)
	_, err := v.command(ctx, session.Command{
		Name: "chassis control " + c.String(), NetFn: wire.NetFnChassis, Cmd: wire.CmdChassisControl, Data: []byte{byte(c)},
	})
	return err
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// reach waits until the power is as wanted. Errors on the way are outlived: only
// the state counts, and the time.
func (v *conversation) reach(ctx context.Context, want bool, after wire.Control) error {
	limit := v.c.opt.PowerTimeout
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, v.c.opt.PowerWait+limit)
		defer cancel()
	}
	start := time.Now()
	var last error // why the last look failed, unless time was up
	for err := pause(ctx, v.c.opt.PowerWait); err == nil; err = pause(ctx, v.c.opt.StatusInterval) {
		s, err := v.status(ctx)
		if err == nil && s.On == want {
			return nil
		}
		if ctx.Err() != nil {
			break
		}
		if last = err; err != nil {
			v.c.trace("%v", err)
			if fatal(err) {
				return err
			}
		}
	}
	if last == nil {
		last = context.Cause(ctx)
	}
	return fmt.Errorf("%w: %v was accepted, the power is not read as %s after %v (%w)",
		ErrNotVerified, after, onOff(want), time.Since(start).Round(time.Second/10), last)
}

// fatal tells errors that time does not mend.
func fatal(err error) bool {
	return errors.Is(err, session.ErrPassword) || errors.Is(err, session.ErrUser) || errors.Is(err, session.ErrPrivilege)
}

// change brings the power to a state and reads it back.
func (v *conversation) change(ctx context.Context, c wire.Control, want bool) error {
	s, err := v.status(ctx)
	if err == nil && s.On == want {
		return nil
	}
	if err != nil && !lost(err) {
		return err
	}
	err = v.control(ctx, c)
	if err != nil && !lost(err) {
		return err
	}
	// A command whose answer was lost may have been executed: the state tells. When
	// it does not show, the command itself was lost and is given once more.
	readErr := v.reach(ctx, want, c)
	if err != nil && errors.Is(readErr, ErrNotVerified) && ctx.Err() == nil {
		if err = v.control(ctx, c); err != nil {
			return err
		}
		readErr = v.reach(ctx, want, c)
	}
	return readErr
}

// run does one operation in a session.
func (c *Client) run(ctx context.Context, f func(v *conversation) error) error {
	v, err := c.begin(ctx)
	if err == nil {
		err = f(v)
		v.end()
	}
	return c.wrap(err)
}

// Status reads the chassis status.
func (c *Client) Status(ctx context.Context) (s wire.ChassisStatus, err error) {
	err = c.run(ctx, func(v *conversation) (err error) { s, err = v.status(ctx); return err })
	return s, err
}

// PowerOff switches the power off at once and returns nil only once it was read
// as off. Off already is success.
func (c *Client) PowerOff(ctx context.Context) error {
	return c.run(ctx, func(v *conversation) error { return v.change(ctx, wire.ControlOff, false) })
}

// PowerOn switches the power on, up to RetryOn times, and reads it back.
func (c *Client) PowerOn(ctx context.Context) error {
	return c.run(ctx, func(v *conversation) error { return v.on(ctx) })
}

func (v *conversation) on(ctx context.Context) (err error) {
	for range max(v.c.opt.RetryOn, 1) {
		err = v.change(ctx, wire.ControlOn, true)
		if !errors.Is(err, ErrNotVerified) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// Soft asks the operating system to shut down and waits until the power is off.
func (c *Client) Soft(ctx context.Context) error {
	return c.run(ctx, func(v *conversation) error { return v.change(ctx, wire.ControlSoft, false) })
}

// Reset resets the processor. The power state does not show whether it was done:
// nil means that the BMC has accepted the command and the power is read as on.
// It is no fencing that can be relied on; Fence is.
func (c *Client) Reset(ctx context.Context) error {
	return c.run(ctx, func(v *conversation) error {
		if err := v.control(ctx, wire.ControlReset); err != nil {
			return err
		}
		return v.reach(ctx, true, wire.ControlReset)
	})
}

// Cycle has the BMC switch off and on again. It watches for the off phase and
// reads the power back as on. A machine that is off is switched on.
func (c *Client) Cycle(ctx context.Context) (r Reboot, err error) {
	err = c.run(ctx, func(v *conversation) (err error) { r, err = v.cycle(ctx); return err })
	return r, err
}

// Fence reboots by the configured method, as fence_ipmilan's action reboot. With
// MethodOnOff nil means that the power was read as off; that it does not come on
// again is no error, as the node is fenced: see Reboot.OnErr. With MethodCycle
// nil means that the BMC has accepted the cycle and the power is read as on.
func (c *Client) Fence(ctx context.Context) (r Reboot, err error) {
	if err := pause(ctx, c.opt.Delay); err != nil {
		return r, c.wrap(err)
	}
	if c.opt.Method == MethodCycle {
		return c.Cycle(ctx)
	}
	err = c.run(ctx, func(v *conversation) error {
		if err := v.change(ctx, wire.ControlOff, false); err != nil {
			return err
		}
		r.Off = true
		r.OnErr = v.on(ctx)
		r.On = r.OnErr == nil
		return nil
	})
	return r, err
}

func (v *conversation) cycle(ctx context.Context) (r Reboot, err error) {
	s, err := v.status(ctx)
	if err != nil {
		return r, err
	}
	if !s.On { // BMCs refuse to cycle what is off
		r.Off = true
		err = v.on(ctx)
		r.On, r.OnErr = err == nil, err
		return r, err
	}
	if err := v.control(ctx, wire.ControlCycle); err != nil {
		return r, err
	}
	r.Off = v.watchOff(ctx)
	err = v.reach(ctx, true, wire.ControlCycle)
	r.On, r.OnErr = err == nil, err
	return r, err
}

// watchOff looks often, for a while, whether the power goes off. A short off
// phase can be missed; only seeing it proves anything.
func (v *conversation) watchOff(ctx context.Context) bool {
	end := time.Now().Add(v.c.opt.PowerWait + v.c.opt.StatusInterval)
	for time.Now().Before(end) {
		s, err := v.status(ctx)
		if err == nil && !s.On {
			return true
		}
		if err != nil || pause(ctx, min(v.c.opt.StatusInterval, 100*time.Millisecond)) != nil {
			return false
		}
	}
	return false
}
