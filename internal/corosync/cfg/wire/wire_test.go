package wire

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// field is a place in a message and the bytes that belong there, as gdb's
// ptype /o shows the C structure.
type field struct {
	off   int
	bytes string
}

// message is one message of every kind: what it looks like and how to read it.
type message struct {
	name  string
	bytes []byte
	size  int
	need  int // shortest length that can be read
	at    []field
	want  any
	parse func([]byte) (any, error)
}

func any1[T any](parse func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return parse(b) }
}

func messages() []message {
	kill := KillReq{3, "why"}
	status := NodeStatusReq{3, StatusVersionV1}
	rings := []Ring{{"0 10.0.0.1", "n33"}, {"1 10.0.1.1", "n3"}}
	addrs := NodeAddrs{2, [][16]byte{{10, 0, 0, 1}, {10, 0, 1, 1}}}
	node := NodeStatus{Version: 1, Node: 3, Reachable: true, External: true, OnwireMin: 1, OnwireMax: 2, OnwireVer: 1}
	node.Links[1] = Link{Enabled: true, Connected: true, MTU: 1446, Source: "10.0.0.1", Destination: "10.0.0.3"}
	return []message{
		{"kill", kill.Append(nil), 288, KillReqSize, []field{{0, "\x02"}, {8, "\x20\x01"}, {16, "\x03"}, {24, "\x04\x00why\x00"}}, kill, any1(ParseKillReq)},
		{"shutdown", AppendTryShutdownReq(nil, ShutdownRegardless), 24, 20, []field{{0, "\x03"}, {16, "\x01"}}, uint32(1), any1(ParseNumberReq)},
		{"answer", AppendReplyToShutdownReq(nil, ShutdownYes), 24, 20, []field{{0, "\x04"}, {16, "\x01"}}, uint32(1), any1(ParseNumberReq)},
		{"addrs", AppendGetNodeAddrsReq(nil, 3), 24, 20, []field{{0, "\x05"}, {16, "\x03"}}, uint32(3), any1(ParseNumberReq)},
		{"status", status.Append(nil), 32, NodeStatusReqSize, []field{{0, "\x09"}, {16, "\x03"}, {24, "\x01"}}, status, any1(ParseNodeStatusReq)},
		{"track", AppendTrackStartReq(nil, 2), 24, 17, []field{{0, "\x0a"}, {16, "\x02"}}, uint8(2), any1(ParseTrackStartReq)},
		{"rings reply", AppendRingStatusRes(nil, rings, service.OK), 10272, RingStatusResSize,
			[]field{{0, "\x00"}, {16, "\x01"}, {24, "\x02"}, {32, "0 10"}, {160, "1 10"}, {2080, "n33\x00"}, {2592, "n3\x00"}}, rings, any1(ParseRingStatusRes)},
		{"addrs reply", addrs.Append(nil, service.OK), 64, 64, []field{{0, "\x0b"}, {24, "\x02\x00\x00\x00\x02"}, {32, "\x0a\x00\x00\x01"}, {48, "\x0a\x00\x01"}}, addrs, any1(ParseNodeAddrsRes)},
		{"local reply", AppendLocalGetRes(nil, 3), 32, 28, []field{{0, "\x0c"}, {24, "\x03"}}, uint32(3), any1(ParseNumberRes)},
		{"test shutdown", AppendTestShutdown(nil, ShutdownRequest), 32, 28, []field{{0, "\x0a"}, {24, "\x00"}}, uint32(0), any1(ParseNumberRes)},
		{"refusal", AppendNodeStatusRefusal(nil, 7, service.ErrNotSupported), 32, 28, []field{{0, "\x10"}, {16, "\x13"}, {24, "\x07"}}, uint32(7), any1(ParseNumberRes)},
		{"status reply", node.Append(nil, service.OK), 4200, NodeStatusResSize,
			[]field{{0, "\x10"}, {24, "\x01\x00\x00\x00\x03\x00\x00\x00\x01\x00\x01\x01\x02\x01"}, {560, "\x01\x01\x00"}, {564, "\xa6\x05"}, {568, "10.0.0.1\x00"}, {824, "10.0.0.3\x00"}}, node, any1(ParseNodeStatusRes)},
	}
}

func TestLayouts(t *testing.T) {
	for _, m := range messages() {
		if len(m.bytes) != m.size {
			t.Errorf("%s: %d bytes, want %d", m.name, len(m.bytes), m.size)
			continue
		}
		if got := (mar.View{B: m.bytes}).U32(8); int(got) != m.size {
			t.Errorf("%s: header says %d bytes, want %d", m.name, got, m.size)
		}
		for _, f := range m.at {
			if got := m.bytes[f.off : f.off+len(f.bytes)]; string(got) != f.bytes {
				t.Errorf("%s @%d: %x, want %x", m.name, f.off, got, f.bytes)
			}
		}
		if got, err := m.parse(m.bytes); err != nil || !reflect.DeepEqual(got, m.want) {
			t.Errorf("%s: parsed %+v, %v, want %+v", m.name, got, err, m.want)
		}
	}
}

func TestTruncated(t *testing.T) {
	for _, m := range messages() {
		for n := range m.need {
			if got, err := m.parse(m.bytes[:n:n]); err == nil {
				t.Errorf("%s cut to %d bytes: %+v, want an error", m.name, n, got)
			}
		}
	}
}

func TestKillReasonIsCut(t *testing.T) {
	r := KillReq{1, strings.Repeat("x", 300)}
	got, err := ParseKillReq(r.Append(nil))
	if err != nil || got.Reason != strings.Repeat("x", ReasonSize-1) {
		t.Errorf("%d bytes of reason, %v", len(got.Reason), err)
	}
}

func FuzzWire(f *testing.F) {
	kinds := messages()
	for i, m := range kinds {
		f.Add(uint8(i), m.bytes)
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		m := kinds[int(kind)%len(kinds)]
		first, err := m.parse(b)
		if err != nil {
			return
		}
		second, err := m.parse(bytes.Clone(b))
		if err != nil || !reflect.DeepEqual(first, second) {
			t.Errorf("%s: %+v then %+v, %v", m.name, first, second, err)
		}
	})
}
