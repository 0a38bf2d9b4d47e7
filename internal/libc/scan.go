package libc

import (
	"math"
	"strconv"
	"strings"
)

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// integer reads blanks, a sign and decimal digits off the front of s. big means
// that the magnitude does not fit 64 bits; it is then MaxUint64.
func integer(s string) (magnitude uint64, negative, big bool, rest string, ok bool) {
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		negative = s[i] == '-'
		i++
	}
	start := i
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		d := uint64(s[i] - '0')
		if big || magnitude > (math.MaxUint64-d)/10 {
			magnitude, big = math.MaxUint64, true
			continue
		}
		magnitude = magnitude*10 + d
	}
	if i == start {
		return 0, false, false, s, false
	}
	return magnitude, negative, big, s[i:], true
}

// ScanInt is sscanf's %ld: a leading number, too large ones cut to the limits.
// It also returns what follows; ok is false when there is no number.
func ScanInt(s string) (v int64, rest string, ok bool) {
	m, neg, _, rest, ok := integer(s)
	switch {
	case !ok:
		return 0, s, false
	case neg && m > 1<<63:
		return math.MinInt64, rest, true
	case neg:
		return -int64(m), rest, true
	case m > math.MaxInt64:
		return math.MaxInt64, rest, true
	}
	return int64(m), rest, true
}

// ScanUint is sscanf's %lu: as ScanInt, and a minus sign negates modulo 2^64.
func ScanUint(s string) (v uint64, rest string, ok bool) {
	m, neg, big, rest, ok := integer(s)
	if neg && !big {
		m = -m
	}
	return m, rest, ok
}

// Number parses the whole of s as a decimal number within [lo, hi].
//
// Upstream: tools/util.c: util_strtonum.
func Number(s string, lo, hi int64) (int64, bool) {
	m, neg, _, rest, ok := integer(s)
	if !ok || rest != "" || !neg && m > math.MaxInt64 || neg && m > 1<<63 {
		return 0, false
	}
	v := int64(m)
	if neg {
		v = -v
	}
	return v, v >= lo && v <= hi
}

// ScanFloat is sscanf's %f (bits 32) or %lf (bits 64).
func ScanFloat(s string, bits int) (float64, bool) {
	i := 0
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	n := floatLen(s[i:])
	if n == 0 {
		return 0, false
	}
	text := s[i : i+n]
	if strings.EqualFold(text[max(0, n-3):], "nan") {
		return math.Copysign(math.NaN(), sign(text)), true // ParseFloat knows no -nan
	}
	if isHex(text) && !strings.ContainsAny(text, "pP") {
		text += "p0" // Go wants the exponent
	}
	v, err := strconv.ParseFloat(text, bits)
	if err != nil && v == 0 {
		return 0, false
	}
	return v, true // out of range: ±Inf, as strtod
}

func sign(s string) float64 {
	if s[0] == '-' {
		return -1
	}
	return 1
}

func isHex(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')
}

// floatLen is the length of the number that scanf would take from the front
// of s; 0 when it would refuse.
func floatLen(s string) int {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	for _, word := range []string{"infinity", "inf", "nan"} {
		if len(s)-i >= len(word) && strings.EqualFold(s[i:i+len(word)], word) {
			// "infin" is refused: after "inf" an i must begin "inity".
			if word == "inf" && len(s) > i+3 && (s[i+3] == 'i' || s[i+3] == 'I') {
				return 0
			}
			return i + len(word)
		}
	}
	digit, exp := isDecimal, byte('e')
	if isHex(s[i:]) {
		i += 2
		digit, exp = isHexDigit, 'p'
	}
	digits := 0
	for ; i < len(s) && digit(s[i]); i++ {
		digits++
	}
	if i < len(s) && s[i] == '.' {
		for i++; i < len(s) && digit(s[i]); i++ {
			digits++
		}
	}
	if digits == 0 {
		return 0
	}
	if i < len(s) && s[i]|0x20 == exp {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		k := j
		for k < len(s) && isDecimal(s[k]) {
			k++
		}
		if k > j {
			i = k
		}
	}
	return i
}

func isDecimal(c byte) bool { return c >= '0' && c <= '9' }

func isHexDigit(c byte) bool { return isDecimal(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// FormatFloat is printf's %f.
func FormatFloat(v float64) string {
	switch {
	case math.IsInf(v, 1):
		return "inf"
	case math.IsInf(v, -1):
		return "-inf"
	case math.IsNaN(v) && math.Signbit(v):
		return "-nan"
	case math.IsNaN(v):
		return "nan"
	}
	return strconv.FormatFloat(v, 'f', 6, 64)
}
