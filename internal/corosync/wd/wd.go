// Package wd is the watchdog service, 7: it looks whether what is watched is well
// (what mon measures, what libsam's clients report) and, if a watchdog device is
// configured, keeps that from resetting the machine for as long as it is.
//
// The daemon registers its Engine. It has no clients and no messages; resources
// come and go with their cmap keys, resources.TYPE.NAME.state first of all
// (cmap_keys(7)). Device is the hardware; wd/device is Linux's.
//
// Upstream: exec/wd.c.
package wd

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Limits of the device's time-out, in seconds (wd.c; corosync.conf(5)).
const (
	defaultTimeout = 6
	minTimeout     = 2
	maxTimeout     = 120
)

const (
	keyTimeout = "resources.watchdog_timeout"
	keyDevice  = "resources.watchdog_device"
)

// ErrAbsent is what Options.Open returns when there is no such device, or none
// that we may write to.
var ErrAbsent = errors.New("wd: no such watchdog")

// Device is an open watchdog. From the moment it is open the machine is reset
// when KeepAlive does not come in time, until Release.
type Device interface {
	// Identity is the device's name and whether its time-out can be set.
	Identity() (name string, settable bool, err error)
	Timeout() (seconds uint32, err error)
	SetTimeout(seconds uint32) error
	Enable() error
	KeepAlive() error
	// Release disarms the device: the letter V is written ("magic close").
	Release() error
}

// Options of the service.
type Options struct {
	Map *cmap.Map
	Log service.Log // subsystem WD
	// Open opens the watchdog device.
	Open func(path string) (Device, error)
	// Monotonic is CLOCK_MONOTONIC in ns, in which last_updated is counted.
	Monotonic func() uint64
	// Reboot restarts the machine at once, PowerOff turns it off.
	Reboot, PowerOff func() error
}

// Service is the watchdog service. Owned by the loop.
type Service struct {
	host service.Host
	opt  Options

	dog     Device // nil: none
	timeout uint32 // of the device, seconds
	period  time.Duration
	timer   service.Timer
	// biting: a resource whose recovery is the watchdog has failed; the device is
	// fed no more.
	biting  bool
	refused bool // the device has refused to be fed
	res     []*watched
}

// New makes the service; nothing happens before the engine's Start.
func New(h service.Host, opt Options) *Service {
	return &Service{host: h, opt: opt, timeout: defaultTimeout, period: defaultTimeout * time.Second / 2}
}

// Engine describes the service to the daemon.
func (s *Service) Engine() *service.Engine {
	return &service.Engine{
		ID: service.Watchdog, Name: "corosync_wd", Title: "corosync watchdog service", Short: "wd",
		Priority: 1, AllowInquorate: true, Start: s.start, Stop: s.stop,
	}
}

func (s *Service) logf(level service.Level, format string, args ...any) {
	s.opt.Log(level, fmt.Sprintf(format, args...))
}

// start is wd.c: wd_exec_init_fn.
func (s *Service) start() error {
	s.firstTimeout()
	s.opt.Map.Track(keyTimeout, cmap.Modified, func(cmap.Change) { s.timeoutChanged() })
	s.openDevice()
	s.scan()
	return nil
}

// stop disarms the device: who ends in order does not want the machine reset.
func (s *Service) stop() {
	s.disarm()
	for _, r := range s.res {
		r.disarm()
	}
	if s.dog == nil {
		return
	}
	s.logf(service.LevelInfo, "magically closing the watchdog.")
	if err := s.dog.Release(); err != nil {
		s.logf(service.LevelError, "failed to write V to the watchdog, which will reset this machine: %v", err)
	}
}

func (s *Service) disarm() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// inRange reads the configured time-out.
func (s *Service) inRange() (seconds uint32, present, ok bool) {
	seconds, present = s.opt.Map.U32(keyTimeout)
	return seconds, present, present && seconds >= minTimeout && seconds <= maxTimeout
}

func (s *Service) firstTimeout() {
	seconds, present, ok := s.inRange()
	if ok {
		s.apply(seconds)
		return
	}
	if present {
		s.logf(service.LevelWarning, "Set watchdog_timeout is out of range (2..120).")
		s.logf(service.LevelInfo, "use default value %d seconds.", defaultTimeout)
	}
	s.apply(defaultTimeout)
	s.keepKey()
}

// timeoutChanged follows the key; a value that cannot be is put back.
func (s *Service) timeoutChanged() {
	if seconds, _, ok := s.inRange(); ok {
		s.apply(seconds)
		return
	}
	s.logf(service.LevelWarning, "Set watchdog_timeout is out of range (2..120).")
	s.keepKey()
}

// keepKey writes the time-out that is in effect. The only failure is a full map.
func (s *Service) keepKey() {
	if err := s.opt.Map.Set(keyTimeout, cmap.U32(s.timeout)); err != nil {
		s.logf(service.LevelError, "Can't store key \"%s\" into icmap, returned error is %v", keyTimeout, err)
	}
}

// apply sets the device's time-out and feeds it twice as often (wd.c:
// watchdog_timeout_apply). A device that keeps one of its own is fed in time for
// that, too.
func (s *Service) apply(seconds uint32) {
	before, now := uint32(0), seconds
	if s.dog != nil {
		before, _ = s.dog.Timeout()
		if before == seconds {
			s.timeout = seconds
			s.feedEvery(seconds)
			return
		}
		if _, settable, err := s.dog.Identity(); err == nil && settable {
			_ = s.dog.SetTimeout(seconds) // the device is asked next
		}
		if t, err := s.dog.Timeout(); err == nil {
			now = t
		}
	}
	s.timeout = now
	if now != seconds {
		s.logf(service.LevelWarning, "Could not change the Watchdog timeout from %d to %d seconds", before, seconds)
		s.feedEvery(min(now, seconds))
		return
	}
	s.feedEvery(seconds)
	s.logf(service.LevelDebug, "The Watchdog timeout is %d seconds", seconds)
	s.logf(service.LevelDebug, "The tickle timeout is %d ms", s.period.Milliseconds())
}

// feedEvery feeds the device every half of its time-out from now on.
func (s *Service) feedEvery(seconds uint32) {
	s.period = max(time.Duration(seconds)*time.Second/2, minFeed)
	s.disarm()
	s.timer = s.host.After(s.period, s.feed)
}

// minFeed bounds how often a device is fed, whatever it says of itself.
const minFeed = 100 * time.Millisecond

// feed is wd.c: wd_tickle_fn.
func (s *Service) feed() {
	s.timer = nil
	if s.biting {
		s.logf(service.LevelAlert, "NOT tickling the watchdog!")
		return
	}
	if s.dog != nil {
		if err := s.dog.KeepAlive(); err != nil && !s.refused {
			s.refused = true // told once
			s.logf(service.LevelDebug, "the watchdog could not be tickled: %v", err)
		}
	}
	s.timer = s.host.After(s.period, s.feed)
}

// openDevice is wd.c: setup_watchdog.
func (s *Service) openDevice() {
	path, ok := s.opt.Map.Str(keyDevice)
	switch {
	case !ok:
		s.logf(service.LevelWarning, "Watchdog not enabled by configuration")
		return
	case path == "", path == "off":
		s.logf(service.LevelWarning, "Watchdog disabled by configuration")
		return
	}
	dog, err := s.opt.Open(path)
	switch {
	case errors.Is(err, ErrAbsent):
		s.logf(service.LevelWarning, "No watchdog %s, try modprobe <a watchdog>", path)
		return
	case err != nil:
		s.logf(service.LevelWarning, "Watchdog %s exists but couldn't be opened.", path)
		return
	}
	s.dog = dog
	s.logf(service.LevelInfo, "Watchdog %s is now being tickled by corosync.", path)
	name, _, err := dog.Identity()
	if err != nil {
		s.logf(service.LevelWarning, "%s does not answer as a watchdog does (%v): it may not reset this machine", path, err)
	} else {
		s.logf(service.LevelDebug, "%s", name)
	}
	s.apply(s.timeout)
	_ = dog.Enable() // most drivers need none and refuse
}

// stateKey takes "resources.TYPE.NAME.state" apart: the prefix of the resource's
// keys and its name.
func stateKey(key string) (prefix, name string, ok bool) {
	rest, ok := strings.CutPrefix(key, "resources.")
	if !ok {
		return "", "", false
	}
	part := strings.Split(rest, ".")
	if len(part) < 3 || part[0] == "" || part[1] == "" || part[2] != "state" {
		return "", "", false
	}
	return "resources." + part[0] + "." + part[1] + ".", part[1], true
}

// scan takes up the resources that are there and waits for others (wd.c:
// wd_scan_resources).
func (s *Service) scan() {
	n := 0
	for key := range s.opt.Map.All("resources.") {
		if prefix, name, ok := stateKey(key); ok && s.watch(prefix, name) {
			n++
		}
	}
	for _, kind := range []string{"resources.process.", "resources.system."} {
		s.opt.Map.Track(kind, cmap.Added|cmap.Prefix, func(c cmap.Change) {
			if prefix, name, ok := stateKey(c.Key); ok {
				s.watch(prefix, name)
			}
		})
	}
	if n == 0 {
		s.logf(service.LevelInfo, "no resources configured.")
	}
}
