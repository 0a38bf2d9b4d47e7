// Package service runs an action with the kind of agent that its class says,
// resolves the class "service", and lists and describes what is installed. The
// executor runs all but fence devices through it; tools list agents and read
// meta-data with it.
//
// It replaces lib/services/services.c: services__create_resource_action,
// resources_list_agents and services_nagios.c.
package service

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/secrets"
	"github.com/pacesync/pacesync/lrmd/agent"
	"github.com/pacesync/pacesync/lrmd/agent/child"
	"github.com/pacesync/pacesync/lrmd/agent/lsb"
	"github.com/pacesync/pacesync/lrmd/agent/ocf"
	"github.com/pacesync/pacesync/lrmd/agent/systemd"
)

const kind = "Resource agent"

// Runner knows where agents are. Immutable after its first use, and safe for
// concurrent use then.
type Runner struct {
	OCFPath   string // directories of providers, with colons between
	LSBDir    string
	NagiosDir string
	Secrets   string // directory of secret parameters
	Systemd   *systemd.Manager
	Env       []string // environment that agents start from
	// Note gets what an operator should know, at a level of log/slog's numbers as used by daemonkit.
	Note func(text string)
}

// Default is a runner for this machine.
func Default() *Runner {
	return &Runner{
		OCFPath: pcmk.OCFRADir, LSBDir: pcmk.LSBDir, NagiosDir: "/usr/lib/nagios/plugins", Secrets: pcmk.SecretsDir,
		Systemd: &systemd.Manager{}, Env: os.Environ(),
	}
}

func (r *Runner) note(format string, args ...any) {
	if r.Note != nil {
		r.Note(fmt.Sprintf(format, args...))
	}
}

// Class resolves class service: an init script if there is one, else a unit of
// systemd, else an init script after all. Looking for a unit waits for systemd.
func (r *Runner) Class(class, typ string) string {
	class = strings.ToLower(class)
	if class != "service" {
		return class
	}
	if !lsb.Exists(r.LSBDir, typ) && r.Systemd.Exists(typ) {
		return "systemd"
	}
	return "lsb"
}

// Start prepares an action.
func (r *Runner) Start(a agent.Action) agent.Run {
	class := strings.ToLower(a.Class)
	if a.Rsc == "" || class == "" || a.Type == "" || a.Name == "" || class == "ocf" && a.Provider == "" {
		return done{agent.Result{RC: pcmk.OCFError, Status: pcmk.ExecErrorFatal, Reason: "Required agent or action information missing", Class: class, Final: true}}
	}
	switch class {
	case "ocf":
		file, ok := ocf.Find(r.OCFPath, a.Provider, a.Type)
		if !ok {
			return missing(class, a.Type)
		}
		return r.process(a, class, file, []string{file, a.Name})
	case "lsb":
		return r.lsb(a)
	case "systemd":
		return r.Systemd.Start(a)
	case "service":
		return &unresolved{r: r, a: a}
	case "nagios":
		return r.nagios(a)
	}
	return missing(class, a.Type)
}

// missing is an agent that is not there.
func missing(class, typ string) agent.Run {
	res := agent.FromErrno(typ, syscall.ENOENT)
	res.Class, res.Final = class, true
	return done{res}
}

type done struct{ res agent.Result }

func (d done) Do() agent.Result { return d.res }
func (done) Kill()              {}

func (r *Runner) lsb(a agent.Action) agent.Run {
	a.Name = status(a.Name)
	file := lsb.File(r.LSBDir, a.Type)
	a.Params = nil
	return r.process(a, "lsb", file, []string{file, a.Name})
}

// status is monitor in the words of init scripts.
func status(action string) string {
	if strings.EqualFold(action, "monitor") {
		return "status"
	}
	return action
}

// process is an agent that is a program.
type process struct {
	r     *Runner
	a     agent.Action
	class string
	child *child.Child
	spec  *child.Spec
}

func (r *Runner) process(a agent.Action, class, file string, args []string) agent.Run {
	p := &process{r: r, a: a, class: class}
	spec := child.Spec{
		Path: file, Args: args, Timeout: time.Duration(a.Timeout) * time.Millisecond, LeaveGroup: a.LeaveGroup,
		Stubborn: func(pid int) { r.note("%s process (PID %d) will not die!", a.Key(), pid) },
	}
	p.child, p.spec = child.New(&spec), &spec
	return p
}

func (p *process) Kill() { p.child.Kill() }

func (p *process) Do() agent.Result {
	res := p.do()
	res.Class = p.class
	return res
}

func (p *process) do() agent.Result {
	file := p.spec.Path
	if _, err := os.Stat(file); err != nil {
		return agent.FromErrno(file, err)
	}
	params, err := secrets.Substitute(p.r.Secrets, p.a.Rsc, p.a.Params)
	if err != nil {
		if !strings.EqualFold(p.a.Name, "stop") {
			p.r.note("Considering %s unconfigured because unable to load CIB secrets: %v", p.a.Rsc, err)
			return agent.Result{RC: pcmk.OCFInvalidParam, Status: pcmk.ExecDone, Exit: int(pcmk.OCFInvalidParam), Reason: "Unable to load CIB secrets"}
		}
		p.r.note("Proceeding with stop operation for %s despite being unable to load CIB secrets (%v)", p.a.Rsc, err)
	}
	a := p.a
	a.Params = params
	toOCF := ocf.Status
	p.spec.Env = p.r.Env
	switch p.class {
	case "ocf":
		p.spec.Env = ocf.Env(p.r.Env, a)
	case "lsb":
		toOCF = func(code int) pcmk.OCF { return lsb.Status(a.Name, code) }
	case "nagios":
		toOCF = nagiosStatus
	}
	x := p.child.Run()
	if x.Err != nil {
		return p.refused(x.Err)
	}
	res := agent.FromExit(kind, a.Timeout, x, toOCF)
	if p.class == "ocf" && x.Signal == 0 {
		res.Reason = ocf.ExitReason(x.Stderr)
	}
	return res
}

// refused is the result when the file is there but cannot be run: the original
// has forked by then and reports the status of its child.
func (p *process) refused(err error) agent.Result {
	p.r.note("Unable to execute %s: %v", p.a.Key(), err)
	res := agent.FromErrno(p.spec.Path, err)
	if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) || errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return res // no process could be made at all
	}
	res.Status, res.Reason, res.Exit = pcmk.ExecDone, "", int(res.RC)
	if p.class == "ocf" {
		res.Reason = "Child process was unable to execute file"
	}
	return res
}

// unresolved is an action of class service, whose agent is looked for when it
// is done.
type unresolved struct {
	r   *Runner
	a   agent.Action
	run holder
}

func (u *unresolved) Do() agent.Result {
	a := u.a
	a.Class = u.r.Class(a.Class, a.Type)
	if a.Class == "systemd" {
		a.Name = status(a.Name)
	}
	return u.run.set(u.r.Start(a)).Do()
}

func (u *unresolved) Kill() { u.run.kill() }
