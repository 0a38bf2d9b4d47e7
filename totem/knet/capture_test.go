package knet

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// captured is a packet of a capture.
type captured struct {
	from, to netip.AddrPort
	data     []byte
}

// capture reads a file of testdata.
func capture(t testing.TB, name string) (out []captured) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		if strings.HasPrefix(sc.Text(), "#") {
			continue
		}
		w := strings.Fields(sc.Text())
		if len(w) != 3 {
			t.Fatalf("%s: %q", name, sc.Text())
		}
		out = append(out, captured{netip.MustParseAddrPort(w[0]), netip.MustParseAddrPort(w[1]), unpackHex(t, w[2])})
	}
	if sc.Err() != nil || len(out) == 0 {
		t.Fatalf("%s: %d packets, %v", name, len(out), sc.Err())
	}
	return out
}

// unpackHex reads hex in which (xx*n) is n bytes xx. Blanks are ignored.
func unpackHex(t testing.TB, s string) (out []byte) {
	t.Helper()
	s = strings.ReplaceAll(s, " ", "")
	for s != "" {
		plain, rest, run := strings.Cut(s, "(")
		b, err := hex.DecodeString(plain)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
		if !run {
			return out
		}
		inner, after, _ := strings.Cut(rest, ")")
		digits, count, _ := strings.Cut(inner, "*")
		b, err = hex.DecodeString(digits)
		n, err2 := strconv.Atoi(count)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		out = append(out, bytes.Repeat(b, n)...)
		s = after
	}
	return out
}

// TestCapturesDecode: every packet of a real cluster is understood, and its header
// is encoded as it was.
func TestCapturesDecode(t *testing.T) {
	types := map[PacketType]int{}
	for _, name := range []string{"knet.txt", "knetf.txt"} {
		for i, c := range capture(t, name) {
			var h Header
			payload, err := h.parse(c.data)
			if err != nil {
				t.Fatalf("%s: packet %d: %v", name, i, err)
			}
			if got := append(h.append(nil), payload...); !bytes.Equal(got, c.data) {
				t.Fatalf("%s: packet %d:\n%x became\n%x", name, i, c.data[:32], got[:32])
			}
			if last := c.from.Addr().As4(); HostID(last[3]) != h.Host {
				t.Errorf("%s: packet %d from %v says it is of host %d", name, i, c.from, h.Host)
			}
			types[h.Type]++
		}
	}
	if types[TypeData] < 300 || types[TypePing] < 20 || types[TypePong] < 20 {
		t.Errorf("the captures have %v", types)
	}
}

// captureEngine is host 3 of the cluster that was captured, with links up.
func captureEngine(t testing.TB) *Engine {
	t.Helper()
	cfg := Config{Self: 3}
	for _, id := range []HostID{1, 2} {
		cfg.Hosts = append(cfg.Hosts, HostConfig{ID: id, Links: []LinkConfig{{
			Local: netip.MustParseAddrPort("10.78.0.3:5405"), Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 78, 0, byte(id)}), 5405),
			PingInterval: time.Second, PongTimeout: 2 * time.Second, PongCount: 2,
		}}})
	}
	e, err := New(epoch, cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range e.hosts {
		e.linkUp(epoch, h, h.links[0])
	}
	e.Output()
	return e
}

// TestCaptureIsAnswered: fed with what the real host 3 received, the engine says
// what that said.
func TestCaptureIsAnswered(t *testing.T) {
	packets := capture(t, "knet.txt")
	e := captureEngine(t)
	pings, data := 0, 0
	for i, c := range packets {
		if c.to.String() != "10.78.0.3:5405" {
			continue
		}
		var h Header
		payload, _ := h.parse(c.data)
		e.Receive(epoch, c.to, c.from, bytes.Clone(c.data))
		out := e.Output()
		switch h.Type {
		case TypePing:
			pings++
			if len(out.Send) != 1 || out.Send[0].To != c.from {
				t.Fatalf("packet %d: %d datagrams answer a ping", i, len(out.Send))
			}
			for _, later := range packets[i:] {
				if later.from == c.to && later.data[1] == byte(TypePong) && bytes.Equal(later.data[6:25], c.data[6:25]) {
					if !bytes.Equal(later.data, out.Send[0].Data) {
						t.Fatalf("packet %d: pong\n%x, the original's is\n%x", i, out.Send[0].Data, later.data)
					}
				}
			}
		case TypeData:
			data++
			if len(out.Up) != 1 || !bytes.Equal(out.Up[0].Data, payload) || out.Up[0].Broadcast != h.Broadcast || out.Up[0].From != h.Host {
				t.Fatalf("packet %d: %d datagrams came up", i, len(out.Up))
			}
		}
	}
	if pings < 5 || data < 10 {
		t.Fatalf("%d pings, %d data packets", pings, data)
	}
}

// TestCaptureIsReassembled: what libknet fragmented is one datagram again, in order
// and with the fragments back to front.
func TestCaptureIsReassembled(t *testing.T) {
	var fragments [][]captured
	last := uint16(0)
	for _, c := range capture(t, "knetf.txt") {
		var h Header
		if _, err := h.parse(c.data); err != nil || h.Fragments < 2 || h.Host != 1 {
			continue
		}
		if h.Seq != last {
			fragments = append(fragments, nil)
			last = h.Seq
		}
		n := len(fragments) - 1
		fragments[n] = append(fragments[n], c)
	}
	e := captureEngine(t)
	whole := 0
	for _, back := range []bool{false, true} {
		e.host(1).window.reset(0)
		for _, set := range fragments {
			var want []byte
			for _, c := range set {
				want = append(want, c.data[dataSize:]...)
			}
			var got []byte
			for i := range set {
				if back {
					i = len(set) - 1 - i
				}
				e.Receive(epoch, set[i].to, set[i].from, bytes.Clone(set[i].data))
				for _, u := range e.Output().Up {
					got = append(got, u.Data...)
				}
			}
			if len(set) == int(set[0].data[11]) {
				whole++
				if !bytes.Equal(got, want) {
					t.Fatalf("%d bytes came of %d", len(got), len(want))
				}
			}
		}
	}
	if whole != 10 {
		t.Fatalf("%d datagrams are whole, want 5 each way", whole)
	}
}
