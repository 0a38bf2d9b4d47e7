package cmap

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/service"
)

func TestKeyRules(t *testing.T) {
	m := NewMap()
	for _, c := range []struct {
		key string
		err error
	}{
		{"abc", nil}, {"ab", service.ErrNameTooLong}, {"", service.ErrNameTooLong},
		{strings.Repeat("a", 255), nil}, {strings.Repeat("a", 256), service.ErrNameTooLong},
		{"A.z-0_9/x:y", nil}, {"with space", service.ErrNameTooLong}, {"comma,", service.ErrNameTooLong},
		{"uml\xc3\xa4", service.ErrNameTooLong},
	} {
		if err := m.Set(c.key, U8(1)); !errors.Is(err, c.err) {
			t.Errorf("Set(%q): %v, want %v", c.key, err, c.err)
		}
	}
}

func TestMakeChecksLengths(t *testing.T) {
	for _, c := range []struct {
		typ Type
		raw string
		ok  bool
		val Value
	}{
		{Uint8, "\x05", true, U8(5)}, {Uint8, "\x05\x00", false, Value{}}, {Uint8, "", false, Value{}},
		{Uint32, "\x01\x02\x00\x00", true, U32(513)}, {Double, "12345678", true, Value{Double, "12345678"}},
		{String, "abc", true, Str("abc")}, {String, "abc\x00", true, Str("abc")}, {String, "", true, Str("")},
		{String, "a\x00c\x00", false, Value{}}, {Binary, "a\x00c", true, Bin([]byte("a\x00c"))},
		{Binary, strings.Repeat("x", MaxValue), true, Bin([]byte(strings.Repeat("x", MaxValue)))},
		{Binary, strings.Repeat("x", MaxValue+1), false, Value{}},
		{NoValue, "", false, Value{}}, {Type(13), "x", false, Value{}},
	} {
		v, ok := Make(c.typ, []byte(c.raw))
		if ok != c.ok || v != c.val {
			t.Errorf("Make(%v, %q) = %v %v, want %v %v", c.typ, c.raw, v, ok, c.val, c.ok)
		}
	}
}

func TestAdjustWrapsAtWidth(t *testing.T) {
	m := NewMap()
	for _, c := range []struct {
		start Value
		step  int32
		want  Value
		err   error
	}{
		{U8(250), 10, U8(4), nil}, {U8(1), -2, U8(255), nil}, {U16(1), 5, U16(6), nil},
		{I32(-1), -1, I32(-2), nil}, {U64(0), -1, U64(1<<64 - 1), nil}, {U32(7), 0, U32(7), nil},
		{Str("x"), 1, Str("x"), service.ErrInvalidParam}, {F32(1), 1, F32(1), service.ErrInvalidParam},
	} {
		_ = m.Set("key", c.start)
		err := m.Adjust("key", c.step)
		if got, _ := m.Get("key"); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%v + %d = %v, %v; want %v, %v", c.start, c.step, got, err, c.want, c.err)
		}
	}
	if err := m.Adjust("none", 1); err != service.ErrNotExist {
		t.Errorf("missing key: %v", err)
	}
}

func TestTrackersAreToldInOrder(t *testing.T) {
	m := NewMap()
	var got []string
	note := func(name string) func(Change) {
		return func(c Change) { got = append(got, fmt.Sprintf("%s:%d:%s:%v:%v", name, c.Kind, c.Key, c.New, c.Old)) }
	}
	all := Added | Modified | Deleted
	m.Track("", all|Prefix, note("every"))
	m.Track("", all, note("never: the empty key without prefix is no key"))
	m.Track("a.b", all, note("exact1"))
	m.Track("a.b", all|Prefix, note("prefix1"))
	m.Track("a.b", all|Prefix, note("prefix2"))
	m.Track("a.b", all, note("exact2"))
	m.Track("a.", all|Prefix, note("short"))
	del := m.Track("a.b.c", Deleted, note("del"))
	step := func(want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("got  %q\nwant %q", got, want)
		}
		got = nil
	}
	_ = m.Set("a.b", U8(1))
	step("exact2:4:a.b:1:", "exact1:4:a.b:1:", "prefix1:4:a.b:1:", "prefix2:4:a.b:1:", "short:4:a.b:1:", "every:4:a.b:1:")
	_ = m.Set("a.b", U8(1)) // equal value: silence
	step()
	_ = m.Set("a.b.c", U8(1))
	step("prefix1:4:a.b.c:1:", "prefix2:4:a.b.c:1:", "short:4:a.b.c:1:", "every:4:a.b.c:1:")
	_ = m.Set("a.b.c", Str("s")) // another type replaces
	step("prefix1:2:a.b.c:s:1", "prefix2:2:a.b.c:s:1", "short:2:a.b.c:s:1", "every:2:a.b.c:s:1")
	_ = m.Delete("a.b.c")
	step("del:1:a.b.c::s", "prefix1:1:a.b.c::s", "prefix2:1:a.b.c::s", "short:1:a.b.c::s", "every:1:a.b.c::s")
	del.Stop()
	del.Stop()
	_ = m.Set("zzz", U8(1))
	step("every:4:zzz:1:")
}

func TestTrackerMayChangeMapAndTrackers(t *testing.T) {
	m := NewMap()
	var a, b *Track
	calls := 0
	a = m.Track("key", Added|Modified, func(c Change) {
		calls++
		b.Stop()
		_ = m.Set("other", U8(1))
	})
	b = m.Track("key", Added|Modified|Prefix, func(Change) { t.Error("stopped tracker called") })
	_ = m.Set("key", U8(1))
	a.Stop()
	if _, ok := m.U8("other"); !ok || calls != 1 {
		t.Error("tracker did not run")
	}
}

// TestOrderAndIteration compares with sorting, and iterates while the map
// changes under the iteration.
func TestOrderAndIteration(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	m := NewMap()
	want := map[string]bool{}
	for range 2000 {
		key := fmt.Sprintf("k%c.%c%c", "ab.-/:_Z"[rng.IntN(8)], 'a'+rng.IntN(4), '0'+rng.IntN(9))
		if rng.IntN(3) == 0 {
			_ = m.Delete(key)
			delete(want, key)
		} else {
			_ = m.Set(key, U8(1))
			want[key] = true
		}
	}
	var keys, got []string
	for k := range want {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for k := range m.All("") {
		got = append(got, k)
	}
	if !slices.Equal(got, keys) {
		t.Fatalf("order differs:\n%q\n%q", got, keys)
	}
	got = nil
	for k := range m.All("ka") {
		got = append(got, k)
		_ = m.Delete(k)
		_ = m.Set("k0", U8(1)) // before: not seen
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, "ka") })
	if !slices.Equal(got, keys) || len(keys) == 0 {
		t.Fatalf("iteration with deletion: got %q want %q", got, keys)
	}
	if _, _, ok := m.Next("", "ka"); ok {
		t.Error("keys left after deleting all")
	}
	_ = m.Set("whole", U8(1))
	if key, _, _ := m.Next("", "whole"); key != "whole" {
		t.Errorf("a key that is the prefix itself: got %q", key)
	}
	if key, _, ok := m.Next("whole", "whole"); ok {
		t.Errorf("after it: %q", key)
	}
}

func TestReadOnly(t *testing.T) {
	m := NewMap()
	m.SetReadOnly("nodelist.", true, true)
	m.SetReadOnly("totem.version", false, true)
	for key, want := range map[string]bool{
		"nodelist.local_node_pos": true, "nodelist": false, "totem.version": true, "totem.version2": false, "x.nodelist.": false,
	} {
		if m.ReadOnly(key) != want {
			t.Errorf("ReadOnly(%q) = %v", key, !want)
		}
	}
	m.SetReadOnly("totem.version", false, false)
	if m.ReadOnly("totem.version") {
		t.Error("rule not removed")
	}
}

func TestCounter(t *testing.T) {
	m := NewMap()
	c := m.Counter("runtime.services.cpg.0.tx")
	c.Inc()
	m.Counter("runtime.services.cpg.0.tx").Inc() // the same counter again
	if n, _ := m.U64("runtime.services.cpg.0.tx"); n != 2 {
		t.Errorf("counted %d, want 2", n)
	}
	if n := testing.AllocsPerRun(100, c.Inc); n != 0 {
		t.Errorf("Inc allocates %v times", n)
	}
	var seen Change
	tr := m.Track("runtime.", Modified|Prefix, func(c Change) { seen = c })
	_ = m.Set("runtime.services.cpg.0.tx", U64(40))
	c.Inc()
	if seen.New != U64(41) || seen.Old != (Value{}) {
		t.Errorf("tracker saw %v from %v", seen.New, seen.Old)
	}
	tr.Stop()
	seen = Change{}
	c.Inc()
	if seen != (Change{}) {
		t.Errorf("told after the end of tracking: %v", seen)
	}
	_ = m.Delete("runtime.services.cpg.0.tx")
	c.Inc() // a deleted counter counts nothing and stays away
	if _, ok := m.Get("runtime.services.cpg.0.tx"); ok {
		t.Error("deleted counter is back")
	}
}
