// Package crmmon is the program crm_mon: the state of the cluster, once or as it
// changes, as text, XML or HTML. The multi-call binary calls Run.
//
// Upstream: tools/crm_mon.c, crm_mon_curses.c, lib/pacemaker/pcmk_status.c, crm_mon(8).
package crmmon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/pacesync/pacesync/cib/client"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/cibconn"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine"
	"github.com/pacesync/pacesync/pengine/show"
)

// program is one call of crm_mon.
type program struct {
	env *applet.Env
	o   *options
	out *pcmkout.Out
	ctx *goption.Context
	src cibconn.Kind
	to  *os.File // --output-to
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	p := &program{env: e, o: newOptions()}
	if strings.HasSuffix(e.Argv0, ".cgi") {
		p.o.form, p.o.oneShot = cgi, true
	}
	p.ctx = p.o.context(e)
	status := p.run()
	if p.to != nil {
		p.to.Close()
	}
	return int(status)
}

func (p *program) run() pcmk.Exit {
	_, err := p.ctx.Parse(goption.Preprocess(p.env.Args, "ehimpxEILU"))
	if help := (*goption.HelpError)(nil); errors.As(err, &help) {
		io.WriteString(p.env.Stdout, goption.Console(help.Text))
		return pcmk.ExitOK
	}
	if err != nil {
		return p.fail(pcmk.ExitUsage, err.Error())
	}
	if !p.o.Version {
		if err := p.prepare(); err != nil {
			return p.fail(pcmk.ExitUsage, err.Error())
		}
	}
	p.settle()
	if status, ok := p.open(); !ok {
		return status
	}
	o := p.o
	if o.daemonize && o.agent == nil && (o.form == console || o.form == unset || o.form == none) {
		return p.fail(pcmk.ExitUsage, "--daemonize requires --output-as=[html|text|xml]")
	}
	o.sections = o.form.normal()
	o.apply(o.internal)
	if err := o.apply(o.user); err != nil {
		return p.fail(pcmk.ExitUsage, err.Error())
	}
	if o.Version {
		p.out.ShowVersion(false)
		return p.finish(pcmk.ExitOK)
	}
	if o.form == cgi {
		switch {
		case p.src == cibconn.File:
			return p.fail(pcmk.ExitUsage, "CGI mode used with CIB file")
		case o.agent != nil:
			return p.fail(pcmk.ExitUsage, "CGI mode cannot be used with --external-agent")
		case o.daemonize:
			return p.fail(pcmk.ExitUsage, "CGI mode cannot be used with -d")
		}
	}
	if o.form == xml || o.form == legacyXML {
		o.opts |= show.InactiveRscs | show.Timing
		if !o.daemonize {
			o.oneShot = true
		}
	}
	if (o.form == html || o.form == cgi) && p.to != nil {
		p.out.Refresh = int(o.intervalMS / 1000)
	}
	if o.oneShot {
		return p.once()
	}
	return p.watch()
}

// prepare takes the consequences of what the CIB comes from.
func (p *program) prepare() error {
	o := p.o
	if o.Quiet {
		o.internal = append(o.internal, choice{false, "times"})
	}
	if o.watchFence {
		o.setFencing(0, true)
		o.connectFencer = true
	}
	p.src, _ = cibconn.Source()
	switch p.src {
	case cibconn.File:
		o.setFencing(0, true)
		o.oneShot = true
	case cibconn.Remote:
		o.setFencing(0, true)
	}
	switch {
	case o.oneShot:
		if o.form == console {
			o.form = plain
		}
	case o.daemonize:
		if (o.OutputTo == nil || *o.OutputTo == "-") && o.agent == nil {
			return errors.New("--daemonize requires at least one of --output-to and --external-agent")
		}
	}
	return nil
}

// settle decides on the form of output (reconcile_output_format).
func (p *program) settle() {
	o := p.o
	if o.form == unset {
		as := ""
		if o.OutputAs != nil {
			as = strings.ToLower(*o.OutputAs)
		}
		switch {
		case as == "html":
			o.as("html", html)
		case as == "text":
			o.form = plain
		case as == "xml":
			o.as("xml", xml)
		case o.oneShot:
			o.as("text", plain)
		case !o.daemonize && o.OutputTo != nil:
			o.oneShot = true
			o.as("text", plain)
		default:
			o.as("console", console)
		}
	}
	switch o.form {
	case plain:
		o.textFancy = true
	case cgi:
		o.htmlCGI = true
	case xml:
		o.simple, o.substitute = true, true
	case legacyXML:
		o.form = xml
		o.legacy, o.substitute = true, true
	}
}

// open makes the output.
func (p *program) open() (pcmk.Exit, bool) {
	o := p.o
	name := "text"
	if o.OutputAs != nil {
		name = *o.OutputAs
	}
	format, known := pcmkout.ParseFormat(name)
	if name == "console" {
		known = true
		o.textFancy = !o.Version
	}
	if !known {
		return p.fail(pcmk.ExitError, "Error creating output format "+name+": "+pcmk.RCUnknownFormat.Error()), false
	}
	var dest io.Writer = p.env.Stdout
	if o.OutputTo != nil && *o.OutputTo != "-" {
		f, err := os.Create(*o.OutputTo)
		if err != nil {
			return p.fail(pcmk.ExitError, "Error creating output format "+name+": "+errText(err)), false
		}
		p.to, dest = f, f
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	p.out = pcmkout.New(format, pcmkout.Options{Request: append([]string{p.env.Argv0}, p.env.Args...), Quiet: false, Fancy: o.textFancy,
		Legacy: o.legacy, SimpleList: o.simple, Substitute: o.substitute, CGI: o.htmlCGI, Title: text(o.title), Stylesheet: text(o.stylesheet)},
		dest, p.env.Stderr)
	os.Setenv("OCF_OUTPUT_FORMAT", name)
	return pcmk.ExitOK, true
}

func errText(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		if rc, ok := errno(path.Err); ok {
			return rc.Error()
		}
		return path.Err.Error()
	}
	return err.Error()
}

// fail ends the program with an error (crm_mon.c: clean_up).
func (p *program) fail(status pcmk.Exit, text string) pcmk.Exit {
	if status == pcmk.ExitUsage && (p.o.form == console || p.o.form == plain) {
		io.WriteString(p.env.Stderr, p.ctx.Help(true, nil))
	}
	if p.out == nil || p.o.form == console {
		fmt.Fprintf(p.env.Stderr, "%s: %s\n", p.env.Name, text)
		return status
	}
	p.out.Err(p.env.Name + ": " + text)
	return p.finish(status)
}

func (p *program) finish(status pcmk.Exit) pcmk.Exit {
	p.out.Finish(status)
	return status
}

// once shows the state one time (pcmk__status).
func (p *program) once() pcmk.Exit {
	ctx := context.Background()
	if p.src != cibconn.File {
		return p.onceLive(ctx)
	}
	cib, err := session.OpenCIB(ctx, p.env)
	if err != nil {
		p.out.Err("Could not connect to the CIB: " + session.RC(err).Error())
		return p.finish(pcmk.ExitOK)
	}
	defer cib.Close()
	root, err := cib.Do(ctx, client.Call{Op: client.Query})
	if err != nil {
		return p.finish(pcmk.ExitOK)
	}
	if !p.display(root, nil) {
		p.out.Err("Error outputting status info from the fencer or CIB")
	}
	return p.finish(pcmk.ExitOK)
}

// display shows a CIB; it is false if all is not well (pcmk__output_cluster_status).
func (p *program) display(cib *xmltree.Node, fencing *show.FenceHistory) bool {
	cib, text, ok := cibconn.Upgrade(cib)
	if text != "" {
		fmt.Fprintln(p.env.Stderr, text)
	}
	if !ok {
		p.out.Err("Upgrade failed: " + pcmk.RCSchemaValidation.Error())
		return false
	}
	now := time.Now()
	_, offset := now.Zone()
	o := p.o
	r, err := pengine.Status(pengine.Input{CIB: cib, Now: iso8601.Time{Unix: now.Unix(), Offset: offset}})
	if err != nil {
		return true
	}
	if o.sections&(show.Bans|show.Tickets) != 0 {
		r.Constraints()
	}
	if o.form == monitor {
		line, ok := show.Simple(r.Cluster)
		p.out.Info(line)
		return ok
	}
	name := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	sections := o.sections
	if r.Cluster.DC == nil {
		sections |= show.DC // that there is none is always told
	}
	v := show.View{Out: p.out, Cluster: r.Cluster, Facts: show.ReadFacts(cib), Now: now, Sections: sections, Opts: o.opts, Prefix: o.banPrefix,
		Nodes: show.NodeFilter(r.Cluster, name(o.node)), Rscs: show.RscFilter(r.Cluster, name(o.rsc)), Fencing: fencing}
	v.Status()
	return true
}
