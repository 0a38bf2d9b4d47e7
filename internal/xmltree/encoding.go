package xmltree

import "strings"

// decode makes UTF-8 of a document that declares itself as Latin-1, which is what
// editors of old write beside UTF-8.
func (p *parser) decode() error {
	if strings.HasPrefix(p.s, "\xff\xfe") || strings.HasPrefix(p.s, "\xfe\xff") {
		return p.errorf(0, "the text is UTF-16: save it as UTF-8")
	}
	declared, ok := strings.CutPrefix(p.s, "<?xml")
	if !ok {
		return nil
	}
	declared, _, _ = strings.Cut(declared, "?>")
	_, name, ok := strings.Cut(declared, "encoding")
	name = strings.TrimLeft(name, " \t\r\n=")
	if !ok || name == "" {
		return nil
	}
	name, _, _ = strings.Cut(name[1:], name[:1]) // within quotes of either kind
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return nil
	case "iso-8859-1", "latin1", "iso-latin-1":
	default:
		return p.errorf(0, "encoding %q is not supported: save the text as UTF-8", name)
	}
	var b strings.Builder
	b.Grow(len(p.s) + len(p.s)/8)
	for i := range len(p.s) {
		b.WriteRune(rune(p.s[i]))
	}
	p.s = b.String()
	return nil
}

// beginsElement says whether a start tag is in the text.
func beginsElement(s string) bool {
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 || i+1 >= len(s) {
			return false
		}
		if s = s[i+1:]; nameByte(s[0], true) {
			return true
		}
	}
}
