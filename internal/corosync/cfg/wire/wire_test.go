package wire

import (
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/mar/martest"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// messages is one message of every kind.
func messages() []martest.Message {
	kill := KillReq{3, "why"}
	status := NodeStatusReq{3, StatusVersionV1}
	rings := []Ring{{"0 10.0.0.1", "n33"}, {"1 10.0.1.1", "n3"}}
	addrs := NodeAddrs{2, [][16]byte{{10, 0, 0, 1}, {10, 0, 1, 1}}}
	node := NodeStatus{Version: 1, Node: 3, Reachable: true, External: true, OnwireMin: 1, OnwireMax: 2, OnwireVer: 1}
	node.Links[1] = Link{Enabled: true, Connected: true, MTU: 1446, Source: "10.0.0.1", Destination: "10.0.0.3"}
	return []martest.Message{
		martest.Of("kill", kill.Append(nil), 288, KillReqSize, map[int]string{0: "\x02", 8: "\x20\x01", 16: "\x03", 24: "\x04\x00why\x00"}, kill, ParseKillReq),
		martest.Of("shutdown", AppendTryShutdownReq(nil, ShutdownRegardless), 24, 20, map[int]string{0: "\x03", 16: "\x01"}, uint32(1), ParseNumberReq),
		martest.Of("answer", AppendReplyToShutdownReq(nil, ShutdownYes), 24, 20, map[int]string{0: "\x04", 16: "\x01"}, uint32(1), ParseNumberReq),
		martest.Of("addrs", AppendGetNodeAddrsReq(nil, 3), 24, 20, map[int]string{0: "\x05", 16: "\x03"}, uint32(3), ParseNumberReq),
		martest.Of("status", status.Append(nil), 32, NodeStatusReqSize, map[int]string{0: "\x09", 16: "\x03", 24: "\x01"}, status, ParseNodeStatusReq),
		martest.Of("track", AppendTrackStartReq(nil, 2), 24, 17, map[int]string{0: "\x0a", 16: "\x02"}, uint8(2), ParseTrackStartReq),
		martest.Of("rings reply", AppendRingStatusRes(nil, rings, service.OK), 10272, RingStatusResSize,
			map[int]string{0: "\x00", 16: "\x01", 24: "\x02", 32: "0 10", 160: "1 10", 2080: "n33\x00", 2592: "n3\x00"}, rings, ParseRingStatusRes),
		martest.Of("addrs reply", addrs.Append(nil, service.OK), 64, 64, map[int]string{0: "\x0b", 24: "\x02\x00\x00\x00\x02", 32: "\x0a\x00\x00\x01", 48: "\x0a\x00\x01"}, addrs, ParseNodeAddrsRes),
		martest.Of("local reply", AppendLocalGetRes(nil, 3), 32, 28, map[int]string{0: "\x0c", 24: "\x03"}, uint32(3), ParseNumberRes),
		martest.Of("test shutdown", AppendTestShutdown(nil, ShutdownRequest), 32, 28, map[int]string{0: "\x0a", 24: "\x00"}, uint32(0), ParseNumberRes),
		martest.Of("refusal", AppendNodeStatusRefusal(nil, 7, service.ErrNotSupported), 32, 28, map[int]string{0: "\x10", 16: "\x13", 24: "\x07"}, uint32(7), ParseNumberRes),
		martest.Of("status reply", node.Append(nil, service.OK), 4200, NodeStatusResSize,
			map[int]string{0: "\x10", 24: "\x01\x00\x00\x00\x03\x00\x00\x00\x01\x00\x01\x01\x02\x01", 560: "\x01\x01\x00", 564: "\xa6\x05", 568: "10.0.0.1\x00", 824: "10.0.0.3\x00"}, node, ParseNodeStatusRes),
	}
}

func TestLayouts(t *testing.T) { martest.Layouts(t, messages()) }

func TestTruncated(t *testing.T) { martest.AllTruncated(t, messages()) }

func TestKillReasonIsCut(t *testing.T) {
	r := KillReq{1, strings.Repeat("x", 300)}
	got, err := ParseKillReq(r.Append(nil))
	if err != nil || got.Reason != strings.Repeat("x", ReasonSize-1) {
		t.Errorf("%d bytes of reason, %v", len(got.Reason), err)
	}
}

func FuzzWire(f *testing.F) { martest.Fuzz(f, messages()) }
