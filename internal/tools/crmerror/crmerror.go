// Package crmerror is the program crm_error: it shows what the numbers mean that
// Pacemaker's functions and programs end with.
//
// Upstream: tools/crm_error.c, lib/pacemaker/pcmk_result_code.c, crm_error(8).
package crmerror

import (
	"math"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/tools/session"
)

// family is what a number is a result of.
type family uint8

const (
	legacy family = iota // functions of libraries, older ones
	result               // functions, newer ones
	exit                 // programs
)

// maxErrno is where the search for names of system errors ends.
const maxErrno = 256

// tool is one run.
type tool struct {
	goption.Common
	fancy, names, list bool
	kind               family
	out                *pcmkout.Out
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	t := &tool{}
	rest, status, ok := t.context().Run(e.Args, "", e.Stdout, e.Stderr)
	if !ok {
		return status
	}
	s, code, ok := session.Begin(e, &t.Common, t.fancy, pcmkout.Text, pcmkout.XML, pcmkout.None)
	if !ok {
		return int(code)
	}
	t.out = s.Out
	switch {
	case t.Version:
		t.out.ShowVersion(false)
	case t.list || len(rest) == 0:
		t.all()
	default:
		for _, arg := range rest {
			if arg != "--" {
				t.show(number(arg), t.Verbosity > 0)
			}
		}
	}
	return s.End(pcmk.ExitOK, "")
}

func (t *tool) context() *goption.Context {
	c := goption.Pacemaker("crm_error", "crm_error - display name or description of a Pacemaker error code", "text (default), xml", "[-- <rc> [<rc>...]]", &t.Common)
	kind := func(k family) goption.Callback { return func(goption.Value) error { t.kind = k; return nil } }
	c.AddMain(
		goption.Entry{Long: "name", Short: 'n', Dest: &t.names, Help: "Show error's name with its description (useful for looking for sources of the error in source code)"},
		goption.Entry{Long: "list", Short: 'l', Dest: &t.list, Help: "Show all known errors (enabled by default if no rc is specified)"},
		goption.Entry{Long: "exit", Short: 'X', Flags: goption.NoArg, Dest: kind(exit), Help: "Interpret as exit code rather than legacy function return value"},
		goption.Entry{Long: "rc", Short: 'r', Flags: goption.NoArg, Dest: kind(result), Help: "Interpret as return code rather than legacy function return value"})
	c.AddOutput(goption.Entry{Long: "text-fancy", Dest: &t.fancy, Help: "Use more highly formatted output (requires --output-as=text)"})
	return c
}

// number reads a result; what is no number is the least there is, as in the original.
func number(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil && n == 0 {
		return math.MinInt32
	}
	return int(max(min(n, math.MaxInt32), math.MinInt32))
}

// strings are the name and the meaning of a result (results.c: pcmk_result_get_strings).
func (t *tool) strings(code int) (name, text string) {
	switch t.kind {
	case result:
		return pcmk.RC(code).Name(), pcmk.RC(code).Error()
	case exit:
		return pcmk.Exit(code).Name(), pcmk.Exit(code).String()
	}
	if code == math.MinInt32 { // which has no opposite
		return "Unknown", pcmk.RC(code).Error()
	}
	return pcmk.LegacyName(code), pcmk.RCFromLegacy(code).Error()
}

// all shows every result that has a name.
func (t *tool) all() {
	show := func(code int) {
		if name, _ := t.strings(code); name != "Unknown" && name != "CRM_EX_UNKNOWN" {
			t.show(code, true)
		}
	}
	switch t.kind {
	case exit:
		for _, code := range pcmk.ExitCodes() {
			show(int(code))
		}
		return
	case result:
		own := pcmk.RCs()
		for i := len(own) - 1; i >= 0; i-- {
			show(int(own[i]))
		}
	}
	for code := range maxErrno + 1 {
		show(code)
	}
}

// show shows one result (message "result-code").
func (t *tool) show(code int, withCode bool) {
	name, text := t.strings(code)
	if !t.names {
		name = ""
	}
	switch {
	case t.out.Format == pcmkout.XML:
		x := t.out.Node("result-code", "code", strconv.Itoa(code))
		if name != "" {
			x.Set("name", name)
		}
		x.Set("description", text)
	case t.out.Format == pcmkout.None:
	case !withCode && name != "":
		t.out.Print(name + " - " + text + "\n")
	case !withCode:
		t.out.Print(text + "\n")
	case name != "":
		t.out.Infof("% *d: %-*s  %s", codeWidth(), code, nameWidth(), name, text)
	default:
		t.out.Infof("% *d: %s", codeWidth(), code, text)
	}
}

// codeWidth is the width of the longest of Pacemaker's own results.
func codeWidth() int {
	own := pcmk.RCs()
	return len(strconv.Itoa(int(own[len(own)-1])))
}

func nameWidth() (width int) {
	for _, rc := range pcmk.RCs() {
		width = max(width, len(rc.Name()))
	}
	return width
}
