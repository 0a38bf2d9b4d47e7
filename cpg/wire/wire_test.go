package wire

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/mar/martest"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

func unhex(t testing.TB, s string, size int) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, make([]byte, size-len(b))...)
}

// grpA is the name in the captures: four bytes, the last one NUL. The four
// bytes after its length are garbage in some of them.
var grpA = MustName("grpA")

// TestGoldenProc: join and leave as captured from Corosync 3.1.7 over udp.
func TestGoldenProc(t *testing.T) {
	tail := strings.Repeat("00", 124)
	for _, c := range []struct {
		hex  string
		want Proc
	}{
		{"0000020000000000a800000000000000" + "0400000000000000" + "67727041" + tail + "00880000" + "00000000" + "0100000000000000",
			Proc{false, grpA, 0x8800, ReasonJoin}},
		{"0100020000000000a800000000000000" + "04000000fd7f0000" + "67727041" + tail + "00880000" + "00000000" + "0200000000000000",
			Proc{true, grpA, 0x8800, ReasonLeave}},
	} {
		b := unhex(t, c.hex, ProcSize)
		got, err := ParseProc(b, false)
		if err != nil || got != c.want {
			t.Errorf("parsed %+v, %v; want %+v", got, err, c.want)
		}
		copy(b[20:24], make([]byte, 4)) // the padding after the name's length
		martest.Equal(t, "proc", got.Append(nil), b)
		swapped := martest.Swap(b, 16, 152, 160)
		if got, err := ParseProc(swapped, true); err != nil || got.Group != c.want.Group || got.PID != c.want.PID || got.Reason != c.want.Reason || got.Leave != c.want.Leave {
			t.Errorf("swapped: %+v, %v", got, err)
		}
		martest.Truncated(t, "proc", b, ProcSize, func(b []byte) error { _, err := ParseProc(b, false); return err })
	}
}

// TestGoldenDownList: as captured when node 3 of three left.
func TestGoldenDownList(t *testing.T) {
	b := unhex(t, "05000200000000002006000000000000"+"0300000000000000"+"0100000000000000"+"02000000", DownListSize)
	d, err := ParseDownList(b, false)
	if err != nil || d.OldMembers != 3 || !reflect.DeepEqual(d.Left, []uint32{2}) {
		t.Fatalf("parsed %+v, %v", d, err)
	}
	martest.Equal(t, "downlist", d.Append(nil), b)
	if s, err := ParseDownList(martest.Swap(b, 16, 24, 32), true); err != nil || !reflect.DeepEqual(s, d) {
		t.Errorf("swapped: %+v, %v", s, err)
	}
	martest.Truncated(t, "downlist", b, DownListSize, func(b []byte) error { _, err := ParseDownList(b, false); return err })
	copy(b[24:], []byte{0x81, 1}) // 385 nodes
	if _, err := ParseDownList(b, false); err == nil {
		t.Error("385 nodes accepted")
	}
}

// TestGoldenPartialMcast: header of a captured piece of a 3,000,000 byte
// message, with the garbage that the C structure carries.
func TestGoldenPartialMcast(t *testing.T) {
	head := unhex(t, "06000200fc7f0000c8fc0f00df550000"+"0400000000000000"+"67727041"+strings.Repeat("00", 124)+
		"c0c62d0000000000"+"00fc0f0000000000"+"80010000fc7f0000"+"01000000df550000"+"0100000000000000"+"50c7eb58df550000", PartialMcastSize)
	b := append(head, make([]byte, 0xffc00)...)
	m, err := ParsePartialMcast(b, false)
	want := PartialMcast{grpA, 3_000_000, 0x180, PartFirst, Source{1, 0x55df58ebc750}, b[PartialMcastSize:]}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Fatalf("parsed %+v, %v", m, err)
	}
	var h [PartialMcastSize]byte
	m.PutHeader(&h)
	for _, off := range []int{4, 12, 172, 180} { // upstream leaves these unset
		copy(head[off:off+4], make([]byte, 4))
	}
	martest.Equal(t, "partial mcast", h[:], head[:PartialMcastSize])
	s, err := ParsePartialMcast(martest.Swap(b, 16, 152, 160, 168, 176, 184, -192), true)
	if err != nil || s.Total != m.Total || len(s.Data) != len(m.Data) || s.Source != m.Source || s.Part != m.Part || s.PID != m.PID {
		t.Errorf("swapped: %v %v %v %v, %v", s.Total, len(s.Data), s.Source, s.Part, err)
	}
	martest.Truncated(t, "partial mcast", b[:PartialMcastSize+4], PartialMcastSize, func(b []byte) error {
		if len(b) == PartialMcastSize+4 {
			return nil // shorter than its length field; the whole is checked above
		}
		_, err := ParsePartialMcast(b, false)
		return err
	})
}

func TestMcast(t *testing.T) {
	var h [McastSize]byte
	for i := range h {
		h[i] = 0xee // a reused header
	}
	m := Mcast{MustName("g"), 77, Source{3, 1<<40 + 5}, []byte("hello")}
	m.PutHeader(&h)
	martest.Layout(t, "mcast", append(h[:], m.Data...), 2<<16|3, McastSize+5, 16, uint32(1), 24, "g",
		152, uint32(5), 160, uint32(77), 168, uint32(3), 176, uint64(1<<40+5), 184, "hello")
	b := append(h[:], m.Data...)
	got, err := ParseMcast(b, false)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("parsed %+v, %v", got, err)
	}
	if got, err := ParseMcast(martest.Swap(b, 16, 152, 160, 168, -176), true); err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("swapped: %+v, %v", got, err)
	}
	martest.Truncated(t, "mcast", b, len(b), func(b []byte) error { _, err := ParseMcast(b, false); return err })
	mar.PutU32(b, 16, MaxName+1)
	if _, err := ParseMcast(b, false); err == nil {
		t.Error("name of 129 bytes accepted")
	}
}

func TestJoinList(t *testing.T) {
	list := []JoinEntry{{5, MustName("a")}, {6, MustName(strings.Repeat("x", MaxName))}}
	b := AppendJoinList(nil, list)
	martest.Layout(t, "joinlist", b, 2<<16|2, 24+2*144, 24, uint32(5), 32, uint32(1), 40, "a",
		168, uint32(6), 176, uint32(128), 184, strings.Repeat("x", MaxName))
	for _, l := range []JoinList{parseList(t, b, false), parseList(t, martest.Swap(b, 24, 32, 168, 176), true)} {
		if l.Len() != 2 || l.At(0) != list[0] || l.At(1) != list[1] {
			t.Errorf("%d entries %+v %+v", l.Len(), l.At(0), l.At(1))
		}
	}
	martest.Truncated(t, "joinlist", b, len(b), func(b []byte) error { _, err := ParseJoinList(b, false); return err })
	for _, size := range []uint32{0, 23, 25, 24 + 143, 1 << 31, 0xffffffff} {
		mar.PutU32(b, 8, size)
		if _, err := ParseJoinList(b, false); err == nil {
			t.Errorf("header size %d accepted", size)
		}
	}
}

func parseList(t *testing.T, b []byte, swapped bool) JoinList {
	t.Helper()
	l, err := ParseJoinList(b, swapped)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRequests(t *testing.T) {
	g := MustName("grp")
	j := JoinReq{g, 9, FlagInitialTotemConf}
	b := j.Append(nil)
	martest.Layout(t, "join", b, 0, 168, 16, uint32(3), 24, "grp", 152, uint32(9), 160, uint32(1))
	roundTrip(t, "join", b, 168, j, ParseJoinReq)

	l := LeaveReq{g, 9}
	b = l.Append(nil)
	martest.Layout(t, "leave", b, 1, 160, 16, uint32(3), 24, "grp", 152, uint32(9))
	roundTrip(t, "leave", b, 160, l, ParseLeaveReq)

	m := McastReq{2, []byte("data")}
	var mh [McastReqSize]byte
	m.PutHeader(&mh)
	b = append(mh[:], m.Data...)
	martest.Layout(t, "mcast", b, 2, 44, 24, uint32(2), 32, uint32(4), 40, "data")
	roundTrip(t, "mcast", b, 44, m, ParseMcastReq)

	p := PartialMcastReq{2, 5000, PartContinued, []byte("data")}
	var ph [PartialMcastReqSize]byte
	p.PutHeader(&ph)
	b = append(ph[:], p.Data...)
	martest.Layout(t, "partial", b, 12, 60, 24, uint32(2), 32, uint32(5000), 40, uint32(4), 48, uint32(2), 56, "data")
	roundTrip(t, "partial", b, 60, p, ParsePartialMcastReq)
	z := ZCAllocReq{4096, "/dev/shm/corosync_zerocopy-abcdef"}
	roundTrip(t, "zero-copy alloc", z.Append(nil), ZCAllocReqSize, z, ParseZCAllocReq)
	roundTrip(t, "zero-copy free", AppendZCFreeReq(nil, 4096, 9), ZCFreeReqSize, 9, ParseZCFreeReq)
	roundTrip(t, "zero-copy execute", AppendZCExecuteReq(nil, 9), ZCExecuteReqSize, 9, ParseZCExecuteReq)

	ms := MembershipReq{g}
	b = ms.Append(nil)
	martest.Layout(t, "membership", b, 3, 152, 16, uint32(3), 24, "grp")
	roundTrip(t, "membership", b, 152, ms, ParseMembershipReq)

	it := IterInitReq{g, IterOneGroup}
	b = it.Append(nil)
	martest.Layout(t, "iterinit", b, 5, 160, 16, uint32(3), 24, "grp", 152, uint32(2))
	roundTrip(t, "iterinit", b, 160, it, ParseIterInitReq)
	mar.PutU32(b, 152, uint32(IterAll))
	mar.PutU32(b, 16, 0xffffffff) // garbage name, unused
	if got, err := ParseIterInitReq(b); err != nil || got.Type != IterAll {
		t.Errorf("iteration over all: %+v, %v", got, err)
	}

	b = AppendIterNextReq(nil, 1<<33)
	martest.Layout(t, "iternext", b, 6, 24, 16, uint64(1<<33))
	roundTrip(t, "iternext", b, 24, uint64(1<<33), ParseIterHandleReq)
	martest.Layout(t, "iterfin", AppendIterFinalizeReq(nil, 4), 7, 24, 16, uint64(4))
}

func roundTrip[T any](t *testing.T, name string, b []byte, need int, want T, parse func([]byte) (T, error)) {
	t.Helper()
	got, err := parse(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: parsed %+v, %v; want %+v", name, got, err, want)
	}
	martest.Truncated(t, name, b, need, func(b []byte) error { _, err := parse(b); return err })
}

func TestReplies(t *testing.T) {
	members := []Address{{1, 10, 0}, {2, 20, 0}}
	b := AppendMembershipRes(nil, members, service.OK)
	martest.Layout(t, "membership", b, 3, 9248, 16, uint32(1), 24, uint32(2),
		32, uint32(1), 40, uint32(10), 56, uint32(2), 64, uint32(20))
	roundTrip(t, "membership", b, 32+48, members, ParseMembershipRes)
	if n := len(AppendMembershipRes(nil, make([]Address, 500), service.OK)); n != MembershipResSize {
		t.Errorf("500 members: %d bytes", n)
	}

	martest.Layout(t, "localget", AppendLocalGetRes(nil, 7), 7, 32, 16, uint32(1), 24, uint32(7))
	roundTrip(t, "localget", AppendLocalGetRes(nil, 7), 32, uint32(7), ParseLocalGetRes)
	martest.Layout(t, "iterinit", AppendIterInitRes(nil, 1<<40, service.OK), 9, 32, 16, uint32(1), 24, uint64(1<<40))
	roundTrip(t, "iterinit", AppendIterInitRes(nil, 1<<40, service.OK), 32, uint64(1<<40), ParseIterInitRes)
	it := Item{MustName("x"), 3, 30}
	b = AppendIterNextRes(nil, &it, service.OK)
	martest.Layout(t, "iternext", b, 10, 168, 16, uint32(1), 24, uint32(1), 32, "x", 160, uint32(3), 164, uint32(30))
	roundTrip(t, "iternext", b, 168, it, ParseIterNextRes)
	martest.Layout(t, "status", mar.AppendStatus(nil, ResLeave, service.ErrNotExist), 1, 24, 16, uint32(12))
}

func TestEvents(t *testing.T) {
	c := Confchg{MustName("g"), []Address{{1, 10, 0}}, []Address{{2, 20, ReasonNodeDown}}, []Address{{3, 30, ReasonNodeUp}, {3, 31, ReasonNodeUp}}}
	b := c.Append(nil)
	martest.Layout(t, "confchg", b, 4, 184+4*24, 16, uint32(1), 24, uint32(1), 32, "g",
		160, uint32(1), 168, uint32(2), 176, uint32(1), 184, uint32(1), 192, uint32(10),
		208, uint32(2), 216, uint32(20), 224, uint32(3), 232, uint32(3), 240, uint32(30), 248, uint32(4),
		256, uint32(3), 264, uint32(31), 272, uint32(4))
	roundTrip(t, "confchg", b, len(b), c, ParseConfchg)

	d := Deliver{MustName("g"), 2, 22, []byte("body")}
	var dh [DeliverSize]byte
	for i := range dh {
		dh[i] = 0xee
	}
	d.PutHeader(&dh)
	b = append(dh[:], d.Data...)
	martest.Layout(t, "deliver", b, 5, 188, 16, uint32(1), 24, uint32(1), 32, "g", 160, uint32(4),
		168, uint32(2), 176, uint32(22), 184, "body")
	roundTrip(t, "deliver", b, len(b), d, ParseDeliver)

	tc := TotemConfchg{service.RingID{Rep: 1, Seq: 1<<35 + 16}, []uint32{1, 2, 3}}
	b = tc.Append(nil)
	martest.Layout(t, "totem", b, 13, 60, 16, uint32(1), 24, uint32(1), 32, uint64(1<<35+16), 40, uint32(3),
		44, uint32(1), 48, uint32(2), 52, uint32(3))
	roundTrip(t, "totem", b, 56, tc, ParseTotemConfchg)

	p := PartialDeliver{MustName("g"), 9000, 2, 22, PartLast, []byte("body")}
	var ph [PartialDeliverSize]byte
	p.PutHeader(&ph)
	b = append(ph[:], p.Data...)
	martest.Layout(t, "partial", b, 17, 204, 16, uint32(1), 24, uint32(1), 32, "g", 160, uint32(9000), 168, uint32(4),
		176, uint32(2), 184, uint32(22), 192, uint32(3), 200, "body")
	roundTrip(t, "partial", b, len(b), p, ParsePartialDeliver)
}

func TestName(t *testing.T) {
	n, err := MakeName([]byte("crmd\x00"))
	if err != nil || n.Len() != 5 || n.String() != `crmd\x00` {
		t.Errorf("%q %v", n.String(), err)
	}
	if n == MustName("crmd") {
		t.Error("a trailing NUL counts")
	}
	if got := MustName("a\\b\x7f\xff ").String(); got != `a\\b\x7F\xFF ` {
		t.Errorf("%s", got)
	}
	if _, err := MakeName(make([]byte, MaxName+1)); err == nil {
		t.Error("129 bytes accepted")
	}
	order := []Name{MustName(""), MustName("a"), MustName("a\x00"), MustName("a\x00b"), MustName("ab"), MustName("b")}
	for i := range order {
		for j := range order {
			if c := order[i].CompareC(&order[j]); (c < 0) != (i < j) || (c == 0) != (i == j) {
				t.Errorf("compare %q %q: %d", order[i], order[j], c)
			}
		}
	}
}

// TestHotPathAllocs: parsing and rewriting a multicast allocates nothing.
func TestHotPathAllocs(t *testing.T) {
	data := bytes.Repeat([]byte{7}, 1000)
	req := McastReq{2, data}
	var rh [McastReqSize]byte
	req.PutHeader(&rh)
	in := append(rh[:], data...)
	var eh [McastSize]byte
	var dh [DeliverSize]byte
	name := MustName("group")
	exec := make([]byte, McastSize+len(data))
	if n := testing.AllocsPerRun(100, func() {
		r, err := ParseMcastReq(in)
		if err != nil {
			t.Fatal(err)
		}
		m := Mcast{Group: name, PID: 1, Source: Source{1, 2}, Data: r.Data}
		m.PutHeader(&eh)
		copy(exec, eh[:])
		copy(exec[McastSize:], r.Data)
		got, err := ParseMcast(exec, false)
		if err != nil {
			t.Fatal(err)
		}
		d := Deliver{got.Group, 1, got.PID, got.Data}
		d.PutHeader(&dh)
	}); n != 0 {
		t.Errorf("%v allocations per message", n)
	}
}
