package core

import (
	"cmp"
	"strconv"
	"time"

	"github.com/pacesync/pacesync/crmd/election"
	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

func (c *Core) writeOrElect(a *attribute) {
	if c.Writes() {
		c.write(a, false)
		return
	}
	c.electIfNeeded()
}

// writeAll writes every attribute, or the changed ones (attrd_write_attributes).
func (c *Core) writeAll(all, ignoreDelay bool) {
	word := "changed"
	if all {
		word = "all"
	}
	c.tracef(election.LevelDebug, "Writing out %s attributes", word)
	for _, a := range c.sorted() {
		// An unknown node may have been learned meanwhile.
		if (!all && a.unknownPeer) || a.forced {
			a.changed = true
		}
		if all || a.changed {
			c.write(a, a.forced || ignoreDelay)
		}
	}
}

// write asks the CIB for all values of an attribute (attrd_write_attribute).
// One write of it is in flight at a time; a private attribute has none.
func (c *Core) write(a *attribute, ignoreDelay bool) {
	if !a.private && c.mustWait(a, ignoreDelay) {
		return
	}
	a.changed, a.unknownPeer, a.forced = false, false, false
	w := wire.Write{Name: a.name, Set: a.set, Key: a.key, User: a.user}
	var told []*value
	private := 0
	for _, v := range a.hosts() {
		id := c.nodeID(v)
		switch {
		case a.private:
			private++
			continue
		case id == "":
			a.unknownPeer = true
			c.tracef(election.LevelNotice, "Cannot update %s[%s]=%s because peer UUID not known (will retry if learned)",
				a.name, v.host, orUnset(v.current))
			continue
		}
		c.tracef(election.LevelDebug, "Updating %s[%s]=%s (peer known as %s, UUID %s, ID %d/%d)", a.name, v.host,
			orUnset(v.current), v.host, id, v.hostID, v.hostID)
		w.Nodes = append(w.Nodes, wire.NodeValue{Host: id, Value: v.current})
		told = append(told, v)
		v.requested = v.current
	}
	names := []any{a.name, cmp.Or(a.key, "n/a"), cmp.Or(a.set, "n/a")}
	if private > 0 {
		c.tracef(election.LevelInfo, "Processed %d private change%s for %s, id=%s, set=%s", append([]any{private, plural(private)}, names...)...)
	}
	if len(w.Nodes) == 0 {
		return
	}
	c.lastToken++
	a.writing = c.lastToken
	c.emit(Store{a.writing, w})
	c.tracef(election.LevelInfo, "Sent CIB request %d with %d change%s for %s (id %s, set %s)",
		append([]any{a.writing, len(w.Nodes), plural(len(w.Nodes))}, names...)...)
	for _, v := range told {
		c.emit(Alert{v.host, v.hostID, a.name, v.current})
	}
}

// mustWait tells whether now is no good time to write, and why.
func (c *Core) mustWait(a *attribute, ignoreDelay bool) bool {
	switch {
	case a.writing != 0 && a.writing < c.lastStored:
		c.tracef(election.LevelInfo, "Write out of '%s' continuing: update %d considered lost", a.name, a.writing)
		a.writing = 0
	case a.writing != 0:
		c.tracef(election.LevelInfo, "Write out of '%s' delayed: update %d in progress", a.name, a.writing)
		return true
	case a.timerRuns() && ignoreDelay:
		a.deadline = time.Time{}
		c.tracef(election.LevelDebug, "Write out of '%s': timer is running but ignore delay", a.name)
	case a.timerRuns():
		c.tracef(election.LevelInfo, "Write out of '%s' delayed: timer is running", a.name)
		return true
	}
	return false
}

// nodeID is the id that a value's node has in the CIB: a remote node's is its name.
func (c *Core) nodeID(v *value) string {
	if v.remote || c.remotes[key(v.host)] {
		return v.host
	}
	p := c.learn(v.host, v.hostID)
	if v.hostID == 0 {
		v.hostID = p.id
	}
	if v.hostID == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(v.hostID), 10)
}

// Stored is the CIB's answer to a Store (attrd_cib_callback). rc is OK or why it refused.
func (c *Core) Stored(at election.Moment, token int, rc pcmk.RC) {
	c.at = at
	a := c.byToken(token)
	if a == nil {
		return
	}
	a.writing = 0
	level := election.LevelError
	switch rc {
	case pcmk.OK:
		level = election.LevelInfo
		c.lastStored = token
		if a.dampening == 0 {
			a.setTimer(0) // the delay after a failure, if there was one
		}
	case pcmk.RCDiffFailed, rcETIME, rcENXIO:
		level = election.LevelWarning // the CIB is syncing, or the controllers elect
	}
	c.tracef(level, "CIB update %d result for %s: %s | rc=%d", token, a.name, rc, rc.Legacy())
	for _, v := range a.hosts() {
		c.tracef(level, "* %s[%s]=%s", a.name, v.host, orUnset(v.requested))
		v.requested = ""
		if rc != pcmk.OK {
			a.changed = true
		}
	}
	switch {
	case !a.changed || !c.Writes():
	case rc == pcmk.OK: // a newer value waited for this write
		c.write(a, false)
	case a.period > 0:
		if !a.timerRuns() {
			a.startTimer(at.Now)
		}
	default:
		a.setTimer(retryAfter)
		a.startTimer(at.Now)
	}
}

func (c *Core) byToken(token int) *attribute {
	for _, a := range c.attrs {
		if a.writing == token {
			return a
		}
	}
	return nil
}

// CIBReplaced notes that sections of the CIB were replaced: what was written there
// may be gone (attrd_cib_replaced_cb). sections is the notification's bit mask.
func (c *Core) CIBReplaced(at election.Moment, event string, sections int) {
	c.at = at
	if c.leaving || c.stopping || !c.Writes() || sections&(SectionNodes|SectionStatus) == 0 {
		return
	}
	c.tracef(election.LevelNotice, "Updating all attributes after %s event", event)
	c.writeAll(true, false)
}

// Sections of the CIB in a replace notification (cib/internal.h: enum cib_change_section_info).
const (
	SectionNodes  = 1
	SectionAlerts = 2
	SectionStatus = 4
)

// Errno values with which the CIB refuses for the moment (asm-generic/errno.h).
const (
	rcENXIO pcmk.RC = 6
	rcETIME pcmk.RC = 62
)

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}
