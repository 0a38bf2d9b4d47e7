package xmltree

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func blank(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isSpace(s[i]) {
			return false
		}
	}
	return true
}

// nameByte follows the productions NameStartChar and NameChar of XML 1.0 for ASCII.
func nameByte(c byte, first bool) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ':':
		return true
	case c >= '0' && c <= '9', c == '-', c == '.':
		return !first
	}
	return false
}

// nameRune follows NameStartChar and NameChar of XML 1.0 (fifth edition) beyond ASCII.
func nameRune(r rune, first bool) bool {
	switch {
	case r >= 0xC0 && r <= 0xD6, r >= 0xD8 && r <= 0xF6, r >= 0xF8 && r <= 0x2FF, r >= 0x370 && r <= 0x37D,
		r >= 0x37F && r <= 0x1FFF, r >= 0x200C && r <= 0x200D, r >= 0x2070 && r <= 0x218F, r >= 0x2C00 && r <= 0x2FEF,
		r >= 0x3001 && r <= 0xD7FF, r >= 0xF900 && r <= 0xFDCF, r >= 0xFDF0 && r <= 0xFFFD, r >= 0x10000 && r <= 0xEFFFF:
		return true
	case r == 0xB7, r >= 0x300 && r <= 0x36F, r >= 0x203F && r <= 0x2040:
		return !first
	}
	return false
}

// validChar follows the production Char of XML 1.0.
func validChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || (r >= 0x20 && r <= 0xD7FF) || (r >= 0xE000 && r <= 0xFFFD) ||
		(r >= 0x10000 && r <= 0x10FFFF)
}

// invalidUTF8 returns the offset of the first byte that is not part of a
// character of XML, -1 when all are.
func invalidUTF8(s string) int {
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if c < 0x20 && !isSpace(c) {
				return i
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if (r == utf8.RuneError && size == 1) || !validChar(r) {
			return i
		}
		i += size
	}
	return -1
}

// unescape resolves references and normalises line ends; in an attribute white
// space becomes spaces (XML 1.0 §2.11, §3.3.3). at is the offset of raw, for errors.
func (p *parser) unescape(raw string, at int, attr bool) (string, error) {
	special := "&\r"
	if attr {
		special = "&\r\n\t"
	}
	i := strings.IndexAny(raw, special)
	if i < 0 {
		return raw, nil
	}
	b := make([]byte, 0, len(raw))
	for {
		b = append(b, raw[:i]...)
		at, raw = at+i, raw[i:]
		used := 1
		switch {
		case raw[0] == '&':
			r, n, err := p.reference(raw, at)
			if err != nil {
				return "", err
			}
			b, used = utf8.AppendRune(b, r), n
		case raw[0] == '\r' && len(raw) > 1 && raw[1] == '\n': // the line feed speaks for both
		case attr:
			b = append(b, ' ')
		default:
			b = append(b, '\n')
		}
		at, raw = at+used, raw[used:]
		if i = strings.IndexAny(raw, special); i < 0 {
			return string(append(b, raw...)), nil
		}
	}
}

// reference resolves the reference that raw begins with and returns its length.
func (p *parser) reference(raw string, at int) (rune, int, error) {
	end := strings.IndexByte(raw, ';')
	if end < 2 || end > 64 {
		return 0, 0, p.errorf(at, "& begins a reference that is not closed: write &amp; for the character")
	}
	name := raw[1:end]
	switch name {
	case "lt":
		return '<', end + 1, nil
	case "gt":
		return '>', end + 1, nil
	case "amp":
		return '&', end + 1, nil
	case "quot":
		return '"', end + 1, nil
	case "apos":
		return '\'', end + 1, nil
	}
	if name[0] != '#' {
		return 0, 0, p.errorf(at, "entity &%s; is not defined", name)
	}
	digits, base := name[1:], 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil || v > utf8.MaxRune || !validChar(rune(v)) {
		return 0, 0, p.errorf(at, "&%s; is not a character of XML", name)
	}
	return rune(v), end + 1, nil
}
