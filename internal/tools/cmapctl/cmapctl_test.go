package cmapctl

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/applet/applettest"
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/libc"
)

func TestArguments(t *testing.T) {
	applettest.Check(t, Run, "corosync-cmapctl", []applettest.Case{
		{Args: "-h", Stdout: help},
		{Args: "-x", Status: 1, Stderr: "corosync-cmapctl: invalid option -- 'x'\n"},
		{Args: "-g", Status: 1, Stderr: "Expected key after options\n"},
		{Args: "-T", Status: 1, Stderr: "Expected key after options\n"},
		{Args: "-m bogus", Status: 1, Stderr: "invalid map name, must be 'default', 'icmap' or 'stats'\n"},
		{Args: "-C bogus", Status: 1, Stderr: "argument to -C should be 'knet', 'totem', 'ipc', 'schedmiss' or 'all'\n"},
	}...)
}

func TestParseValue(t *testing.T) {
	for _, tt := range []struct {
		typ, in string
		want    cmap.Value
		problem string
	}{
		{"i8", "-128", cmap.Value{Type: cmap.Int8, Raw: "\x80"}, ""},
		{"i8", "128", cmap.Value{}, "integer"},
		{"u8", "-1", cmap.Value{}, "integer"},
		{"u64", "-1", cmap.U64(1<<64 - 1), ""},
		{"i32", " 5abc", cmap.I32(5), ""},
		{"u32", "abc", cmap.Value{}, "type value"},
		{"flt", "0x1p4", cmap.F32(16), ""},
		{"dbl", "x", cmap.Value{}, "type value"},
		{"str", "", cmap.Str(""), ""},
	} {
		typ, ok := typeOf(tt.typ)
		if !ok {
			t.Fatal(tt.typ)
		}
		if got, problem := parseValue(typ, tt.in); got != tt.want || problem != tt.problem {
			t.Errorf("%s %q: %v %q, want %v %q", tt.typ, tt.in, got, problem, tt.want, tt.problem)
		}
	}
	if _, ok := typeOf("none"); ok {
		t.Error("none is a type")
	}
}

func TestPrintValue(t *testing.T) {
	for _, tt := range []struct {
		v             cmap.Value
		binary, quiet bool
		want          string
	}{
		{cmap.U8(5), false, false, "k (u8) = 5\n"},
		{cmap.U8(5), false, true, "5\n"},
		{cmap.F64(1.5), false, false, "k (dbl) = 1.500000\n"},
		{cmap.Str("a\\b"), false, false, "k (str) = a\\b\n"},
		{cmap.Bin([]byte("a\\\x80\n")), false, false, "k (bin)\n"},
		{cmap.Bin([]byte("a\\\x80\n")), true, false, "k (bin) = a\\\\\\xFFFFFF80\\x0A\n"},
		{cmap.Bin([]byte("a")), true, true, "bin) = a\n"},
		{cmap.Value{Type: 99}, false, false, "k (\n"},
		{cmap.Value{Type: cmap.Uint32, Raw: "x"}, false, false, "k (u32) = \n"},
	} {
		var out bytes.Buffer
		p := &program{out: libc.NewStdout(&out), showBinary: tt.binary, quiet: tt.quiet}
		p.printValue("k", tt.v)
		p.out.Flush()
		if out.String() != tt.want {
			t.Errorf("%v: %q, want %q", tt.v, out.String(), tt.want)
		}
	}
}

func TestReadLine(t *testing.T) {
	in := bufio.NewReader(strings.NewReader("one\n" + strings.Repeat("x", maxLine+1) + "\nend"))
	var lengths []int
	for line, ok := readLine(in); ok; line, ok = readLine(in) {
		lengths = append(lengths, len(line))
	}
	if want := []int{4, maxLine, 2, 3}; len(lengths) != 4 || lengths[1] != want[1] || lengths[2] != want[2] || lengths[3] != want[3] {
		t.Errorf("lines of %v bytes, want %v", lengths, want)
	}
}

// TestInput: a line that begins with q ends tracking, so does the end of a
// file; a pipe that hangs up does not.
func TestInput(t *testing.T) {
	file := func(text string) *os.File {
		path := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	for text, want := range map[string]bool{"q\n": true, "": true, "x\nquit\n": true, "xq\n": false, "x": false} {
		in := newInput(file(text))
		if got := in.ready(unix.POLLIN); got != want {
			t.Errorf("%q: quit %v, want %v", text, got, want)
		}
	}
	in := newInput(file("xq"))
	if in.ready(unix.POLLHUP) || in.fd != -1 {
		t.Error("a hang-up ends tracking, or is looked at again")
	}
}
