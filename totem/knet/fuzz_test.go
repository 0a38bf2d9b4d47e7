package knet

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pacesync/pacesync/totem/knet/compress"
)

// FuzzHeader: what is accepted can be encoded and means the same again.
func FuzzHeader(f *testing.F) {
	for _, g := range golden(f) {
		f.Add(unpackHex(f, g.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h, again Header
		payload, err := h.parse(b)
		if err != nil {
			return
		}
		enc := append(h.append(nil), payload...)
		rest, err := again.parse(enc)
		if err != nil || again != h || !bytes.Equal(rest, payload) || len(enc) != len(b) {
			t.Fatalf("%+v became %+v (%v)", h, again, err)
		}
	})
}

// FuzzEngine: a sequence of packets, times and failures, all of the fuzzer's making,
// goes into one engine. It stays consistent, does not spin, and delivers nothing
// longer than a datagram can be. Without the key, nothing of this would get past the
// digest: see FuzzEngineWithKey.
//
// The input is a list of steps: length u16, milliseconds u8, kind u8, bytes.
func FuzzEngine(f *testing.F) {
	addSteps(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg := testConfig(1, 3, 2)
		cfg.Compress = runs{model: 9}
		fuzzEngine(t, cfg, b, bytes.Clone)
	})
}

// FuzzEngineWithKey: the same, with everything sealed by peers that have the key, and
// with the real compressions: a model's data goes into its own decoder.
func FuzzEngineWithKey(f *testing.F) {
	addSteps(f)
	f.Add(fuzzCompressed(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		cfg := testConfig(1, 3, 2)
		cfg.Crypto = testKeys(t, "aes256", "sha256", 7)
		pack := compress.New()
		if _, err := pack.Set("zlib", 5); err != nil {
			t.Fatal(err)
		}
		cfg.Compress, cfg.CompressThreshold = pack, 1
		peers := testKeys(t, "aes256", "sha256", 7)
		fuzzEngine(t, cfg, b, func(data []byte) []byte {
			salt := peers.Salt()
			sealed := [][]byte{append(make([]byte, salt, max(peers.Sealed(len(data)), salt+len(data))), data...)}
			if err := peers.Seal(sealed); err != nil {
				t.Fatal(err)
			}
			return sealed[0]
		})
	})
}

// addSteps is where the fuzzer starts from.
func addSteps(f *testing.F) {
	var seed []byte
	for _, g := range golden(f) {
		b := unpackHex(f, g.hex)
		if len(b) > 200 {
			b = b[:200]
		}
		b[3] = 2
		seed = appendStep(seed, 100, 0, b)
	}
	f.Add(seed)
	f.Add(fuzzConversation())
}

// fuzzEngine runs the steps on an engine; wire makes of a packet what comes in.
func fuzzEngine(t *testing.T, cfg Config, b []byte, wire func([]byte) []byte) {
	cfg.Policy = Policy(len(b) % 3)
	e, err := New(epoch, cfg)
	if err != nil {
		t.Fatal(err)
	}
	now := epoch
	for range 500 {
		if len(b) < 4 {
			break
		}
		n := min(int(binary.BigEndian.Uint16(b)), len(b)-4)
		now = now.Add(time.Duration(b[2]) * time.Millisecond)
		kind, data := b[3], b[4:4+n]
		b = b[4+n:]
		fuzzStep(e, now, kind, data, wire)
		fuzzCheck(t, e, now)
	}
}

// appendStep writes a step of FuzzEngine.
func appendStep(b []byte, ms, kind byte, data []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(append(b, ms, kind), data...)
}

// fuzzConversation is a peer that comes up and sends fragments, as steps.
func fuzzConversation() (b []byte) {
	pong := func(at time.Duration) []byte {
		e := Engine{start: epoch}
		return (&Header{Type: TypePong, Host: 2, Time: e.timespec(epoch.Add(at)), Timed: 1}).append(nil)
	}
	b = appendStep(b, 10, 0, pong(0))
	b = appendStep(b, 10, 0, pong(10*time.Millisecond))
	b = appendStep(b, 10, 0, pong(20*time.Millisecond))
	b = appendStep(b, 1, 0, (&Header{Type: TypePMTUDReply, Host: 2, Size: 65535}).append(nil))
	for i := range uint8(3) {
		h := Header{Type: TypeData, Host: 2, Seq: 1, Fragments: 3, Fragment: 3 - i}
		b = appendStep(b, 1, 0, append(h.append(nil), "abc"...))
	}
	b = appendStep(b, 1, 3, []byte("data"))
	b = appendStep(b, 1, 2, []byte{90, 0, 1, 200})
	h := Header{Type: TypeData, Host: 2, Seq: 2, Fragments: 1, Compress: 9}
	return appendStep(b, 1, 0, append(h.append(nil), 200, 1, 200, 2))
}

// fuzzCompressed is a peer that comes up and sends something in each compression.
func fuzzCompressed(f *testing.F) []byte {
	b := fuzzConversation()
	for i, model := range []string{"zlib", "lz4", "lz4hc", "lzo2", "lzma", "bzip2", "zstd"} {
		pack := compress.New()
		if _, err := pack.Set(model, 5); err != nil {
			f.Fatal(err)
		}
		data, err := pack.Compress(nil, bytes.Repeat([]byte("some words, and again "), 9))
		if err != nil {
			f.Fatal(err)
		}
		h := Header{Type: TypeData, Host: 2, Seq: uint16(3 + i), Fragments: 1, Compress: pack.Model()}
		b = appendStep(b, 1, 0, append(h.append(nil), data...))
	}
	return b
}

// fuzzStep gives the engine one thing.
func fuzzStep(e *Engine, now time.Time, kind byte, data []byte, wire func([]byte) []byte) {
	host, link := HostID(2+kind>>4&1), kind>>5&1
	switch kind & 3 {
	case 0:
		e.Receive(now, addr(1, link), addr(host, link), wire(data))
	case 1:
		e.Step(now)
		e.OpenFrames(kind&4 != 0)
	case 2:
		if len(data) >= 4 {
			e.Failed(now, Failure{
				Local: addr(1, link), To: addr(host, link), Errno: Errno(data[0]), Type: PacketType(data[1]),
				MTU: int(binary.BigEndian.Uint16(data[2:])), Now: kind&4 != 0,
			})
		}
	case 3:
		to := host * HostID(kind>>6&1)
		if e.Send(now, to, data); kind&4 != 0 {
			e.SendFrame(now, to, data)
		}
	}
}

// fuzzCheck tests what holds after each step.
func fuzzCheck(t *testing.T, e *Engine, now time.Time) {
	for round := range 100 {
		out := e.Output()
		for _, d := range out.Send {
			if len(d.Data) == 0 || len(d.Data)+28 > maxMTU {
				t.Fatalf("a packet of %d bytes", len(d.Data))
			}
		}
		for _, u := range out.Up {
			if len(u.Data) == 0 || len(u.Data) > MaxPacket {
				t.Fatalf("a datagram of %d bytes", len(u.Data))
			}
		}
		if e.Deadline().After(now) {
			break
		}
		if round == 99 {
			t.Fatal("the deadline never passes")
		}
		e.Step(now)
	}
	if e.dataMTU < e.sizes.minMTU() || e.dataMTU > maxMTU {
		t.Fatalf("data MTU %d", e.dataMTU)
	}
	for _, h := range e.hosts {
		used := 0
		for _, b := range h.defrag.bufs {
			if b != nil {
				used++
			}
		}
		if !h.reachable() && used > 0 {
			t.Fatalf("host %d is not reachable and has %d buffers", h.id, used)
		}
		for _, l := range h.active[:h.actives] {
			if !l.connected || !l.mtuValid {
				t.Fatalf("a link of host %d carries data and is not usable", h.id)
			}
		}
		for _, l := range h.links {
			var ev Event
			ev.Host, ev.Link = h.id, l.cfg.ID
			if l.probe.active && l.probe.good >= l.probe.bad {
				t.Fatalf("%s: %+v", ev.Text(), l.probe)
			}
		}
	}
}

// TestEventTexts: every event and every drop has a line of its own.
func TestEventTexts(t *testing.T) {
	seen := map[string]int{}
	for k := EventLinkUp; k <= EventCompressFailed; k++ {
		if k == EventDropped {
			continue
		}
		ev := Event{Kind: k}
		seen[ev.Text()]++
	}
	for d := range DropReasons {
		ev := Event{Kind: EventDropped, Drop: Drop(d)}
		seen[ev.Text()]++
	}
	for text, n := range seen {
		if n > 1 || text == "" {
			t.Errorf("%d times %q", n, text)
		}
	}
	if want := int(EventCompressFailed) - 1 + DropReasons; len(seen) != want {
		t.Errorf("%d texts, want %d", len(seen), want)
	}
}
