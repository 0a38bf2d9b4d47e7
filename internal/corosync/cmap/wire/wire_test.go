package wire

import (
	"bytes"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/mar/martest"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// messages is one message of every kind.
func messages() []martest.Message {
	set := SetReq{Key: "a.b", Type: 11, Value: []byte("xyz\x00")}
	get := GetReq{"a.b", 16}
	adjust := AdjustReq{"a.b", -1}
	track := TrackAddReq{"a.", 15, 0x1122334455667788}
	getRes := GetRes{Len: 4, Type: 6, Value: []byte{7, 0, 0, 0}}
	item := Item{"a.b", 4, 6}
	notify := Notify{Instance: 9, Key: "a.b", Event: TrackModify, NewType: 2, OldType: 11, New: []byte{5}, Old: []byte("old\x00")}
	return []martest.Message{
		martest.Of("set", append(set.AppendHeader(nil), set.Value...), 300, 300,
			map[int]string{0: "\x00", 8: "\x2c\x01", 16: "\x03\x00", 24: "a.b\x00", 280: "\x04\x00", 288: "\x0b", 296: "xyz\x00"}, set, ParseSetReq),
		martest.Of("delete", AppendDeleteReq(nil, "a.b"), 280, 280, map[int]string{0: "\x01", 8: "\x18\x01", 24: "a.b\x00"}, "a.b", ParseKeyReq),
		martest.Of("get", get.Append(nil), 288, 288, map[int]string{0: "\x02", 280: "\x10\x00"}, get, ParseGetReq),
		martest.Of("adjust", adjust.Append(nil), 288, 288, map[int]string{0: "\x03", 280: "\xff\xff\xff\xff\x00"}, adjust, ParseAdjustReq),
		martest.Of("iter init", AppendIterInitReq(nil, ""), 280, 280, map[int]string{0: "\x04", 16: "\x00\x00"}, "", ParseKeyReq),
		martest.Of("iter next", AppendIterNextReq(nil, 258), 24, HandleReqSize, map[int]string{0: "\x05", 16: "\x02\x01"}, uint64(258), ParseHandleReq),
		martest.Of("iter finalize", AppendIterFinalizeReq(nil, 1), 24, HandleReqSize, map[int]string{0: "\x06"}, uint64(1), ParseHandleReq),
		martest.Of("track add", track.Append(nil), 296, 296, map[int]string{0: "\x07", 280: "\x0f", 288: "\x88\x77"}, track, ParseTrackAddReq),
		martest.Of("track delete", AppendTrackDeleteReq(nil, 1), 24, HandleReqSize, map[int]string{0: "\x08"}, uint64(1), ParseHandleReq),
		martest.Of("set map", AppendSetMapReq(nil, MapStats), 24, HandleReqSize, map[int]string{0: "\x09", 16: "\x01"}, int32(1), ParseSetMapReq),
		martest.Of("get reply", AppendGetRes(nil, &getRes, 16, service.OK), 56, GetResSize,
			map[int]string{0: "\x02", 8: "\x38", 16: "\x01", 24: "\x04", 32: "\x06", 40: "\x07\x00"}, getRes, ParseGetRes),
		martest.Of("handle reply", AppendHandleRes(nil, ResTrackAdd, 3, service.OK), 32, 32, map[int]string{0: "\x07", 24: "\x03"}, uint64(3), ParseHandleRes),
		martest.Of("item reply", AppendItemRes(nil, &item, service.OK), 304, 304, map[int]string{0: "\x05", 24: "\x03", 32: "a.b", 288: "\x04", 296: "\x06"}, item, ParseItemRes),
		martest.Of("notify", notify.Append(nil), 341, 341,
			map[int]string{0: "\x09", 24: "\x09", 32: "\x03\x00", 40: "a.b", 296: "\x02", 304: "\x02", 312: "\x0b", 320: "\x01\x00", 328: "\x04\x00", 336: "\x05old\x00"}, notify, ParseNotify),
	}
}

func TestLayouts(t *testing.T) { martest.Layouts(t, messages()) }

func TestTruncated(t *testing.T) { martest.AllTruncated(t, messages()) }

func TestLyingLengths(t *testing.T) {
	big := bytes.Repeat([]byte{0xff}, 400)
	for _, m := range messages() {
		switch m.Name {
		case "iter next", "iter finalize", "track delete", "set map", "handle reply", "get reply":
			continue // plain numbers
		}
		if got, err := m.Parse(big); err == nil {
			t.Errorf("%s of all ones: %+v, want an error", m.Name, got)
		}
	}
}

func FuzzWire(f *testing.F) { martest.Fuzz(f, messages()) }
