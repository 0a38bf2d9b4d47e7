package compress

import (
	"bytes"
	"testing"
)

// FuzzDecompress unpacks anything as anything: never more than the limit, and what
// is unpacked can be packed and unpacked again.
func FuzzDecompress(f *testing.F) {
	for m := Zlib; m < models; m++ {
		c := set(f, m, 1)
		for _, src := range [][]byte{[]byte("abc"), bytes.Repeat([]byte("knet "), 100), inputs()["far"][:600]} {
			packed, err := c.Compress(nil, src)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(m), packed)
		}
	}
	c := New() // used again and again, as a node does
	f.Fuzz(func(t *testing.T, model uint8, packed []byte) {
		model = model % uint8(models)
		front := []byte("front")
		out, err := c.Decompress(front, model, packed, limit)
		if len(out) > limit+len(front) {
			t.Fatalf("%s: %d bytes", Model(model), len(out))
		}
		if err != nil {
			return
		}
		again, err := c.Decompress(nil, model, packed, limit)
		if err != nil || !bytes.Equal(again, out[len(front):]) {
			t.Fatalf("%s: the second time %d bytes and %v, the first time %d", Model(model), len(again), err, len(out))
		}
	})
}

// FuzzLZO packs anything and unpacks it.
func FuzzLZO(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add(inputs()["far"][:2000], uint16(30))
	f.Fuzz(func(t *testing.T, src []byte, times uint16) {
		if len(src) > 0 {
			src = bytes.Repeat(src, 1+int(times)%(1+limit/len(src)))
		}
		src = src[:min(len(src), limit)]
		var c lzoCodec
		packed, err := c.pack(nil, src)
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.unpack(nil, packed, len(src))
		if err != nil || !bytes.Equal(out, src) {
			t.Fatalf("%d bytes packed to %d unpack to %d: %v", len(src), len(packed), len(out), err)
		}
	})
}
