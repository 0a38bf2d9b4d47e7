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
