package wire

import (
	"bytes"
	"reflect"
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
	at    []field
	want  any
	parse func([]byte) (any, error)
}

func any1[T any](parse func([]byte) (T, error)) func([]byte) (any, error) {
	return func(b []byte) (any, error) { return parse(b) }
}

func messages() []message {
	set := SetReq{Key: "a.b", Type: 11, Value: []byte("xyz\x00")}
	get := GetReq{"a.b", 16}
	adjust := AdjustReq{"a.b", -1}
	track := TrackAddReq{"a.", 15, 0x1122334455667788}
	getRes := GetRes{Len: 4, Type: 6, Value: []byte{7, 0, 0, 0}}
	item := Item{"a.b", 4, 6}
	notify := Notify{Instance: 9, Key: "a.b", Event: TrackModify, NewType: 2, OldType: 11, New: []byte{5}, Old: []byte("old\x00")}
	return []message{
		{"set", append(set.AppendHeader(nil), set.Value...), 300,
			[]field{{0, "\x00"}, {8, "\x2c\x01"}, {16, "\x03\x00"}, {24, "a.b\x00"}, {280, "\x04\x00"}, {288, "\x0b"}, {296, "xyz\x00"}}, set, any1(ParseSetReq)},
		{"delete", AppendDeleteReq(nil, "a.b"), 280, []field{{0, "\x01"}, {8, "\x18\x01"}, {24, "a.b\x00"}}, "a.b", any1(ParseKeyReq)},
		{"get", get.Append(nil), 288, []field{{0, "\x02"}, {280, "\x10\x00"}}, get, any1(ParseGetReq)},
		{"adjust", adjust.Append(nil), 288, []field{{0, "\x03"}, {280, "\xff\xff\xff\xff\x00"}}, adjust, any1(ParseAdjustReq)},
		{"iter init", AppendIterInitReq(nil, ""), 280, []field{{0, "\x04"}, {16, "\x00\x00"}}, "", any1(ParseKeyReq)},
		{"iter next", AppendIterNextReq(nil, 258), 24, []field{{0, "\x05"}, {16, "\x02\x01"}}, uint64(258), any1(ParseHandleReq)},
		{"iter finalize", AppendIterFinalizeReq(nil, 1), 24, []field{{0, "\x06"}}, uint64(1), any1(ParseHandleReq)},
		{"track add", track.Append(nil), 296, []field{{0, "\x07"}, {280, "\x0f"}, {288, "\x88\x77"}}, track, any1(ParseTrackAddReq)},
		{"track delete", AppendTrackDeleteReq(nil, 1), 24, []field{{0, "\x08"}}, uint64(1), any1(ParseHandleReq)},
		{"set map", AppendSetMapReq(nil, MapStats), 24, []field{{0, "\x09"}, {16, "\x01"}}, int32(1), any1(ParseSetMapReq)},
		{"get reply", AppendGetRes(nil, &getRes, 16, service.OK), 56,
			[]field{{0, "\x02"}, {8, "\x38"}, {16, "\x01"}, {24, "\x04"}, {32, "\x06"}, {40, "\x07\x00"}}, getRes, any1(ParseGetRes)},
		{"handle reply", AppendHandleRes(nil, ResTrackAdd, 3, service.OK), 32, []field{{0, "\x07"}, {24, "\x03"}}, uint64(3), any1(ParseHandleRes)},
		{"item reply", AppendItemRes(nil, &item, service.OK), 304, []field{{0, "\x05"}, {24, "\x03"}, {32, "a.b"}, {288, "\x04"}, {296, "\x06"}}, item, any1(ParseItemRes)},
		{"notify", notify.Append(nil), 341,
			[]field{{0, "\x09"}, {24, "\x09"}, {32, "\x03\x00"}, {40, "a.b"}, {296, "\x02"}, {304, "\x02"}, {312, "\x0b"}, {320, "\x01\x00"}, {328, "\x04\x00"}, {336, "\x05old\x00"}}, notify, any1(ParseNotify)},
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

// TestTruncated cuts every message at every place: no panic, an error wherever
// a field is missing.
func TestTruncated(t *testing.T) {
	for _, m := range messages() {
		fixed := m.size
		switch m.name {
		case "get reply":
			fixed = GetResSize // a value may be shorter than its length says
		case "iter next", "iter finalize", "track delete", "set map":
			fixed = HandleReqSize
		}
		for n := range fixed {
			if got, err := m.parse(m.bytes[:n:n]); err == nil {
				t.Errorf("%s cut to %d bytes: %+v, want an error", m.name, n, got)
			}
		}
	}
}

func TestLyingLengths(t *testing.T) {
	big := bytes.Repeat([]byte{0xff}, 400)
	for _, m := range messages() {
		switch m.name {
		case "iter next", "iter finalize", "track delete", "set map", "handle reply", "get reply":
			continue // plain numbers
		}
		if got, err := m.parse(big); err == nil {
			t.Errorf("%s of all ones: %+v, want an error", m.name, got)
		}
	}
}

func FuzzWire(f *testing.F) {
	for i, m := range messages() {
		f.Add(uint8(i), m.bytes)
	}
	kinds := messages()
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
