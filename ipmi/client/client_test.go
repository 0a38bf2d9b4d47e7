package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/ipmi/bmctest"
	"github.com/pacesync/pacesync/ipmi/session"
	"github.com/pacesync/pacesync/ipmi/wire"
)

// setup serves a BMC and makes a client for it, quick but for what change says.
func setup(t *testing.T, cfg bmctest.Config, change ...func(*Options)) (*bmctest.BMC, *bmctest.Machine, *Client) {
	t.Helper()
	m := bmctest.NewMachine()
	if cfg.Switch == nil {
		cfg.Switch = m
	}
	cfg.Users = []bmctest.Account{{Name: "admin", Password: "secret"}, {Name: "oper", Password: "operpw", Max: wire.User}}
	b, err := bmctest.Listen("127.0.0.1:0", cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	o := Defaults()
	o.Host, o.Port, o.User, o.Password, o.Lanplus = "127.0.0.1", b.Addr().Port, "admin", "secret", true
	o.Timeout, o.Retries, o.PowerWait, o.StatusInterval = 100*time.Millisecond, 3, 0, 10*time.Millisecond
	o.PowerTimeout, o.Trace = 300*time.Millisecond, t.Logf
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b, m, c
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return c
}

func wantDone(t *testing.T, m *bmctest.Machine, want ...wire.Control) {
	t.Helper()
	if got := m.Done(); !reflect.DeepEqual(got, want) {
		t.Errorf("executed %v, want %v", got, want)
	}
}

func TestOffAndOn(t *testing.T) {
	for _, lanplus := range []bool{true, false} {
		b, m, c := setup(t, bmctest.Config{}, func(o *Options) { o.Lanplus = lanplus })
		m.Set(func(m *bmctest.Machine) { m.OffDelay, m.OnDelay = 50*time.Millisecond, 50*time.Millisecond })
		for range 2 { // the second off finds the work done
			if err := c.PowerOff(ctx(t)); err != nil {
				t.Fatal(err)
			}
		}
		if s, err := c.Status(ctx(t)); err != nil || s.On {
			t.Errorf("%+v, %v", s, err)
		}
		if err := c.PowerOn(ctx(t)); err != nil {
			t.Fatal(err)
		}
		wantDone(t, m, wire.ControlOff, wire.ControlOn)
		b.Do(func(core *bmctest.Core) {
			if n := core.Sessions(); n > 0 {
				t.Errorf("%d sessions left", n)
			}
		})
	}
}

// TestStuckSwitch: a command that is accepted and not executed is no success.
func TestStuckSwitch(t *testing.T) {
	_, m, c := setup(t, bmctest.Config{})
	m.Set(func(m *bmctest.Machine) { m.Stuck = true })
	if err := c.PowerOff(ctx(t)); !errors.Is(err, ErrNotVerified) {
		t.Error(err)
	}
	if _, err := c.Fence(ctx(t)); !errors.Is(err, ErrNotVerified) {
		t.Error(err)
	}
}

// TestFence: once the power was read as off the node is fenced, whatever comes then.
func TestFence(t *testing.T) {
	_, m, c := setup(t, bmctest.Config{})
	if r, err := c.Fence(ctx(t)); err != nil || !r.Off || !r.On {
		t.Errorf("%+v, %v", r, err)
	}
	wantDone(t, m, wire.ControlOff, wire.ControlOn)
	m.Set(func(m *bmctest.Machine) { m.OnDelay = time.Hour })
	if r, err := c.Fence(ctx(t)); err != nil || !r.Off || r.On || !errors.Is(r.OnErr, ErrNotVerified) {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRetryOn(t *testing.T) {
	_, m, c := setup(t, bmctest.Config{}, func(o *Options) { o.RetryOn, o.PowerTimeout = 3, 50*time.Millisecond })
	m.SetOn(false)
	m.Set(func(m *bmctest.Machine) { m.Stuck = true })
	if err := c.PowerOn(ctx(t)); !errors.Is(err, ErrNotVerified) {
		t.Error(err)
	}
	wantDone(t, m, wire.ControlOn, wire.ControlOn, wire.ControlOn)
}

func TestCycle(t *testing.T) {
	_, m, c := setup(t, bmctest.Config{}, func(o *Options) { o.Method, o.PowerWait = MethodCycle, 100*time.Millisecond })
	m.Set(func(m *bmctest.Machine) { m.OffTime = 60 * time.Millisecond })
	if r, err := c.Fence(ctx(t)); err != nil || !r.Off || !r.On {
		t.Errorf("%+v, %v", r, err)
	}
	m.SetOn(false) // what is off is switched on, not cycled
	if r, err := c.Cycle(ctx(t)); err != nil || !r.Off || !r.On {
		t.Errorf("%+v, %v", r, err)
	}
	wantDone(t, m, wire.ControlCycle, wire.ControlOn)
	m.SetOn(true)
	m.Set(func(m *bmctest.Machine) { m.Stuck = true }) // nothing happens: on at the end, and never seen off
	if r, err := c.Cycle(ctx(t)); err != nil || r.Off || !r.On {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestResetAndSoft(t *testing.T) {
	_, m, c := setup(t, bmctest.Config{})
	if err := c.Reset(ctx(t)); err != nil {
		t.Error(err)
	}
	if err := c.Soft(ctx(t)); err != nil {
		t.Error(err)
	}
	err := c.Reset(ctx(t))
	if !errors.Is(err, session.ErrRefused) {
		t.Error(err)
	}
	t.Log(err)
	wantDone(t, m, wire.ControlReset, wire.ControlSoft)
}

// TestSessionLost: the BMC forgets the session in the middle, as one whose
// network restarts with the host. The operation goes on in a new one.
func TestSessionLost(t *testing.T) {
	var b *bmctest.BMC
	m := bmctest.NewMachine()
	m.OffDelay = 100 * time.Millisecond
	forget := make(chan struct{}, 1)
	m.Changed = func(bool, wire.Control) { forget <- struct{}{} }
	b, _, c := setup(t, bmctest.Config{Switch: m}, func(o *Options) {
		o.Timeout, o.Retries, o.PowerTimeout = 20*time.Millisecond, 1, 5*time.Second
	})
	go func() { <-forget; b.Do((*bmctest.Core).DropSessions) }()
	if err := c.PowerOff(ctx(t)); err != nil {
		t.Fatal(err)
	}
	wantDone(t, m, wire.ControlOff)
}

func TestLoss(t *testing.T) {
	for lost := 1; lost <= 10; lost++ {
		b, m, c := setup(t, bmctest.Config{}, func(o *Options) { o.Timeout = 20 * time.Millisecond })
		b.SetFaults(func(in bool, n int) bmctest.Fate { return bmctest.Fate{Drop: in == (lost%2 == 0) && n == lost} })
		if err := c.PowerOff(ctx(t)); err != nil {
			t.Errorf("packet %d lost: %v", lost, err)
		}
		wantDone(t, m, wire.ControlOff)
	}
}

// TestWrongPassword is tried once, also when the caller tries again and again.
func TestWrongPassword(t *testing.T) {
	for _, lanplus := range []bool{true, false} {
		b, m, c := setup(t, bmctest.Config{LockAfter: 3}, func(o *Options) { o.Password, o.Lanplus = "wrong", lanplus })
		for range 5 {
			err := c.PowerOff(ctx(t))
			if !errors.Is(err, session.ErrPassword) {
				t.Error(err)
			}
			if strings.Contains(fmt.Sprint(err), "secret") || !strings.Contains(fmt.Sprint(err), "127.0.0.1") {
				t.Errorf("text: %v", err)
			}
		}
		b.Do(func(core *bmctest.Core) {
			if n := core.Failures("admin"); n > 1 {
				t.Errorf("lanplus %v: %d failed log-ins", lanplus, n)
			}
		})
		wantDone(t, m)
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		bmc    bmctest.Config
		change func(*Options)
		want   error
	}{
		"user":      {bmctest.Config{}, func(o *Options) { o.User = "stranger" }, session.ErrUser},
		"privilege": {bmctest.Config{}, func(o *Options) { o.User, o.Password = "oper", "operpw" }, session.ErrPrivilege},
		"suite":     {bmctest.Config{Suites: []int{3}}, func(o *Options) { o.Cipher = 17 }, session.ErrCipher},
		"full":      {bmctest.Config{MaxSessions: -1}, func(o *Options) { o.Timeout = 10 * time.Millisecond }, session.ErrBusy},
		"method":    {bmctest.Config{Suites: []int{}}, func(*Options) {}, session.ErrMethod},
	} {
		_, m, cl := setup(t, c.bmc, c.change)
		if err := cl.PowerOff(ctx(t)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		wantDone(t, m)
	}
}

// TestNobodyThere: a closed port and a cancelled context end in the same kind,
// and in time.
func TestNobodyThere(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := conn.LocalAddr().(*net.UDPAddr).Port
	_, _, c := setup(t, bmctest.Config{}, func(o *Options) { o.Port, o.Timeout, o.Retries = port, time.Minute, 9 })
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := c.Status(short); !errors.Is(err, session.ErrNoAnswer) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	conn.Close()
	_, _, c = setup(t, bmctest.Config{}, func(o *Options) { o.Port, o.Timeout, o.Retries = port, 10*time.Millisecond, 1 })
	if _, err := c.Status(ctx(t)); !errors.Is(err, session.ErrNoAnswer) || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	o, ignored, err := Parse(map[string]string{
		"ipaddr": "old", "ip": "bmc1", "ipport": "6230", "lanplus": "1", "cipher": "3", "login": "admin", "passwd": "old", "password": "new",
		"privlvl": "OPERATOR", "method": "cycle", "power_wait": "4", "power_timeout": "30", "ipmitool_timeout": "1.5",
		"hexadecimal_kg": "0x6b67", "retry_on": "2", "delay": "5s", "pcmk_host_list": "n1", "sudo": "1",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Host, want.Port, want.Lanplus, want.Cipher, want.User, want.Password = "bmc1", 6230, true, 3, "admin", "new"
	want.Privlvl, want.Method, want.PowerWait, want.PowerTimeout = wire.Operator, MethodCycle, 4*time.Second, 30*time.Second
	want.Timeout, want.Kg, want.RetryOn, want.Delay = 1500*time.Millisecond, []byte("kg"), 2, 5*time.Second
	if !reflect.DeepEqual(o, want) {
		t.Errorf("%+v\nwant %+v", o, want)
	}
	if !reflect.DeepEqual(ignored, []string{"pcmk_host_list", "sudo"}) {
		t.Error(ignored)
	}
	for name, v := range map[string]string{
		"ipport": "0", "cipher": "0", "auth": "md4", "privlvl": "root", "method": "off", "power_wait": "soon", "power_timeout": "-1",
		"hexadecimal_kg": "xyz", "retry_on": "0", "target": "0x24", "password": strings.Repeat("x", 21), "stonith_status_sleep": "0", "delay": "NaN",
	} {
		_, _, err := Parse(map[string]string{"ip": "bmc1", "lanplus": "1", name: v})
		if !errors.Is(err, ErrOption) {
			t.Errorf("%s=%s: %v", name, v, err)
		}
	}
	if _, _, err := Parse(nil); !errors.Is(err, ErrOption) {
		t.Error(err)
	}
}
