package bz2

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, text := range []string{"", "x", strings.Repeat("<node id=\"1\" uname=\"n1\"/>", 40000)} {
		packed, err := Compress([]byte(text), MessageLevel)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decompress(packed, len(text))
		if err != nil || string(got) != text {
			t.Errorf("%d bytes: came back as %d: %v", len(text), len(got), err)
		}
		if len(text) > 0 {
			if _, err := Decompress(packed, len(text)-1); !errors.Is(err, ErrTooLong) {
				t.Errorf("%d bytes into one less: %v", len(text), err)
			}
		}
	}
}

func TestDecompressRefusesGarbage(t *testing.T) {
	packed, err := Compress([]byte("<a/>"), MessageLevel)
	if err != nil {
		t.Fatal(err)
	}
	for i := range packed {
		if _, err := Decompress(packed[:i], 100); err == nil {
			t.Errorf("the first %d bytes of %d were taken", i, len(packed))
		}
	}
}

// FuzzRoundTrip checks that what is packed comes back, and that anything else
// is an error or short enough.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("BZh41AY&SY"))
	f.Add(bytes.Repeat([]byte("ab"), 300))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := Decompress(b, 1<<16); err == nil && len(got) > 1<<16 {
			t.Fatalf("%d bytes", len(got))
		}
		packed, err := Compress(b, MessageLevel)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decompress(packed, len(b))
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%x: %v", got, err)
		}
	})
}
