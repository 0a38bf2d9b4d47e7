// Package mon is resource monitoring, service 6: while a limit is configured it
// measures how much memory is used and the load, writes them to cmap below
// resources.system., and marks a resource failed that is over its limit. What
// follows from that is the watchdog service's (wd).
//
// The daemon registers its Engine. It has no clients and no messages; all is
// told by cmap keys (cmap_keys(7)).
//
// Upstream: exec/mon.c; the measuring there is libstatgrab's.
package mon

import (
	"fmt"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/resource"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/libc"
)

// defaultPeriod is how often a resource is measured, in ms (mon.c: MON_DEFAULT_PERIOD).
const defaultPeriod = 3000

// Source measures. An error is told in the log; the last value stays.
type Source interface {
	// MemoryUsed is the used part of memory and swap together, in percent.
	MemoryUsed() (int32, error)
	// Load is the load average of 15 minutes.
	Load() (float64, error)
}

// Options of the service.
type Options struct {
	Map    *cmap.Map
	Log    service.Log // subsystem MON
	Source Source
	// Monotonic is CLOCK_MONOTONIC in ns: what last_updated holds, and what
	// other processes on this machine compare it with.
	Monotonic func() uint64
}

// Service is the monitoring service. Owned by the loop.
type Service struct {
	host service.Host
	opt  Options
	res  []*watched
}

// watched is one resource.
type watched struct {
	s       *Service
	machine resource.Machine
	prefix  string // of its keys, with the last dot
	period  uint64 // ms
	timer   service.Timer
	zero    cmap.Value
	// setMax takes the text of the limit; false when that is no number.
	setMax func(text string) bool
	// measure gives the value and whether it is over the limit; no value when
	// there is nothing to tell.
	measure func() (v cmap.Value, over bool, err error)
	failure string // log line of an error
}

// New makes the service; nothing happens before the engine's Start.
func New(h service.Host, opt Options) *Service {
	s := &Service{host: h, opt: opt}
	s.res = []*watched{s.memory(), s.load()}
	return s
}

// Engine describes the service to the daemon.
func (s *Service) Engine() *service.Engine {
	return &service.Engine{
		ID: service.Mon, Name: "corosync_mon", Title: "corosync resource monitoring service", Short: "mon",
		Priority: 1, AllowInquorate: true, Start: s.start, Stop: s.stop,
	}
}

func (s *Service) watch(name string, zero cmap.Value) *watched {
	return &watched{
		s: s, machine: resource.Machine{Name: name, Log: s.opt.Log}, prefix: "resources.system." + name + ".",
		period: defaultPeriod, zero: zero,
	}
}

// memory is memory_used. Its first value is an i32, the measured ones are u32,
// as the original has it.
func (s *Service) memory() *watched {
	w := s.watch("memory_used", cmap.I32(0))
	var limit int64
	w.setMax = func(text string) (ok bool) {
		limit, _, ok = libc.ScanInt(text)
		return ok
	}
	w.measure = func() (cmap.Value, bool, error) {
		used, err := s.opt.Source.MemoryUsed()
		if err != nil || used <= 0 {
			return cmap.Value{}, false, err
		}
		return cmap.U32(uint32(used)), int64(used) > limit, nil
	}
	w.failure = "Unable to get memory stats: %v"
	return w
}

func (s *Service) load() *watched {
	w := s.watch("load_15min", cmap.F64(0))
	var limit float64
	w.setMax = func(text string) (ok bool) {
		limit, ok = libc.ScanFloat(text, 64)
		return ok
	}
	w.measure = func() (cmap.Value, bool, error) {
		load, err := s.opt.Source.Load()
		if err != nil || !(load > 0) {
			return cmap.Value{}, false, err
		}
		return cmap.F64(load), load > limit, nil
	}
	w.failure = "Unable to get load stats: %v"
	return w
}

func (s *Service) start() error {
	for _, w := range s.res {
		w.start()
	}
	return nil
}

func (s *Service) stop() {
	for _, w := range s.res {
		w.disarm()
	}
}

// set writes a key of the resource. The only failure is a map that is full.
func (w *watched) set(field string, v cmap.Value) {
	if err := w.s.opt.Map.Set(w.prefix+field, v); err != nil {
		w.machine.Log(service.LevelError, fmt.Sprintf("Can't store key \"%s%s\" into icmap, returned error is %v", w.prefix, field, err))
	}
}

// start writes the first values and begins to follow the keys (mon.c: mon_instance_init).
func (w *watched) start() {
	w.set("current", w.zero)
	w.set("last_updated", cmap.U64(0))
	w.set("state", cmap.Str(resource.Stopped.String()))
	if v, ok := w.s.opt.Map.Get(w.prefix + "poll_period"); !ok || v.Type != cmap.Uint64 && v.Type != cmap.String {
		w.set("poll_period", cmap.U64(w.period))
	}
	w.configure()
	w.s.opt.Map.Track(w.prefix, cmap.Added|cmap.Modified|cmap.Deleted|cmap.Prefix, w.changed)
}

func (w *watched) changed(c cmap.Change) {
	if c.Kind == cmap.Deleted {
		w.machine.Log(service.LevelWarning, fmt.Sprintf("resource \"%s\" deleted from cmap!", w.machine.Name))
		w.configure()
		return
	}
	if field := strings.TrimPrefix(c.Key, w.prefix); field == "max" || field == "poll_period" {
		w.configure()
	}
}

func (w *watched) disarm() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}

// configure reads period and limit and measures at once, or stops when there is
// no limit (mon.c: mon_config_changed).
func (w *watched) configure() {
	if ms, ok := w.machine.Period(w.s.opt.Map, w.prefix); ok && ms != w.period {
		w.machine.Log(service.LevelDebug, fmt.Sprintf("poll_period changing from:%d to %d.", w.period, ms))
		w.period = ms
	}
	w.disarm()
	text, ok := w.s.opt.Map.Str(w.prefix + "max")
	if !ok || !w.setMax(text) {
		w.enter(resource.ConfigChanged, resource.Stopped)
		return
	}
	w.enter(resource.ConfigChanged, resource.Running)
	w.poll()
}

func (w *watched) enter(why resource.Event, to resource.State) {
	if w.machine.Set(why, to) {
		w.set("state", cmap.Str(to.String()))
	}
}

// poll measures and comes back after the period. A resource that has failed stays
// so until its configuration changes.
func (w *watched) poll() {
	v, over, err := w.measure()
	if err != nil {
		w.machine.Log(service.LevelError, fmt.Sprintf(w.failure, err))
	}
	w.timer = w.s.host.After(time.Duration(w.period)*time.Millisecond, w.poll)
	if v.Type == cmap.NoValue {
		return
	}
	w.set("current", v)
	w.set("last_updated", cmap.U64(w.s.opt.Monotonic()))
	if over && w.machine.State() == resource.Running {
		w.enter(resource.Failure, resource.Failed)
	}
}
