package schema

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// dataType is a type of the XML Schema library or of RelaxNG itself.
type dataType uint8

const (
	typeToken  dataType = iota // RelaxNG's own, blanks normalised
	typeString                 // as written
	typeBoolean
	typeInteger
	typeNonNegative
	typePositive
	typeDouble
	typeName // NCName
	typeID   // an NCName that no other element of the document has
	typeIDRef
	typeUnknown
)

const xsdLibrary = "http://www.w3.org/2001/XMLSchema-datatypes"

// typeOf finds a type by library and name.
func typeOf(library, name string) dataType {
	switch name {
	case "token":
		return typeToken
	case "string":
		return typeString
	}
	if library != xsdLibrary {
		return typeUnknown
	}
	switch name {
	case "boolean":
		return typeBoolean
	case "integer", "int", "long":
		return typeInteger
	case "nonNegativeInteger":
		return typeNonNegative
	case "positiveInteger":
		return typePositive
	case "double", "float", "decimal":
		return typeDouble
	case "NCName":
		return typeName
	case "ID":
		return typeID
	case "IDREF":
		return typeIDRef
	}
	return typeUnknown
}

// describe says in words what a text of the type looks like.
func (t dataType) describe() string {
	switch t {
	case typeBoolean:
		return "true, false, 1 or 0"
	case typeInteger:
		return "an integer"
	case typeNonNegative:
		return "an integer of at least 0"
	case typePositive:
		return "an integer of at least 1"
	case typeDouble:
		return "a number"
	case typeName:
		return "a name"
	case typeID:
		return "an id (it begins with a letter or _, then letters, digits, - _ .)"
	case typeIDRef:
		return "the id of another element"
	}
	return "text"
}

func (t dataType) accepts(text string) bool {
	switch t {
	case typeToken, typeString:
		return true
	case typeBoolean:
		switch trimSpace(text) {
		case "true", "false", "1", "0":
			return true
		}
		return false
	case typeInteger, typeNonNegative, typePositive:
		return t.acceptsInteger(trimSpace(text))
	case typeDouble:
		return isDouble(trimSpace(text))
	case typeName, typeID, typeIDRef:
		return isNCName(trimSpace(text))
	}
	return false
}

// maxDigits is libxml2's limit (xmlschemastypes.c: xmlSchemaParseUInt).
const maxDigits = 24

func (t dataType) acceptsInteger(text string) bool {
	negative := strings.HasPrefix(text, "-")
	if negative || strings.HasPrefix(text, "+") {
		text = text[1:]
	}
	if text == "" || strings.Trim(text, "0123456789") != "" {
		return false
	}
	text = strings.TrimLeft(text, "0")
	switch {
	case len(text) > maxDigits:
		return false
	case t == typeNonNegative:
		return !negative || text == ""
	case t == typePositive:
		return !negative && text != ""
	}
	return true
}

func isDouble(text string) bool {
	switch text {
	case "INF", "-INF", "NaN":
		return true
	}
	if text == "" || strings.Trim(text, "0123456789+-.eE") != "" {
		return false
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || strings.Contains(err.Error(), "range")
}

func isSpace(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }

func trimSpace(s string) string { return strings.TrimFunc(s, isSpace) }

// collapse is the token form of a text: no blanks around, one between.
func collapse(s string) string {
	if !strings.ContainsAny(s, " \t\n\r") {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, isSpace), " ")
}

// isNCName follows libxml2's xmlValidateNCName: ASCII by table, the rest as
// XML 1.0 letters, near enough by their Unicode range.
func isNCName(s string) bool {
	for i, r := range s {
		switch {
		case r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
		case i > 0 && (r == '-' || r == '.' || r == 0xB7 || r >= '0' && r <= '9'):
		case r >= 0xC0 && r != 0xD7 && r != 0xF7 && isLetter(r, i == 0):
		default:
			return false
		}
	}
	return s != "" && utf8.ValidString(s)
}

// data is a data pattern: a type, its parameters and its exceptions.
type data struct {
	typ                dataType
	match              []*regexp.Regexp // all must match
	minLength          int
	maxLength          int // -1: any
	minBound, maxBound *bound
	except             pid // pNever: none
}

type bound struct {
	limit     float64
	exclusive bool
}

func (d *data) accepts(s *Schema, text string) bool {
	if !d.typ.accepts(text) {
		return false
	}
	if d.typ != typeString {
		text = collapse(text)
	}
	for _, re := range d.match {
		if !re.MatchString(text) {
			return false
		}
	}
	if d.minLength > 0 || d.maxLength >= 0 {
		if n := utf8.RuneCountInString(text); n < d.minLength || d.maxLength >= 0 && n > d.maxLength {
			return false
		}
	}
	if d.minBound != nil || d.maxBound != nil {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || !d.minBound.atLeast(f) || !d.maxBound.atMost(f) {
			return false
		}
	}
	return d.except == pNever || !s.matches(d.except, text)
}

func (b *bound) atLeast(f float64) bool {
	return b == nil || f > b.limit || f == b.limit && !b.exclusive
}

func (b *bound) atMost(f float64) bool {
	return b == nil || f < b.limit || f == b.limit && !b.exclusive
}

// value is a value pattern: one text of a type.
type value struct {
	typ  dataType
	text string
}

func (v value) equals(text string) bool {
	if v.typ == typeString {
		return text == v.text
	}
	return text == v.text || collapse(text) == collapse(v.text)
}
