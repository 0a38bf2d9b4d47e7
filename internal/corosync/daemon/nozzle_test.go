package daemon

import (
	"bytes"
	"testing"

	"github.com/pacesync/pacesync/totem/link"
)

// The addresses are those that the original gave itself with these values.
func TestNozzleAddr(t *testing.T) {
	for _, x := range []struct {
		ipaddr, prefix string
		self           uint16
		want, fault    string
	}{
		{"192.168.1.0", "24", 5, "192.168.1.5/24", ""},
		{"192.168.1.77", "24", 5, "192.168.1.5/24", ""},
		{"192.168.1.77", "16", 0x1234, "192.168.18.52/16", ""},
		{"192.168.1.77", "24", 0x1234, "192.168.1.52/24", ""},
		{"10.9.8.7", "8", 0x1234, "10.0.18.52/8", ""},
		{"10.9.8.7", "30", 6, "10.9.8.6/30", ""},
		{"10.9.8.7", " 24bits", 6, "10.9.8.6/24", ""},
		{"fd00:10:62::", "64", 0x1234, "fd00:10:62::1234/64", ""},
		{"fd00::77", "8", 3, "fd00::3/8", ""},
		{"10.9.8.7", "31", 6, "", "nozzle IP address prefix must be >= 8 and <= 30 (got 31)"},
		{"10.9.8.7", "x", 6, "", "nozzle IP address prefix must be >= 8 and <= 30 (got 0)"},
		{"fd00::", "65", 6, "", "nozzle IP address prefix must be >= 8 and <= 64 (got 65)"},
		{"fd00:1:2:3:4:5:6:7", "24", 6, "", "Failed to parse IPv4 nozzle IP address"},
		{"host", "24", 6, "", "Failed to parse IPv4 nozzle IP address"},
		{"1.2.3", "24", 6, "", "Failed to parse IPv4 nozzle IP address"},
		{"host::", "64", 6, "", "Failed to parse IPv6 nozzle IP address 'host::': it must end in '::'"},
	} {
		got, err := nozzleAddr(x.ipaddr, x.prefix, x.self)
		switch {
		case x.fault != "" && (err == nil || err.Error() != x.fault):
			t.Errorf("%s/%s: %v, want %q", x.ipaddr, x.prefix, err, x.fault)
		case x.fault == "" && (err != nil || got.String() != x.want):
			t.Errorf("%s/%s: %v, %v; want %s", x.ipaddr, x.prefix, got, err, x.want)
		}
	}
}

func TestFrameNode(t *testing.T) {
	frame := func(dst ...byte) []byte { return append(dst, make([]byte, 54)...) }
	for _, x := range []struct {
		frame []byte
		node  uint16
		ok    bool
	}{
		{frame(0x54, 0x54, 1, 0, 0, 2), 2, true},
		{frame(0x54, 0x54, 1, 0, 0x12, 0x34), 0x1234, true},
		{frame(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0, true},
		{frame(0x33, 0x33, 0, 0, 0, 1), 0, true},
		{frame(0x54, 0x54, 1, 0, 0, 0), 0, false},
		{frame(0, 0, 0, 0, 0, 0), 0, false},
		{frame(0x54, 0x54, 1, 0, 0, 2)[:13], 0, false},
		{nil, 0, false},
	} {
		if node, ok := frameNode(x.frame); node != x.node || ok != x.ok {
			t.Errorf("% x: %d, %v; want %d, %v", x.frame[:min(len(x.frame), 6)], node, ok, x.node, x.ok)
		}
	}
}

func TestTapError(t *testing.T) {
	const long = "nozzle-of-16-chr"
	_, err := link.OpenTap(long)
	want := "Unable to init nozzle device " + long + ": Argument list too long (a name has at most 15 characters)"
	if got := tapError(long, err).Error(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestHeadWriter(t *testing.T) {
	var w headWriter
	for range 3 {
		if n, err := w.Write(bytes.Repeat([]byte("x"), 3000)); n != 3000 || err != nil {
			t.Fatal(n, err)
		}
	}
	if len(w.head) != scriptOutputMax {
		t.Errorf("%d bytes kept", len(w.head))
	}
}

// TestNozzleOrder: what waits for a script comes in the order in which it was wished,
// what it leads to right after it.
func TestNozzleOrder(t *testing.T) {
	var z nozzle
	var got string
	say := func(s string) func() { return func() { got += s } }
	z.then(func() { got += "a"; z.busy = true; z.then(say("b")); z.then(say("c")) })
	z.then(say("d"))
	if got != "a" {
		t.Errorf("%q while a script runs", got)
	}
	z.busy = false
	z.goOn()
	z.then(func() { z.then(say("f")); got += "g" })
	if got != "abcdfg" {
		t.Errorf("order %q", got)
	}
}
