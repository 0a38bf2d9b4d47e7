// Package goption parses command lines as GLib's GOption does for Pacemaker's
// tools: groups, callbacks, optional values, --help, --help-all and
// --help-GROUP in GLib's layout, and GLib's error texts byte for byte. GOption
// knows no abbreviations of long names, and neither does this.
//
// A tool makes a Context with Pacemaker (pacemaker.go: the options that all
// tools share), adds entries and groups, and calls Parse with the arguments as
// Preprocess leaves them. Programs on getopt use internal/getopt instead.
//
// Upstream: GLib 2.74 glib/goption.c; Pacemaker's lib/common/cmdline.c.
package goption

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Flags change how an entry is shown and parsed.
type Flags uint8

// The flags of GOptionEntry that Pacemaker's tools use.
const (
	Hidden      Flags = 1 << iota // not in any help
	NoArg                         // of a callback: takes no value
	OptionalArg                   // of a callback: the value may be missing
)

// Value is what a callback gets.
type Value struct {
	Option string // as written: "-r" or "--resource"
	Arg    string
	Given  bool // false: the option had no value
}

// Callback handles an option by itself. An error ends the parsing; its text is shown to the user.
type Callback = func(Value) error

// Entry is one option. Where it stores decides what it takes:
// *bool no value, *string and **string text, *int a number, *[]string one of many
// texts, Callback whatever the flags say.
type Entry struct {
	Long  string // empty: Dest, a *[]string, gets all operands
	Short byte
	Flags Flags
	Dest  any
	Help  string
	Arg   string // name of the value in the help
}

func (e *Entry) noArg() bool {
	switch e.Dest.(type) {
	case *bool:
		return true
	case Callback:
		return e.Flags&NoArg != 0
	}
	return false
}

func (e *Entry) optionalArg() bool {
	_, callback := e.Dest.(Callback)
	return callback && e.Flags&OptionalArg != 0
}

// Group is a set of options with a help of its own (--help-NAME).
type Group struct {
	Name    string
	Title   string // heading in the help
	Help    string // of --help-NAME
	Entries []Entry
}

// Context is the description of a command line. Not safe for concurrent use.
type Context struct {
	Program     string // as it appears in the usage: the name without directory
	Parameters  string // after [OPTION…] in the usage
	Summary     string // above the options
	Description string // below the options
	Main        Group
	Groups      []*Group
	NoHelp      bool // --help and its like are no options
}

// HelpError is what Parse returns when the user asked for help. It is no
// failure: the text goes to standard output and the program ends well.
type HelpError struct{ Text string }

func (h *HelpError) Error() string { return h.Text }

// Parse reads args, the arguments after the program's name. It returns the
// operands in order; the error is a *HelpError or has GLib's text.
func (c *Context) Parse(args []string) (rest []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if len(arg) < 2 || arg[0] != '-' {
			if !c.operand(arg) {
				rest = append(rest, arg)
			}
			continue
		}
		if arg == "--" {
			rest = append(rest, c.afterDashes(args[i+1:])...)
			break
		}
		p := parse{c: c, args: args, at: i}
		if arg[1] == '-' {
			err = p.long(arg[2:])
		} else {
			err = p.short(arg[1:])
		}
		if err != nil {
			return nil, err
		}
		if !p.done {
			return nil, fmt.Errorf("Unknown option %s", arg)
		}
		i = p.next
	}
	return rest, nil
}

// afterDashes returns the operands after "--". The dashes stay with them if one
// looks like an option, so that whoever reads them next is not misled.
func (c *Context) afterDashes(args []string) (rest []string) {
	keep := false
	for _, a := range args {
		if !c.operand(a) {
			rest = append(rest, a)
			keep = keep || strings.HasPrefix(a, "-")
		}
	}
	if keep {
		rest = append([]string{"--"}, rest...)
	}
	return rest
}

// operand gives arg to the entry that collects operands, if there is one.
func (c *Context) operand(arg string) bool {
	for i := range c.Main.Entries {
		if e := &c.Main.Entries[i]; e.Long == "" {
			list, ok := e.Dest.(*[]string)
			if ok {
				*list = append(*list, arg)
			}
			return ok
		}
	}
	return false
}

// groups calls f for the main group and the others until the option is done.
func (p *parse) groups(f func(*Group) error) error {
	if err := f(&p.c.Main); err != nil || p.done {
		return err
	}
	for _, g := range p.c.Groups {
		if err := f(g); err != nil || p.done {
			return err
		}
	}
	return nil
}

// parse is the work on one argument.
type parse struct {
	c    *Context
	args []string
	at   int  // the argument
	next int  // the last argument used
	done bool // some entry took it
}

func (p *parse) long(arg string) error {
	p.next = p.at
	if err := p.help(arg); err != nil {
		return err
	}
	if err := p.groups(func(g *Group) error { return p.longIn(g, arg) }); err != nil || p.done {
		return err
	}
	prefix, name, ok := strings.Cut(arg, "-") // --GROUP-OPTION
	if !ok || prefix == "" {
		return nil
	}
	for _, g := range p.c.Groups {
		if strings.HasPrefix(g.Name, prefix) {
			if err := p.longIn(g, name); err != nil || p.done {
				return err
			}
		}
	}
	return nil
}

func (p *parse) help(arg string) error {
	if p.c.NoHelp {
		return nil
	}
	switch arg {
	case "help":
		return &HelpError{p.c.Help(true, nil)}
	case "help-all":
		return &HelpError{p.c.Help(false, nil)}
	}
	if name, ok := strings.CutPrefix(arg, "help-"); ok {
		for _, g := range p.c.Groups {
			if g.Name == name {
				return &HelpError{p.c.Help(false, g)}
			}
		}
	}
	return nil
}

func (p *parse) longIn(g *Group, arg string) error {
	for i := range g.Entries {
		e := &g.Entries[i]
		if e.Long == "" {
			continue
		}
		option := "--" + e.Long
		if arg == e.Long && e.noArg() {
			p.done = true
			return e.set(Value{Option: option})
		}
		rest, ok := strings.CutPrefix(arg, e.Long)
		if !ok || rest != "" && rest[0] != '=' {
			continue
		}
		p.done = true
		if rest != "" {
			return e.set(Value{option, rest[1:], true})
		}
		return p.take(e, option)
	}
	return nil
}

// take gives e the next argument as its value.
func (p *parse) take(e *Entry, option string) error {
	last := p.at+1 >= len(p.args)
	switch {
	case last && e.optionalArg(), !last && e.optionalArg() && strings.HasPrefix(p.args[p.at+1], "-"):
		return e.set(Value{Option: option})
	case last:
		return fmt.Errorf("Missing argument for %s", option)
	}
	p.next = p.at + 1
	return e.set(Value{option, p.args[p.next], true})
}

func (p *parse) short(letters string) error {
	p.next = p.at
	ownH := p.c.hasShortH()
	for i := range len(letters) {
		letter := letters[i]
		if !p.c.NoHelp && (letter == '?' || letter == 'h' && !ownH) {
			return &HelpError{p.c.Help(true, nil)}
		}
		p.done = false
		if err := p.groups(func(g *Group) error { return p.shortIn(g, letter) }); err != nil {
			return err
		}
		if !p.done {
			return nil
		}
	}
	return nil
}

func (p *parse) shortIn(g *Group, letter byte) error {
	for i := range g.Entries {
		e := &g.Entries[i]
		if e.Short != letter {
			continue
		}
		option := "-" + string(rune(letter))
		p.done = true
		if e.noArg() {
			return e.set(Value{Option: option})
		}
		if p.next > p.at { // another letter of this argument has the value already
			return fmt.Errorf("Error parsing option %s", option)
		}
		return p.take(e, option)
	}
	return nil
}

func (c *Context) hasShortH() bool {
	has := func(g *Group) bool {
		for i := range g.Entries {
			if g.Entries[i].Short == 'h' {
				return true
			}
		}
		return false
	}
	for _, g := range c.Groups {
		if has(g) {
			return true
		}
	}
	return has(&c.Main)
}

// set stores v as the kind of destination says.
func (e *Entry) set(v Value) error {
	switch d := e.Dest.(type) {
	case *bool:
		*d = true
	case *string:
		*d = v.Arg
	case **string:
		*d = &v.Arg
	case *[]string:
		*d = append(*d, v.Arg)
	case *int:
		n, err := number(v)
		if err != nil {
			return err
		}
		*d = n
	case Callback:
		if e.noArg() {
			v = Value{Option: v.Option}
		}
		return d(v)
	default:
		panic(fmt.Sprintf("goption: --%s stores into a %T", e.Long, e.Dest))
	}
	return nil
}

// number reads an integer as strtol with base 0 does, the whole text.
func number(v Value) (int, error) {
	text := strings.TrimLeft(v.Arg, " \t\n\v\f\r")
	digits := strings.TrimLeft(text, "+-")
	ok := digits != "" && len(text)-len(digits) <= 1 && !strings.Contains(text, "_") &&
		!strings.HasPrefix(digits, "0b") && !strings.HasPrefix(digits, "0B") && !strings.HasPrefix(digits, "0o") && !strings.HasPrefix(digits, "0O")
	n, err := strconv.ParseInt(text, 0, 64)
	switch ne, _ := err.(*strconv.NumError); {
	case v.Arg == "":
		return 0, fmt.Errorf("Cannot parse integer value “%s” for %s", v.Arg, v.Option)
	case !ok, ne != nil && ne.Err != strconv.ErrRange:
		return 0, fmt.Errorf("Cannot parse integer value “%s” for %s", v.Arg, v.Option)
	case err != nil, n > math.MaxInt32, n < math.MinInt32:
		return 0, fmt.Errorf("Integer value “%s” for %s out of range", v.Arg, v.Option)
	}
	return int(n), nil
}
