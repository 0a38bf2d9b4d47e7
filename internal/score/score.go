// Package score is Pacemaker's score arithmetic: integers that saturate at plus
// and minus infinity, where minus infinity wins over everything.
//
// The policy engine, the CIB tools and the rules use it. It replaces
// lib/common/scores.c.
package score

import (
	"fmt"
	"strconv"
	"strings"
)

// Score is a preference between -Infinity and Infinity. The zero value is neutral.
type Score int32

// Infinity is the largest score; every result is clamped to ±Infinity
// (CRM_SCORE_INFINITY).
const Infinity Score = 1000000

// Health holds what the words red, yellow and green stand for
// (node-health-strategy and its options). The zero value makes them 0.
type Health struct{ Red, Yellow, Green Score }

// Add is pcmk__add_scores: -Infinity plus anything is -Infinity, Infinity plus
// anything else is Infinity, the rest is a clamped sum.
func Add(a, b Score) Score {
	switch {
	case a <= -Infinity || b <= -Infinity:
		return -Infinity
	case a >= Infinity || b >= Infinity:
		return Infinity
	}
	return Clamp(int64(a) + int64(b))
}

// Clamp brings v into the range of a Score.
func Clamp(v int64) Score {
	switch {
	case v >= int64(Infinity):
		return Infinity
	case v <= -int64(Infinity):
		return -Infinity
	}
	return Score(v)
}

// Parse reads a score as char2score does: INFINITY, +INFINITY, -INFINITY, a
// health colour, or the leading integer of s; what is none of these is 0.
func Parse(s string, h Health) Score {
	switch s {
	case "":
		return 0
	case "INFINITY", "+INFINITY":
		return Infinity
	case "-INFINITY":
		return -Infinity
	}
	switch {
	case strings.EqualFold(s, "red"):
		return h.Red
	case strings.EqualFold(s, "yellow"):
		return h.Yellow
	case strings.EqualFold(s, "green"):
		return h.Green
	}
	v, _ := Int(s)
	return Clamp(v)
}

// IsInfinite says whether a score is given as an infinite one.
func IsInfinite(s string) bool { return s == "INFINITY" || s == "+INFINITY" || s == "-INFINITY" }

// IsWord says whether a score is given by a word and not by a number.
func IsWord(s string) bool {
	return IsInfinite(s) || strings.EqualFold(s, "red") || strings.EqualFold(s, "yellow") || strings.EqualFold(s, "green")
}

// Int is LeadingInt where a value outside int64 is none (pcmk__scan_ll).
func Int(s string) (v int64, ok bool) {
	v, rest, err := scan(s)
	if rest == s || err != nil {
		return 0, false
	}
	return v, true
}

// Complaints are what the original says of a text of which def is used as far as it
// is no integer (scan_ll).
func Complaints(s string, def int64) (said []string) {
	v, rest, err := scan(s)
	switch {
	case err != nil:
		said = append(said, fmt.Sprintf("Integer parsed from '%s' was clipped to %d", s, v))
	case rest == s:
		said = append(said, fmt.Sprintf("Could not parse integer from '%s' (using %d instead): No digits found", s, def))
	}
	if rest != "" {
		said = append(said, fmt.Sprintf("Characters left over after parsing '%s': '%s'", s, rest))
	}
	return said
}

// LeadingInt reads the integer that s starts with, as strtoll does: white
// space, a sign, digits, and then anything. ok is false when there is no digit.
// A value outside int64 is clamped to it.
func LeadingInt(s string) (v int64, ok bool) {
	v, rest, _ := scan(s)
	return v, rest != s
}

// scan is strtoll: the integer, what follows it (all of s where there is no digit),
// and an error where it was clamped.
func scan(s string) (v int64, rest string, err error) {
	i := 0
	for i < len(s) && (s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r')) {
		i++
	}
	start := i
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	digits := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' {
		i++
	}
	if i == digits {
		return 0, s, nil
	}
	v, err = strconv.ParseInt(s[start:i], 10, 64) // on overflow ParseInt returns the bound
	return v, s[i:], err
}

// String writes s as Pacemaker shows it.
func (s Score) String() string {
	switch {
	case s >= Infinity:
		return "INFINITY"
	case s <= -Infinity:
		return "-INFINITY"
	}
	return strconv.Itoa(int(s))
}
