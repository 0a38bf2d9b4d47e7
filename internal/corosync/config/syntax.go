package config

import (
	"bytes"
	"strconv"
	"strings"
)

// maxPath is the longest dotted path that a file may build (icmap.h:
// ICMAP_KEYNAME_MAXLEN).
const maxPath = 255

// maxLine is the size of the buffer that the original reads a line into, its
// closing NUL included.
const maxLine = 512

// handler gets what scan finds. Each method returns the text of an error, or "".
type handler interface {
	at(line int) // called before the others, for each line of interest
	open(path string, around section) (section, string)
	item(path, key, value string, in section) string
	close(path string, in section) string
}

// frame is an open section.
type frame struct {
	path string
	sec  section
}

// scan reads a file of sections and keys (coroparse.c: parse_section). The
// error names file and line.
func scan(data []byte, file string, h handler) error {
	stack := []frame{{}}
	in := lineReader{data: data}
	for {
		line, ok := in.next()
		if !ok {
			break
		}
		top := &stack[len(stack)-1]
		h.at(in.number)
		text := scanLine(line, &in, h, &stack, top)
		if text != "" {
			return parseError(file, in.number, text)
		}
	}
	if len(stack) > 1 {
		return parseError(file, in.number, "Missing closing brace")
	}
	return nil
}

func scanLine(line string, in *lineReader, h handler, stack *[]frame, top *frame) string {
	if in.tooLong {
		return "Line too long"
	}
	line = strings.TrimRight(line, " \t")
	if rest := strings.TrimLeft(line, " \t"); rest == "" || rest[0] == '#' {
		return ""
	}
	if before, after, found := strings.Cut(line, "{"); found {
		return openSection(before, after, h, stack, top)
	}
	if before, after, found := strings.Cut(line, ":"); found {
		path, key, text := join(top.path, cutName(before, after, ":"), "New key makes total cmap path too long")
		if text != "" {
			return text
		}
		return h.item(path, key, strings.Trim(after, " \t"), top.sec)
	}
	if strings.Contains(line, "}") {
		if strings.Trim(line, " \t") != "}" {
			return "Extra characters before or after closing bracket '}'"
		}
		if len(*stack) == 1 {
			return "Unexpected closing brace"
		}
		*stack = (*stack)[:len(*stack)-1]
		return h.close(top.path, top.sec)
	}
	return "Line is not opening or closing section or key value"
}

func openSection(before, after string, h handler, stack *[]frame, top *frame) string {
	name := cutName(before, after, "{")
	if name == "" {
		return "Missing section name before opening bracket '{'"
	}
	if strings.Trim(after, " \t") != "" {
		return "Extra characters after opening bracket '{'"
	}
	path, _, text := join(top.path, name, "Start of section makes total cmap path too long")
	if text != "" {
		return text
	}
	sec, text := h.open(path, top.sec)
	*stack = append(*stack, frame{path, sec})
	return text
}

// cutName is the name before a delimiter. Blanks and delimiters at its end go,
// but not its first character: ": x" is a key named ":" when blanks follow the
// colon, and one without a name otherwise (coroparse.c: remove_whitespace).
func cutName(before, after, delim string) string {
	if len(after) > 0 && (after[0] == ' ' || after[0] == '\t') {
		before += delim
	}
	name := strings.TrimLeft(before, " \t")
	if name == "" {
		return ""
	}
	return name[:1] + strings.TrimRight(name[1:], " \t:{")
}

func join(path, name, tooLong string) (full, key, text string) {
	if len(path)+len(name)+1 >= maxPath {
		return "", name, tooLong
	}
	if path == "" {
		return name, name, ""
	}
	return path + "." + name, name, ""
}

// lineReader gives the lines of a file the way fgets with a buffer of maxLine
// does.
type lineReader struct {
	data    []byte
	number  int
	tooLong bool // the line just read does not fit
}

func (r *lineReader) next() (line string, ok bool) {
	if len(r.data) == 0 {
		return "", false
	}
	r.number++
	n, atEnd := maxLine-1, false
	if i := bytes.IndexByte(r.data[:min(n, len(r.data))], '\n'); i >= 0 {
		n = i + 1
	} else if len(r.data) < n {
		n, atEnd = len(r.data), true
	}
	b := r.data[:n]
	r.data = r.data[n:]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i] // C strings end at a NUL
	}
	r.tooLong = false
	if len(b) > 0 {
		trimmed := bytes.TrimSuffix(b, []byte("\n"))
		r.tooLong = len(trimmed) == len(b) && !atEnd
		b = bytes.TrimSuffix(trimmed, []byte("\r"))
	}
	return string(b), true
}

// parseError formats like the original, whose buffer holds 383 characters.
func parseError(file string, line int, text string) error {
	s := "parser error: " + file + ":" + strconv.Itoa(line) + ": " + text
	if len(s) >= 384 {
		s = "Can't format parser error message"
	}
	return &Error{Text: s, Status: StatusConfig}
}

// parseInteger reads an integer as strtoll does: blanks before it, a sign,
// decimal digits to the end.
func parseInteger(s string, lo, hi int64) (int64, bool) {
	n, err := strconv.ParseInt(cSpace(s), 10, 64)
	if err != nil || n < lo || n > hi {
		return 0, false
	}
	return n, true
}

// parseUnsigned reads a 64-bit number as strtoull does: a minus sign counts
// down from 2^64.
func parseUnsigned(s string) (uint64, bool) {
	s = cSpace(s)
	neg := strings.HasPrefix(s, "-")
	digits := strings.TrimPrefix(s, "+")
	if neg {
		digits = s[1:]
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	if neg {
		n = -n
	}
	return n, true
}

func cSpace(s string) string { return strings.TrimLeft(s, " \t\n\v\f\r") }
