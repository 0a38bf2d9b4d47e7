package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/similar"
)

// maxRemarks bounds the lines that a file brings into the log: the addresses of a
// link can be many, and every line of a file can be wrong.
const maxRemarks = 8

// Remarks tells what of the file a refusal is about, with what was probably meant,
// and after it what else in the file means nothing: lines that begin with
// "see FILE:LINE: ". The original tells no more than the refusal's text.
func Remarks(env Env, file string, refusal *Error) []string {
	l := scanned(env, file)
	if l == nil {
		return nil
	}
	var out []string
	told := map[int]bool{}
	say := func(line int, text, hint string) {
		told[line] = true
		out = append(out, "see "+remark(file, line, text, hint))
	}
	for _, key := range refusal.Keys {
		line, ok := l.lines[key]
		if !ok || len(out) == maxRemarks {
			continue
		}
		v, _ := l.m.Get(key)
		value := v.String()
		if key == "totem.key" {
			value = "***" // a secret
		}
		o := l.option(key)
		hint := refusal.Hint
		if len(out) > 0 {
			hint = "" // told with the first
		}
		if o != nil && o.Words != nil && !o.takes(value) {
			hint = meant(o, value)
		}
		say(line, key+": "+value, hint)
	}
	for _, f := range l.found {
		switch {
		case f.Severity == Fault && refusal.Text == parseError(file, f.Line, f.Text).Error():
			if f.Hint != "" {
				say(f.Line, f.Hint, "")
			}
		case !told[f.Line]:
			say(f.Line, f.Text, f.Hint)
		}
	}
	return few(out)
}

// Meaningless tells which lines of a file that the daemon takes have no effect
// because a name or a word in them does not exist, as "FILE:LINE: TEXT". The
// original takes them without a word.
func Meaningless(env Env, file string) []string {
	l := scanned(env, file)
	if l == nil {
		return nil
	}
	var out []string
	for _, f := range l.found {
		out = append(out, remark(file, f.Line, f.Text, f.Hint))
	}
	return few(out)
}

func remark(file string, line int, text, hint string) string {
	if hint != "" {
		hint = " (" + hint + ")"
	}
	return fmt.Sprintf("%s:%d: %s%s", file, line, strings.Map(visible, text), hint)
}

// visible keeps what controls a terminal out of a line.
func visible(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}

func few(lines []string) []string {
	if n := len(lines) - maxRemarks; n > 0 {
		lines = append(lines[:maxRemarks], fmt.Sprintf("see pacesync lint for %d more", n))
	}
	return lines
}

// scanned is a linter that has read the file as far as its syntax lets it; nil: it
// cannot be read.
func scanned(env Env, file string) *linter {
	data, err := env.ReadFile(file, maxFile)
	if err != nil {
		return nil
	}
	l := newLinter(env, file)
	if err := scan(data, file, l); err != nil {
		l.syntax(err)
	}
	return l
}

// option is the row of the table for a key with its numbers and names.
func (s *store) option(key string) *Option {
	for i := range s.options {
		if like(key, s.options[i].Key) {
			return &s.options[i]
		}
	}
	return nil
}

// like compares a key with that of the table, where N, M and NAME stand for any part.
func like(key, pattern string) bool {
	parts, want := strings.Split(key, "."), strings.Split(pattern, ".")
	for i, w := range want {
		if len(parts) != len(want) || w != parts[i] && w != "N" && w != "M" && w != "NAME" {
			return false
		}
	}
	return true
}

// takes reports whether a value is one of those that the option knows.
func (o *Option) takes(value string) bool {
	if o.anyCase {
		value = strings.ToLower(value)
	}
	return slices.Contains(o.Words, value)
}

// meant says which value somebody may have meant who wrote one that is refused.
func meant(o *Option, value string) string {
	switch {
	case o == nil:
		return ""
	case o.Values != nil:
		return oneOf(value, o.accepted())
	case o.Words != nil:
		return oneOf(value, o.Words)
	case o.Type != cmap.String:
		return number(o, value)
	}
	return ""
}

func oneOf(value string, words []string) string {
	if hint := didYouMean(value, slices.Clone(words)); hint != "" {
		return hint
	}
	switch len(words) {
	case 0:
		return ""
	case 1:
		return "It can only be " + words[0] + "."
	}
	return "Possible are " + strings.Join(words, ", ") + "."
}

// number is what a value that is none, or is too large, may have been meant to be:
// yes and no where 1 and 0 stand for them, and numbers with a unit.
func number(o *Option, value string) string {
	if o.Type == cmap.Uint8 && o.sec >= secQuorum && o.sec <= secDevice {
		switch strings.ToLower(value) {
		case "yes", "on", "true":
			return "Did you mean 1?"
		case "no", "off", "false":
			return "Did you mean 0?"
		}
	}
	digits := len(value) - len(strings.TrimLeft(value, "0123456789"))
	n, err := strconv.ParseUint(value[:digits], 10, 32)
	unit := strings.TrimLeft(value[digits:], " \t_")
	inMS := strings.HasSuffix(o.Default, " ms") || strings.Contains(o.Default, "token")
	switch {
	case err != nil || unit == "":
		return ""
	case unit == "s" && inMS:
		return fmt.Sprintf("Did you mean %d? It is in milliseconds.", n*1000)
	case unit == "ms" && inMS, unit == "s" && strings.HasSuffix(o.Default, " s"), unit == "%":
		return fmt.Sprintf("Did you mean %d? It has no unit.", n)
	}
	return "It is a number without anything after it."
}

// didYouMean is empty when nothing is near.
func didYouMean(name string, names []string) string {
	if near := similar.Names(name, names); len(near) > 0 {
		return "Did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}
