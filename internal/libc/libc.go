// Package libc is the part of the C library's behaviour that shows in the
// output of the original programs: error texts, number parsing, scanf
// conversions and the buffering of stdout. The command-line tools use it.
//
// Upstream: glibc 2.36 (strerror(3), err(3), strtol(3), sscanf(3), stdio(3)).
package libc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Strerror is the text of strerror(3) for the error number within err, or
// err's own text when there is none.
func Strerror(err error) string {
	var no syscall.Errno
	if !errors.As(err, &no) {
		return err.Error()
	}
	if no == syscall.Errno(unix.EHWPOISON) { // missing in Go's table
		return "Memory page has hardware error"
	}
	// Go's texts are glibc's with the first letter in lower case.
	text := no.Error()
	if strings.HasPrefix(text, "errno ") {
		return "Unknown error " + strconv.Itoa(int(no))
	}
	if text[0] >= 'a' && text[0] <= 'z' {
		return string(text[0]-'a'+'A') + text[1:]
	}
	return text
}

// Escape shows bytes that are not printable as \xNN and a backslash doubled, the
// way the original tools do. Their char is signed: bytes from 0x80 on come out
// as \xFFFFFFNN.
func Escape(raw []byte) string {
	out := make([]byte, 0, len(raw))
	for _, c := range raw {
		switch {
		case c == '\\':
			out = append(out, `\\`...)
		case c >= ' ' && c < 0x7f:
			out = append(out, c)
		default:
			out = fmt.Appendf(out, `\x%02X`, uint32(int8(c)))
		}
	}
	return string(out)
}

// Stdout buffers the way stdio does: by line on a terminal, else by 4096 bytes,
// so that a caller who joins stdout and stderr sees the original's order. Flush
// it before the program ends and before it waits for long.
type Stdout struct {
	w     io.Writer
	buf   []byte
	lines bool
}

// NewStdout wraps the standard output w.
func NewStdout(w io.Writer) *Stdout {
	s := &Stdout{w: w, buf: make([]byte, 0, 4096)}
	s.lines = Terminal(w)
	return s
}

// Terminal says whether what is written to w appears on one (isatty).
func Terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Write never fails: like the originals, tools do not look at a lost stdout.
func (s *Stdout) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), cap(s.buf)-len(s.buf))
		s.buf = append(s.buf, p[:k]...)
		p = p[k:]
		if len(s.buf) == cap(s.buf) {
			s.Flush()
		}
	}
	if s.lines && len(s.buf) > 0 && s.buf[len(s.buf)-1] == '\n' {
		s.Flush()
	}
	return n, nil
}

// Flush writes out what is buffered.
func (s *Stdout) Flush() {
	_, _ = s.w.Write(s.buf)
	s.buf = s.buf[:0]
}
