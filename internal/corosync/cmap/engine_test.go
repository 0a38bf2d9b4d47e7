package cmap

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/cmap/wire"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/service/servicetest"
	"github.com/pacesync/pacesync/totem/pg"
)

// bench is an engine on a fake host, with one client.
type bench struct {
	t     *testing.T
	host  *servicetest.Host
	m     *Map
	stats *Stats
	pg    pg.Stats
	clear []string
	log   []string
	e     *service.Engine
	conn  *servicetest.Conn
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, host: servicetest.NewHost(1), m: NewMap()}
	b.stats = NewStats(Source{
		Totem: func() *pg.Stats { return &b.pg }, SendFailures: func() uint32 { return 3 },
		IPC: func() (uint64, uint64) { return 2, 5 }, Now: b.host.Now, Clear: func(w string) { b.clear = append(b.clear, w) },
	})
	b.e = NewService(b.host, b.m, b.stats, func(l service.Level, s string) { b.log = append(b.log, fmt.Sprint(l, " ", s)) }).Engine()
	if err := b.e.Start(); err != nil {
		t.Fatal(err)
	}
	b.conn = b.host.NewConn()
	return b
}

// call serves a request and returns the only answer.
func (b *bench) call(msg []byte) []byte {
	b.t.Helper()
	return b.callAs(b.conn, msg)
}

func (b *bench) callAs(c *servicetest.Conn, msg []byte) []byte {
	b.t.Helper()
	id, _, _ := servicetest.Header(msg)
	if len(msg) < b.e.Lib[id].MinSize {
		b.t.Fatalf("request %d has %d bytes, the engine wants %d", id, len(msg), b.e.Lib[id].MinSize)
	}
	b.e.Lib[id].Handle(c, msg)
	out := c.TakeReplies()
	if len(out) != 1 {
		b.t.Fatalf("request %d has %d answers", id, len(out))
	}
	return out[0]
}

// status is the result code of an answer.
func (b *bench) status(msg []byte) service.Error {
	b.t.Helper()
	_, _, err := servicetest.Header(b.call(msg))
	return err
}

func setReq(key string, v Value) []byte {
	r := wire.SetReq{Key: key, Type: uint8(v.Type), Value: []byte(v.Raw)}
	return append(r.AppendHeader(nil), r.Value...)
}

func getReq(key string, room uint64) []byte { return (&wire.GetReq{Key: key, Room: room}).Append(nil) }

func TestSetGetDelete(t *testing.T) {
	b := newBench(t)
	b.m.SetReadOnly("totem.version", false, true)
	_ = b.m.Set("totem.version", U32(2))
	for _, c := range []struct {
		name string
		msg  []byte
		want service.Error
	}{
		{"new key", setReq("a.key", U32(7)), service.OK},
		{"other type", setReq("a.key", Str("x")), service.OK},
		{"read only", setReq("totem.version", U32(3)), service.ErrAccess},
		{"bad name", setReq("a key", U32(3)), service.ErrNameTooLong},
		{"short name", setReq("ab", U32(3)), service.ErrNameTooLong},
		{"wrong length", setReq("a.key2", Value{Uint32, "xx"}), service.ErrInvalidParam},
		{"unknown type", setReq("a.key2", Value{Type(77), "xx"}), service.ErrInvalidParam},
		{"delete", wire.AppendDeleteReq(nil, "a.key"), service.OK},
		{"delete missing", wire.AppendDeleteReq(nil, "a.key"), service.ErrNotExist},
		{"delete read only", wire.AppendDeleteReq(nil, "totem.version"), service.ErrAccess},
		{"adjust", (&wire.AdjustReq{Key: "totem.version", Step: 1}).Append(nil), service.ErrAccess},
		{"adjust missing", (&wire.AdjustReq{Key: "no.such", Step: 1}).Append(nil), service.ErrNotExist},
		{"finalize unknown", wire.AppendIterFinalizeReq(nil, 99), service.ErrBadHandle},
		{"next unknown", wire.AppendIterNextReq(nil, 99), service.ErrBadHandle},
		{"track delete unknown", wire.AppendTrackDeleteReq(nil, 99), service.ErrBadHandle},
		{"bad track flags", (&wire.TrackAddReq{Key: "abc", Flags: 16}).Append(nil), service.ErrInvalidParam},
		{"no such map", wire.AppendSetMapReq(nil, 2), service.ErrNotExist},
	} {
		if got := b.status(c.msg); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestGetGivesAsMuchRoomAsAskedFor(t *testing.T) {
	b := newBench(t)
	_ = b.m.Set("a.key", Str("hello"))
	for _, c := range []struct {
		room uint64
		want service.Error
		size int
	}{
		{0, service.OK, 40}, {6, service.OK, 46}, {16, service.OK, 56},
		{5, service.ErrInvalidParam, 40}, {1 << 40, service.ErrInvalidParam, 40},
	} {
		got := b.call(getReq("a.key", c.room))
		res, err := wire.ParseGetRes(got)
		_, size, code := servicetest.Header(got)
		if code != c.want || len(got) != c.size || int(size) != c.size || err != nil {
			t.Errorf("room %d: %v, %d bytes (header says %d), %v", c.room, code, len(got), size, err)
		}
		if code == service.OK && (res.Len != 6 || res.Type != uint8(String)) {
			t.Errorf("room %d: length %d type %d", c.room, res.Len, res.Type)
		}
		if c.room >= 6 && code == service.OK && string(res.Value) != "hello\x00" {
			t.Errorf("room %d: value %q", c.room, res.Value)
		}
	}
	if got := b.status(getReq("no.such", 16)); got != service.ErrNotExist {
		t.Errorf("missing key: %v", got)
	}
}

func TestIteration(t *testing.T) {
	b := newBench(t)
	for i, k := range []string{"a.b", "a.b.c", "a.c", "b.a"} {
		_ = b.m.Set(k, U32(uint32(i)))
	}
	keys := func(prefix string) (out []string) {
		h, err := wire.ParseHandleRes(b.call(wire.AppendIterInitReq(nil, prefix)))
		if err != nil {
			t.Fatal(err)
		}
		for {
			msg := b.call(wire.AppendIterNextReq(nil, h))
			if _, _, code := servicetest.Header(msg); code != service.OK {
				if code != service.ErrNoSections {
					t.Errorf("end of iteration is %v", code)
				}
				break
			}
			it, _ := wire.ParseItemRes(msg)
			if it.Len != 4 || Type(it.Type) != Uint32 {
				t.Errorf("item %+v", it)
			}
			out = append(out, it.Key)
		}
		if code := b.status(wire.AppendIterFinalizeReq(nil, h)); code != service.OK {
			t.Errorf("finalize: %v", code)
		}
		return out
	}
	if got := keys("a."); !slices.Equal(got, []string{"a.b", "a.b.c", "a.c"}) {
		t.Errorf("prefix a.: %v", got)
	}
	if got := keys(""); len(got) != 4 {
		t.Errorf("all: %v", got)
	}
	if got := keys("x"); got != nil {
		t.Errorf("nothing: %v", got)
	}
}

func TestTrackingTellsBothValues(t *testing.T) {
	b := newBench(t)
	h, _ := wire.ParseHandleRes(b.call((&wire.TrackAddReq{Key: "a.", Flags: wire.TrackAdd | wire.TrackModify | wire.TrackDelete | wire.TrackPrefix, Instance: 42}).Append(nil)))
	b.call(setReq("a.key", U8(1)))
	b.call(setReq("a.key", Str("s")))
	b.call(setReq("a.key", Str("s"))) // equal: no event
	b.call(wire.AppendDeleteReq(nil, "a.key"))
	var got []string
	for _, ev := range b.conn.TakeEvents() {
		n, err := wire.ParseNotify(ev)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %d %s %d:%q %d:%q", n.Instance, n.Event, n.Key, n.NewType, n.New, n.OldType, n.Old))
	}
	want := []string{`42 4 a.key 2:"\x01" 0:""`, `42 2 a.key 11:"s\x00" 2:"\x01"`, `42 1 a.key 0:"" 11:"s\x00"`}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := b.status(wire.AppendSetMapReq(nil, wire.MapStats)); got != service.ErrBusy {
		t.Errorf("map switched under a tracker: %v", got)
	}
	if inst, _ := wire.ParseHandleRes(b.call(wire.AppendTrackDeleteReq(nil, h))); inst != 42 {
		t.Errorf("instance %d", inst)
	}
	b.call(setReq("a.key", U8(1)))
	if ev := b.conn.TakeEvents(); ev != nil {
		t.Error("event after the end of tracking")
	}
}

func TestDisconnectEndsTracking(t *testing.T) {
	b := newBench(t)
	b.call((&wire.TrackAddReq{Key: "a.", Flags: 15}).Append(nil))
	b.e.Closed(b.conn)
	_ = b.m.Set("a.key", U8(1))
	if b.conn.TakeEvents() != nil || len(b.m.trackers) != 1 { // the engine's own
		t.Errorf("%d trackers left", len(b.m.trackers))
	}
}

func TestHandlesAreBounded(t *testing.T) {
	b := newBench(t)
	for range maxHandles {
		b.call(wire.AppendIterInitReq(nil, ""))
	}
	if got := b.status(wire.AppendIterInitReq(nil, "")); got != service.ErrNoMemory {
		t.Errorf("one iteration too many: %v", got)
	}
}

func TestStatsMap(t *testing.T) {
	b := newBench(t)
	if got := b.status(wire.AppendSetMapReq(nil, wire.MapStats)); got != service.OK {
		t.Fatal(got)
	}
	b.pg.McastTx = 77
	b.pg.LastToken = b.host.Clock.Add(-1500 * time.Millisecond)
	read := func(key string) string {
		res, _ := wire.ParseGetRes(b.call(getReq(key, 64)))
		return Value{Type(res.Type), string(res.Value)}.String()
	}
	calls := ConnStats{ProcName: "cpgtool", Requests: 9, Queueing: true}
	b.stats.AddConn(service.CPG, 123, 0xabc, func() ConnStats { return calls })
	for key, want := range map[string]string{
		"stats.srp.mcast_tx": "77", "stats.srp.time_since_token_last_received": "1500",
		"stats.srp.continuous_sendmsg_failures": "3", "stats.ipcs.global.active": "2", "stats.ipcs.global.closed": "5",
		"stats.ipcs.service2.123.0xabc.procname": "cpgtool", "stats.ipcs.service2.123.0xabc.requests": "9",
		"stats.ipcs.service2.123.0xabc.queueing": "1",
	} {
		if got := read(key); got != want {
			t.Errorf("%s = %s, want %s", key, got, want)
		}
	}
	for key, want := range map[string]service.Error{
		"stats.srp.mcast_tx": service.ErrAccess, "stats.clear.totem": service.OK, "stats.clear.all": service.OK,
		"stats.clear.nothing": service.ErrNotSupported,
	} {
		b.clear = nil
		if got := b.status(setReq(key, U32(1))); got != want {
			t.Errorf("set %s: %v, want %v", key, got, want)
		}
		if n := map[string]int{"stats.clear.totem": 1, "stats.clear.all": 3}[key]; len(b.clear) != n {
			t.Errorf("set %s clears %v", key, b.clear)
		}
	}
	if got := b.status(wire.AppendDeleteReq(nil, "stats.clear.all")); got != service.ErrNotSupported {
		t.Errorf("delete: %v", got)
	}
}

// TestStatsKeys compares the names and types of the fixed keys with those that
// corosync-cmapctl -m stats of 3.1.7 lists on a udpu ring.
func TestStatsKeys(t *testing.T) {
	b := newBench(t)
	b.stats.AddConn(service.CMAP, 7, 1, func() ConnStats { return ConnStats{} })
	counts := map[string]int{}
	for key, typ, _, ok := b.stats.nextItem("", ""); ok; key, typ, _, ok = b.stats.nextItem(key, "") {
		if v, _ := b.stats.Get(key); v.Type != typ {
			t.Errorf("%s: type %v, value %v", key, typ, v.Type)
		}
		counts[strings.Join(strings.Split(key, ".")[:2], ".")]++
	}
	if counts["stats.srp"] != 30 || counts["stats.pg"] != 2 || counts["stats.ipcs"] != 15 {
		t.Errorf("counts: %v", counts)
	}
}

func TestStatsTracking(t *testing.T) {
	b := newBench(t)
	b.call(wire.AppendSetMapReq(nil, wire.MapStats))
	for _, c := range []struct {
		key   string
		flags int32
		want  service.Error
	}{
		{"stats.srp.", wire.TrackPrefix | wire.TrackModify, service.ErrNotSupported},
		{"stats.ipcs.", wire.TrackPrefix | wire.TrackAdd, service.ErrNotSupported},
		{"stats.ipcs.", wire.TrackPrefix | wire.TrackAdd | wire.TrackDelete, service.OK},
		{"stats.srp.mcast_tx", wire.TrackModify, service.OK},
	} {
		if got := b.status((&wire.TrackAddReq{Key: c.key, Flags: c.flags}).Append(nil)); got != c.want {
			t.Errorf("track %s %d: %v, want %v", c.key, c.flags, got, c.want)
		}
	}
	events := func() (out []string) {
		for _, ev := range b.conn.TakeEvents() {
			n, _ := wire.ParseNotify(ev)
			out = append(out, fmt.Sprint(n.Event, " ", n.Key))
		}
		return out
	}
	b.stats.AddConn(service.CMAP, 7, 1, func() ConnStats { return ConnStats{} })
	if got := events(); len(got) != 13 || got[0] != "4 stats.ipcs.service0.7.0x1.queueing" {
		t.Errorf("client came: %q", got)
	}
	b.stats.RemoveConn(service.CMAP, 7, 1)
	if got := events(); len(got) != 13 || got[0] != "1 stats.ipcs.service0.7.0x1.queueing" {
		t.Errorf("client went: %q", got)
	}
	b.pg.McastTx = 5
	b.host.Advance(1400 * time.Millisecond)
	if got := events(); got != nil {
		t.Errorf("too early: %q", got)
	}
	b.host.Advance(200 * time.Millisecond)
	if got := events(); !slices.Equal(got, []string{"2 stats.srp.mcast_tx"}) {
		t.Errorf("changed value: %q", got)
	}
	b.host.Advance(10 * time.Second)
	if got := events(); got != nil {
		t.Errorf("unchanged value: %q", got)
	}
}

func TestSchedMissKeepsTheNewestTen(t *testing.T) {
	b := newBench(t)
	for i := range 12 {
		b.stats.AddSchedMiss(time.UnixMilli(int64(1000+i)), time.Duration(i)*time.Millisecond)
	}
	if v, _ := b.stats.Get("stats.schedmiss.0.timestamp"); v != U64(1011) {
		t.Errorf("newest: %v", v)
	}
	if v, _ := b.stats.Get("stats.schedmiss.9.delay"); v != F32(2) {
		t.Errorf("oldest: %v", v)
	}
	if _, ok := b.stats.Get("stats.schedmiss.10.delay"); ok {
		t.Error("more than ten")
	}
	_ = b.stats.Set("stats.clear.schedmiss", U32(1))
	if _, ok := b.stats.Get("stats.schedmiss.0.delay"); ok {
		t.Error("not cleared")
	}
}

// versionNode is a node of a cluster test with a configuration version.
func versionNode(c *servicetest.Cluster, id uint32, version uint64) (*servicetest.Host, *Map) {
	h, m := servicetest.NewHost(id), NewMap()
	if version != 0 {
		_ = m.Set(versionKey, U64(version))
	}
	c.Add(h, NewService(h, m, NewStats(Source{}), func(service.Level, string) {}).Engine())
	return h, m
}

func TestOlderConfigurationEndsItself(t *testing.T) {
	for _, c := range []struct {
		name        string
		one, two    uint64
		end1, end2  bool
		runtimeKey1 uint64
	}{
		{"same", 3, 3, false, false, 3}, {"first older", 2, 3, true, false, 3}, {"second older", 3, 2, false, true, 2},
		{"first without", 0, 5, false, false, 5}, {"second without", 5, 0, false, false, 0},
	} {
		cl := servicetest.NewCluster(t)
		h1, m1 := versionNode(cl, 1, c.one)
		h2, _ := versionNode(cl, 2, c.two)
		cl.Partition([]uint32{1, 2})
		if h1.Ended != c.end1 || h2.Ended != c.end2 {
			t.Errorf("%s: ended %v %v", c.name, h1.Ended, h2.Ended)
		}
		if h1.Ended && (!h1.Left || h1.Status != 0) {
			t.Errorf("%s: left %v status %d", c.name, h1.Left, h1.Status)
		}
		if v, _ := m1.U64("runtime.members.2.config_version"); v != c.runtimeKey1 {
			t.Errorf("%s: member 2 shows version %d", c.name, v)
		}
	}
}

func TestVersionIsComparedOnceOnly(t *testing.T) {
	cl := servicetest.NewCluster(t)
	h1, _ := versionNode(cl, 1, 3)
	versionNode(cl, 2, 3)
	cl.Partition([]uint32{1, 2})
	h3, m3 := versionNode(cl, 3, 9)
	cl.Partition([]uint32{1, 2, 3})
	if h1.Ended || h3.Ended {
		t.Error("a running node is not to end because of a newer one")
	}
	_ = m3.Set(versionKey, U64(10)) // a reload: told to all
	cl.Deliver()
	if v, _ := m3.U64("runtime.members.3.config_version"); v != 10 {
		t.Errorf("own version shows as %d", v)
	}
}

// TestMcastLayout: sizes seen on the wire of the original, 328 bytes without a
// version and 336 with one.
func TestMcastLayout(t *testing.T) {
	if n := len(appendMcast(nil, reasonSync, versionKey, Value{})); n != 328 {
		t.Errorf("without version: %d bytes", n)
	}
	msg := appendMcast(nil, reasonNewVersion, versionKey, U64(0x0102030405060708))
	if len(msg) != 336 || msg[16] != 1 || msg[24] != 1 {
		t.Errorf("with version: %d bytes", len(msg))
	}
	for n := range msg {
		if _, err := parseVersion(msg[:n], false); err == nil {
			t.Fatalf("prefix of %d bytes was accepted", n)
		}
	}
	if v, err := parseVersion(msg, false); v != 0x0102030405060708 || err != nil {
		t.Errorf("%#x %v", v, err)
	}
	// The same from a node of the other byte order.
	msg[48], msg[49] = msg[49], msg[48]
	slices.Reverse(msg[48+272 : 48+280])
	slices.Reverse(msg[48+280:])
	if v, err := parseVersion(msg, true); v != 0x0102030405060708 || err != nil {
		t.Errorf("swapped: %#x %v", v, err)
	}
}

func FuzzParseVersion(f *testing.F) {
	f.Add(appendMcast(nil, 0, versionKey, U64(7)), false)
	f.Add(appendMcast(nil, 0, "other.key", Str("x")), true)
	two := appendMcast(nil, 0, "other.key", Str("x"))
	two[24] = 2
	f.Add(append(two, appendMcast(nil, 0, versionKey, U64(7))[mcastSize:]...), false)
	f.Fuzz(func(t *testing.T, msg []byte, swapped bool) { _, _ = parseVersion(msg, swapped) })
}

// FuzzRequests throws requests of any form at the engine.
func FuzzRequests(f *testing.F) {
	f.Add(setReq("a.key", U32(1)))
	f.Add(getReq("a.key", 16))
	f.Add(wire.AppendIterInitReq(nil, "a"))
	f.Add((&wire.TrackAddReq{Key: "a", Flags: 15}).Append(nil))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(msg) < mar.ReqSize {
			return
		}
		b := newBench(t)
		fn := mar.View{B: msg}.U32(0)
		if fn >= uint32(len(b.e.Lib)) || len(msg) < b.e.Lib[fn].MinSize {
			return
		}
		b.e.Lib[fn].Handle(b.conn, msg)
		if len(b.conn.Replies) != 1 {
			t.Fatalf("%d answers", len(b.conn.Replies))
		}
	})
}
