package xpath

import (
	"math"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Kind is the type of a value.
type Kind uint8

// The four types of XPath 1.0.
const (
	NodeSet Kind = iota
	String
	Number
	Boolean
)

func (k Kind) String() string { return [...]string{"set of nodes", "string", "number", "boolean"}[k] }

// Value is the result of an expression; Kind says which field counts.
type Value struct {
	Kind  Kind
	Nodes []Item // each once, in document order
	Str   string
	Num   float64
	Bool  bool
}

// Text is the value as the function string makes it.
func (v Value) Text() string {
	switch v.Kind {
	case String:
		return v.Str
	case Number:
		return formatNumber(v.Num)
	case Boolean:
		if v.Bool {
			return "true"
		}
		return "false"
	}
	if len(v.Nodes) == 0 {
		return ""
	}
	return v.Nodes[0].Text()
}

// Float is the value as the function number makes it.
func (v Value) Float() float64 {
	switch v.Kind {
	case Number:
		return v.Num
	case Boolean:
		if v.Bool {
			return 1
		}
		return 0
	}
	return parseNumber(v.Text())
}

// True is the value as the function boolean makes it.
func (v Value) True() bool {
	switch v.Kind {
	case Boolean:
		return v.Bool
	case Number:
		return v.Num != 0 && !math.IsNaN(v.Num)
	case String:
		return v.Str != ""
	}
	return len(v.Nodes) > 0
}

// Text is the string value of a node (XPath 1.0 §5).
func (it Item) Text() string {
	if it.Attr >= 0 {
		return it.Node.Attrs[it.Attr].Value
	}
	if it.Node.Kind != xmltree.Element {
		return it.Node.Name
	}
	if c := it.Node.First; c == nil {
		return ""
	} else if c.Next == nil && c.Kind != xmltree.Element {
		if c.Kind == xmltree.Comment {
			return ""
		}
		return c.Name
	}
	var b strings.Builder
	appendText(&b, it.Node)
	return b.String()
}

func appendText(b *strings.Builder, n *xmltree.Node) {
	for c := n.First; c != nil; c = c.Next {
		switch c.Kind {
		case xmltree.Element:
			appendText(b, c)
		case xmltree.Text, xmltree.CData:
			b.WriteString(c.Name)
		}
	}
}

// parseNumber is the function number on a string (§4.4): blanks, an optional
// minus, digits with an optional point; as libxml2 has it also an exponent.
// Anything else is no number.
func parseNumber(s string) float64 {
	s = strings.Trim(s, " \t\r\n")
	digits, exponent, ok := strings.Cut(strings.ToLower(strings.TrimPrefix(s, "-")), "e")
	if ok && (exponent == "" || strings.Trim(strings.TrimLeft(exponent, "+-"), "0123456789") != "") {
		return math.NaN()
	}
	if digits == "" || digits == "." || strings.Trim(digits, "0123456789.") != "" || strings.Count(digits, ".") > 1 {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(v, 0) {
		return math.NaN()
	}
	return v
}

// formatNumber writes a number as libxml2 does: 15 digits, and an exponent
// where the recommendation has none (xpath.c: xmlXPathFormatNumber).
func formatNumber(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case f == 0:
		return "0"
	case f == math.Trunc(f) && math.Abs(f) < math.MaxInt32:
		return strconv.FormatInt(int64(f), 10)
	}
	abs := math.Abs(f)
	exponent := ""
	var s string
	if abs > 1e9 || abs < 1e-5 {
		s = strconv.FormatFloat(f, 'e', 14, 64)
		s, exponent, _ = strings.Cut(s, "e")
		exponent = "e" + exponent
	} else {
		place := int(math.Log10(abs))
		fraction := 15 - place
		if place > 0 {
			fraction--
		}
		s = strconv.FormatFloat(f, 'f', fraction, 64)
	}
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + exponent
}
