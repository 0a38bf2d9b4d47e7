// Package getopt parses command lines exactly as glibc's getopt and
// getopt_long do: same option syntax, same permutation of arguments, same
// abbreviation of long names, same error texts byte for byte.
//
// It is for the programs whose originals use getopt (the corosync tools, the
// corosync and pacemaker daemons); programs on GLib's GOption have their own.
//
// Upstream: glibc 2.36 posix/getopt.c, getopt(3). Not supported because nothing
// here uses it: the "W;" extension, getopt_long_only, and the flag pointer of
// struct option.
package getopt

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Arg says whether a long option takes an argument.
type Arg uint8

// The values of struct option's has_arg.
const (
	NoArg Arg = iota
	RequiredArg
	OptionalArg
)

// Long is one long option; Val is what Next returns for it.
type Long struct {
	Name string
	Arg  Arg
	Val  int
}

// End is what Next returns when there are no more options.
const End = -1

// Parser walks over one command line. Not safe for concurrent use.
type Parser struct {
	// Arg is the argument of the option that Next returned; HasArg tells an
	// empty argument from none.
	Arg    string
	HasArg bool
	// Opt is the offending option letter after '?' or ':'.
	Opt int
	// Index is the place in the table of the long option that Next returned.
	Index int

	prog    string
	args    []string
	short   string
	long    []Long
	stderr  io.Writer
	quiet   bool // short starts with ':': no texts, ':' for a missing argument
	inOrder bool // '-': operands come back as option 1
	posix   bool // '+' or POSIXLY_CORRECT: the first operand ends the options

	next     int    // index of the next unread argument
	cluster  string // rest of the cluster of short options being read
	operands []string
}

// New prepares to parse args, the command line without the program's name.
// prog is argv[0] as the program was called, which error texts start with.
// short is an option string as for getopt(3); long may be nil.
func New(prog string, args []string, short string, long []Long, stderr io.Writer) *Parser {
	p := &Parser{prog: prog, args: args, short: short, long: long, stderr: stderr}
	switch {
	case strings.HasPrefix(short, "-"):
		p.inOrder, p.short = true, short[1:]
	case strings.HasPrefix(short, "+"):
		p.posix, p.short = true, short[1:]
	default:
		_, p.posix = os.LookupEnv("POSIXLY_CORRECT")
	}
	p.quiet = strings.HasPrefix(p.short, ":")
	return p
}

// Next returns the next option: its letter, the Val of a long one, '?' for an
// error that was reported on stderr, ':' for a missing argument when the option
// string starts with a colon, 1 for an operand in the "-" mode, or End.
func (p *Parser) Next() int {
	p.Arg, p.HasArg = "", false
	if p.cluster != "" {
		return p.letter()
	}
	for ; ; p.next++ {
		if p.next >= len(p.args) {
			return End
		}
		word := p.args[p.next]
		if word == "--" {
			p.next++
			return End
		}
		if len(word) > 1 && word[0] == '-' {
			break
		}
		switch {
		case p.inOrder:
			p.next++
			p.Arg, p.HasArg = word, true
			return 1
		case p.posix:
			return End
		}
		p.operands = append(p.operands, word)
	}
	word := p.args[p.next]
	if p.long != nil && strings.HasPrefix(word, "--") {
		p.next++
		return p.longOption(word[2:])
	}
	p.cluster = word[1:]
	return p.letter()
}

// Rest returns the operands in order; call it once Next has returned End.
func (p *Parser) Rest() []string {
	return append(p.operands, p.args[p.next:]...)
}

// letter takes one option letter off the cluster.
func (p *Parser) letter() int {
	c := p.cluster[0]
	p.cluster = p.cluster[1:]
	if p.cluster == "" {
		p.next++
	}
	at := strings.IndexByte(p.short, c)
	if at < 0 || c == ':' || c == ';' {
		p.complain("invalid option -- '%s'\n", string([]byte{c}))
		p.Opt = int(c)
		return '?'
	}
	spec := p.short[at+1:]
	if !strings.HasPrefix(spec, ":") {
		return int(c)
	}
	switch {
	case p.cluster != "":
		p.Arg, p.HasArg = p.cluster, true
		p.cluster = ""
		p.next++
	case strings.HasPrefix(spec, "::"):
	case p.next >= len(p.args):
		p.complain("option requires an argument -- '%s'\n", string([]byte{c}))
		p.Opt = int(c)
		return p.missing()
	default:
		p.Arg, p.HasArg = p.args[p.next], true
		p.next++
	}
	return int(c)
}

// longOption handles the text after "--"; the word itself is already consumed.
func (p *Parser) longOption(text string) int {
	name, value, hasValue := strings.Cut(text, "=")
	i := p.find(name, text)
	if i < 0 {
		return '?'
	}
	o := &p.long[i]
	p.Index = i
	switch {
	case hasValue && o.Arg == NoArg:
		p.complain("option '--%s' doesn't allow an argument\n", o.Name)
		p.Opt = o.Val
		return '?'
	case hasValue:
		p.Arg, p.HasArg = value, true
	case o.Arg == RequiredArg && p.next >= len(p.args):
		p.complain("option '--%s' requires an argument\n", o.Name)
		p.Opt = o.Val
		return p.missing()
	case o.Arg == RequiredArg:
		p.Arg, p.HasArg = p.args[p.next], true
		p.next++
	}
	return o.Val
}

// find looks up a long name or an unambiguous beginning of one. Beginnings that
// fit several options of the same kind and value are no ambiguity.
func (p *Parser) find(name, text string) int {
	found, ambiguous := -1, false
	for i := range p.long {
		o := &p.long[i]
		if o.Name == name {
			return i
		}
		if !strings.HasPrefix(o.Name, name) {
			continue
		}
		if found < 0 {
			found = i
		} else if f := &p.long[found]; f.Arg != o.Arg || f.Val != o.Val {
			ambiguous = true
		}
	}
	switch {
	case found < 0:
		p.Opt = 0
		p.complain("unrecognized option '--%s'\n", text)
	case ambiguous:
		p.Opt = 0
		p.complain("option '--%s' is ambiguous; possibilities:%s\n", text, p.possibilities(name, found))
		return -1
	}
	return found
}

// possibilities lists the first match and those that differ from it.
func (p *Parser) possibilities(name string, first int) string {
	var b strings.Builder
	f := &p.long[first]
	for i := range p.long {
		o := &p.long[i]
		if i == first || strings.HasPrefix(o.Name, name) && (o.Arg != f.Arg || o.Val != f.Val) {
			fmt.Fprintf(&b, " '--%s'", o.Name)
		}
	}
	return b.String()
}

func (p *Parser) missing() int {
	if p.quiet {
		return ':'
	}
	return '?'
}

func (p *Parser) complain(format string, args ...any) {
	if !p.quiet {
		fmt.Fprintf(p.stderr, "%s: "+format, append([]any{p.prog}, args...)...)
	}
}
