package core

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
)

// retryAfter is how long a failed write of an attribute without dampening waits.
const retryAfter = 2 * time.Second

// attribute is one name with its values on all nodes (pacemaker-attrd.h: attribute_t).
type attribute struct {
	name, set, key, user string
	private              bool
	values               map[string]*value // by name of the node in lower case
	dampening            time.Duration     // how long a change waits for further ones

	// The timer exists when period is not zero; it may then be without dampening,
	// for a failed write alone.
	period   time.Duration
	deadline time.Time // zero: not running

	changed     bool // since the last write
	unknownPeer bool // a value was not written because its node has no id yet
	forced      bool // to be written although unchanged
	writing     int  // token of the write in flight, 0 for none
}

// value is what an attribute is on one node; text empty means not set.
type value struct {
	host      string
	hostID    uint32
	remote    bool
	current   string
	requested string // in the write in flight
	seen      bool   // the writer knows it
}

func newAttribute(v wire.Value) *attribute {
	return &attribute{name: v.Name, set: v.Set, key: v.Key, user: v.User, private: v.Private, values: map[string]*value{}}
}

// setTimer gives the attribute a timer with another period, not running; zero takes it away.
func (a *attribute) setTimer(period time.Duration) { a.period, a.deadline = period, time.Time{} }

func (a *attribute) startTimer(now time.Time) { a.deadline = now.Add(a.period) }

func (a *attribute) timerRuns() bool { return !a.deadline.IsZero() }

// damped tells whether changes wait.
func (a *attribute) damped() bool { return a.dampening > 0 && a.period > 0 }

// hosts returns the values in the order of their nodes' names.
func (a *attribute) hosts() []*value {
	out := make([]*value, 0, len(a.values))
	for _, k := range slices.Sorted(maps.Keys(a.values)) {
		out = append(out, a.values[k])
	}
	return out
}

// entry is a value as peers are told it. Peers get whole seconds of dampening.
func (a *attribute) entry(v *value, force bool) wire.Value {
	return wire.Value{Name: a.name, Set: a.set, Key: a.key, User: a.user, Host: v.host, HostID: v.hostID, Remote: v.remote,
		Value: v.current, Dampening: seconds(a.dampening), Private: a.private, Force: force}
}

func seconds(d time.Duration) string {
	return strconv.FormatInt(int64(d/time.Second), 10)
}

func key(host string) string { return strings.ToLower(host) }

// delay reads a time with unit as crm_get_msec does; false when it is none.
func delay(s string) (time.Duration, bool) {
	ms, ok := iso8601.MSec(s)
	if !ok || ms < 0 {
		return 0, false
	}
	return time.Duration(min(ms, maxDelay.Milliseconds())) * time.Millisecond, true
}

// maxDelay bounds what can be asked for: the original keeps milliseconds in an int.
const maxDelay = (1<<31 - 1) * time.Millisecond

// readable is a delay as log lines show it.
func readable(d time.Duration) string {
	if d == 0 {
		return "no"
	}
	return iso8601.ReadableMS(d.Milliseconds())
}
