// Package simulate shows what the policy engine sees and decides, as text, and
// carries a transition out on a CIB instead of a cluster.
//
// crm_simulate is made of it. It replaces lib/pacemaker/pcmk_simulate.c,
// pcmk_injections.c and the text messages of pcmk_output.c and pe_output.c that
// crm_simulate prints. Pure: it writes to buffers and changes the tree it is given.
package simulate

import (
	"fmt"
	"strings"
)

// Text collects what is printed. Fancy text has headers, bullets and
// indentation; plain text has only the items (text-fancy of the original).
type Text struct {
	Fancy, Quiet bool
	buf          []byte
	depth        int
}

// Bytes returns the text so far.
func (t *Text) Bytes() []byte { return t.buf }

// Take returns the text so far and forgets it.
func (t *Text) Take() []byte {
	b := t.buf
	t.buf = nil
	return b
}

// Begin opens a list under a header.
func (t *Text) Begin(header string) {
	if t.Fancy {
		t.indent()
		t.buf = append(append(t.buf, header...), ":\n"...)
	}
	t.depth++
}

// End closes the innermost list.
func (t *Text) End() { t.depth-- }

// Item writes a line of the list.
func (t *Text) Item(format string, args ...any) {
	t.indent()
	t.buf = append(fmt.Appendf(t.buf, format, args...), '\n')
}

// ItemOf writes a line about something whose name plain text leaves out.
func (t *Text) ItemOf(name, text string) {
	if t.Fancy {
		text = name + ": " + text
	}
	t.Item("%s", text)
}

// Info writes a notice unless the text is quiet.
func (t *Text) Info(text string) {
	if !t.Quiet {
		t.buf = append(append(t.buf, text...), '\n')
	}
}

// Spacer writes an empty line when something was printed before.
func (t *Text) Spacer(before bool) {
	if before {
		t.buf = append(t.buf, '\n')
	}
}

func (t *Text) indent() {
	if t.Fancy && t.depth > 0 {
		t.buf = append(append(t.buf, strings.Repeat("  ", t.depth)...), "* "...)
	}
}

// header opens a list once, before its first item.
type header struct {
	t    *Text
	text string
	open bool
}

func (h *header) show() {
	if !h.open {
		h.open = true
		h.t.Begin(h.text)
	}
}

func (h *header) end() {
	if h.open {
		h.t.End()
	}
}
