// Package cmap holds Corosync's configuration map: typed values under ordered
// dotted names, with trackers and read-only names; the second map of
// statistics that providers fill; and the cmap service engine (id 0) that
// serves both to library clients.
//
// The daemon owns one Map and one Stats; config fills the Map, the other
// services read and track it. Everything belongs to the daemon's loop.
//
// Upstream: exec/icmap.c, exec/stats.c, exec/cmap.c.
package cmap

import (
	"iter"
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Limits of names and values (include/corosync/icmap.h).
const (
	MinKey   = 3
	MaxKey   = 255
	MaxValue = 16 * 1024
	// MaxKeys bounds what clients can make the daemon keep: the original's
	// largest maps have some thousands of keys. The original has no bound.
	MaxKeys = 1 << 17
)

// ValidKey reports whether a key may be created: length and characters.
func ValidKey(key string) bool {
	if len(key) < MinKey || len(key) > MaxKey {
		return false
	}
	for i := 0; i < len(key); i++ {
		c := key[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '.', c == '_', c == '-', c == '/', c == ':':
		default:
			return false
		}
	}
	return true
}

// Map is an ordered map of typed values. Owned by the loop (or by whoever
// builds it); trackers run inside the call that changes a key.
type Map struct {
	keys     []string // ascending; Invariant: exactly the keys of entries
	entries  map[string]*entry
	trackers []*Track // in the order of notification: longest key first, see Track
	changes  uint64   // of trackers so far
	readOnly []roRule
}

// entry is one key. An integer that a Counter serves keeps its value in num;
// val then is stale.
type entry struct {
	key     string
	val     Value
	num     uint64
	counted bool
	dead    bool // deleted; its Counter no longer notifies
	// tracked says whether a tracker wants to know of the Counter's steps, as of
	// asked, a value of Map.changes plus one.
	tracked bool
	asked   uint64
}

func (e *entry) value() Value {
	if e.counted {
		return fromBits(e.val.Type, e.num)
	}
	return e.val
}

type roRule struct {
	key    string
	prefix bool
}

// NewMap is an empty map.
func NewMap() *Map { return &Map{entries: map[string]*entry{}} }

// Len is the number of keys.
func (m *Map) Len() int { return len(m.keys) }

// Get returns the value of a key.
func (m *Map) Get(key string) (Value, bool) {
	e := m.entries[key]
	if e == nil {
		return Value{}, false
	}
	return e.value(), true
}

// Set gives a key a value, of whatever type it had before. Setting the value it
// has already changes nothing and notifies nobody. Errors: ErrNameTooLong for a
// new key that is no valid name, ErrNoSpace when the map is full,
// ErrInvalidParam for the zero Value.
func (m *Map) Set(key string, v Value) error {
	if v.Type == NoValue || len(v.Raw) > MaxValue+1 {
		return service.ErrInvalidParam
	}
	e := m.entries[key]
	if e != nil {
		old := e.value()
		if old == v {
			return nil
		}
		e.val, e.num = v, 0
		if e.counted = e.counted && v.Type.integer(); e.counted {
			e.num = v.bits()
		}
		m.notify(Change{Kind: Modified, Key: key, New: v, Old: old})
		return nil
	}
	if !ValidKey(key) {
		return service.ErrNameTooLong
	}
	if len(m.keys) >= MaxKeys {
		return service.ErrNoSpace
	}
	i, _ := slices.BinarySearch(m.keys, key)
	m.keys = slices.Insert(m.keys, i, key)
	m.entries[key] = &entry{key: key, val: v}
	m.notify(Change{Kind: Added, Key: key, New: v})
	return nil
}

// Delete removes a key; ErrNotExist when there is none.
func (m *Map) Delete(key string) error {
	e := m.entries[key]
	if e == nil {
		return service.ErrNotExist
	}
	i, _ := slices.BinarySearch(m.keys, key)
	m.keys = slices.Delete(m.keys, i, i+1)
	delete(m.entries, key)
	e.dead = true
	m.notify(Change{Kind: Deleted, Key: key, Old: e.value()})
	return nil
}

// Adjust adds step to an integer, wrapping at its width. ErrNotExist without
// the key, ErrInvalidParam when it is no integer.
func (m *Map) Adjust(key string, step int32) error {
	v, ok := m.Get(key)
	if !ok {
		return service.ErrNotExist
	}
	if !v.Type.integer() {
		return service.ErrInvalidParam
	}
	return m.Set(key, fromBits(v.Type, v.bits()+uint64(int64(step))))
}

// Next returns the first key after the given one, in byte order, among those
// that start with prefix. An iteration begins with after == "" and goes on with
// the key it got last; it stays valid whatever is set or deleted meanwhile.
func (m *Map) Next(after, prefix string) (key string, v Value, ok bool) {
	from := max(after, prefix)
	i, found := slices.BinarySearch(m.keys, from)
	if found && from == after {
		i++
	}
	if i >= len(m.keys) || !strings.HasPrefix(m.keys[i], prefix) {
		return "", Value{}, false
	}
	key = m.keys[i]
	return key, m.entries[key].value(), true
}

// All iterates over the keys with the prefix in byte order. The map may be
// changed during the iteration.
func (m *Map) All(prefix string) iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for key, v, ok := m.Next("", prefix); ok; key, v, ok = m.Next(key, prefix) {
			if !yield(key, v) {
				return
			}
		}
	}
}

// Str returns a string value; false when the key is missing or no string.
func (m *Map) Str(key string) (string, bool) {
	v, _ := m.Get(key)
	return v.AsString()
}

// Uint returns a value of exactly that unsigned type.
func (m *Map) Uint(key string, t Type) (uint64, bool) {
	v, _ := m.Get(key)
	if v.Type != t {
		return 0, false
	}
	return v.AsUint()
}

// U8 returns a u8 value; false when the key is missing or of another type.
func (m *Map) U8(key string) (uint8, bool) {
	n, ok := m.Uint(key, Uint8)
	return uint8(n), ok
}

// U32 returns a u32 value; false when the key is missing or of another type.
func (m *Map) U32(key string) (uint32, bool) {
	n, ok := m.Uint(key, Uint32)
	return uint32(n), ok
}

// U64 returns a u64 value; false when the key is missing or of another type.
func (m *Map) U64(key string) (uint64, bool) { return m.Uint(key, Uint64) }

// SetReadOnly forbids (or allows again) clients to change a key, or all keys
// with that prefix. The daemon itself is not bound by it.
func (m *Map) SetReadOnly(key string, prefix, on bool) {
	r := roRule{key, prefix}
	m.readOnly = slices.DeleteFunc(m.readOnly, func(x roRule) bool { return x == r })
	if on {
		m.readOnly = append(m.readOnly, r)
	}
}

// ReadOnly reports whether clients may not change the key.
func (m *Map) ReadOnly(key string) bool {
	for _, r := range m.readOnly {
		if key == r.key && !r.prefix || r.prefix && strings.HasPrefix(key, r.key) {
			return true
		}
	}
	return false
}

// ChangeKind says what happened to a key; the numbers are libcmap's.
type ChangeKind int32

const (
	Deleted  ChangeKind = 1
	Modified ChangeKind = 2
	Added    ChangeKind = 4
	// Prefix in Track's kinds means every key that starts with the given one.
	Prefix ChangeKind = 8
)

// Change tells a tracker what happened. New is the zero Value for Deleted, Old
// for Added and for steps of a Counter.
type Change struct {
	Kind     ChangeKind
	Key      string
	New, Old Value
}

// Track is one tracker of a map.
type Track struct {
	m      *Map
	key    string
	kinds  ChangeKind
	fn     func(Change)
	active bool
}

// Track calls fn for changes of a key, or with Prefix in kinds of all keys that
// start with it. A change is told to trackers of the longest key first; of the
// same key to exact ones, the newest first, then to prefix ones, the oldest
// first (libqb lib/trie.c: trie_notify, trie_notify_add).
func (m *Map) Track(key string, kinds ChangeKind, fn func(Change)) *Track {
	t := &Track{m: m, key: key, kinds: kinds, fn: fn, active: true}
	after := kinds&Prefix != 0 && key != ""
	i := slices.IndexFunc(m.trackers, func(x *Track) bool {
		return len(x.key) < len(key) || len(x.key) == len(key) && !after
	})
	if i < 0 {
		i = len(m.trackers)
	}
	m.trackers = slices.Insert(slices.Clone(m.trackers), i, t)
	m.changes++
	return t
}

// Stop ends the tracking; fn is not called again.
func (t *Track) Stop() {
	if t.active {
		t.active = false
		i := slices.Index(t.m.trackers, t)
		t.m.trackers = slices.Delete(slices.Clone(t.m.trackers), i, i+1)
		t.m.changes++
	}
}

func (t *Track) wants(c *Change) bool {
	if t.kinds&c.Kind == 0 {
		return false
	}
	if t.kinds&Prefix != 0 {
		return strings.HasPrefix(c.Key, t.key)
	}
	return c.Key == t.key
}

// notify tells the trackers. They may change the map and its trackers: the list
// is copied on every change of it.
func (m *Map) notify(c Change) {
	for _, t := range m.trackers {
		if t.active && t.wants(&c) {
			t.fn(c)
		}
	}
}

// Counter is a u64 key that is counted often. Inc allocates nothing unless the
// key is tracked.
type Counter struct {
	m *Map
	e *entry
}

// Counter makes the key a u64 counter, from zero if it is new (icmap.c:
// icmap_fast_inc).
func (m *Map) Counter(key string) Counter {
	if _, ok := m.Uint(key, Uint64); !ok {
		_ = m.Set(key, U64(0))
	}
	e := m.entries[key]
	if e == nil {
		return Counter{} // no valid name: counts nothing
	}
	if !e.counted {
		e.num, e.counted = e.val.bits(), true
	}
	return Counter{m, e}
}

// Inc adds one. A tracker gets the new value and no old one, as upstream's fast
// counters do.
func (c Counter) Inc() {
	if c.e == nil || c.e.dead {
		return
	}
	c.e.num++
	if c.e.asked != c.m.changes+1 {
		c.e.asked = c.m.changes + 1
		c.e.tracked = slices.ContainsFunc(c.m.trackers, func(t *Track) bool {
			return t.wants(&Change{Kind: Modified, Key: c.e.key})
		})
	}
	if c.e.tracked {
		c.m.notify(Change{Kind: Modified, Key: c.e.key, New: c.e.value()})
	}
}
