package mar

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pacesync/pacesync/internal/corosync/service"
)

// TestFields: what is stored in our order is read in our order, and in the other
// from a message whose words are turned round.
func TestFields(t *testing.T) {
	b := make([]byte, 56)
	PutReq(b, ID(4, 1), 56)
	ring := service.RingID{Rep: 0x01020304, Seq: 0x0506070809}
	PutRing(b, 16, ring)
	PutPackedRing(b, 32, ring)
	PutU64(b, 48, 0xfffefdfcfbfaf9f8)
	for _, swapped := range []bool{false, true} {
		if swapped {
			for _, f := range [][2]int{{0, 4}, {8, 4}, {16, 4}, {24, 8}, {32, 4}, {36, 8}, {48, 8}} {
				slices.Reverse(b[f[0] : f[0]+f[1]])
			}
		}
		v := View{B: b, Swapped: swapped}
		if v.I32(0) != 4<<16|1 || v.U32(8) != 56 || v.Ring(16) != ring || v.PackedRing(32) != ring || v.U64(48) != 0xfffefdfcfbfaf9f8 {
			t.Errorf("swapped %v: %x", swapped, b)
		}
	}
}

// TestResponses: a header is what was put, and one that is cut short is refused.
func TestResponses(t *testing.T) {
	b := make([]byte, ResSize)
	PutRes(b, 7, ResSize, service.ErrAccess)
	if r, err := ParseRes(b); err != nil || r != (Res{7, ResSize, service.ErrAccess}) {
		t.Errorf("%+v, %v", r, err)
	}
	for n := range b {
		var short *ShortError
		if _, err := ParseRes(b[:n]); !errors.As(err, &short) || short.Have != n || short.Need != ResSize {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if all, added := Extend(bytes.Clone(b), 3); len(all) != ResSize+3 || len(added) != 3 || &added[0] != &all[ResSize] {
		t.Errorf("%d and %d bytes", len(all), len(added))
	}
	if got := AppendStatus(nil, 7, service.ErrAccess); !bytes.Equal(got, b) {
		t.Errorf("%x, want %x", got, b)
	}
}

// TestCount: a number of items is believed only when they are there.
func TestCount(t *testing.T) {
	b := make([]byte, 30)
	for _, c := range []struct {
		n    uint32
		want string
	}{
		{0, ""}, {5, ""}, {6, "list: 30 bytes, need 34"}, {10, "list: 30 bytes, need 50"},
		{11, "list: 11 is over 10"}, {0xffffffff, "list: 4294967295 is over 10"},
	} {
		got := ""
		if err := Count("list", b, 10, c.n, 4, 10); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%d items: %q, want %q", c.n, got, c.want)
		}
	}
}
