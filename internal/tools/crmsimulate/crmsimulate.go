// Package crmsimulate is the program crm_simulate: it shows what the policy engine
// makes of a CIB, and pretends to carry it out. The multi-call binary calls Run.
//
// Upstream: tools/crm_simulate.c, crm_simulate(8).
package crmsimulate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/pacesync/pacesync/cib/file"
	"github.com/pacesync/pacesync/cib/schema/schemafiles"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/cibconn"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// program is one call.
type program struct {
	env *applet.Env
	o   *options
	s   *session.Session
}

// failure is why the program ends badly. The text may be empty: the status says it.
type failure struct {
	status pcmk.Exit
	text   string
}

func (f *failure) Error() string { return f.text }

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	debug.SetGCPercent(400) // a short life: memory to spare beside the original's
	own := *e
	stdout := bufio.NewWriterSize(e.Stdout, 64<<10)
	own.Stdout, own.Stderr = stdout, after{stdout, e.Stderr}
	status := run(&own)
	if err := stdout.Flush(); err != nil && status == 0 {
		return int(pcmk.ExitIOErr)
	}
	return status
}

// after writes behind what another writer still holds, so that both keep their
// order where they go to the same place.
type after struct {
	first *bufio.Writer
	w     io.Writer
}

func (a after) Write(b []byte) (int, error) {
	a.first.Flush()
	return a.w.Write(b)
}

func run(e *applet.Env) int {
	p := &program{env: e, o: newOptions()}
	o := p.o
	if _, status, ok := o.context(e).Run(e.Args, withValue, e.Stdout, e.Stderr); !ok {
		return status
	}
	form := pcmkout.Options{Fancy: o.fancy, Legacy: o.legacy, SimpleList: o.simple, Substitute: o.sub}
	switch as := o.OutputAs; {
	case (as == nil || *as == "text") && !o.sim.Scores && !o.sim.Utilization:
		form.Fancy = true
	case as != nil && *as == "xml":
		form.SimpleList, form.Substitute = true, true
	}
	var err error
	if p.s, err = session.Open(e, &o.Common, form, pcmkout.Text, pcmkout.XML, pcmkout.None); err != nil {
		fmt.Fprintln(e.Stderr, err)
		return int(session.RC(err).Exit())
	}
	if o.Version {
		p.s.Out.ShowVersion(false)
		return p.s.End(pcmk.ExitOK, "")
	}
	err = p.work()
	var bad *failure
	switch {
	case err == nil:
		return p.s.End(pcmk.ExitOK, "")
	case !errors.As(err, &bad):
		bad = &failure{pcmk.ExitError, err.Error()}
	}
	if bad.text != "" {
		p.s.Say(bad.text)
	}
	return p.s.End(bad.status, "")
}

func (p *program) work() error {
	o := p.o
	now := time.Now()
	_, offset := now.Zone()
	o.sim.Out, o.sim.Clock, o.sim.Zone = p.s.Out, iso8601.Time{Unix: now.Unix(), Offset: offset}, now.Location()
	o.sim.Date = o.date
	o.sim.Dot.Verbose = o.Verbosity > 0
	if o.dir != nil {
		p.profile(*o.dir)
		return nil
	}
	to, err := p.prepare()
	if err != nil {
		return err
	}
	if o.Verbosity > 0 {
		o.sim.Problem = p.problem
	}
	o.sim.SaveInput = saver(o.input, pcmk.OK)
	o.sim.SaveGraph = saver(o.graph, pcmk.RCGraphError)
	o.sim.SaveDot = saver(o.dot, pcmk.RCDotError)
	done, err := simulate.Run(o.sim)
	if done.Changed && to != "" {
		if err := write(to, document(o.sim.CIB)); err != nil {
			return &failure{session.FileRC(err).Exit(), err.Error()}
		}
	}
	if err == nil && !done.Complete {
		return &failure{status: pcmk.ExitError}
	}
	return err
}

// problem tells what the engine found wrong, as far as -V asks for it: once for
// errors, twice for warnings.
func (p *program) problem(m model.Problem) {
	switch {
	case m.Error():
		fmt.Fprintf(p.env.Stderr, "(%s) \terror: %s\n", m.Func, m.Text)
	case p.o.Verbosity > 1:
		fmt.Fprintf(p.env.Stderr, "(%s) \twarning: %s\n", m.Func, m.Text)
	}
}

// saver keeps an artifact in a file; nil for no file. A failure ends the program
// with the status of rc, or of the reason when rc is pcmk.OK.
func saver(name *string, rc pcmk.RC) func([]byte) error {
	if name == nil {
		return nil
	}
	return func(text []byte) error {
		err := write(*name, text)
		if err == nil {
			return nil
		}
		status := rc
		if rc == pcmk.OK {
			status = session.FileRC(err)
		}
		return &failure{status.Exit(), err.Error()}
	}
}

// write makes a file that others cannot write or read, as the original's umask does.
func write(name string, text []byte) error { return os.WriteFile(name, text, 0o640) }

func document(cib *xmltree.Node) []byte {
	return cib.AppendPacemaker(nil, xmltree.TextOptions{Format: true})
}

// prepare reads the CIB and keeps a copy of it where the results will go, whose
// name it returns, empty for nowhere (setup_input).
func (p *program) prepare() (to string, err error) {
	o := p.o
	cib, err := p.load()
	if err != nil {
		return "", err
	}
	if o.sim.CIB, err = p.usable(cib, o.file); err != nil {
		return "", err
	}
	switch {
	case o.store && !o.live && o.file != "-":
		to = o.file
	case !o.store && o.output != nil:
		to = *o.output
	}
	if to != "" {
		if err := write(to, document(o.sim.CIB)); err != nil {
			rc := session.FileRC(err)
			return "", &failure{rc.Exit(), "Could not create '" + to + "': " + rc.Error()}
		}
	}
	// A shadow CIB is preferred to the file by whoever opens the CIB: it is what is
	// simulated then, and what is changed.
	if name := os.Getenv("CIB_shadow"); name != "" {
		to = file.Shadow(name)
		shadow, err := session.QueryCIB(p.env)
		if err != nil {
			return "", &failure{status: pcmk.RCNoInput.Exit(), text: "CIB query failed: " + pcmk.RCNoInput.Error()}
		}
		o.sim.CIB = shadow
	}
	return to, nil
}

// load reads the CIB from where the options say.
func (p *program) load() (*xmltree.Node, error) {
	o := p.o
	if o.live {
		cib, err := session.QueryCIB(p.env)
		if err != nil { // whatever the reason, the original tells that there is no input
			return nil, &failure{pcmk.RCNoInput.Exit(), "CIB query failed: " + pcmk.RCNoInput.Error()}
		}
		return cib, nil
	}
	var text []byte
	var err error
	name := o.file
	if name == "-" {
		name = "standard input"
		if p.env.Stdin != nil {
			text, err = io.ReadAll(io.LimitReader(p.env.Stdin, session.MaxInput))
		}
	} else {
		text, err = session.ReadFile(name)
	}
	if err != nil {
		return nil, &failure{pcmk.ExitSoftware, "Could not read " + name + ": " + session.FileRC(err).Error()}
	}
	return p.parse(name, text)
}

func (p *program) parse(name string, text []byte) (*xmltree.Node, error) {
	cib, err := xmltree.Parse(text, xmltree.Limits{})
	if err != nil {
		status := pcmk.ExitSoftware
		if broken := (*xmltree.SyntaxError)(nil); errors.As(err, &broken) && broken.Begun {
			status = pcmk.ExitConfig
		}
		return nil, &failure{status, fmt.Sprintf("Could not parse %s: %v", name, err)}
	}
	if cib.Name != "cib" {
		return nil, &failure{pcmk.ExitNoInput, name + " holds no CIB: it begins with <" + cib.Name + ">"}
	}
	cib.StripText()
	if cib.Child("status") == nil {
		cib.AddNew("status")
	}
	return cib, nil
}

// usable brings a CIB to a schema that the engine works with and holds it to it.
func (p *program) usable(cib *xmltree.Node, name string) (*xmltree.Node, error) {
	cib, text, ok := cibconn.Upgrade(cib)
	if text != "" {
		fmt.Fprintln(p.env.Stderr, text)
	}
	if !ok {
		return nil, &failure{status: pcmk.RCTransformFailed.Exit()}
	}
	set, err := schemafiles.Load(schemafiles.Dir())
	if err != nil {
		return nil, &failure{pcmk.RCSchemaValidation.Exit(), err.Error()}
	}
	faults := set.Validate(cib)
	for _, f := range faults {
		fmt.Fprintln(p.env.Stderr, name+":"+f.String())
	}
	if len(faults) > 0 {
		return nil, &failure{status: pcmk.RCSchemaValidation.Exit()}
	}
	return cib, nil
}
