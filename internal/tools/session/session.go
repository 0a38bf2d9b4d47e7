// Package session is what tools with Pacemaker's output formats do before and
// after their work: make the output, report the error, end with a status.
//
// Tools that do one thing call it. It replaces the frame that main has in most of
// the original's tools (output.c: pcmk__output_new, pcmk__output_and_clear_error).
package session

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/pengine/show"
)

// Session is one run of a tool. It is owned by one goroutine.
type Session struct {
	Out  *pcmkout.Out
	env  *applet.Env
	file *os.File
}

// Begin makes the output that the options ask for. When it cannot, the user has
// been told and the program ends with status.
func Begin(e *applet.Env, common *goption.Common, fancy bool, formats ...pcmkout.Format) (s *Session, status pcmk.Exit, ok bool) {
	s, err := Open(e, common, pcmkout.Options{Fancy: fancy}, formats...)
	if err != nil {
		s.Say(err.Error())
		return nil, pcmk.ExitError, false
	}
	return s, pcmk.ExitOK, true
}

// Open is Begin for tools that tell of a failure in their own way. The error holds
// a pcmk.RC.
func Open(e *applet.Env, common *goption.Common, o pcmkout.Options, formats ...pcmkout.Format) (*Session, error) {
	s := &Session{env: e}
	name, shown, format := "text", "(null)", pcmkout.Text // shown is the original's word
	if common.OutputAs != nil {
		name, shown = *common.OutputAs, *common.OutputAs
	}
	known := false
	if format, known = pcmkout.ParseFormat(name); !known || !slices.Contains(formats, format) {
		return s, fmt.Errorf("Error creating output format %s: %w", name, pcmk.RCUnknownFormat)
	}
	stdout := e.Stdout
	if common.OutputTo != nil && *common.OutputTo != "-" {
		f, err := os.Create(*common.OutputTo)
		if err != nil {
			return s, fmt.Errorf("Error creating output format %s: %w", shown, FileRC(err))
		}
		s.file, stdout = f, f
	}
	o.Request, o.Quiet = append([]string{e.Argv0}, e.Args...), common.Quiet
	s.Out = pcmkout.New(format, o, stdout, e.Stderr)
	return s, nil
}

// FenceEvents are the fencer's records as they are shown; the states have the same
// numbers.
func FenceEvents(l []wire.Record) []show.FenceEvent {
	out := make([]show.FenceEvent, len(l))
	for i := range l {
		r := &l[i]
		out[i] = show.FenceEvent{Target: r.Target, Action: r.Action, Origin: r.Origin, Client: r.ClientName, Delegate: r.Delegate,
			ExitReason: r.Result.Reason, State: show.FenceState(r.State), Completed: r.Completed, CompletedNsec: r.CompletedNsec}
	}
	return out
}

// FileRC is the pcmk.RC of an error of a file.
func FileRC(err error) pcmk.RC {
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		return pcmk.RC(errno)
	}
	return pcmk.RCError
}

// Say writes an error before there is an output.
func (s *Session) Say(text string) { fmt.Fprintf(s.env.Stderr, "%s: %s\n", s.env.Name, text) }

// End reports the error, if there is one, and completes the output; it returns
// the exit status.
func (s *Session) End(status pcmk.Exit, text string) int {
	if text != "" {
		s.Out.Err(s.env.Name + ": " + text)
	}
	s.Out.Finish(status)
	if s.file != nil {
		if err := s.file.Close(); err != nil && status == pcmk.ExitOK {
			s.Say(err.Error())
			status = pcmk.ExitIOErr
		}
	}
	return int(status)
}

// Attribute shows a node attribute or option (pcmk_output.c: attribute_default, attribute_xml).
func (s *Session) Attribute(scope, instance, name, value, host string) {
	if s.Out.Format == pcmkout.XML {
		n := s.Out.Node("attribute", "name", name)
		n.Set("value", value) // even when it is empty
		for _, a := range [...][2]string{{"scope", scope}, {"id", instance}, {"host", host}} {
			if a[1] != "" {
				n.Set(a[0], a[1])
			}
		}
		return
	}
	text := ""
	for _, a := range [...][2]string{{"scope", scope}, {"id", instance}} {
		if a[1] != "" {
			text += a[0] + `="` + a[1] + `" `
		}
	}
	text += `name="` + name + `" `
	if host != "" {
		text += `host="` + host + `" `
	}
	s.Out.Info(text + `value="` + value + `"`)
}
