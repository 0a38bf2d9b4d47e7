package xpath

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	tEnd      kind = iota
	tName          // a name, perhaps with a prefix; text holds it
	tNumber        // num
	tLiteral       // text
	tSymbol        // text: ( ) [ ] . .. @ , :: / // | + - = != < <= > >= * $
	tOperator      // text: and or mod div, or * as multiplication
)

type token struct {
	kind kind
	text string
	num  float64
	at   int
}

// lex cuts an expression into tokens (XPath 1.0 §3.7). Whether a star or a name
// is an operator depends on the token before it.
func lex(s string) ([]token, error) {
	var out []token
	for i := 0; ; {
		for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
			i++
		}
		if i == len(s) {
			return append(out, token{kind: tEnd, at: i}), nil
		}
		t, n, err := lexOne(s, i, wantsOperator(out))
		if err != nil {
			return nil, err
		}
		out = append(out, t)
		i += n
	}
}

// wantsOperator is the rule of §3.7: after something that ends an operand, a
// star multiplies and a name is an operator.
func wantsOperator(before []token) bool {
	if len(before) == 0 {
		return false
	}
	last := before[len(before)-1]
	switch last.kind {
	case tOperator:
		return false
	case tSymbol:
		switch last.text {
		case ")", "]", ".", "..", "*":
			return true
		}
		return false
	}
	return true
}

func lexOne(s string, i int, operator bool) (token, int, error) {
	rest := s[i:]
	switch c := rest[0]; {
	case c == '"' || c == '\'':
		end := strings.IndexByte(rest[1:], c)
		if end < 0 {
			return token{}, 0, &SyntaxError{s, i, "the literal is not closed"}
		}
		return token{kind: tLiteral, text: rest[1 : 1+end], at: i}, end + 2, nil
	case c >= '0' && c <= '9', c == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		n := numberLength(rest)
		v, _ := strconv.ParseFloat(rest[:n], 64) // out of range is infinity, as it should be
		return token{kind: tNumber, num: v, at: i}, n, nil
	}
	for _, sym := range [...]string{"::", "//", "..", "!=", "<=", ">=", "(", ")", "[", "]", ".", "@", ",", "/", "|", "+", "-", "=", "<", ">", "*", "$"} {
		if strings.HasPrefix(rest, sym) {
			k := tSymbol
			if sym == "*" && operator {
				k = tOperator
			}
			return token{kind: k, text: sym, at: i}, len(sym), nil
		}
	}
	n := nameLength(rest)
	if n == 0 {
		return token{}, 0, &SyntaxError{s, i, "unexpected " + strconv.Quote(string([]rune(rest)[:1]))}
	}
	t := token{kind: tName, text: rest[:n], at: i}
	if operator {
		switch t.text {
		case "and", "or", "mod", "div":
			t.kind = tOperator
		default:
			return token{}, 0, &SyntaxError{s, i, "an operator is missing before " + t.text}
		}
		return t, n, nil
	}
	// prefix:name or prefix:*
	if after := rest[n:]; strings.HasPrefix(after, ":") && !strings.HasPrefix(after, "::") {
		if strings.HasPrefix(after, ":*") {
			n += 2
		} else if m := nameLength(after[1:]); m > 0 {
			n += 1 + m
		}
		t.text = rest[:n]
	}
	return t, n, nil
}

func numberLength(s string) int {
	i := 0
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		}
	}
	return i
}

// nameLength is the length of the NCName that s begins with.
func nameLength(s string) int {
	i := 0
	for i < len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError || r == 0xD7 || r == 0xF7 {
				break
			}
			i += size
			continue
		}
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			break
		}
		i++
	}
	return i
}
