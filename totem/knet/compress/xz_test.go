package compress

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// withDictionary changes the size of the dictionary that a file of .xz asks for.
func withDictionary(file []byte, size byte) []byte {
	out := bytes.Clone(file)
	at := bytes.IndexByte(out[12:], 0x21) + 12
	out[at+2] = size
	header := out[12 : 12+4*(int(out[12])+1)]
	binary.LittleEndian.PutUint32(header[len(header)-4:], crc32.ChecksumIEEE(header[:len(header)-4]))
	return out
}

// TestXZHeaders: what is not as knet sends it is refused by name.
func TestXZHeaders(t *testing.T) {
	c := set(t, LZMA, 1)
	good, err := c.Compress(nil, []byte("something to pack"))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Decompress(nil, uint8(LZMA), withDictionary(good, 40), 100); err != nil || string(out) != "something to pack" {
		t.Errorf("a claim of a long dictionary that isn't used: %q, %v", out, err)
	}
	for i := range 24 { // stream header, block header: each byte is under a checksum
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := c.Decompress(nil, uint8(LZMA), bad, 100); err == nil {
			t.Errorf("byte %d changed: unpacked", i)
		}
	}
}

// TestXZBlocks: headers with right checksums that say what knet never does, and
// one that says more than it has to.
func TestXZBlocks(t *testing.T) {
	c := set(t, LZMA, 1)
	good, err := c.Compress(nil, []byte("something to pack"))
	if err != nil {
		t.Fatal(err)
	}
	chunks := good[12+4*(int(good[12])+1):]
	block := func(flags byte, fields ...byte) []byte {
		h := append([]byte{0, flags}, fields...)
		for len(h)%4 != 0 {
			h = append(h, 0)
		}
		h[0] = byte(len(h) / 4)
		h = binary.LittleEndian.AppendUint32(h, crc32.ChecksumIEEE(h))
		return append(append(bytes.Clone(good[:12]), h...), chunks...)
	}
	checked := bytes.Clone(good)
	checked[7] = 1
	binary.LittleEndian.PutUint32(checked[8:], crc32.ChecksumIEEE(checked[6:8]))
	never := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	for _, k := range []struct {
		name string
		file []byte
		fits bool
	}{
		{"as it is", block(0, 0x21, 1, 20), true},
		{"with both sizes", block(0xc0, 30, 17, 0x21, 1, 20), true},
		{"with a check", checked, false},
		{"no block", append(bytes.Clone(good[:12]), 0, 0, 0, 0), false},
		{"two filters", block(1, 0x03, 1, 0, 0x21, 1, 20), false},
		{"a size without end", block(0x40, never...), false},
		{"another filter", block(0, 0x03, 1, 20), false},
		{"two bytes of properties", block(0, 0x21, 2, 20, 20), false},
		{"a dictionary of nobody", block(0, 0x21, 1, 41), false},
		{"no filter", block(0xc0, 30, 17), false},
		{"padding", block(0, 0x21, 1, 20, 1), false},
	} {
		out, err := c.Decompress(nil, uint8(LZMA), k.file, 100)
		if (err == nil) != k.fits || k.fits && string(out) != "something to pack" {
			t.Errorf("%s: %q, %v", k.name, out, err)
		}
	}
}
