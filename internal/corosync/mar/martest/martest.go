// Package martest checks message layouts in tests of the wire packages: which
// bytes are set, that every shorter message is refused, and what a sender of
// the other byte order writes.
package martest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
)

// Layout checks size and fields; all other bytes must be zero. The header's id
// and size are given apart; fields are pairs of offset and value (uint32,
// uint64, byte or string).
func Layout(t testing.TB, name string, msg []byte, id int32, size int, fields ...any) {
	t.Helper()
	want := make([]byte, size)
	put(want, 0, uint32(id))
	put(want, 8, uint32(size))
	for i := 0; i < len(fields); i += 2 {
		put(want, fields[i].(int), fields[i+1])
	}
	Equal(t, name, msg, want)
}

// Equal compares messages and shows the first difference with its offset.
func Equal(t testing.TB, name string, got, want []byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			at := i &^ 3
			t.Errorf("%s: bytes at %d are %x, want %x", name, at, got[at:min(at+8, len(got))], want[at:min(at+8, len(want))])
			return
		}
	}
}

func put(b []byte, off int, val any) {
	switch v := val.(type) {
	case uint32:
		binary.NativeEndian.PutUint32(b[off:], v)
	case uint64:
		binary.NativeEndian.PutUint64(b[off:], v)
	case byte:
		b[off] = v
	case string:
		copy(b[off:], v)
	default:
		panic(fmt.Sprintf("field at %d: type %T", off, val))
	}
}

// Truncated checks that parse refuses every prefix of msg shorter than need.
func Truncated(t testing.TB, name string, msg []byte, need int, parse func([]byte) error) {
	t.Helper()
	if err := parse(msg); err != nil {
		t.Errorf("%s: whole message refused: %v", name, err)
	}
	for i := range need {
		if parse(slices.Clip(bytes.Clone(msg[:i]))) == nil {
			t.Errorf("%s: %d of %d bytes accepted", name, i, len(msg))
			return
		}
	}
}

// Swap is msg as a sender of the other byte order writes it: the header's id
// and size and the 4-byte fields at offs reversed; negative offsets are 8-byte
// fields.
func Swap(msg []byte, offs ...int) []byte {
	b := bytes.Clone(msg)
	for _, o := range append([]int{0, 8}, offs...) {
		if o < 0 {
			slices.Reverse(b[-o : -o+8])
		} else {
			slices.Reverse(b[o : o+4])
		}
	}
	return b
}
