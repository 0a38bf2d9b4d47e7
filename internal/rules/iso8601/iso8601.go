// Package iso8601 reads the dates and durations that Pacemaker accepts and
// computes with them.
//
// Rules, the policy engine and the tools use it. It replaces
// lib/common/iso8601.c and the interval parsers of lib/common/strings.c. It never
// reads a clock: what the present is, and how far local time is from UTC, is an
// argument.
package iso8601

import (
	"errors"
	"strings"
	"time"
	"unicode"
)

// Time is a moment with the offset of the zone it was given in.
type Time struct {
	Unix   int64 // seconds since 1970-01-01T00:00:00Z
	Offset int   // seconds east of UTC
}

// ErrInvalid means that a string is no date or duration that Pacemaker accepts.
var ErrInvalid = errors.New("iso8601: not a valid date or duration")

const day = 86400

// Compare orders by moment, whatever the zones.
func (t Time) Compare(u Time) int {
	switch {
	case t.Unix < u.Unix:
		return -1
	case t.Unix > u.Unix:
		return 1
	}
	return 0
}

func (t Time) civil() time.Time { return time.Unix(t.Unix+int64(t.Offset), 0).UTC() }

// Date returns year, month and day of the month in the zone of t.
func (t Time) Date() (y, m, d int) {
	y, mm, d := t.civil().Date()
	return y, int(mm), d
}

// Clock returns hour, minute and second in the zone of t.
func (t Time) Clock() (h, m, s int) { return t.civil().Clock() }

// YearDay returns the day of the year, from 1.
func (t Time) YearDay() int { return t.civil().YearDay() }

// ISOWeek returns week-year, week and day of the week (Monday is 1).
func (t Time) ISOWeek() (y, w, d int) {
	c := t.civil()
	y, w = c.ISOWeek()
	d = int(c.Weekday())
	if d == 0 {
		d = 7
	}
	return y, w, d
}

// String is the form of crm_time_log_date|timeofday: "2006-01-02 15:04:05Z".
func (t Time) String() string { return time.Unix(t.Unix, 0).UTC().Format("2006-01-02 15:04:05Z") }

// AddSeconds returns t moved by n seconds.
func (t Time) AddSeconds(n int64) Time { t.Unix += n; return t }

// AddMonths moves by calendar months; a day that the month lacks becomes its last.
func (t Time) AddMonths(n int) Time {
	y, m, d := t.Date()
	m += n
	for ; m > 12; m -= 12 {
		y++
	}
	for ; m < 1; m += 12 {
		y--
	}
	d = min(d, daysIn(m, y))
	return t.at(y, ordinal(y, m, d))
}

// AddYears keeps the day of the year, as crm_time_add_years does.
func (t Time) AddYears(n int) Time {
	y, _, _ := t.Date()
	return t.at(y+n, t.YearDay())
}

// at returns t with another date.
func (t Time) at(year, yday int) Time {
	secs := t.Unix + int64(t.Offset)
	of := ((secs % day) + day) % day
	return Time{time.Date(year, 1, yday, 0, 0, 0, 0, time.UTC).Unix() + of - int64(t.Offset), t.Offset}
}

func leap(y int) bool { return y%4 == 0 && (y%100 != 0 || y%400 == 0) }

func yearDays(y int) int {
	if leap(y) {
		return 366
	}
	return 365
}

func daysIn(m, y int) int {
	switch {
	case m < 1 || m > 12:
		return 0
	case m == 2 && leap(y):
		return 29
	}
	return [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[m-1]
}

func ordinal(y, m, d int) int {
	for i := 1; i < m; i++ {
		d += daysIn(i, y)
	}
	return d
}

// Parse reads a date: 2005-020, 2005-01-20, 20050120, 2005-W03-4, each with an
// optional time, a bare time (of the day of now), or epoch. A time without zone is
// in the zone of now.
func Parse(s string, now Time) (Time, error) {
	if len(s) > 2 && (s[0] == 'T' || s[2] == ':') {
		y, _, _ := now.Date()
		return parseTime(strings.TrimPrefix(s, "T"), y, now.YearDay(), now)
	}
	if len(s) >= 5 && strings.EqualFold(s[:5], "epoch") && (len(s) == 5 || s[5] == '/' || space(s[5])) {
		return Time{}, nil
	}
	y, yd, ok := parseDay(s)
	if !ok || yd < 1 || yd > yearDays(y) {
		return Time{}, ErrInvalid
	}
	i := 0
	for i < len(s) && strings.IndexByte("0123456789-W", s[i]) >= 0 {
		i++
	}
	if i < len(s) && (s[i] == ' ' || s[i] == 'T') {
		return parseTime(s[i+1:], y, yd, now)
	}
	return Time{Unix: time.Date(y, 1, yd, 0, 0, 0, 0, time.UTC).Unix()}, nil
}

// parseDay reads the date part: year and day of the year.
func parseDay(s string) (y, yd int, ok bool) {
	f, n := scanInts(s, '-')
	if n == 1 {
		if v, ok := fixedInts(s, 4, 2, 2); ok {
			f, n = v, 3
		}
	}
	switch {
	case n == 3:
		if f[1] > 12 || f[2] > daysIn(f[1], f[0]) {
			return 0, 0, false
		}
		return f[0], ordinal(f[0], f[1], f[2]), true
	case n == 2:
		return f[0], f[1], true
	}
	return parseWeek(s)
}

// parseWeek reads YYYY-Www-D.
func parseWeek(s string) (y, yd int, ok bool) {
	year, rest, found := strings.Cut(s, "-W")
	if !found {
		return 0, 0, false
	}
	fy, n := scanInts(year, '-')
	f, m := scanInts(rest, '-')
	if n != 1 || m < 2 || f[0] < 1 || f[0] > 53 || f[1] < 1 || f[1] > 7 {
		return 0, 0, false
	}
	jan4 := time.Date(fy[0], 1, 4, 0, 0, 0, 0, time.UTC)
	monday := jan4.AddDate(0, 0, -(int(jan4.Weekday())+6)%7)
	d := monday.AddDate(0, 0, (f[0]-1)*7+f[1]-1)
	return d.Year(), d.YearDay(), true
}

// parseTime reads a time of day with an optional zone.
func parseTime(s string, y, yd int, now Time) (Time, error) {
	secs, ok := clock(s)
	if !ok {
		return Time{}, ErrInvalid
	}
	offset := now.Offset
	if i := strings.IndexByte(s, 'Z'); i >= 0 {
		offset = 0
	} else if i := strings.IndexByte(s, ' '); i >= 0 {
		offset, ok = zone(strings.TrimLeft(s[i:], " \t"))
		if !ok {
			return Time{}, ErrInvalid
		}
	}
	return Time{time.Date(y, 1, yd, 0, 0, 0, 0, time.UTC).Unix() + int64(secs-offset), offset}, nil
}

func zone(s string) (int, bool) {
	if s == "" || (s[0] != '+' && s[0] != '-' && (s[0] < '0' || s[0] > '9')) {
		return 0, true
	}
	v, ok := clock(strings.TrimLeft(s, "+-"))
	if s[0] == '-' {
		v = -v
	}
	return v, ok
}

// clock reads H:M:S, H:M or HHMMSS as seconds, nothing at all as midnight
// (crm_time_parse_sec).
func clock(s string) (int, bool) {
	if s = strings.TrimLeftFunc(s, unicode.IsSpace); s == "" {
		return 0, true
	}
	f, n := scanInts(s, ':')
	if n == 1 {
		if v, ok := fixedInts(s, 2, 2, 2); ok {
			f = v
		}
	}
	if n == 0 || f[1] >= 60 || f[2] >= 60 || f[0] > 24 || (f[0] == 24 && f[1]+f[2] > 0) || f[0]|f[1]|f[2] < 0 {
		return 0, false
	}
	return f[0]*3600 + f[1]*60 + f[2], true
}

// scanInts reads up to three integers separated by sep and says how many there were.
func scanInts(s string, sep byte) (f [3]int, n int) {
	for n < 3 {
		i := 0
		for i < len(s) && i < 9 && s[i] >= '0' && s[i] <= '9' {
			f[n] = f[n]*10 + int(s[i]-'0')
			i++
		}
		if i == 0 {
			return f, n
		}
		n++
		if i >= len(s) || s[i] != sep {
			return f, n
		}
		s = s[i+1:]
	}
	return f, n
}

// fixedInts reads three integers of fixed widths without separators.
func fixedInts(s string, widths ...int) (f [3]int, ok bool) {
	for k, w := range widths {
		if len(s) == 0 {
			return f, k > 0 && widths[0] == 2
		}
		i := 0
		for i < len(s) && i < w && s[i] >= '0' && s[i] <= '9' {
			f[k] = f[k]*10 + int(s[i]-'0')
			i++
		}
		if i == 0 {
			return f, k > 0 && widths[0] == 2
		}
		s = s[i:]
	}
	return f, true
}

func space(c byte) bool { return c == ' ' || (c >= '\t' && c <= '\r') }
