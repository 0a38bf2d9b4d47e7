package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// Severity says what a Finding means.
type Severity uint8

const (
	Note    Severity = iota // worth knowing
	Warning                 // accepted, and probably not what was meant
	Fault                   // the daemon refuses the file
)

func (s Severity) String() string { return [...]string{"note", "warning", "error"}[s] }

// Finding is something about a configuration that somebody should look at.
type Finding struct {
	Line     int    // of the file; 0: the file as a whole
	Rule     string // a short name
	Severity Severity
	Text     string // what
	Hint     string // what to do, and why
}

// Lint looks for what is wrong in a file or only suspicious: all mistakes at once,
// where the daemon stops at the first. On a machine that is not in the nodelist it
// checks the file as the first node would; as says which node that was, "" for this
// one. quorum says what the quorum service thinks of the keys: why it refuses to
// start, and what it complains of; nil: nobody is asked.
func Lint(env Env, file string, quorum func(*cmap.Map) (refused string, complaints []string)) (found []Finding, as string, err error) {
	data, err := env.ReadFile(file, maxFile)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read %s: %w", file, err)
	}
	l := newLinter(env, file)
	if err := scan(data, file, l); err != nil {
		l.syntax(err)
	}
	if !l.failed() {
		as = l.derive(data)
	}
	if !l.failed() && quorum != nil {
		l.votes(quorum(l.m))
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return l.found, as, nil
}

// linter reads a file like store, but goes on after what store refuses.
type linter struct {
	*store
	file   string
	found  []Finding
	inside []opened
	// heads are the lines where sections begin, by path.
	heads map[string]int
}

// opened is a section that is being read.
type opened struct {
	path    string
	line    int
	unknown bool
	seen    map[string]int // its keys, with their lines
}

func newLinter(env Env, file string) *linter {
	s := &store{env: env, m: cmap.NewMap(), options: Options(), lines: map[string]int{}}
	return &linter{store: s, file: file, inside: []opened{{seen: map[string]int{}}}, heads: map[string]int{}}
}

func (l *linter) failed() bool {
	return slices.ContainsFunc(l.found, func(f Finding) bool { return f.Severity == Fault })
}

func (l *linter) add(line int, s Severity, rule, text, hint string) {
	l.found = append(l.found, Finding{line, rule, s, text, hint})
}

// syntax notes a line that is neither section nor key; the rest is not read.
func (l *linter) syntax(err error) {
	text := strings.TrimPrefix(err.Error(), "parser error: "+l.file+":")
	number, text, _ := strings.Cut(text, ": ")
	line, _ := strconv.Atoi(number)
	hint := "A line is `name {`, `}` or `key: value`. What follows this line was not checked."
	if top := l.inside[len(l.inside)-1]; text == "Missing closing brace" {
		hint = fmt.Sprintf("The section %s, opened in line %d, has no `}`.", top.path, top.line)
	}
	l.add(line, Fault, "syntax", text, hint)
}

func (l *linter) open(path string, around section) (section, string) {
	parent, name := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		parent, name = path[:i], path[i+1:]
	}
	unknown := l.inside[len(l.inside)-1].unknown
	if !unknown && !l.knownSection(path) {
		where, what := "at the top", "all of it is ignored"
		if parent != "" {
			where = "in " + parent
		}
		switch around {
		case secMember, secLoggerSubsys, secLoggingDaemon, secUIDGID, secNode: // known by the last part of their keys
			what = "what is in it counts as if it stood in " + parent
		default:
			unknown = true
		}
		l.add(l.line, Warning, "unknown-section", fmt.Sprintf("there is no section %q %s: %s", name, where, what), oneOf(name, l.sectionsIn(parent)))
	}
	l.inside = append(l.inside, opened{path, l.line, unknown, map[string]int{}})
	if _, ok := l.heads[path]; !ok {
		l.heads[path] = l.line
	}
	sec, text := l.store.open(path, around)
	if text != "" {
		l.add(l.line, Fault, "section", text, "")
	}
	return sec, ""
}

// sectionsIn names the sections that may stand in another one.
func (l *linter) sectionsIn(parent string) []string {
	names := map[string]bool{}
	for _, x := range sections {
		if p, name, ok := cutLast(x.path); ok && p == parent || !ok && parent == "" {
			names[name] = true
		}
	}
	if parent == "" {
		names["logging"] = true // a section without keys of its own kind
	}
	return slices.Sorted(maps.Keys(names))
}

func cutLast(path string) (parent, name string, ok bool) {
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// knownSection: what is below quorum.device is corosync-qdevice's, below resources
// the names are free.
func (l *linter) knownSection(path string) bool {
	parent, name, _ := cutLast(path)
	return strings.HasPrefix(path, "quorum.device.") || strings.HasPrefix(path, "resources.") || slices.Contains(l.sectionsIn(parent), name)
}

func (l *linter) item(path, key, value string, in section) string {
	top := l.inside[len(l.inside)-1]
	if strings.HasPrefix(path, "logging.") && in == secNone {
		in = secLogging
	}
	many := in == secUIDGID || in == secMember
	if first, again := top.seen[key]; again && !many {
		which := "this one counts"
		if in == secLoggerSubsys || in == secLoggingDaemon {
			which = "the first counts"
		}
		l.add(l.line, Warning, "twice", fmt.Sprintf("%s stands in this section for the second time, first in line %d: %s", key, first, which), "Keep one of them.")
	}
	top.seen[key] = l.line
	if !top.unknown && !l.known(path, key, in) {
		l.unknownKey(key, in)
	}
	o := l.store.find(in, path, key)
	if in == secNode || in == secInterface || in == secLoggerSubsys {
		o = l.sibling(in, key)
	}
	if o != nil && o.Words != nil && !o.takes(value) {
		l.add(l.line, Warning, "unknown-word", fmt.Sprintf("%q is no value of %s, whose default is %s", value, key, o.Default), meant(o, value))
	}
	if in == secLogging {
		in = secNone // store knows these by their path
	}
	if text := l.store.item(path, key, value, in); text != "" {
		l.add(l.line, Fault, "value", text, meant(o, value))
	}
	return ""
}

// leaf is how an option is written in its section.
func leaf(o *Option) string { _, name, _ := cutLast(o.Key); return name }

// known reports whether a section has that key. Those of resources and, below it,
// of the quorum device are free.
func (l *linter) known(path, key string, in section) bool {
	switch in {
	case secResources, secResourcesSystem, secResourcesProcess, secUIDGID, secMember:
		return true // free, or refused by store
	case secDevice:
		if path != "quorum.device."+key {
			return true
		}
	case secNode:
		if _, ok := ringAddr(key); ok {
			return true
		}
	case secLoggingDaemon:
		if key == "name" {
			return true
		}
		in = secLoggerSubsys
	}
	return slices.Contains(l.keysOf(in), key)
}

func (l *linter) keysOf(in section) (names []string) {
	for i := range l.options {
		if o := &l.options[i]; o.sec == in {
			name := leaf(o)
			if name == "ringX_addr" {
				name = "ring0_addr"
			}
			names = append(names, name)
		}
	}
	return names
}

// sibling is the option of a section that may stand more than once.
func (l *linter) sibling(in section, key string) *Option {
	for i := range l.options {
		if o := &l.options[i]; o.sec == in && leaf(o) == key {
			return o
		}
	}
	return nil
}

func (l *linter) unknownKey(key string, in section) {
	hint := didYouMean(key, l.keysOf(in))
	if o := l.option(key); o != nil && in == secNone {
		parent, name, _ := cutLast(key)
		hint = fmt.Sprintf("Write it as `%s { %s: VALUE }`.", strings.ReplaceAll(parent, ".", " { "), name)
	}
	for i := range l.options {
		if o := &l.options[i]; hint == "" && leaf(o) == key && o.sec != secCmap {
			parent, _, _ := cutLast(o.Key)
			hint = fmt.Sprintf("It belongs in the section %s.", strings.NewReplacer(".N", "", ".NAME", "").Replace(parent))
		}
	}
	if hint == "" {
		hint = "man corosync.conf lists the options; docs/corosync.conf.md has a table of them."
	}
	text := fmt.Sprintf("there is no option %q in this section: it is ignored", key)
	if in == secNone {
		text = fmt.Sprintf("the option %q stands outside of every section: it is ignored", key)
	}
	l.add(l.line, Warning, "unknown-key", text, hint)
}

func (l *linter) close(path string, in section) string {
	l.inside = l.inside[:len(l.inside)-1]
	if text := l.store.close(path, in); text != "" {
		l.add(l.line, Fault, "section", text, "")
	}
	return ""
}

// elsewhere is a machine that takes itself for a node of the file, with a key when
// there is none here.
type elsewhere struct {
	Env
	host string
}

func (e elsewhere) Hostname() string { return e.host }

func (e elsewhere) ReadFile(path string, limit int) ([]byte, error) {
	data, err := e.Env.ReadFile(path, limit)
	if err != nil {
		return make([]byte, minKey), nil
	}
	return data, nil
}

// derive checks the values together, as the daemon does, and looks for what is
// suspicious in the result.
func (l *linter) derive(data []byte) (as string) {
	env := l.env
	c, err := Derive(l.m, env)
	if _, here := l.m.U32("nodelist.local_node_pos"); err != nil && !here {
		first, ok := l.m.Str("nodelist.node.0.name")
		if !ok {
			first, ok = l.m.Str("nodelist.node.0.ring0_addr")
		}
		if ok {
			again := newLinter(env, l.file)
			_ = scan(data, l.file, again) // it went well before
			l.m, as = again.m, first
			c, err = Derive(l.m, elsewhere{env, first})
		}
	}
	if err == nil {
		_, err = ReadLogging(l.m)
	}
	if err == nil {
		_, err = Parse(env, l.file) // the files of uidgid.d
	}
	if err != nil {
		l.refused(err)
		return as
	}
	r := &rules{linter: l, c: c}
	r.all()
	return as
}

// votes notes what the quorum service says of its section as a whole.
func (l *linter) votes(refused string, complaints []string) {
	line := l.heads["quorum"]
	if refused != "" {
		l.found = slices.DeleteFunc(l.found, func(f Finding) bool { return f.Rule == "unknown-word" && f.Line == l.lines["quorum.provider"] })
		l.add(line, Fault, "quorum", refused, "The daemon ends with status 20; a reload keeps what was before. votequorum(5) says what goes together.")
	}
	if len(complaints) > 0 {
		l.add(line, Warning, "quorum-complains", strings.Join(complaints, " "), "votequorum(5) says what goes together.")
	}
}

// refused notes why the daemon does not take the file, at the first key that it is
// about.
func (l *linter) refused(err error) {
	line, text, hint := 0, strings.TrimSpace(err.Error()), ""
	if e, ok := err.(*Error); ok {
		hint = e.Hint
		for _, key := range e.Keys {
			if at, ok := l.lines[key]; ok && line == 0 {
				line = at
			}
		}
	}
	l.found = slices.DeleteFunc(l.found, func(f Finding) bool {
		same := f.Rule == "unknown-word" && f.Line == line
		if same {
			hint = f.Hint
		}
		return same
	})
	l.add(line, Fault, "refused", text, hint)
}
