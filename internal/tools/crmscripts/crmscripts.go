// Package crmscripts is the programs crm_master, crm_standby and crm_failcount, which
// are shell scripts over crm_attribute and crm_resource in the original: agents and
// administrators call them by these names.
//
// Upstream: tools/crm_master.in, crm_standby.in, crm_failcount.in.
package crmscripts

import (
	"fmt"
	"io"
	"strings"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/getopt"
	"github.com/pacesync/pacesync/internal/tools/crmattribute"
	"github.com/pacesync/pacesync/internal/tools/crmnode"
)

// script is one run of any of them.
type script struct {
	env   *applet.Env
	usage string
	wrong int // status after a mistake on the command line
}

// mistake tells how the program is used, and what was wrong with it.
func (s *script) mistake(text string) int {
	if text != "" {
		fmt.Fprintln(s.env.Stderr, "error: "+text)
	}
	fmt.Fprintf(s.env.Stdout, "\n%s\n", s.usage)
	return s.wrong
}

// options are long options by what they take; the key of an option is its first name.
type options struct {
	flags, values string // names, separated by blanks
	short         string
}

func (o options) long() (list []getopt.Long) {
	for _, name := range strings.Fields(o.flags) {
		list = append(list, getopt.Long{Name: name, Val: longBase + len(list)})
	}
	for _, name := range strings.Fields(o.values) {
		list = append(list, getopt.Long{Name: name, Arg: getopt.RequiredArg, Val: longBase + len(list)})
	}
	return list
}

// longBase is above the letters of short options.
const longBase = 256

// each calls f for every option, by its name as the shell's getopt writes it: -x or --name.
// done: f ended the program.
func (s *script) each(o options, f func(name, value string) (status int, done bool)) (status int, done bool) {
	long := o.long()
	opts := getopt.New(s.env.Name, s.env.Args, o.short, long, s.env.Stderr)
	for c := opts.Next(); c != getopt.End; c = opts.Next() {
		if c == '?' {
			return s.mistake(""), true
		}
		name := "-" + string(rune(c))
		if c >= longBase {
			name = "--" + long[c-longBase].Name
		}
		if status, done = f(name, opts.Arg); done {
			return status, true
		}
	}
	return 0, false
}

// attribute runs crm_attribute.
func (s *script) attribute(stdout, stderr io.Writer, args ...string) int {
	return crmattribute.Run(&applet.Env{Name: "crm_attribute", Argv0: "crm_attribute", Args: args, Stdin: s.env.Stdin, Stdout: stdout, Stderr: stderr})
}

// version is that of crm_attribute.
func (s *script) version() int { return s.attribute(s.env.Stdout, s.env.Stderr, "--version") }

// localNode is this node's name, empty if nobody knows it.
func (s *script) localNode(stderr io.Writer) string {
	var out strings.Builder
	crmnode.Run(&applet.Env{Name: "crm_node", Argv0: "crm_node", Args: []string{"-n"}, Stdin: s.env.Stdin, Stdout: &out, Stderr: stderr})
	return strings.TrimSpace(out.String())
}
