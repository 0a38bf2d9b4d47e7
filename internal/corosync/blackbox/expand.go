package blackbox

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// maxExpanded is the longest text that the original prints.
const maxExpanded = 511

// expand makes the text of a serialized message: a printf format with its NUL,
// then the arguments as they lie in memory, strings with their NUL (log_format.c:
// qb_vsnprintf_deserialize). What is damaged ends the text.
func expand(b []byte) string {
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		end = len(b)
	}
	a := arguments{b: b[min(end+1, len(b)):]}
	format := string(b[:end])
	var out strings.Builder
	for out.Len() < maxExpanded {
		text, rest, found := strings.Cut(format, "%")
		out.WriteString(text)
		if !found {
			break
		}
		var v verb
		v, format = parseVerb(rest, &a)
		piece := v.print(&a)
		if a.short {
			break
		}
		out.WriteString(piece)
	}
	s := out.String()
	return strings.TrimRight(s[:min(len(s), maxExpanded)], "\n\x00")
}

// verb is one conversion of a format.
type verb struct {
	flags      string // with width and precision
	long       bool   // 8 bytes
	precision  bool
	conversion byte
}

// parseVerb reads a conversion, after its percent sign; a star takes an argument.
func parseVerb(s string, a *arguments) (v verb, rest string) {
	var flags strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '#', '-', ' ', '+', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			v.precision = v.precision || c == '.'
			flags.WriteByte(c)
		case '\'', 'I': // thousands, digits of the locale
		case '*':
			fmt.Fprintf(&flags, "%d", int32(a.uint(4)))
		case 'l', 'z', 't', 'j':
			v.long = true
		default:
			v.flags, v.conversion = flags.String(), c
			if unlikely(v.flags) {
				v.flags = ""
			}
			return v, s[i+1:]
		}
	}
	return verb{}, ""
}

// print makes the text of one conversion, taking its argument.
func (v verb) print(a *arguments) string {
	form := func(verb string, arg any) string { return fmt.Sprintf("%"+v.flags+verb, arg) }
	size := 4
	if v.long {
		size = 8
	}
	switch v.conversion {
	case 'd', 'i':
		n := a.uint(size)
		if !v.long {
			return form("d", int32(n))
		}
		return form("d", int64(n))
	case 'u':
		return form("d", a.uint(size))
	case 'o', 'x', 'X':
		return form(string(v.conversion), a.uint(size))
	case 'e', 'E', 'f', 'F', 'g', 'G', 'a', 'A':
		x := math.Float64frombits(a.uint(8))
		if c := v.conversion | 0x20; c == 'g' && !v.precision {
			return form(".6g", x)
		} else if c == 'a' {
			return form("x", x)
		}
		return form(string(v.conversion), x)
	case 'c':
		return form("c", rune(a.uint(1)))
	case 's':
		return form("s", a.string())
	case 'p':
		if n := a.uint(8); n != 0 {
			return fmt.Sprintf("0x%x", n)
		}
		return "(nil)"
	case '%':
		return "%"
	}
	return ""
}

// unlikely says whether flags are longer than the original has room for
// (MINI_FORMAT_STR_LEN), or a width or precision has more than three digits.
func unlikely(flags string) bool {
	digits := 0
	for _, c := range flags {
		if c < '0' || c > '9' {
			digits = 0
		} else if digits++; digits > 3 {
			return true
		}
	}
	return len(flags) > 16
}

// arguments are read one after the other; short is set when there are none left.
type arguments struct {
	b     []byte
	short bool
}

func (a *arguments) uint(size int) uint64 {
	if len(a.b) < size {
		a.short, a.b = true, nil
		return 0
	}
	var buf [8]byte
	b := a.b[:size]
	a.b = a.b[size:]
	switch size {
	case 1:
		return uint64(b[0])
	case 4:
		return uint64(binary.NativeEndian.Uint32(b))
	}
	copy(buf[:], b)
	return binary.NativeEndian.Uint64(buf[:])
}

func (a *arguments) string() string {
	i := bytes.IndexByte(a.b, 0)
	if i < 0 {
		s := string(a.b)
		a.b = nil
		return s
	}
	s := string(a.b[:i])
	a.b = a.b[i+1:]
	return s
}
