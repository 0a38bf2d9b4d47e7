package wd

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
)

// dog is a watchdog that bites by the test's clock.
type dog struct {
	host    *servicetest.Host
	timeout uint32
	fixed   bool  // its time-out cannot be set
	err     error // of every request, as of a file that is no device
	fed     time.Time
	open    bool
	enabled bool
}

func (d *dog) Identity() (string, bool, error) { return "test dog", !d.fixed, d.err }
func (d *dog) Timeout() (uint32, error)        { return d.timeout, d.err }
func (d *dog) SetTimeout(s uint32) error {
	if d.err == nil && !d.fixed {
		d.timeout = s
	}
	return d.err
}
func (d *dog) Enable() error    { d.enabled = true; return d.err }
func (d *dog) KeepAlive() error { d.fed = d.host.Clock; return d.err }
func (d *dog) Release() error   { d.open = false; return d.err }

// bitten says whether the machine has been reset.
func (d *dog) bitten() bool {
	return d.open && d.host.Clock.Sub(d.fed) > time.Duration(d.timeout)*time.Second
}

type bench struct {
	t      *testing.T
	host   *servicetest.Host
	keys   *cmap.Map
	dog    *dog
	engine *service.Engine
	log    []string
	power  []string
	refuse error // of opening the device
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, host: servicetest.NewHost(1), keys: cmap.NewMap()}
	b.dog = &dog{host: b.host, timeout: 60}
	return b
}

func (b *bench) start() *bench {
	b.t.Helper()
	s := New(b.host, Options{
		Map: b.keys,
		Log: func(l service.Level, text string) { b.log = append(b.log, fmt.Sprintf("%d %s", l, text)) },
		Open: func(path string) (Device, error) {
			if b.refuse != nil {
				return nil, b.refuse
			}
			b.dog.open, b.dog.fed = true, b.host.Clock
			return b.dog, nil
		},
		Monotonic: func() uint64 { return uint64(b.host.Clock.UnixNano()) },
		Reboot:    func() error { b.power = append(b.power, "reboot"); return nil },
		PowerOff:  func() error { b.power = append(b.power, "off"); return errors.New("not allowed") },
	})
	b.engine = s.Engine()
	if err := b.engine.Start(); err != nil {
		b.t.Fatal(err)
	}
	return b
}

func (b *bench) set(key string, v cmap.Value) {
	b.t.Helper()
	if err := b.keys.Set(key, v); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) told(want ...string) {
	b.t.Helper()
	if !slices.Equal(b.log, want) {
		b.t.Errorf("log:\n%q\nwant:\n%q", b.log, want)
	}
	b.log = nil
}

const (
	off      = "4 Watchdog not enabled by configuration"
	none     = "6 no resources configured."
	timeout6 = "7 The Watchdog timeout is 6 seconds"
	tickle3  = "7 The tickle timeout is 3000 ms"
)

// TestDevice: what is said of a device that is off, absent, locked, or there.
func TestDevice(t *testing.T) {
	for _, c := range []struct {
		name   string
		device *string
		refuse error
		want   string
	}{
		{"not configured", nil, nil, off},
		{"off", ptr("off"), nil, "4 Watchdog disabled by configuration"},
		{"empty", ptr(""), nil, "4 Watchdog disabled by configuration"},
		{"absent", ptr("/dev/none"), fmt.Errorf("x: %w", ErrAbsent), "4 No watchdog /dev/none, try modprobe <a watchdog>"},
		{"taken", ptr("/dev/watchdog"), errors.New("busy"), "4 Watchdog /dev/watchdog exists but couldn't be opened."},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.refuse = c.refuse
			if c.device != nil {
				b.set("resources.watchdog_device", cmap.Str(*c.device))
			}
			b.start().told(timeout6, tickle3, c.want, none)
			if v, _ := b.keys.U32("resources.watchdog_timeout"); v != 6 {
				t.Errorf("resources.watchdog_timeout is %d", v)
			}
			b.engine.Stop()
			b.told()
		})
	}
}

func ptr(s string) *string { return &s }

// TestFeeding: a device is fed every half of its time-out until the daemon ends in
// order; a change of the time-out takes effect, one that cannot be is put back.
func TestFeeding(t *testing.T) {
	b := newBench(t)
	b.set("resources.watchdog_device", cmap.Str("/dev/watchdog"))
	b.start().told(timeout6, tickle3, "6 Watchdog /dev/watchdog is now being tickled by corosync.", "7 test dog", timeout6, tickle3, none)
	if b.dog.timeout != 6 || !b.dog.enabled {
		t.Errorf("the device has %d s, enabled %v", b.dog.timeout, b.dog.enabled)
	}
	b.host.Advance(time.Hour)
	if b.dog.bitten() {
		t.Fatal("the watchdog has reset the machine")
	}
	b.set("resources.watchdog_timeout", cmap.U32(2))
	b.told("7 The Watchdog timeout is 2 seconds", "7 The tickle timeout is 1000 ms")
	for _, bad := range []cmap.Value{cmap.U32(1), cmap.U32(121), cmap.Str("10")} {
		b.set("resources.watchdog_timeout", bad)
		if v, _ := b.keys.U32("resources.watchdog_timeout"); v != 2 || b.dog.timeout != 2 {
			t.Errorf("after %v the key is %d, the device %d", bad, v, b.dog.timeout)
		}
	}
	if b.log[0] != "4 Set watchdog_timeout is out of range (2..120)." {
		t.Errorf("%q", b.log)
	}
	b.log = nil
	for range 3600 {
		b.host.Advance(500 * time.Millisecond)
		if b.dog.bitten() {
			t.Fatal("the watchdog has reset the machine")
		}
	}
	b.engine.Stop()
	b.told("6 magically closing the watchdog.")
	if b.dog.open || b.host.Pending() != 0 {
		t.Errorf("open %v, %d timers", b.dog.open, b.host.Pending())
	}
}

// TestFixedDevice: a device that keeps a time-out shorter than ours is fed in time
// for it (the original feeds it for its own, and the machine is reset).
func TestFixedDevice(t *testing.T) {
	b := newBench(t)
	b.dog.timeout, b.dog.fixed = 2, true
	b.set("resources.watchdog_device", cmap.Str("/dev/watchdog"))
	b.set("resources.watchdog_timeout", cmap.U32(60))
	b.start()
	if !slices.Contains(b.log, "4 Could not change the Watchdog timeout from 2 to 60 seconds") {
		t.Errorf("%q", b.log)
	}
	for range 100 {
		b.host.Advance(time.Second)
		if b.dog.bitten() {
			t.Fatal("the watchdog has reset the machine")
		}
	}
}

// TestNoDevice: a file that refuses every request is used as the original uses it.
func TestNoDevice(t *testing.T) {
	b := newBench(t)
	b.dog.err, b.dog.timeout = errors.New("inappropriate ioctl"), 0
	b.set("resources.watchdog_device", cmap.Str("/tmp/file"))
	b.set("resources.watchdog_timeout", cmap.U32(1))
	b.start().told("4 Set watchdog_timeout is out of range (2..120).", "6 use default value 6 seconds.", timeout6, tickle3,
		"6 Watchdog /tmp/file is now being tickled by corosync.",
		"4 /tmp/file does not answer as a watchdog does (inappropriate ioctl): it may not reset this machine", timeout6, tickle3, none)
	b.host.Advance(3 * time.Second)
	if b.dog.fed != b.host.Clock {
		t.Error("not fed")
	}
}

// process writes what libsam writes when a client registers.
func (b *bench) process(recovery string) {
	b.set("resources.process.42.recovery", cmap.Str(recovery))
	b.set("resources.process.42.poll_period", cmap.U64(1000))
	b.set("resources.process.42.state", cmap.Str("stopped"))
}

// heartbeat writes the time, as libsam does.
func (b *bench) heartbeat() {
	b.set("resources.process.42.last_updated", cmap.U64(uint64(b.host.Clock.UnixNano())))
}

// TestProcess: a client of libsam registers, starts, stops sending heartbeats;
// each recovery does its own.
func TestProcess(t *testing.T) {
	for _, c := range []struct {
		recovery string
		bites    bool
		power    []string
		more     []string
	}{
		{"quit", true, nil, nil},
		{"watchdog", true, nil, nil},
		{"restart", false, nil, nil},
		{"none", false, nil, nil},
		{"reboot", false, []string{"reboot"}, nil},
		{"shutdown", false, []string{"off"}, []string{`2 shutdown after the failure of resource "42" was refused: not allowed`}},
	} {
		t.Run(c.recovery, func(t *testing.T) {
			b := newBench(t)
			b.set("resources.watchdog_device", cmap.Str("/dev/watchdog"))
			b.start()
			b.log = nil
			b.process(c.recovery)
			b.told(`6 Fsm:42 event "config_changed", state "stopped" --> "running"`)
			b.set("resources.process.42.state", cmap.Str("running"))
			for range 30 {
				b.heartbeat()
				b.host.Advance(time.Second)
			}
			b.told()
			b.host.Advance(time.Second)
			want := append([]string{"3 last_updated 500 ms too late, period:1000.", "2 " + c.recovery + ` resource "42" failed!`}, c.more...)
			b.told(append(want, `6 Fsm:42 event "failure", state "running" --> "failed"`)...)
			b.host.Advance(20 * time.Second)
			if c.bites {
				b.told("1 NOT tickling the watchdog!")
			}
			if b.dog.bitten() != c.bites || !slices.Equal(b.power, c.power) {
				t.Errorf("bitten %v, %q", b.dog.bitten(), b.power)
			}
		})
	}
}

// TestStates: stopped is not watched, failed fails at the next look, disabled
// fails too, a deleted resource is forgotten and may come back.
func TestStates(t *testing.T) {
	b := newBench(t).start()
	b.process("none")
	b.set("resources.process.42.last_updated", cmap.U64(0))
	b.set("resources.process.42.state", cmap.Str("running"))
	b.set("resources.process.42.state", cmap.Str("stopped"))
	b.log = nil
	b.host.Advance(time.Minute)
	b.told()
	b.set("resources.process.42.state", cmap.Str("running"))
	b.host.Advance(time.Minute)
	b.told(`6 Fsm:42 event "config_changed", state "stopped" --> "running"`)
	for _, state := range []string{"failed", "disabled"} {
		b.heartbeat()
		b.set("resources.process.42.state", cmap.Str(state))
		b.log = nil
		b.host.Advance(1200 * time.Millisecond)
		b.told(`2 none resource "42" failed!`, `6 Fsm:42 event "failure", state "running" --> "failed"`)
	}
	if err := b.keys.Delete("resources.process.42.state"); err != nil {
		t.Fatal(err)
	}
	b.told(`4 resource "42" deleted from cmap!`)
	b.set("resources.process.42.poll_period", cmap.U64(2000))
	b.host.Advance(time.Minute)
	b.told()
	b.process("none")
	b.told(`6 Fsm:42 event "config_changed", state "stopped" --> "running"`)
}

// TestIncomplete: a resource of mon without a recovery is told of and not watched,
// until it has one.
func TestIncomplete(t *testing.T) {
	b := newBench(t)
	b.set("resources.system.memory_used.state", cmap.Str("stopped"))
	b.start().told(timeout6, tickle3, off, "4 resource memory_used missing a recovery key.", none)
	b.set("resources.system.memory_used.state", cmap.Str("running"))
	b.told("4 resource memory_used missing a recovery key.")
	b.set("resources.system.memory_used.last_updated", cmap.U64(0))
	b.set("resources.system.memory_used.recovery", cmap.Str("none"))
	b.told(`6 Fsm:memory_used event "config_changed", state "stopped" --> "running"`)
	if err := b.keys.Delete("resources.system.memory_used.recovery"); err != nil {
		t.Fatal(err)
	}
	b.set("resources.system.memory_used.state", cmap.Str("failed"))
	b.told("4 resource memory_used missing a recovery key.", `6 Fsm:memory_used event "config_changed", state "running" --> "stopped"`)
	b.host.Advance(time.Hour)
	b.told()
}

func TestStateKey(t *testing.T) {
	for _, c := range []struct {
		key, prefix, name string
		ok                bool
	}{
		{"resources.system.load_15min.state", "resources.system.load_15min.", "load_15min", true},
		{"resources.process.1.state.more", "resources.process.1.", "1", true},
		{"resources.process.1.states", "", "", false},
		{"resources.process.1", "", "", false},
		{"resources..1.state", "", "", false},
		{"resource.process.1.state", "", "", false},
	} {
		if prefix, name, ok := stateKey(c.key); prefix != c.prefix || name != c.name || ok != c.ok {
			t.Errorf("%s: %q %q %v", c.key, prefix, name, ok)
		}
	}
}
