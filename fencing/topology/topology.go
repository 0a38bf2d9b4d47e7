// Package topology keeps the levels of fencing: for a target named by name, by
// pattern or by node attribute, up to nine lists of devices that are tried in
// turn, all devices of a list having to succeed.
//
// The fencer asks it for the levels of a target. It replaces the topology part
// of daemons/fenced/fenced_{commands,remote}.c.
package topology

import (
	"regexp"
	"strings"

	"github.com/pacesync/pacesync/fencing/note"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/pcmk"
)

// Entry holds the levels of one target. Immutable for readers.
type Entry struct {
	Key     string
	Kind    wire.TargetKind
	Target  string
	Value   string
	Levels  [wire.MaxLevel][]string
	pattern *regexp.Regexp // nil when it does not compile
}

// Count is the number of levels in use.
func (e *Entry) Count() int {
	n := 0
	for _, l := range e.Levels {
		if l != nil {
			n++
		}
	}
	return n
}

// Table is the topology. Owned by the fencer's loop.
type Table struct {
	// Attribute says whether a node has an attribute of that value in the CIB.
	Attribute func(node, name, value string) bool
	// NoAttributes refuses levels by attribute: a fencer that stands alone has
	// no CIB.
	NoAttributes bool

	entries []*Entry // in the order of their first registration
	notes   note.List
}

// Notes empties the list of what happened.
func (t *Table) Notes() note.List {
	l := t.notes
	t.notes = nil
	return l
}

// Clear forgets everything.
func (t *Table) Clear() { t.entries = nil }

// Len is the number of targets.
func (t *Table) Len() int { return len(t.entries) }

func (t *Table) lookup(key string) *Entry {
	for _, e := range t.entries {
		if e.Key == key {
			return e
		}
	}
	return nil
}

func (t *Table) kind(l *wire.Level) wire.TargetKind {
	if l.Kind == wire.ByAttribute && t.NoAttributes {
		return wire.NoTarget
	}
	return l.Kind
}

func (t *Table) key(l *wire.Level) string {
	if t.kind(l) == wire.NoTarget {
		return "unknown-" + l.ID
	}
	return l.Key()
}

func invalid(reason string) wire.Result {
	return wire.Failure(pcmk.ExitInvalidParam, pcmk.ExecInvalid, reason)
}

// Register adds the devices of a level to what the level has already
// (fenced_register_level).
func (t *Table) Register(l *wire.Level) wire.Result {
	if l == nil {
		return wire.ProtocolError()
	}
	switch {
	case l.ID == "":
		t.notes.Warn("Ignoring registration for topology level without ID")
		return invalid("Topology level is invalid without ID")
	case t.kind(l) == wire.NoTarget:
		t.notes.Warn("Ignoring registration for topology level '%s' without valid target", l.ID)
		return invalid("Invalid target for topology level '" + l.ID + "'")
	case l.Index <= 0 || l.Index >= wire.MaxLevel:
		t.notes.Warn("Ignoring topology registration for %s with invalid level %d", t.key(l), l.Index)
		return invalid("Invalid level number '" + l.IndexText + "' for topology level '" + l.ID + "'")
	}
	e := t.lookup(t.key(l))
	if e == nil {
		e = t.add(l)
	}
	if e.Levels[l.Index] != nil {
		t.notes.Info("Adding to the existing %s[%d] topology entry", e.Key, l.Index)
	}
	e.Levels[l.Index] = append(e.Levels[l.Index], l.Devices...)
	t.notes.Info("Target %s has %d active fencing level%s", e.Key, e.Count(), note.S(e.Count()))
	return wire.Done()
}

func (t *Table) add(l *wire.Level) *Entry {
	e := &Entry{Key: t.key(l), Kind: t.kind(l), Target: l.Target, Value: l.Value}
	if e.Kind == wire.ByPattern {
		re, err := regexp.CompilePOSIX(l.Target)
		if err != nil {
			t.notes.Info("Bad regex '%s' for fencing level", l.Target)
		}
		e.pattern = re
	}
	t.entries = append(t.entries, e)
	return e
}

// Unregister removes a level, or with number 0 all levels of a target
// (fenced_unregister_level).
func (t *Table) Unregister(l *wire.Level) wire.Result {
	if l == nil {
		return wire.ProtocolError()
	}
	if l.Index < 0 || l.Index >= wire.MaxLevel {
		t.notes.Warn("Ignoring topology unregistration for %s with invalid level %d", t.key(l), l.Index)
		return invalid("Invalid level number '" + note.Or(l.IndexText, "<null>") + "' for topology level " + l.ID)
	}
	t.remove(t.key(l), l.Index)
	return wire.Done()
}

func (t *Table) remove(key string, index int) {
	e := t.lookup(key)
	switch {
	case e == nil:
		t.notes.Info("No fencing topology found for %s (%d active %s)", key, len(t.entries), entries(len(t.entries)))
	case index == 0:
		for i := range t.entries {
			if t.entries[i] == e {
				t.entries = append(t.entries[:i:i], t.entries[i+1:]...)
				break
			}
		}
		t.notes.Info("Removed all fencing topology entries related to %s (%d active %s remaining)", key, len(t.entries), entries(len(t.entries)))
	case e.Levels[index] != nil:
		e.Levels[index] = nil
		t.notes.Info("Removed level %d from fencing topology for %s (%d active level%s remaining)", index, key, e.Count(), note.S(e.Count()))
	}
}

func entries(n int) string {
	if n == 1 {
		return "entry"
	}
	return "entries"
}

// Find returns the levels of a target, nil when there are none. A name goes
// before patterns and attributes, and of those the first registered
// (find_topology_for_host).
func (t *Table) Find(node string) *Entry {
	if e := t.lookup(node); e != nil {
		return e
	}
	for _, e := range t.entries {
		if t.matches(e, node) {
			return e
		}
	}
	return nil
}

func (t *Table) matches(e *Entry, node string) bool {
	switch e.Kind {
	case wire.ByName:
		return strings.EqualFold(e.Target, node)
	case wire.ByPattern:
		if e.pattern != nil && e.pattern.MatchString(node) {
			t.notes.Notice("Matched %s with %s by name", node, e.Key)
			return true
		}
	case wire.ByAttribute:
		if t.Attribute != nil && t.Attribute(node, e.Target, e.Value) {
			t.notes.Notice("Matched %s with %s by attribute", node, e.Key)
			return true
		}
	}
	return false
}
