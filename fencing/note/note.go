// Package note is how the fencer's cores say what happened: as values that the
// daemon logs. The wording is Pacemaker's, because operators and test suites
// look for it.
package note

import "fmt"

// Level is the weight of a note, as syslog's.
type Level int

// The levels that cores use.
const (
	Critical Level = 2
	Error    Level = 3
	Warning  Level = 4
	Notice   Level = 5
	Info     Level = 6
	Debug    Level = 7
)

// Note is one line.
type Note struct {
	Level Level
	Text  string
}

// List collects notes in order. The zero value is empty.
type List []Note

// Add appends a note.
func (l *List) Add(lv Level, format string, args ...any) {
	*l = append(*l, Note{lv, fmt.Sprintf(format, args...)})
}

// Crit and the others append a note of their level.
func (l *List) Crit(format string, args ...any)   { l.Add(Critical, format, args...) }
func (l *List) Err(format string, args ...any)    { l.Add(Error, format, args...) }
func (l *List) Warn(format string, args ...any)   { l.Add(Warning, format, args...) }
func (l *List) Notice(format string, args ...any) { l.Add(Notice, format, args...) }
func (l *List) Info(format string, args ...any)   { l.Add(Info, format, args...) }
func (l *List) Debug(format string, args ...any)  { l.Add(Debug, format, args...) }

// Short is the beginning of an identifier, enough for a log line.
func Short(id string) string { return id[:min(8, len(id))] }

// S is the ending of a plural.
func S(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// Or is s, or other when s is empty.
func Or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Sandwich is s between two texts, nothing when s is empty.
func Sandwich(before, s, after string) string {
	if s == "" {
		return ""
	}
	return before + s + after
}
