package knet

import (
	"bytes"
	"testing"
)

// golden are packets of libknet 1.25, field by field.
func golden(t testing.TB) []struct {
	name, hex string
	want      Header
	payload   int
} {
	return []struct {
		name, hex string
		want      Header
		payload   int
	}{
		{"broadcast",
			"01 00 0001 0000" + // version, type, host, pads
				"0062 00 00 01 01 00 00" + // seq, compress, pad, broadcast, fragments, fragment, channel
				"70c0030200010000000000000001000000010000000d00000000000000",
			Header{Type: TypeData, Host: 1, Seq: 0x62, Broadcast: true, Fragments: 1}, 29},
		{"first fragment of 46",
			"01 00 0001 0000" + "02c7 00 00 01 2e 01 00" + "70c00301(00*1442)",
			Header{Type: TypeData, Host: 1, Seq: 0x2c7, Broadcast: true, Fragments: 46, Fragment: 1}, 1446},
		{"ping by the clock",
			"01 81 0001 0000" + "00 8605000000000000c83dfe1800000000 0062 01", // link, time, seq, timed
			Header{Type: TypePing, Host: 1, Time: pingTime(unpackHex(t, "8605000000000000c83dfe1800000000")), Seq: 0x62, Timed: 1}, 0},
		{"pong",
			"01 82 0002 0000" + "00 8605000000000000a82aff1800000000 0062 01",
			Header{Type: TypePong, Host: 2, Time: pingTime(unpackHex(t, "8605000000000000a82aff1800000000")), Seq: 0x62, Timed: 1}, 0},
		{"pmtud reply, size in the sender's order",
			"01 84 0003 0000" + "00 dc05",
			Header{Type: TypePMTUDReply, Host: 3, Size: 1500}, 0},
		// Built, not captured: the captures begin when the MTU is known.
		{"pmtud",
			"01 83 0001 0000" + "00 dc05 (00*1463)",
			Header{Type: TypePMTUD, Host: 1, Size: 1500}, 1463},
	}
}

func TestHeaderGolden(t *testing.T) {
	for _, g := range golden(t) {
		b := unpackHex(t, g.hex)
		var h Header
		payload, err := h.parse(b)
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
			continue
		}
		if h != g.want || len(payload) != g.payload {
			t.Errorf("%s: %+v with %d bytes, want %+v with %d", g.name, h, len(payload), g.want, g.payload)
		}
		if got := append(h.append(nil), payload...); !bytes.Equal(got, b) {
			t.Errorf("%s: encoded as\n%x", g.name, got)
		}
		if h.length() != len(b)-g.payload {
			t.Errorf("%s: length %d", g.name, h.length())
		}
	}
}

// TestHeaderTruncated: every packet cut at every byte is refused or, behind the
// header, means the same with less data.
func TestHeaderTruncated(t *testing.T) {
	for _, g := range golden(t) {
		b := unpackHex(t, g.hex)
		need := g.want.length()
		if g.want.Type == TypeData {
			need++ // no datagram is empty
		}
		for n := range b {
			var h Header
			_, err := h.parse(b[:n])
			if (err == nil) != (n >= need) {
				t.Fatalf("%s cut to %d of %d bytes: %v", g.name, n, len(b), err)
			}
		}
	}
}

func TestHeaderRefused(t *testing.T) {
	ping := unpackHex(t, golden(t)[2].hex)
	for _, c := range []struct {
		name string
		at   int
		to   byte
		want error
	}{
		{"version 0", 0, 0, ErrVersion},
		{"version 2", 0, 2, ErrVersion},
		{"type 1", 1, 1, ErrType},
		{"type 0x80", 1, 0x80, ErrType},
		{"type 0x85", 1, 0x85, ErrType},
		{"type 0xff", 1, 0xff, ErrType},
	} {
		b := bytes.Clone(ping)
		b[c.at] = c.to
		var h Header
		if _, err := h.parse(b); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestPacketTypes: each type has a name for logs, and a type that nobody reads is
// never written.
func TestPacketTypes(t *testing.T) {
	names := map[PacketType]string{TypeData: "data", TypePing: "ping", TypePong: "pong", TypePMTUD: "pmtud", TypePMTUDReply: "pmtud reply", 0x85: "type 133"}
	for typ, want := range names {
		if typ.String() != want {
			t.Errorf("%#x is %q, want %q", uint8(typ), typ, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a packet of type 133 was written")
		}
	}()
	(&Header{Type: 0x85}).append(nil)
}
