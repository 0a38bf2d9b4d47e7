package libc

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"
)

// scanned are sscanf's results with %ld, %lu, %f and %lf, taken from glibc 2.36;
// what was converted is shown as printf shows it.
var scanned = []struct {
	in     string
	intOK  int
	i      int64
	uintOK int
	u      uint64
	fltOK  int
	flt    string
	dblOK  int
	dbl    string
}{
	{"5", 1, 5, 1, 5, 1, "5.000000", 1, "5.000000"},
	{"-5", 1, -5, 1, 18446744073709551611, 1, "-5.000000", 1, "-5.000000"},
	{"+5", 1, 5, 1, 5, 1, "5.000000", 1, "5.000000"},
	{" 12abc", 1, 12, 1, 12, 1, "12.000000", 1, "12.000000"},
	{"99999999999999999999", 1, 9223372036854775807, 1, 18446744073709551615, 1, "100000002004087734272.000000", 1, "100000000000000000000.000000"},
	{"-99999999999999999999", 1, -9223372036854775808, 1, 18446744073709551615, 1, "-100000002004087734272.000000", 1, "-100000000000000000000.000000"},
	{"-9223372036854775808", 1, -9223372036854775808, 1, 9223372036854775808, 1, "-9223372036854775808.000000", 1, "-9223372036854775808.000000"},
	{"-9223372036854775809", 1, -9223372036854775808, 1, 9223372036854775807, 1, "-9223372036854775808.000000", 1, "-9223372036854775808.000000"},
	{"18446744073709551615", 1, 9223372036854775807, 1, 18446744073709551615, 1, "18446744073709551616.000000", 1, "18446744073709551616.000000"},
	{"18446744073709551616", 1, 9223372036854775807, 1, 18446744073709551615, 1, "18446744073709551616.000000", 1, "18446744073709551616.000000"},
	{"", 0, 0, 0, 0, 0, "0.000000", 0, "0.000000"},
	{"-", 0, 0, 0, 0, 0, "0.000000", 0, "0.000000"},
	{"abc", 0, 0, 0, 0, 0, "0.000000", 0, "0.000000"},
	{"1.5", 1, 1, 1, 1, 1, "1.500000", 1, "1.500000"},
	{"-1.5e3", 1, -1, 1, 18446744073709551615, 1, "-1500.000000", 1, "-1500.000000"},
	{"1e", 1, 1, 1, 1, 1, "1.000000", 1, "1.000000"},
	{"1e+", 1, 1, 1, 1, 1, "1.000000", 1, "1.000000"},
	{"1e400", 1, 1, 1, 1, 1, "inf", 1, "inf"},
	{"-1e400", 1, -1, 1, 18446744073709551615, 1, "-inf", 1, "-inf"},
	{"1e40", 1, 1, 1, 1, 1, "inf", 1, "10000000000000000303786028427003666890752.000000"},
	{"inf", 0, 0, 0, 0, 1, "inf", 1, "inf"},
	{"infin", 0, 0, 0, 0, 0, "0.000000", 0, "0.000000"},
	{"infinity", 0, 0, 0, 0, 1, "inf", 1, "inf"},
	{"-Inf", 0, 0, 0, 0, 1, "-inf", 1, "-inf"},
	{"nan", 0, 0, 0, 0, 1, "nan", 1, "nan"},
	{"-nan", 0, 0, 0, 0, 1, "-nan", 1, "-nan"},
	{"nan(5)", 0, 0, 0, 0, 1, "nan", 1, "nan"},
	{"0x10", 1, 0, 1, 0, 1, "16.000000", 1, "16.000000"},
	{"0x", 1, 0, 1, 0, 0, "0.000000", 0, "0.000000"},
	{"0x1p3", 1, 0, 1, 0, 1, "8.000000", 1, "8.000000"},
	{"0x1.8p+", 1, 0, 1, 0, 1, "1.500000", 1, "1.500000"},
	{"0x1.8", 1, 0, 1, 0, 1, "1.500000", 1, "1.500000"},
	{".5", 0, 0, 0, 0, 1, "0.500000", 1, "0.500000"},
	{"5.", 1, 5, 1, 5, 1, "5.000000", 1, "5.000000"},
	{".", 0, 0, 0, 0, 0, "0.000000", 0, "0.000000"},
	{"1e-400", 1, 1, 1, 1, 1, "0.000000", 1, "0.000000"},
	{"0.1", 1, 0, 1, 0, 1, "0.100000", 1, "0.100000"},
	{"1e5x", 1, 1, 1, 1, 1, "100000.000000", 1, "100000.000000"},
	{"0xg", 1, 0, 1, 0, 0, "0.000000", 0, "0.000000"},
	{"+.e", 0, 0, 0, 0, 0, "0.000000", 0, "0.000000"},
	{"1_0", 1, 1, 1, 1, 1, "1.000000", 1, "1.000000"},
	{"16777217", 1, 16777217, 1, 16777217, 1, "16777216.000000", 1, "16777217.000000"},
}

func TestScan(t *testing.T) {
	for _, tt := range scanned {
		if v, _, ok := ScanInt(tt.in); v != tt.i || ok != (tt.intOK == 1) {
			t.Errorf("ScanInt(%q) = %d, %v, want %d, %d", tt.in, v, ok, tt.i, tt.intOK)
		}
		if v, _, ok := ScanUint(tt.in); v != tt.u || ok != (tt.uintOK == 1) {
			t.Errorf("ScanUint(%q) = %d, %v, want %d, %d", tt.in, v, ok, tt.u, tt.uintOK)
		}
		if v, ok := ScanFloat(tt.in, 32); FormatFloat(v) != tt.flt || ok != (tt.fltOK == 1) {
			t.Errorf("ScanFloat(%q, 32) = %s, %v, want %s, %d", tt.in, FormatFloat(v), ok, tt.flt, tt.fltOK)
		}
		if v, ok := ScanFloat(tt.in, 64); FormatFloat(v) != tt.dbl || ok != (tt.dblOK == 1) {
			t.Errorf("ScanFloat(%q, 64) = %s, %v, want %s, %d", tt.in, FormatFloat(v), ok, tt.dbl, tt.dblOK)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, tt := range []struct {
		in     string
		lo, hi int64
		v      int64
		ok     bool
	}{
		{"1", 1, 10, 1, true}, {"+7", 1, 10, 7, true}, {" 7", 1, 10, 7, true}, {"007", 1, 10, 7, true},
		{"7 ", 1, 10, 0, false}, {"", 1, 10, 0, false}, {"0x7", 1, 10, 0, false}, {"11", 1, 10, 11, false},
		{"-5", -10, 10, -5, true}, {"9223372036854775808", 0, 1 << 62, 0, false},
	} {
		if v, ok := Number(tt.in, tt.lo, tt.hi); v != tt.v || ok != tt.ok {
			t.Errorf("Number(%q, %d, %d) = %d, %v, want %d, %v", tt.in, tt.lo, tt.hi, v, ok, tt.v, tt.ok)
		}
	}
}

// TestStrerror compares with glibc's texts for every error number up to 134.
func TestStrerror(t *testing.T) {
	lines, err := os.ReadFile("testdata/strerror.txt")
	if err != nil {
		t.Fatal(err)
	}
	no := syscall.Errno(0)
	for line := range strings.Lines(string(lines)) {
		no++
		if got, want := Strerror(no), strings.TrimSuffix(line, "\n"); got != want {
			t.Errorf("Strerror(%d) = %q, want %q", no, got, want)
		}
	}
	if _, err := os.Open("/nonexistent"); Strerror(err) != "No such file or directory" {
		t.Errorf("Strerror(%v) = %q", err, Strerror(err))
	}
}

func TestStdout(t *testing.T) {
	var w bytes.Buffer
	s := NewStdout(&w)
	s.Write([]byte("one\n"))
	if w.Len() != 0 {
		t.Error("not a terminal, yet the line was not kept back")
	}
	s.Write(bytes.Repeat([]byte("x"), 5000))
	if w.Len() != 4096 {
		t.Errorf("%d bytes written, want one buffer of 4096", w.Len())
	}
	s.Flush()
	if w.Len() != 5004 {
		t.Errorf("%d bytes after Flush, want 5004", w.Len())
	}
}
