package wd

import (
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/resource"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// defaultPeriod is how often a resource is looked at, in ms (wd.c: WD_DEFAULT_TIMEOUT_MS).
const defaultPeriod = 6000

// watched is one resource. Owned by the service.
type watched struct {
	s        *Service
	machine  resource.Machine
	prefix   string // of its keys, with the last dot
	recovery string
	period   uint64 // ms
	timer    service.Timer
	track    *cmap.Track
}

func (w *watched) str(field string) (string, bool) { return w.s.opt.Map.Str(w.prefix + field) }

func (w *watched) disarm() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

func (w *watched) arm(ms uint64) {
	w.disarm()
	w.timer = w.s.host.After(time.Duration(ms)*time.Millisecond, w.check)
}

// watch takes up a resource; it says whether that is watched already, or waits for
// more of its keys (wd.c: wd_resource_create).
func (s *Service) watch(prefix, name string) bool {
	if slices.ContainsFunc(s.res, func(w *watched) bool { return w.prefix == prefix }) {
		return false
	}
	w := &watched{s: s, machine: resource.Machine{Name: name, Log: s.opt.Log}, prefix: prefix, period: defaultPeriod}
	s.res = append(s.res, w)
	if v, ok := s.opt.Map.Get(prefix + "poll_period"); !ok || v.Type != cmap.Uint64 && v.Type != cmap.String {
		if err := s.opt.Map.Set(prefix+"poll_period", cmap.U64(w.period)); err != nil {
			s.logf(service.LevelError, "Can't store key \"%spoll_period\" into icmap, returned error is %v", prefix, err)
		}
	} else if ms, ok := w.machine.Period(s.opt.Map, prefix); ok {
		w.period = ms
	}
	w.track = s.opt.Map.Track(prefix, cmap.Added|cmap.Modified|cmap.Deleted|cmap.Prefix, w.changed)
	if _, ok := w.keys(); !ok {
		return false
	}
	// The first look comes late: who measures has to begin first.
	w.arm(max(2*w.period, defaultPeriod))
	w.machine.Set(resource.ConfigChanged, resource.Running)
	return true
}

// keys reads what a resource must have. What lacks has been told when ok is false.
func (w *watched) keys() (state string, ok bool) {
	recovery, ok := w.str("recovery")
	if !ok {
		w.s.logf(service.LevelWarning, "resource %s missing a recovery key.", w.machine.Name)
		return "", false
	}
	w.recovery = recovery
	if state, ok = w.str("state"); !ok {
		w.s.logf(service.LevelWarning, "resource %s missing a state key.", w.machine.Name)
	}
	return state, ok
}

// changed follows the resource's keys (wd.c: wd_key_changed).
func (w *watched) changed(c cmap.Change) {
	field := c.Key[strings.LastIndexByte(c.Key, '.')+1:]
	switch {
	case c.Kind == cmap.Deleted && field == "state":
		w.s.logf(service.LevelWarning, "resource \"%s\" deleted from cmap!", w.machine.Name)
		w.disarm()
		w.track.Stop()
		w.s.res = slices.DeleteFunc(w.s.res, func(x *watched) bool { return x == w })
	case c.Kind != cmap.Deleted && field != "last_updated" && field != "current":
		w.configure()
	}
}

// configure starts or stops watching after a change of the keys (wd.c:
// wd_config_changed). A new period begins with the longer of both: whoever
// measures has to learn of it, too.
func (w *watched) configure() {
	next := w.period
	if ms, ok := w.machine.Period(w.s.opt.Map, w.prefix); ok && ms != w.period {
		w.s.logf(service.LevelDebug, "poll_period changing from:%d to %d.", w.period, ms)
		next = max(ms, w.period)
		w.period = ms
	}
	state, ok := w.keys()
	if !ok || state == resource.Stopped.String() {
		w.disarm()
		w.machine.Set(resource.ConfigChanged, resource.Stopped)
		return
	}
	w.arm(next)
	w.machine.Set(resource.ConfigChanged, resource.Running)
}

// check looks at the resource and comes back after the period.
func (w *watched) check() {
	w.timer = nil
	if w.machine.State() != resource.Running {
		return
	}
	if w.well() {
		w.arm(w.period)
		return
	}
	w.fail()
}

// well says whether the resource is in order: it has been heard of within one and
// a half periods and does not call itself failed (wd.c: wd_resource_state_is_ok).
func (w *watched) well() bool {
	updated, ok := w.s.opt.Map.U64(w.prefix + "last_updated")
	if !ok {
		return false
	}
	state, ok := w.str("state")
	switch {
	case !ok || state == "disabled":
		return false
	case updated == 0: // not yet
		return true
	}
	const ms = uint64(time.Millisecond)
	now, due := w.s.opt.Monotonic(), updated+w.period*ms*3/2
	if due < now {
		w.s.logf(service.LevelError, "last_updated %d ms too late, period:%d.", now/ms-due/ms, w.period)
		return false
	}
	return state != resource.Failed.String()
}

// fail does what the recovery key says (wd.c: wd_resource_failed).
func (w *watched) fail() {
	w.s.logf(service.LevelCrit, "%s resource \"%s\" failed!", w.recovery, w.machine.Name)
	var err error
	switch w.recovery {
	case "watchdog", "quit":
		w.s.biting = true
	case "reboot":
		err = w.s.opt.Reboot()
	case "shutdown":
		err = w.s.opt.PowerOff()
	}
	if err != nil {
		w.s.logf(service.LevelCrit, "%s after the failure of resource \"%s\" was refused: %v", w.recovery, w.machine.Name, err)
	}
	w.machine.Set(resource.Failure, resource.Failed)
}
