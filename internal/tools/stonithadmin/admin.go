// Package stonithadmin is the tool stonith_admin: devices, levels, fencing by
// hand, the history, and what agents say of themselves.
//
// cmd/pacesync calls Run. It replaces tools/stonith_admin.c and
// lib/pacemaker/pcmk_fence.c.
package stonithadmin

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/fencing/agent"
	"github.com/pacesync/pacesync/fencing/client"
	"github.com/pacesync/pacesync/fencing/device"
	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
)

// program is one run of the tool.
type program struct {
	env *applet.Env
	o   options
	ctx *goption.Context
	out *pcmkout.Out
	to  *os.File
	st  *client.Client
}

// Run is the program stonith_admin.
func Run(e *applet.Env) int {
	p := &program{env: e}
	p.ctx = p.o.context(e.Name)
	status := p.run()
	if p.st != nil {
		p.st.Close()
	}
	if p.out != nil {
		p.out.Finish(status)
	}
	if p.to != nil {
		p.to.Close()
	}
	return int(status)
}

// fail reports what went wrong in the name of the program
// (pcmk__output_and_clear_error).
func (p *program) fail(status pcmk.Exit, text string) pcmk.Exit {
	if p.out != nil {
		p.out.Err(p.env.Name + ": " + text)
	} else {
		_, _ = io.WriteString(p.env.Stderr, p.env.Name+": "+text+"\n")
	}
	return status
}

func (p *program) run() pcmk.Exit {
	_, err := p.ctx.Parse(goption.Preprocess(p.env.Args, "adehilorstvyBCDFHQRTU"))
	if help := (*goption.HelpError)(nil); errors.As(err, &help) {
		_, _ = io.WriteString(p.env.Stdout, goption.Console(help.Text))
		return pcmk.ExitOK
	}
	if err != nil {
		return p.fail(pcmk.ExitUsage, err.Error())
	}
	if status, ok := p.open(); !ok {
		return status
	}
	if p.o.Version {
		p.out.ShowVersion(false)
		return pcmk.ExitOK
	}
	c, about := p.o.choose()
	switch {
	case c == none:
		p.out.Err(p.ctx.Help(true, nil))
		return pcmk.ExitUsage
	case p.o.agent == nil && (c == validate || c == register || c == metadata):
		p.out.Err("Please specify an agent to query using -a,--agent [value]")
		p.out.Err(p.ctx.Help(true, nil))
		return pcmk.ExitUsage
	}
	p.out.Quiet = p.o.Quiet
	if rc := p.connect(c); rc != pcmk.OK {
		p.out.Errf("Could not connect to fencer: %s", rc.Error())
		return pcmk.ExitDisconnect
	}
	return p.do(c, about).Exit()
}

// open makes the output.
func (p *program) open() (pcmk.Exit, bool) {
	name, shown := "text", "(null)" // as the original has it in messages
	if p.o.OutputAs != nil {
		name, shown = *p.o.OutputAs, *p.o.OutputAs
	}
	format, known := pcmkout.ParseFormat(name)
	if !known {
		return p.fail(pcmk.ExitError, "Error creating output format "+shown+": "+pcmk.RCUnknownFormat.Error()), false
	}
	var dest io.Writer = p.env.Stdout
	if p.o.OutputTo != nil && *p.o.OutputTo != "-" {
		f, err := os.Create(*p.o.OutputTo)
		if err != nil {
			return p.fail(pcmk.ExitError, "Error creating output format "+shown+": "+rcOf(err).Error()), false
		}
		p.to, dest = f, f
	}
	o := &p.o
	p.out = pcmkout.New(format, pcmkout.Options{Request: append([]string{p.env.Argv0}, p.env.Args...), Fancy: o.fancy, CGI: o.cgi,
		Legacy: o.legacy, SimpleList: o.simple, Substitute: o.substitute, Title: text(o.title), Stylesheet: text(o.sheet)}, dest, p.env.Stderr)
	return pcmk.ExitOK, true
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// rcOf is the return code within an error.
func rcOf(err error) pcmk.RC {
	var rc pcmk.RC
	var no syscall.Errno
	switch {
	case err == nil:
		return pcmk.OK
	case errors.As(err, &rc):
		return rc
	case errors.As(err, &no):
		return pcmk.RC(no)
	case errors.Is(err, context.DeadlineExceeded):
		return pcmk.RC(syscall.ETIME)
	}
	return pcmk.RCError
}

// name is what the fencer's logs call us.
func (p *program) name() string {
	if p.o.tag != "" {
		return p.env.Name + "." + p.o.tag
	}
	return p.env.Name
}

// connect connects to the fencer, where the command needs it from the start.
func (p *program) connect(c command) pcmk.RC {
	switch c {
	case validate, installed, metadata, reboot, fence, unfence:
		return pcmk.OK
	}
	st, err := client.Dial(context.Background(), p.name())
	if err != nil {
		return pcmk.RC(syscall.ENOTCONN)
	}
	p.st = st
	return pcmk.OK
}

func (p *program) timeout() time.Duration { return time.Duration(p.o.timeout) * time.Second }

// complain reports a command's failure.
func (p *program) complain(rc pcmk.RC, what string) pcmk.RC {
	if rc != pcmk.OK {
		p.out.Err(what + ": " + rc.Error())
	}
	return rc
}

func (p *program) do(c command, about string) pcmk.RC {
	ctx := context.Background()
	switch c {
	case installed:
		return p.complain(p.listInstalled(), "Failed to list installed devices")
	case registered, list:
		return p.complain(p.listRegistered(ctx, about), "Failed to list registered devices")
	case query:
		return p.query(ctx, about)
	case targets:
		return p.complain(p.listTargets(ctx, about), "Couldn't list targets")
	case register:
		r := wire.Registration{ID: about, Agent: *p.o.agent, Params: p.o.params}
		return p.complain(rcOf(p.st.RegisterDevice(ctx, r)), "Can't register device "+about+" using agent "+*p.o.agent)
	case deregister:
		return p.complain(rcOf(p.st.RemoveDevice(ctx, about)), "Can't unregister device "+about)
	case levelAdd:
		return p.complain(rcOf(p.st.RegisterLevel(ctx, p.level(about))), "Can't register topology level "+strconv.Itoa(p.o.level)+" for "+shown(about))
	case levelDel:
		return p.complain(rcOf(p.st.RemoveLevel(ctx, p.level(about))), "Can't unregister topology level "+strconv.Itoa(p.o.level)+" for "+shown(about))
	case metadata:
		return p.complain(p.showMetadata(ctx), "Can't get fence agent meta-data")
	case confirm:
		r, err := p.st.Confirm(ctx, about, wire.AllowSuicide)
		return resultRC(r, err)
	case reboot:
		return p.fence(about, "reboot")
	case fence:
		return p.fence(about, "off")
	case unfence:
		return p.fence(about, "on")
	case last:
		return p.last(ctx, about)
	case historyOf:
		return p.history(ctx, about)
	case validate:
		return p.validate(ctx)
	}
	return pcmk.OK
}

func resultRC(r wire.Result, err error) pcmk.RC {
	if err != nil {
		return rcOf(err)
	}
	return r.RC()
}

func (p *program) level(target string) wire.Level {
	l := wire.Level{Index: p.o.level, Devices: p.o.device, Kind: wire.ByName, Target: target}
	if name, value, ok := strings.Cut(target, "="); ok {
		l.Kind, l.Target, l.Value = wire.ByAttribute, name, value
	} else if pattern, ok := strings.CutPrefix(target, "@"); ok {
		l.Kind, l.Target = wire.ByPattern, pattern
	}
	return l
}

// shown is the target in messages; the original cuts an attribute's value off.
func shown(target string) string {
	name, _, _ := strings.Cut(target, "=")
	return name
}

func (p *program) listInstalled() pcmk.RC {
	r := &agent.Runner{}
	names, err := r.List()
	if err != nil {
		return rcOf(err)
	}
	p.out.BeginCounted("fence device", "fence devices", "Installed fence devices")
	for _, n := range append(agent.Legacy(), names...) {
		p.out.Item("device", n)
	}
	p.out.End()
	return pcmk.OK
}

func (p *program) listRegistered(ctx context.Context, target string) pcmk.RC {
	devices, err := p.st.Query(ctx, target, p.timeout())
	if err != nil {
		return rcOf(err)
	}
	p.out.BeginCounted("fence device", "fence devices", "Registered fence devices")
	for _, d := range devices {
		p.out.Item("device", d.ID)
	}
	p.out.End()
	return pcmk.OK
}

func (p *program) query(ctx context.Context, id string) pcmk.RC {
	rc := resultRC(p.st.Execute(ctx, id, "monitor", "", p.timeout()))
	if rc != pcmk.OK {
		rc = resultRC(p.st.Execute(ctx, id, "list", "", p.timeout()))
	}
	return rc
}

func (p *program) listTargets(ctx context.Context, id string) pcmk.RC {
	r, err := p.st.Execute(ctx, id, "list", "", p.timeout())
	if rc := resultRC(r, err); rc != pcmk.OK {
		return rc
	}
	p.out.BeginCounted("fence target", "fence targets", "Fence Targets")
	for _, t := range device.ParseTargets(r.Output) {
		p.out.Item("", t)
	}
	p.out.End()
	return pcmk.OK
}

func (p *program) showMetadata(ctx context.Context) pcmk.RC {
	r := &agent.Runner{Children: true}
	if !r.Installed(*p.o.agent) {
		return wire.NoDevice
	}
	n, err := r.Metadata(ctx, *p.o.agent, p.timeout())
	if err != nil {
		return rcOf(err)
	}
	agent.Complete(n)
	p.out.Document("metadata", string(n.AppendIndent(nil)))
	return pcmk.OK
}

// connectTries is how often a fencing looks for the fencer, which may be
// starting (stonith_api_connect_retry).
const (
	connectTries = 10
	connectPause = 2 * time.Second
	fenceGrace   = 60 * time.Second // after the fencer's own time
)

// fence has a node fenced; the end is the reply or the notification about the
// same action, whichever comes first (pcmk__request_fencing).
func (p *program) fence(target, action string) pcmk.RC {
	r := p.fenceResult(target, action)
	rc := r.RC()
	if rc != pcmk.OK {
		what := "fence"
		if action == "on" {
			what = "unfence"
		}
		text := "Couldn't " + what + " " + target + ": " + rc.Error()
		if r.Reason != "" && r.Reason != rc.Error() {
			text += " (" + r.Reason + ")"
		}
		p.fail(pcmk.ExitError, text)
	}
	return rc
}

func (p *program) fenceResult(target, action string) wire.Result {
	ctx := context.Background()
	st, err := client.Dial(ctx, p.name())
	for try := 1; err != nil && try < connectTries; try++ {
		time.Sleep(connectPause)
		st, err = client.Dial(ctx, p.name())
	}
	if err != nil {
		return wire.Failure(pcmk.ExitError, pcmk.ExecNotConnected, pcmk.RC(syscall.ENOTCONN).Error())
	}
	p.st = st
	events := make(chan client.Event, 16)
	st.Events(func(ev client.Event) { events <- ev })
	_ = st.Subscribe(ctx, wire.NotifyFence) // the reply tells as well
	call, err := st.FenceAsync(client.Fence{Target: target, Action: action, Timeout: p.timeout(), Tolerance: p.o.tolerance, Delay: p.o.delay, Options: wire.AllowSuicide})
	if err != nil {
		return wire.Failure(pcmk.ExitError, pcmk.ExecError, rcOf(err).Error())
	}
	late := time.NewTimer(p.timeout() + fenceGrace)
	for {
		select {
		case <-late.C:
			return wire.Failure(pcmk.ExitError, pcmk.ExecTimeout, "Fencer accepted request but did not reply in time")
		case ev := <-events:
			switch ev := ev.(type) {
			case client.Reply:
				if ev.Call == call {
					return ev.Result
				}
			case client.Notification:
				if strings.EqualFold(ev.Target, target) && ev.Action == action {
					return ev.Result
				}
			case client.TimeoutUpdate:
				if ev.Call == call {
					late.Reset(ev.Timeout + fenceGrace)
				}
			case client.Lost:
				return wire.Failure(pcmk.ExitError, pcmk.ExecNotConnected, "")
			}
		}
	}
}

// validate has an agent check parameters (stonith_api_validate).
func (p *program) validate(ctx context.Context) pcmk.RC {
	r := &agent.Runner{Children: true}
	v := r.Validate(ctx, *p.o.agent, p.o.params, p.timeout())
	rc := v.RC()
	valid := "succeeded"
	if rc != pcmk.OK {
		valid = "failed"
	}
	line := "Validation of " + *p.o.agent + " " + valid
	switch p.out.Format {
	case pcmkout.Text:
		p.out.Indented(line + "\n")
	case pcmkout.HTML:
		p.out.TextNode("div", line)
	case pcmkout.XML:
		p.out.Parent("validate", "agent", *p.o.agent, "valid", strconv.FormatBool(rc == pcmk.OK))
		defer p.out.Pop()
	}
	p.out.Subprocess(rc.Legacy(), some(v.Output), some(v.Stderr))
	return rc
}

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
