// Package resource is what the two services that watch resources share: the
// states of a watched resource and how a change of state is told, and the poll
// period that its cmap keys may set.
//
// Resource monitoring (mon) measures and writes resources.system.NAME.*; the
// watchdog service (wd) looks whether that, and what libsam's clients write below
// resources.process.PID., is in order. Both own one Machine for each resource.
//
// Upstream: exec/fsm.h and the tables of it in exec/mon.c and exec/wd.c, which
// are alike.
package resource

import (
	"fmt"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/libc"
)

// State is that of a resource.
type State uint8

const (
	Stopped State = iota // not watched
	Running
	Failed
)

// String is the value of the cmap key "state", and the name in log lines.
func (s State) String() string {
	switch s {
	case Stopped:
		return "stopped"
	case Running:
		return "running"
	case Failed:
		return "failed"
	}
	panic("resource: no such state")
}

// Event is why a state changes.
type Event uint8

const (
	ConfigChanged Event = iota
	Failure
)

// String is the name in log lines.
func (e Event) String() string {
	if e == Failure {
		return "failure"
	}
	return "config_changed"
}

// Machine is the state of one resource. Owned by the service.
type Machine struct {
	Name  string
	Log   service.Log
	state State
}

// State is the current one.
func (m *Machine) State() State { return m.state }

// Set goes to a state and tells of it; false when it is the current one. Only a
// running resource fails: that is the caller's to see to.
func (m *Machine) Set(why Event, to State) bool {
	if m.state == to {
		return false
	}
	m.Log(service.LevelInfo, fmt.Sprintf("Fsm:%s event \"%s\", state \"%s\" --> \"%s\"", m.Name, why, m.state, to))
	m.state = to
	return true
}

// Limits of a poll period in ms (mon.c: MON_MIN_PERIOD; wd.c: WD_MIN_TIMEOUT_MS).
const (
	MinPeriod = 500
	MaxPeriod = 120000
)

// Period reads the poll period, in ms, below a resource's prefix: a u64 as the
// configuration file makes it, or the string of one. ok is false when there is
// none, or none that can be used: then that has been told.
func (m *Machine) Period(keys *cmap.Map, prefix string) (ms uint64, ok bool) {
	v, found := keys.Get(prefix + "poll_period")
	if !found {
		return 0, false
	}
	ms, ok = v.AsUint()
	if s, is := v.AsString(); is {
		ms, _, ok = libc.ScanUint(s)
		if !ok {
			m.Log(service.LevelWarning, fmt.Sprintf("Could NOT use poll_period: %s (not uint64 type) for resource %s", s, m.Name))
			return 0, false
		}
	}
	if !ok {
		return 0, false
	}
	if ms < MinPeriod || ms > MaxPeriod {
		m.Log(service.LevelWarning, fmt.Sprintf("Could NOT use poll_period:%d ms for resource %s", ms, m.Name))
		return 0, false
	}
	return ms, true
}
