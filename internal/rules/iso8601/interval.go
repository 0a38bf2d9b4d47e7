package iso8601

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/score"
)

// MSec reads a time with unit as milliseconds: "10", "10s", "5min", "250ms"
// (crm_get_msec). ok is false for what is not one.
func MSec(s string) (ms int64, ok bool) {
	i := 0
	for i < len(s) && space(s[i]) {
		i++
	}
	start := i
	for i < len(s) && strings.IndexByte("0123456789+-.", s[i]) >= 0 {
		i++
	}
	if i == start {
		return -1, false
	}
	num := s[start:i]
	for i < len(s) && space(s[i]) {
		i++
	}
	mul, div, ok := unit(strings.ToLower(s[i:]))
	if !ok {
		return -1, false
	}
	v, found := score.LeadingInt(num)
	switch {
	case !found:
		v = -1
	case v > math.MaxInt64/mul:
		return math.MaxInt64, true
	}
	return v * mul / div, true
}

func unit(u string) (mul, div int64, ok bool) {
	switch {
	case strings.HasPrefix(u, "ms"):
		return 1, 1, true
	case strings.HasPrefix(u, "us"):
		return 1, 1000, true
	case strings.HasPrefix(u, "s"), u == "", u[0] == '\n', u[0] == '\r':
		return 1000, 1, true
	case strings.HasPrefix(u, "m"):
		return 60000, 1, true
	case strings.HasPrefix(u, "h"):
		return 3600000, 1, true
	}
	return 0, 0, false
}

// IntervalMS reads an interval, either as MSec or as an ISO 8601 duration
// (crm_parse_interval_spec). What is no interval is 0, and ok says so.
func IntervalMS(s string) (ms uint32, ok bool) {
	if s == "" {
		return 0, true
	}
	v := int64(-1)
	if s[0] == 'P' {
		if secs, err := Duration(s); err == nil {
			v = secs * 1000
		}
	} else if x, valid := MSec(s); valid {
		v = x
	}
	if v < 0 {
		return 0, false
	}
	return uint32(min(v, math.MaxUint32)), true
}

// Duration reads an ISO 8601 duration (P1DT2H…) as seconds: a year has 365 days,
// a month 30; PT is none of anything, and valid (crm_time_parse_duration, crm_time_get_seconds).
func Duration(s string) (int64, error) {
	if len(s) < 2 || s[0] != 'P' || space(s[1]) {
		return 0, ErrInvalid
	}
	var secs int64
	inTime := false
	for i := 1; i < len(s) && s[i] != '/' && !space(s[i]); i++ {
		if s[i] == 'T' {
			inTime = true
			continue
		}
		v, j, ok := amount(s, i)
		if !ok {
			return 0, ErrInvalid
		}
		m := durationUnit(s[j], inTime)
		if m == 0 {
			return 0, ErrInvalid
		}
		secs, i = secs+v*m, j
	}
	return secs, nil
}

// amount reads a number of a duration, which may have a sign, and says where its
// unit is (parse_int).
func amount(s string, i int) (v int64, unit int, ok bool) {
	negative := s[i] == '-'
	if negative || s[i] == '+' || s[i] == ':' {
		i++
	}
	j := i
	for j < len(s) && s[j] >= '0' && s[j] <= '9' && j-i < 10 {
		v = v*10 + int64(s[j]-'0')
		j++
	}
	if negative {
		v = -v
	}
	return v, j, j > i && j < len(s)
}

func durationUnit(c byte, inTime bool) int64 {
	switch {
	case c == 'Y':
		return 365 * day
	case c == 'M' && !inTime:
		return 30 * day
	case c == 'W':
		return 7 * day
	case c == 'D':
		return day
	case c == 'H':
		return 3600
	case c == 'M':
		return 60
	case c == 'S':
		return 1
	}
	return 0
}

// ReadableMS writes milliseconds as log lines show them: 10s, 1m30s, 1500 ms as
// 1.500s. A unit is used only above its size, so a second is 1000ms and a minute
// 60s (iso8601.c: pcmk__readable_interval).
func ReadableMS(ms int64) string {
	var b []byte
	for _, u := range [...]struct {
		size int64
		name byte
	}{{86_400_000, 'd'}, {3_600_000, 'h'}, {60_000, 'm'}} {
		if ms > u.size {
			b = append(strconv.AppendInt(b, ms/u.size, 10), u.name)
			ms %= u.size
		}
	}
	switch {
	case ms > 1000 && ms%1000 != 0:
		b = fmt.Appendf(b, "%d.%03ds", ms/1000, ms%1000)
	case ms > 1000:
		b = append(strconv.AppendInt(b, ms/1000, 10), 's')
	case ms > 0:
		b = append(strconv.AppendInt(b, ms, 10), "ms"...)
	case len(b) == 0:
		b = append(b, "0s"...)
	}
	return string(b)
}
