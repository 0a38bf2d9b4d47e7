package wire

import (
	"testing"

	"github.com/pacesync/pacesync/totem/wire/wiretest"
)

// FuzzMessage: what is accepted can be encoded, and means the same again.
func FuzzMessage(f *testing.F) {
	for _, g := range golden {
		b := unhex(f, g.hex)
		f.Add(b)
		f.Add(wiretest.Fields(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Message
		if err := m.Parse(b); err != nil {
			return
		}
		enc := m.Append(nil)
		if len(enc) > len(b) {
			t.Fatalf("%d bytes became %d", len(b), len(enc))
		}
		if err := again.Parse(enc); err != nil {
			t.Fatalf("own encoding refused: %v", err)
		}
		if m.String() != again.String() {
			t.Fatalf("%s became %s", &m, &again)
		}
	})
}

// FuzzPack: the pieces of an accepted payload are exactly its data.
func FuzzPack(f *testing.F) {
	f.Add(append(AppendPack(nil, 1, 0, []uint16{2, 3}), "abcde"...), false)
	f.Add(AppendPack(nil, 0, 0, nil), true)
	f.Fuzz(func(t *testing.T, b []byte, swapped bool) {
		p, err := ParsePack(b, swapped)
		if err != nil {
			return
		}
		total := PackLen + 2*p.Count
		for i := range p.Count {
			total += len(p.Next(i))
		}
		if total != len(b) {
			t.Fatalf("pieces cover %d of %d bytes", total, len(b))
		}
	})
}
