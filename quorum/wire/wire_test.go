package wire

import (
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/mar/martest"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

func roundTrip[T any](t *testing.T, name string, b []byte, need int, want T, parse func([]byte) (T, error)) {
	t.Helper()
	got, err := parse(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: parsed %+v, %v; want %+v", name, got, err, want)
	}
	martest.Truncated(t, name, b, need, func(b []byte) error { _, err := parse(b); return err })
}

// TestGoldenNodeInfo: as captured from rings of Corosync 3.1.7 (udpu and udp):
// a node that has just started, and the device that is not there.
func TestGoldenNodeInfo(t *testing.T) {
	for _, c := range []struct {
		hex  string
		want NodeInfo
	}{
		{"0000050000000000200000000000000001004e0a010000000300000008000000", NodeInfo{0x0a4e0001, 1, 3, FlagFirst}},
		{"0000050000000000200000000000000003000000010000000400000001000000", NodeInfo{3, 1, 4, FlagQuorate}},
		{"0000050000000000200000000000000000000000000000000000000000000000", NodeInfo{}},
	} {
		b, err := hex.DecodeString(c.hex)
		if err != nil {
			t.Fatal(err)
		}
		martest.Equal(t, "nodeinfo", c.want.Append(nil), b)
		roundTrip(t, "nodeinfo", b, NodeInfoSize, c.want, func(b []byte) (NodeInfo, error) { return ParseNodeInfo(b, false) })
		if got, err := ParseNodeInfo(martest.Swap(b, 16, 20, 24, 28), true); err != nil || got != c.want {
			t.Errorf("swapped: %+v, %v", got, err)
		}
	}
}

func TestExec(t *testing.T) {
	r := Reconfigure{3, 5, ParamNodeVotes}
	b := r.Append(nil)
	martest.Layout(t, "reconfigure", b, 5<<16|1, 32, 16, uint32(3), 20, uint32(5), 24, byte(2))
	roundTrip(t, "reconfigure", b, MinReconfigureSize, r, func(b []byte) (Reconfigure, error) { return ParseReconfigure(b, false) })
	if got, err := ParseReconfigure(martest.Swap(b, 16, 20), true); err != nil || got != r {
		t.Errorf("swapped: %+v, %v", got, err)
	}

	q := QdeviceReg{true, "Qdevice"}
	b = q.Append(nil)
	martest.Layout(t, "qdevice reg", b, 5<<16|2, 280, 16, uint32(1), 20, "Qdevice")
	roundTrip(t, "qdevice reg", b, MinQdeviceRegSize, q, func(b []byte) (QdeviceReg, error) { return ParseQdeviceReg(b, false) })
	if got, err := ParseQdeviceReg(martest.Swap(b, 16), true); err != nil || got != q {
		t.Errorf("swapped: %+v, %v", got, err)
	}
	if _, err := ParseQdeviceReg(martest.Swap(b, 16), false); err == nil {
		t.Error("operation 0x01000000 accepted")
	}
	copy(b[20:], strings.Repeat("x", MaxQdeviceName))
	if _, err := ParseQdeviceReg(b, false); err == nil {
		t.Error("name without end accepted")
	}

	n := QdeviceReconfigure{"old", "new"}
	b = n.Append(nil)
	martest.Layout(t, "qdevice rename", b, 5<<16|3, 528, 16, "old", 271, "new")
	roundTrip(t, "qdevice rename", b, MinQdeviceReconfigure, n, ParseQdeviceReconfigure)
	long := QdeviceReconfigure{strings.Repeat("y", 300), ""}
	if got, err := ParseQdeviceReconfigure(long.Append(nil)); err != nil || len(got.Old) != MaxQdeviceName-1 || got.New != "" {
		t.Errorf("long name: %d bytes, %v", len(got.Old), err)
	}
}

func TestQuorumLibrary(t *testing.T) {
	b := AppendTrackStartReq(nil, TrackCurrent|TrackChanges)
	martest.Layout(t, "trackstart", b, 1, 24, 16, uint32(3))
	roundTrip(t, "trackstart", b, MinTrackStartReq, uint32(3), ParseTrackStartReq)
	b = AppendModelGetTypeReq(nil, ModelV1)
	martest.Layout(t, "model gettype", b, 4, 24, 16, uint32(1))
	roundTrip(t, "model gettype", b, 20, uint32(1), ParseModelGetTypeReq)
	b = AppendQuorateRes(nil, true)
	martest.Layout(t, "getquorate", b, 0, 32, 16, uint32(1), 24, uint32(1))
	roundTrip(t, "getquorate", b, 28, uint32(1), ParseU32Res)
	martest.Layout(t, "gettype", AppendTypeRes(nil, ResModelGetType, TypeSet, service.ErrInvalidParam), 5, 32, 16, uint32(7), 24, uint32(1))

	n := Notify{true, service.RingID{Rep: 2, Seq: 1<<33 + 4}, []uint32{2, 3}}
	b = n.AppendV1(nil)
	martest.Layout(t, "v1", b, 6, 64, 16, uint32(1), 24, uint32(1), 32, uint32(2), 40, uint64(1<<33+4), 48, uint32(2), 52, uint32(2), 56, uint32(3))
	roundTrip(t, "v1", b, 60, n, ParseNotifyV1)
	b = n.AppendV0(nil)
	martest.Layout(t, "v0", b, 3, 56, 16, uint32(1), 24, uint32(1), 32, uint64(1<<33+4), 40, uint32(2), 44, uint32(2), 48, uint32(3))
	n.Ring.Rep = 0
	roundTrip(t, "v0", b, 52, n, ParseNotifyV0)

	l := NodeList{service.RingID{Rep: 1, Seq: 8}, []uint32{1, 2}, []uint32{2}, []uint32{3}}
	b = l.Append(nil)
	martest.Layout(t, "nodelist", b, 7, 64+16, 16, uint32(1), 24, uint32(1), 32, uint64(8), 40, uint32(2), 48, uint32(1), 56, uint32(1),
		60, uint32(1), 64, uint32(2), 68, uint32(2), 72, uint32(3))
	roundTrip(t, "nodelist", b, 76, l, ParseNodeList)
}

func TestVoteRequests(t *testing.T) {
	martest.Layout(t, "getinfo", AppendVoteGetInfoReq(nil, 4), 0, 24, 16, uint32(4))
	roundTrip(t, "setexpected", AppendVoteSetExpectedReq(nil, 9), MinVoteU32Req, uint32(9), ParseVoteU32Req)
	v := VoteSetVotesReq{2, 7}
	martest.Layout(t, "setvotes", v.Append(nil), 2, 24, 16, uint32(2), 20, uint32(7))
	roundTrip(t, "setvotes", v.Append(nil), 24, v, ParseVoteSetVotesReq)
	ts := VoteTrackStartReq{1 << 40, TrackChanges}
	martest.Layout(t, "trackstart", ts.Append(nil), 3, 32, 16, uint64(1<<40), 24, uint32(2))
	roundTrip(t, "trackstart", ts.Append(nil), MinVoteTrackStartReq, ts, ParseVoteTrackStartReq)

	b := AppendQdeviceNameReq(nil, VoteReqQdeviceUnregister, "Q")
	martest.Layout(t, "unregister", b, 6, 272, 16, "Q")
	roundTrip(t, "unregister", b, MinQdeviceNameReq, "Q", ParseQdeviceNameReq)
	u := QdeviceUpdateReq{"a", "b"}
	martest.Layout(t, "update", u.Append(nil), 7, 528, 16, "a", 271, "b")
	roundTrip(t, "update", u.Append(nil), MinQdeviceUpdateReq, u, ParseQdeviceUpdateReq)
	p := QdevicePollReq{"Q", true, service.RingID{Rep: 1, Seq: 12}}
	martest.Layout(t, "poll", p.Append(nil), 8, 296, 16, "Q", 272, uint32(1), 280, uint32(1), 288, uint64(12))
	roundTrip(t, "poll", p.Append(nil), 296, p, ParseQdevicePollReq)
	m := QdeviceMasterWinsReq{"Q", true}
	martest.Layout(t, "master wins", m.Append(nil), 9, 280, 16, "Q", 272, uint32(1))
	roundTrip(t, "master wins", m.Append(nil), MinQdeviceMasterReq, m, ParseQdeviceMasterWinsReq)
}

func TestVoteRepliesAndEvents(t *testing.T) {
	i := VoteInfo{1, StateLeaving, 2, 3, 4, 5, 6, InfoQuorate | InfoQdeviceMasterWins, 8, "Qdevice"}
	b := i.Append(nil, service.OK)
	martest.Layout(t, "info", b, 1, 320, 16, uint32(1), 24, uint32(1), 28, uint32(3), 32, uint32(2), 36, uint32(3), 40, uint32(4),
		44, uint32(5), 48, uint32(6), 52, uint32(514), 56, uint32(8), 60, "Qdevice")
	roundTrip(t, "info", b, 315, i, ParseVoteInfo)
	martest.Layout(t, "info of an unknown node", i.Append(nil, service.ErrNotExist), 1, 320, 16, uint32(12))

	q := VoteQuorum{true, 7, []VoteNode{{2, StateMember}, {1, StateDead}}}
	b = q.Append(nil)
	martest.Layout(t, "quorum", b, 3, 64, 16, uint32(1), 24, uint32(1), 32, uint64(7), 40, uint32(2),
		48, uint32(2), 52, uint32(1), 56, uint32(1), 60, uint32(2))
	roundTrip(t, "quorum", b, 64, q, ParseVoteQuorum)
	e := VoteExpected{7, 5}
	martest.Layout(t, "expected", e.Append(nil), 4, 40, 16, uint32(1), 24, uint64(7), 32, uint32(5))
	roundTrip(t, "expected", e.Append(nil), 40, e, ParseVoteExpected)
	l := VoteNodeList{7, service.RingID{Rep: 1, Seq: 8}, []uint32{1, 2}}
	b = l.Append(nil)
	martest.Layout(t, "nodelist", b, 5, 64, 16, uint32(1), 24, uint64(7), 32, uint32(1), 40, uint64(8), 48, uint32(2), 56, uint32(1), 60, uint32(2))
	roundTrip(t, "nodelist", b, 64, l, ParseVoteNodeList)
	martest.Layout(t, "status", mar.AppendStatus(nil, VoteResStatus, service.ErrExist), 0, 24, 16, uint32(14))
}

// FuzzExec: what is accepted survives being written and read again.
func FuzzExec(f *testing.F) {
	n := NodeInfo{1, 1, 3, FlagFirst}
	f.Add(n.Append(nil), false)
	r := Reconfigure{1, 2, ParamExpectedVotes}
	f.Add(r.Append(nil), true)
	q := QdeviceReg{true, "Q"}
	f.Add(q.Append(nil), false)
	c := QdeviceReconfigure{"a", "b"}
	f.Add(c.Append(nil), false)
	f.Fuzz(func(t *testing.T, b []byte, swapped bool) {
		if x, err := ParseNodeInfo(b, swapped); err == nil {
			if y, err := ParseNodeInfo(x.Append(nil), false); err != nil || x != y {
				t.Errorf("%+v became %+v, %v", x, y, err)
			}
		}
		if x, err := ParseReconfigure(b, swapped); err == nil {
			if y, err := ParseReconfigure(x.Append(nil), false); err != nil || x != y {
				t.Errorf("%+v became %+v, %v", x, y, err)
			}
		}
		if x, err := ParseQdeviceReg(b, swapped); err == nil {
			if y, err := ParseQdeviceReg(x.Append(nil), false); err != nil || x != y {
				t.Errorf("%+v became %+v, %v", x, y, err)
			}
		}
		if x, err := ParseQdeviceReconfigure(b); err == nil {
			if y, err := ParseQdeviceReconfigure(x.Append(nil)); err != nil || x != y {
				t.Errorf("%+v became %+v, %v", x, y, err)
			}
		}
	})
}

// FuzzLib: bad library messages are refused without panic.
func FuzzLib(f *testing.F) {
	l := NodeList{service.RingID{Rep: 1, Seq: 8}, []uint32{1, 2}, []uint32{2}, []uint32{3}}
	f.Add(l.Append(nil))
	q := VoteQuorum{true, 7, []VoteNode{{2, StateMember}}}
	f.Add(q.Append(nil))
	p := QdevicePollReq{"Q", true, service.RingID{Rep: 1, Seq: 12}}
	f.Add(p.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		ParseTrackStartReq(b)
		ParseModelGetTypeReq(b)
		ParseU32Res(b)
		ParseNotifyV0(b)
		ParseNotifyV1(b)
		ParseNodeList(b)
		ParseVoteU32Req(b)
		ParseVoteSetVotesReq(b)
		ParseVoteTrackStartReq(b)
		ParseQdeviceNameReq(b)
		ParseQdeviceUpdateReq(b)
		ParseQdevicePollReq(b)
		ParseQdeviceMasterWinsReq(b)
		ParseVoteInfo(b)
		ParseVoteQuorum(b)
		ParseVoteExpected(b)
		ParseVoteNodeList(b)
	})
}
