package core

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/internal/attrd/wire"
)

// Message carries out what a peer, or this node itself, told all
// (attrd_corosync.c: attrd_peer_message). id may be 0.
func (c *Core) Message(at election.Moment, from string, id uint32, m wire.Message) {
	c.at = at
	c.learn(from, id)
	if c.stopping {
		return
	}
	switch m.Task {
	case wire.Update, wire.UpdateBoth, wire.UpdateDelay:
		c.update(from, m)
	case wire.ClearFailure:
		c.clearFailure(from, m)
	case wire.PeerRemove:
		if m.Host != "" {
			c.removeValues(m.Host, from)
			delete(c.remotes, key(m.Host))
			c.reap(m.Host)
		}
	case wire.Sync:
		c.sync(from)
	case wire.SyncResponse:
		won := c.noteWriter(from, m.Writer)
		if strings.EqualFold(from, c.cfg.Self) {
			c.correctSync(m)
		} else {
			c.takeSync(from, won, m)
		}
	case wire.Flush: // gone since 2.0.0, older peers still send it
	default: // a client's task, which no peer uses
		c.tracef(election.LevelError, "Unknown IPC request %s from peer %s", m.Task, from)
		return
	}
	c.processed(m.Task, "peer", from, "", nil)
}

// reap forgets a node that is no member; one that is stays known.
func (c *Core) reap(host string) {
	if p := c.peers[key(host)]; p != nil && !p.active {
		delete(c.peers, key(host))
	}
}

// update takes one change or several (attrd_peer_update).
func (c *Core) update(from string, m wire.Message) {
	if !m.Multi {
		c.updateOne(from, m.Value, false)
		return
	}
	for _, v := range m.Ops {
		c.updateOne(from, inherit(v, m.Value), false)
	}
}

// inherit gives a change what its message says for all (copy_attrs).
func inherit(v, d wire.Value) wire.Value {
	for _, p := range []struct {
		to   *string
		from string
	}{{&v.Name, d.Name}, {&v.Value, d.Value}, {&v.Dampening, d.Dampening}, {&v.Host, d.Host}, {&v.Set, d.Set}, {&v.Key, d.Key}, {&v.User, d.User}} {
		if *p.to == "" {
			*p.to = p.from
		}
	}
	if v.Task == wire.NoTask {
		v.Task = d.Task
	}
	if v.HostID == 0 {
		v.HostID = d.HostID
	}
	return v
}

// updateOne changes one attribute on a node, or on all that have it
// (attrd_peer_update_one). filter: what this node says about itself stands.
func (c *Core) updateOne(from string, v wire.Value, filter bool) {
	if v.Name == "" {
		c.tracef(election.LevelWarning, "Could not update attribute: peer did not specify name")
		return
	}
	a := c.populate(v)
	if a == nil {
		return
	}
	if v.Host == "" {
		c.tracef(election.LevelDebug, "Setting %s for all hosts to %s", v.Name, v.Value)
		v.HostID = 0
		for _, known := range a.hosts() {
			v.Host = known.host
			c.setValue(a, from, v, filter)
		}
	} else {
		c.setValue(a, from, v, filter)
	}
	if v.Name == wire.ProtocolAttr {
		c.noteProtocol(v.Value)
	}
}

// populate finds the attribute or makes it, and changes its dampening if asked
// to; nil when that is all there is to do (attrd_populate_attribute).
func (c *Core) populate(v wire.Value) *attribute {
	both := v.Task == wire.UpdateBoth || v.Task == wire.NoTask
	a := c.attrs[v.Name]
	if a == nil {
		if !both && v.Task != wire.Update {
			c.tracef(election.LevelWarning, "Could not update %s: attribute not found", v.Name)
			return nil
		}
		a = newAttribute(v)
		if d, ok := delay(v.Dampening); ok {
			a.dampening = d
			a.setTimer(d)
		} else if v.Dampening != "" {
			c.tracef(election.LevelWarning, "Ignoring invalid delay %s for attribute %s", v.Dampening, v.Name)
		}
		c.attrs[v.Name] = a
	}
	if !both && v.Task != wire.UpdateDelay {
		return a
	}
	if !c.dampen(a, v.Dampening) || !both {
		return nil
	}
	return a
}

// dampen changes how long changes wait. What is unwritten is written at once,
// or repeated changes of the delay would put it off for ever (attrd_update_dampening).
func (c *Core) dampen(a *attribute, spec string) bool {
	if spec == "" {
		c.tracef(election.LevelWarning, "Could not update %s: peer did not specify value for delay", a.name)
		return false
	}
	d, ok := delay(spec)
	if !ok {
		c.tracef(election.LevelWarning, "Could not update %s: invalid delay value -1ms (%s)", a.name, spec)
		return false
	}
	if a.dampening == d {
		return true
	}
	a.dampening = d
	a.setTimer(d)
	if d > 0 {
		c.tracef(election.LevelInfo, "Update attribute %s delay to %dms (%s)", a.name, d.Milliseconds(), spec)
	} else {
		c.tracef(election.LevelInfo, "Update attribute %s to remove delay", a.name)
	}
	c.writeOrElect(a)
	return true
}

// setValue sets the value on one node (update_attr_on_host).
func (c *Core) setValue(a *attribute, from string, in wire.Value, filter bool) {
	if in.Remote {
		c.noteRemote(in.Host)
	}
	v := a.values[key(in.Host)]
	if v == nil {
		v = &value{host: in.Host, remote: in.Remote}
		a.values[key(in.Host)] = v
	}
	own := strings.EqualFold(in.Host, c.cfg.Self)
	same := strings.EqualFold(v.current, in.Value)
	switch {
	case filter && !same && own:
		c.tracef(election.LevelNotice, "%s[%s]: local value '%s' takes priority over '%s' from %s", a.name, in.Host,
			orNull(v.current), orNull(in.Value), from)
		c.tellOwn(a, v)
	case !same:
		c.change(a, v, from, in.Value, own)
	case in.Force && a.damped():
		a.forced = true // written after the election
	}
	v.seen = true
	if v.hostID == 0 && !v.remote && in.HostID > 0 {
		v.hostID = in.HostID
		c.learn(in.Host, in.HostID)
		if c.Writes() {
			c.writeAll(false, false)
		}
	}
}

func (c *Core) change(a *attribute, v *value, from, text string, own bool) {
	c.tracef(election.LevelNotice, "Setting %s[%s]: %s -> %s | from %s with %s write delay", a.name, v.host,
		orUnset(v.current), orUnset(text), from, readable(a.dampening))
	v.current = text
	a.changed = true
	if own && a.name == "shutdown" {
		c.leaving = text != "" && text != "0"
	}
	if a.damped() {
		a.startTimer(c.at.Now)
		return
	}
	c.writeOrElect(a)
}

// noteRemote remembers that a node runs Pacemaker Remote; if it was taken for a
// cluster node that nobody saw, it is that no longer (cache_remote_node).
func (c *Core) noteRemote(host string) {
	if p := c.peers[key(host)]; p != nil && p.id == 0 {
		delete(c.peers, key(host))
	}
	c.remotes[key(host)] = true
}

// noteProtocol keeps the lowest version that any peer announced.
func (c *Core) noteProtocol(text string) {
	n, err := strconv.Atoi(text)
	if err == nil && n > 0 && (c.minProtocol == -1 || n < c.minProtocol) {
		c.minProtocol = n
	}
}

// clearFailure deletes the attributes that hold failures (attrd_peer_clear_failure).
func (c *Core) clearFailure(from string, m wire.Message) {
	re, err := regexp.CompilePOSIX(failurePattern(m))
	if err != nil {
		what := m.Resource
		if what == "" {
			what = "all resources"
		}
		c.tracef(election.LevelInfo, "Ignoring invalid request to clear failures for %s", what)
		return
	}
	for _, a := range c.sorted() {
		if re.MatchString(a.name) {
			v := m.Value
			v.Task, v.Name, v.Value = wire.Update, a.name, ""
			c.updateOne(from, v, false)
		}
	}
}

// takeSync takes a peer's values over. If the peer is the writer, what it did not
// mention of this node's own values is told to all (attrd_peer_sync_response).
func (c *Core) takeSync(from string, won bool, m wire.Message) {
	c.tracef(election.LevelInfo, "Processing sync-response from %s", from)
	if won {
		for _, a := range c.attrs {
			for _, v := range a.values {
				v.seen = false
			}
		}
	}
	for _, v := range m.Ops {
		v.Task = wire.NoTask
		c.updateOne(from, v, true)
	}
	if !won {
		return
	}
	out := wire.Message{Root: "broadcast_unseen_local_values", Value: wire.Value{Task: wire.SyncResponse}}
	for _, a := range c.sorted() {
		for _, v := range a.hosts() {
			if !v.seen && strings.EqualFold(v.host, c.cfg.Self) {
				out.Ops = append(out.Ops, a.entry(v, a.damped()))
			}
		}
	}
	if len(out.Ops) > 0 {
		c.tracef(election.LevelDebug, "Broadcasting local-only values")
		c.send("", out)
	}
}

// correctSync looks at values that this node told all: a change that was on its way
// then came before them, and the others have now put the older value in its place.
// Those of this node are told again; each other node looks after its own
// (setValue, filter). The original leaves them different.
func (c *Core) correctSync(m wire.Message) {
	for _, told := range m.Ops {
		a := c.attrs[told.Name]
		if a == nil || !strings.EqualFold(told.Host, c.cfg.Self) {
			continue
		}
		if v := a.values[key(told.Host)]; v != nil && v.current != told.Value {
			c.tellOwn(a, v)
		}
	}
}

// tellOwn tells all what holds for this node.
func (c *Core) tellOwn(a *attribute, v *value) {
	c.send("", wire.Message{Root: "broadcast_local_value", Value: wire.Value{Task: wire.SyncResponse}, Ops: []wire.Value{a.entry(v, false)}})
}

// removeValues drops what is known of a node (attrd_peer_remove).
func (c *Core) removeValues(host, source string) {
	c.tracef(election.LevelNotice, "Removing all %s attributes for peer %s", host, source)
	for _, a := range c.sorted() {
		if a.values[key(host)] != nil {
			delete(a.values, key(host))
			c.tracef(election.LevelDebug, "Removed %s[%s] for peer %s", a.name, host, source)
		}
	}
}

func orNull(s string) string {
	if s == "" {
		return "(null)"
	}
	return s
}
