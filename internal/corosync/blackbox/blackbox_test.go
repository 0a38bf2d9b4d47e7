package blackbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

// dump is the text of a file, as the tool prints it.
func dump(t *testing.T, b []byte) string {
	t.Helper()
	f, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.WriteString(f.Head())
	for {
		r, err := f.Next()
		if errors.Is(err, ErrEnd) {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		r.When = r.When.UTC()
		out.WriteString(r.String() + "\n")
	}
}

// TestOriginal reads a file of Debian's corosync 3.1.7 (its first records; the
// ring made smaller) as Debian's qb-blackbox does. After a percent sign that one
// prints what is left in its buffer of the line before.
func TestOriginal(t *testing.T) {
	file, err := os.ReadFile("testdata/corosync-3.1.7.fdata")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/corosync-3.1.7.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(string(text), "(75%mit timeout (238 ms) of Token Timeout)", "(75% of Token Timeout)", 1)
	if got := dump(t, file); got != want {
		for i, line := range strings.Split(want, "\n") {
			if g := strings.Split(got, "\n"); i >= len(g) || g[i] != line {
				t.Fatalf("line %d:\n%s\nwant:\n%s", i+1, g[min(i, len(g)-1)], line)
			}
		}
		t.Fatal("too long")
	}
}

func put(r *Ring, i int, text string) {
	r.Put(&Record{When: time.Unix(1e9, int64(i)*1e6), Func: "main", Line: uint32(i), Tag: 8, Level: 6, Text: text})
}

// TestRing: what was put in comes out, the last records after any number of them,
// at every place of the ring's end.
func TestRing(t *testing.T) {
	r := NewRing(make([]byte, 4096))
	var all []string
	for i := range 500 {
		text := strings.Repeat("x", i*7%480) + "%d"[:i%3]
		put(r, i, text)
		text = text[:min(len(text), maxText)]
		all = append(all, fmt.Sprintf("info    Sep 09 01:46:%02d.%03d main(%d):8: %s", 40+i/1000, i%1000, i, text))
		lines := strings.Split(strings.TrimSpace(dump(t, r.AppendFile(nil))), "\n")[7:]
		if len(lines) == 0 || len(lines) > len(all) {
			t.Fatalf("%d records", len(lines))
		}
		for k, line := range lines {
			if want := all[len(all)-len(lines)+k]; strings.TrimRight(line, " ") != strings.TrimRight(want, " ") {
				t.Fatalf("after %d, record %d:\n%s\nwant:\n%s", i, k, line, want)
			}
		}
		if i > 100 && len(lines) < 6 {
			t.Fatalf("only %d records in 4 KiB", len(lines))
		}
	}
}

func TestPutAllocatesNothing(t *testing.T) {
	r := NewRing(make([]byte, 8192))
	rec := Record{When: time.Unix(1, 2), Func: "onToken", Line: 3, Tag: 4, Level: 8, Text: "retransmit 100% of 3"}
	if n := testing.AllocsPerRun(1000, func() { r.Put(&rec) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPut(b *testing.B) {
	r := NewRing(make([]byte, 1<<20))
	rec := Record{When: time.Unix(1, 2), Func: "onToken", Line: 3, Tag: 4, Level: 8, Text: "Retransmit List: 1 2 3 4 5 6 7 8"}
	b.ReportAllocs()
	for b.Loop() {
		r.Put(&rec)
	}
}

// TestExpand: what printf makes of formats, with arguments as libqb lays them out.
func TestExpand(t *testing.T) {
	u32 := func(v uint32) []byte { return binary.NativeEndian.AppendUint32(nil, v) }
	u64 := func(v uint64) []byte { return binary.NativeEndian.AppendUint64(nil, v) }
	minus := func(n int64) uint64 { return uint64(n) }
	for _, c := range []struct {
		format string
		args   [][]byte
		want   string
	}{
		{"plain\n", nil, "plain"},
		{"%d of %u", [][]byte{u32(uint32(minus(-1))), u32(math.MaxUint32)}, "-1 of 4294967295"},
		{"%ld %lld %zu", [][]byte{u64(minus(-5)), u64(minus(-6)), u64(7)}, "-5 -6 7"},
		{"%lx.%X %#x %o", [][]byte{u64(255), u32(255), u32(16), u32(8)}, "ff.FF 0x10 10"},
		{"[%5d|%-5d|%05d|%+d]", [][]byte{u32(1), u32(2), u32(3), u32(4)}, "[    1|2    |00003|+4]"},
		{"%*d|%.*s", [][]byte{u32(4), u32(9), u32(2), []byte("ab\x00")}, "   9|ab"},
		{"%s: %.3s!", [][]byte{[]byte("who\x00"), []byte("abc\x00")}, "who: abc!"},
		{"%c%c %7.3f %e %g", [][]byte{{'o'}, {'k'}, u64(math.Float64bits(1.5)), u64(math.Float64bits(1e6)), u64(math.Float64bits(0.1))}, "ok   1.500 1.000000e+06 0.1"},
		{"%p %p", [][]byte{u64(0xbeef), u64(0)}, "0xbeef (nil)"},
		{"100%% sure", nil, "100% sure"},
		{"%d and more", nil, ""},
		{"%99999999d", [][]byte{u32(1)}, "1"},
		{"%", nil, ""},
		{"%s", [][]byte{[]byte(strings.Repeat("y", 4000))}, strings.Repeat("y", 511)},
	} {
		b := append([]byte(c.format), 0)
		for _, a := range c.args {
			b = append(b, a...)
		}
		if got := expand(b); got != c.want {
			t.Errorf("%q: %q, want %q", c.format, got, c.want)
		}
	}
}

// TestDamaged: files that are none, cut ones, and pointers into nowhere.
func TestDamaged(t *testing.T) {
	r := NewRing(make([]byte, 4096))
	put(r, 1, "text")
	good := r.AppendFile(nil)
	for i := range len(good) {
		if _, err := Parse(good[:i]); err == nil {
			t.Fatalf("%d of %d bytes are taken for a file", i, len(good))
		}
	}
	for _, c := range []struct {
		name string
		at   int
		v    uint32
	}{{"write pointer", 6, 5000}, {"read pointer", 7, 1 << 31}, {"size", 5, 0}, {"version", 8, 2}} {
		b := bytes.Clone(good)
		binary.NativeEndian.PutUint32(b[c.at*4:], c.v)
		sum := uint32(0)
		for i := 5; i < 9; i++ {
			sum += binary.NativeEndian.Uint32(b[i*4:])
		}
		binary.NativeEndian.PutUint32(b[9*4:], sum)
		if _, err := Parse(b); err == nil {
			t.Errorf("%s: taken", c.name)
		}
	}
}

// FuzzFile: whatever a file holds, reading it ends, without a panic.
func FuzzFile(f *testing.F) {
	if b, err := os.ReadFile("testdata/corosync-3.1.7.fdata"); err == nil {
		f.Add(b)
	}
	r := NewRing(make([]byte, 4096))
	put(r, 1, "text of 100%")
	f.Add(r.AppendFile(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Parse(b)
		if err != nil {
			return
		}
		_ = file.Head()
		for n := 0; ; n++ {
			rec, err := file.Next()
			if err != nil {
				return
			}
			_ = rec.String()
			if n > len(b) {
				t.Fatal("it does not end")
			}
		}
	})
}
