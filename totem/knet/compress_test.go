package knet

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// runs is a simple compression for tests: pairs of count and byte.
type runs struct {
	model uint8
	fail  bool
}

func (r runs) Model() uint8 { return r.model }

func (r runs) Compress(dst, src []byte) ([]byte, error) {
	if r.fail {
		return nil, errors.New("failed")
	}
	for i := 0; i < len(src); {
		n := 1
		for i+n < len(src) && n < 255 && src[i+n] == src[i] {
			n++
		}
		dst = append(dst, byte(n), src[i])
		i += n
	}
	return dst, nil
}

func (r runs) Decompress(dst []byte, model uint8, src []byte, limit int) ([]byte, error) {
	if model != 9 || len(src)%2 != 0 {
		return nil, errors.New("not ours")
	}
	start := len(dst)
	for i := 0; i < len(src); i += 2 {
		if len(dst)-start+int(src[i]) > limit {
			return nil, errors.New("too long")
		}
		for range src[i] {
			dst = append(dst, src[i+1])
		}
	}
	return dst, nil
}

// TestCompress: long datagrams go compressed when that makes them smaller, before
// they are fragmented.
func TestCompress(t *testing.T) {
	noise := make([]byte, 5000)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	for _, c := range []struct {
		name       string
		data       []byte
		threshold  int
		compressed bool
		packets    int
	}{
		{"long", bytes.Repeat([]byte{1}, 60000), 0, true, 1},
		{"at the threshold", bytes.Repeat([]byte{1}, 100), 0, false, 1},
		{"above it", bytes.Repeat([]byte{1}, 101), 0, true, 1},
		{"another threshold", bytes.Repeat([]byte{1}, 101), 1000, false, 1},
		{"all", bytes.Repeat([]byte{1}, 3), 1, true, 1},
		{"grows", noise, 0, false, 4},
	} {
		w := newWorld(t, 1, 2, 1, func(cfg *Config) { cfg.Compress, cfg.CompressThreshold = runs{model: 9}, c.threshold })
		w.up()
		w.nodes[0].e.Send(w.now, 0, c.data)
		out := w.nodes[0].e.Output()
		var h Header
		if _, err := h.parse(out.Send[0].Data); err != nil || (h.Compress == 9) != c.compressed || len(out.Send) != c.packets {
			t.Errorf("%s: %d packets, model %d, %v", c.name, len(out.Send), h.Compress, err)
		}
		for i := range out.Send {
			w.transmit(w.nodes[0], &out.Send[i])
		}
		w.run(time.Second)
		if got := w.nodes[1].got; len(got) != 1 || !bytes.Equal(got[0], c.data) {
			t.Errorf("%s: did not come", c.name)
		}
		var tx, rx Stats
		w.nodes[0].e.Stats(&tx)
		w.nodes[1].e.Stats(&rx)
		if c.compressed != (rx.RxCompressedPackets == 1) || c.compressed == (tx.TxUncompressedPackets == 1) ||
			c.compressed && (tx.TxCompressedOriginalBytes != uint64(len(c.data)) || rx.RxCompressedOriginalBytes != uint64(len(c.data))) {
			t.Errorf("%s: %+v, %+v", c.name, tx, rx)
		}
	}
}

// TestDecompressBounded: whatever a datagram says it is, no more than one datagram
// comes out of it (kronosnet 1ffb2b44).
func TestDecompressBounded(t *testing.T) {
	e := captureEngine(t)
	h := Header{Seq: 1, Fragments: 1, Compress: 9}
	if got := feed(e, h, []byte{3, 1}); len(got) != 0 {
		t.Error("compressed data came although nothing decompresses")
	}
	e.cfg.Compress = runs{model: 9}
	bomb := bytes.Repeat([]byte{255, 1}, 300)
	most := append(bytes.Repeat([]byte{255, 1}, 257), 1, 1)
	for i, c := range []struct {
		data  []byte
		model uint8
		want  int // -1: dropped
	}{
		{bomb, 9, -1}, {most, 9, MaxPacket}, {[]byte{1}, 9, -1}, {[]byte{1, 1}, 8, -1}, {[]byte{0, 1}, 9, -1}, {[]byte{5, 1}, 9, 5},
	} {
		h.Seq, h.Compress = uint16(i+2), c.model
		got := feed(e, h, c.data)
		if c.want < 0 && len(got) != 0 || c.want >= 0 && (len(got) != 1 || len(got[0]) != c.want) {
			t.Errorf("datagram %d: %d came", i, len(got))
		}
	}
	// What could not be decompressed does not use up its number.
	h.Seq, h.Compress = 2, 0
	if got := feed(e, h, []byte{1}); len(got) != 1 {
		t.Error("the number of a datagram that was dropped is used up")
	}
	var s Stats
	if e.Stats(&s); s.Dropped[DropDecompress] != 5 {
		t.Errorf("%d dropped, want 5", s.Dropped[DropDecompress])
	}
}

// TestCompressFails: a datagram that cannot be compressed goes as it is.
func TestCompressFails(t *testing.T) {
	w := newWorld(t, 1, 2, 1, func(cfg *Config) { cfg.Compress = runs{model: 9, fail: true} })
	w.up()
	w.nodes[0].send(0, make([]byte, 3000))
	w.run(time.Second)
	if len(w.nodes[1].got) != 1 || w.nodes[0].count(EventCompressFailed) != 1 {
		t.Errorf("%d came, told %d times", len(w.nodes[1].got), w.nodes[0].count(EventCompressFailed))
	}
}
