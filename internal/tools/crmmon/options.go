package crmmon

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/pengine/show"
)

// form is the kind of display (mon_output_format_t).
type form uint8

const (
	unset form = iota
	none
	monitor
	plain
	console
	html
	cgi
	xml
	legacyXML
)

// choice is a list of sections to include or exclude, as given.
type choice struct {
	include bool
	list    string
}

// options are what the command line says.
type options struct {
	goption.Common
	form                           form
	opts                           show.Opts
	internal, user                 []choice
	fenceHistory                   bool // read the fencer's history
	fenceLevel                     int
	connectFencer                  bool
	oneShot, daemonize, watchFence bool
	intervalMS                     uint32
	pidFile, agent, recipient      *string
	node, rsc                      *string
	banPrefix                      string
	stylesheet, title              *string
	htmlCGI, textFancy             bool
	legacy, simple, substitute     bool
	pending                        bool
	sections                       show.Sections
}

func newOptions() *options {
	title, pid := "Cluster Status", "/tmp/ClusterMon.pid"
	o := &options{opts: show.Pending, connectFencer: true, intervalMS: 5000, pidFile: &pid, title: &title}
	o.setFencing(1, true)
	return o
}

// setFencing says how much of the fencer's history is shown, by level.
func (o *options) setFencing(level int, internal bool) error {
	add := func(include bool, list string) {
		if internal {
			o.internal = append(o.internal, choice{include, list})
		}
	}
	o.fenceLevel = level
	switch level {
	case 3, 2:
		o.connectFencer, o.fenceHistory = true, true
		add(true, "fencing")
	case 1:
		o.connectFencer, o.fenceHistory = true, true
		add(true, "fencing-failed,fencing-pending")
	case 0:
		o.connectFencer, o.fenceHistory = false, false
		add(false, "fencing")
	default:
		return errors.New("Fence history must be 0-3")
	}
	return nil
}

const indent = "                                    "

// context describes the command line.
func (o *options) context(e *applet.Env) *goption.Context {
	c := goption.Pacemaker(e.Name, "Provides a summary of cluster's current state.\n\nOutputs varying levels of detail in a number of different formats.",
		"console (default), html, text, xml", "", &o.Common)
	c.AddMain(goption.Entry{Long: "quiet", Short: 'Q', Dest: &o.Quiet, Help: "Be less descriptive in output."})
	c.Description = description
	c.AddOutput(
		goption.Entry{Long: "html-cgi", Dest: &o.htmlCGI, Help: "Add CGI headers (requires --output-as=html)"},
		goption.Entry{Long: "html-stylesheet", Dest: &o.stylesheet, Help: "Link to an external stylesheet (requires --output-as=html)", Arg: "URI"},
		goption.Entry{Long: "html-title", Dest: &o.title, Help: "Specify a page title (requires --output-as=html)", Arg: "TITLE"},
		goption.Entry{Long: "text-fancy", Dest: &o.textFancy, Help: "Use more highly formatted output (requires --output-as=text)"},
		goption.Entry{Long: "xml-legacy", Flags: goption.Hidden, Dest: &o.legacy},
		goption.Entry{Long: "xml-simple-list", Flags: goption.Hidden, Dest: &o.simple},
		goption.Entry{Long: "xml-substitute", Flags: goption.Hidden, Dest: &o.substitute})
	c.AddGroup("display", "Display Options:", "Show display options", o.display()...)
	c.AddGroup("additional", "Additional Options:", "Show additional options", o.additional()...)
	c.AddGroup("deprecated", "Deprecated Options:", "Show deprecated options", o.deprecated()...)
	return c
}

// choose makes a callback that adds to the user's choice of sections.
func (o *options) choose(include bool, list string) goption.Callback {
	return func(v goption.Value) error {
		l := list
		if l == "" {
			l = v.Arg
		}
		o.user = append(o.user, choice{include, l})
		return nil
	}
}

func (o *options) set(f show.Opts) goption.Callback {
	return func(goption.Value) error { o.opts |= f; return nil }
}

func (o *options) display() []goption.Entry {
	flag := func(long string, short byte, do goption.Callback, help string) goption.Entry {
		return goption.Entry{Long: long, Short: short, Flags: goption.NoArg, Dest: do, Help: help}
	}
	return []goption.Entry{
		{Long: "include", Short: 'I', Dest: o.choose(true, ""), Arg: "SECTION(s)",
			Help: "A list of sections to include in the output.\n" + indent + "See `Output Control` help for more information."},
		{Long: "exclude", Short: 'U', Dest: o.choose(false, ""), Arg: "SECTION(s)",
			Help: "A list of sections to exclude from the output.\n" + indent + "See `Output Control` help for more information."},
		{Long: "node", Dest: &o.node, Arg: "NODE",
			Help: "When displaying information about nodes, show only what's related to the given\n" + indent + "node, or to all nodes tagged with the given tag"},
		{Long: "resource", Dest: &o.rsc, Arg: "RSC",
			Help: "When displaying information about resources, show only what's related to the given\n" + indent + "resource, or to all resources tagged with the given tag"},
		flag("group-by-node", 'n', o.set(show.RscsByNode), "Group resources by node"),
		flag("inactive", 'r', o.set(show.InactiveRscs), "Display inactive resources"),
		flag("failcounts", 'f', o.choose(true, "failcounts"), "Display resource fail counts"),
		flag("operations", 'o', o.choose(true, "failcounts,operations"), "Display resource operation history"),
		flag("timing-details", 't', func(v goption.Value) error { o.opts |= show.Timing; return o.choose(true, "operations")(v) },
			"Display resource operation history with timing details"),
		flag("tickets", 'c', o.choose(true, "tickets"), "Display cluster tickets"),
		{Long: "fence-history", Short: 'm', Flags: goption.OptionalArg, Dest: o.setFenceHistory, Arg: "LEVEL",
			Help: "Show fence history:\n" + indent + "0=off, 1=failures and pending (default without option),\n" + indent +
				"2=add successes (default without value for option),\n" + indent + "3=show full history without reduction to most recent of each flavor"},
		{Long: "neg-locations", Short: 'L', Flags: goption.OptionalArg, Dest: func(v goption.Value) error {
			if v.Given {
				return o.choose(true, "bans:"+v.Arg)(v)
			}
			return o.choose(true, "bans")(v)
		}, Help: "Display negative location constraints [optionally filtered by id prefix]"},
		flag("show-node-attributes", 'A', o.choose(true, "attributes"), "Display node attributes"),
		flag("hide-headers", 'D', o.choose(false, "summary"), "Hide all headers"),
		flag("show-detail", 'R', o.set(show.Details), "Show more details (node IDs, individual clone instances)"),
		flag("brief", 'b', o.set(show.Brief), "Brief output"),
		{Long: "pending", Short: 'j', Flags: goption.Hidden, Dest: &o.pending, Help: "Display pending state if 'record-pending' is enabled"},
		flag("simple-status", 's', func(goption.Value) error { o.as("text", monitor); o.oneShot = true; return nil },
			"Display the cluster status once as a simple one line output (suitable for nagios)"),
	}
}

func (o *options) setFenceHistory(v goption.Value) error {
	level := 2
	if v.Given {
		n, ok := score.LeadingInt(v.Arg)
		if level = int(n); !ok || n < 0 {
			level = 0
		}
	}
	return o.setFencing(level, true)
}

func (o *options) as(format string, f form) { o.OutputAs, o.form = &format, f }

func (o *options) additional() []goption.Entry {
	return []goption.Entry{
		{Long: "interval", Short: 'i', Dest: func(v goption.Value) error {
			if _, ok := iso8601.MSec(v.Arg); !ok {
				return fmt.Errorf("Invalid value for -i: %s", v.Arg)
			}
			o.intervalMS, _ = iso8601.IntervalMS(v.Arg)
			return nil
		}, Help: "Update frequency (default is 5 seconds)", Arg: "TIMESPEC"},
		{Long: "one-shot", Short: '1', Dest: &o.oneShot, Help: "Display the cluster status once on the console and exit"},
		{Long: "daemonize", Short: 'd', Dest: &o.daemonize,
			Help: "Run in the background as a daemon.\n" + indent + "Requires at least one of --output-to and --external-agent."},
		{Long: "pid-file", Short: 'p', Dest: &o.pidFile, Help: "(Advanced) Daemon pid file location", Arg: "FILE"},
		{Long: "external-agent", Short: 'E', Dest: &o.agent, Help: "A program to run when resource operations take place", Arg: "FILE"},
		{Long: "external-recipient", Short: 'e', Dest: &o.recipient,
			Help: "A recipient for your program (assuming you want the program to send something to someone).", Arg: "RCPT"},
		{Long: "watch-fencing", Short: 'W', Dest: &o.watchFence, Help: "Listen for fencing events. For use with --external-agent."},
		{Long: "xml-file", Short: 'x', Flags: goption.Hidden, Dest: func(v goption.Value) error {
			o.oneShot = true
			return os.Setenv("CIB_file", v.Arg)
		}},
	}
}

func (o *options) deprecated() []goption.Entry {
	return []goption.Entry{
		{Long: "as-html", Short: 'h', Dest: func(v goption.Value) error {
			o.OutputTo = &v.Arg
			o.as("html", html)
			return nil
		}, Help: "Write cluster status to the named HTML file.\n" + indent + "Use --output-as=html --output-to=FILE instead.", Arg: "FILE"},
		{Long: "as-xml", Short: 'X', Flags: goption.NoArg, Dest: func(goption.Value) error { o.as("xml", legacyXML); return nil },
			Help: "Write cluster status as XML to stdout. This will enable one-shot mode.\n" + indent + "Use --output-as=xml instead."},
		{Long: "disable-ncurses", Short: 'N', Flags: goption.NoArg, Dest: func(goption.Value) error { o.form = plain; return nil },
			Help: "Disable the use of ncurses.\n" + indent + "Use --output-as=text instead."},
		{Long: "web-cgi", Short: 'w', Flags: goption.NoArg, Dest: func(goption.Value) error { o.as("html", cgi); o.oneShot = true; return nil },
			Help: "Web mode with output suitable for CGI (preselected when run as *.cgi).\n" + indent + "Use --output-as=html --html-cgi instead."},
	}
}

func sectionBit(name string) show.Sections {
	for _, s := range []struct {
		name string
		bit  show.Sections
	}{{"attributes", show.Attributes}, {"bans", show.Bans}, {"counts", show.Counts}, {"dc", show.DC}, {"failcounts", show.Failcounts},
		{"failures", show.Failures}, {"fencing", show.Fencing}, {"fencing-failed", show.FenceFailed}, {"fencing-pending", show.FencePending},
		{"fencing-succeeded", show.FenceWorked}, {"maint-mode", show.MaintMode}, {"nodes", show.Nodes}, {"operations", show.Operations},
		{"options", show.Options}, {"resources", show.Resources}, {"stack", show.Stack}, {"summary", show.Summary}, {"tickets", show.Tickets},
		{"times", show.Times}} {
		if strings.EqualFold(s.name, name) {
			return s.bit
		}
	}
	return 0
}

// all are the sections of --include=all.
func (f form) all() show.Sections {
	switch f {
	case monitor, plain, console:
		return ^show.Options
	}
	return show.All
}

// normal are the sections that are shown unless told otherwise.
func (f form) normal() show.Sections {
	switch f {
	case monitor, plain, console, html, cgi:
		return show.Summary | show.Nodes | show.Resources | show.Failures
	case xml, legacyXML:
		return f.all()
	}
	return 0
}

// apply carries out choices of sections.
func (o *options) apply(choices []choice) error {
	for _, c := range choices {
		for name := range strings.SplitSeq(c.list, ",") {
			if c.include {
				if err := o.include(name); err != nil {
					return err
				}
				continue
			}
			bit := sectionBit(name)
			switch {
			case name == "all":
				o.sections = 0
			case name == "none":
				o.sections = o.form.all()
			case bit != 0:
				o.sections &^= bit
			default:
				return errors.New("--exclude options: all, attributes, bans, counts, dc, " + sectionNames)
			}
		}
	}
	return nil
}

const sectionNames = "failcounts, failures, fencing, fencing-failed, fencing-pending, fencing-succeeded, maint-mode, nodes, none, " +
	"operations, options, resources, stack, summary, tickets, times"

func (o *options) include(name string) error {
	bit := sectionBit(name)
	switch {
	case name == "all":
		o.sections = o.form.all()
	case strings.HasPrefix(name, "bans"):
		o.sections |= show.Bans
		o.banPrefix, _ = strings.CutPrefix(name[4:], ":")
		if len(name) <= 4 || name[4] != ':' {
			o.banPrefix = ""
		}
	case name == "default", name == "defaults":
		o.sections |= o.form.normal()
	case name == "none":
		o.sections = 0
	case bit != 0:
		o.sections |= bit
	default:
		return errors.New("--include options: all, attributes, bans[:PREFIX], counts, dc, default, " + sectionNames)
	}
	return nil
}

const description = `Notes:

If this program is called as crm_mon.cgi, --output-as=html --html-cgi will
automatically be added to the command line arguments.

Time Specification:

The TIMESPEC in any command line option can be specified in many different
formats.  It can be just an integer number of seconds, a number plus units
(ms/msec/us/usec/s/sec/m/min/h/hr), or an ISO 8601 period specification.

Output Control:

By default, a certain list of sections are written to the output destination.
The default varies based on the output format - XML includes everything, while
other output formats will display less.  This list can be modified with the
--include and --exclude command line options.  Each option may be given multiple
times on the command line, and each can give a comma-separated list of sections.
The options are applied to the default set, from left to right as seen on the
command line.  For a list of valid sections, pass --include=list or --exclude=list.

Interactive Use:

When run interactively, crm_mon can be told to hide and display various sections
of output.  To see a help screen explaining the options, hit '?'.  Any key stroke
aside from those listed will cause the screen to refresh.

Examples:

Display the cluster status on the console with updates as they occur:

	crm_mon

Display the cluster status on the console just once then exit:

	crm_mon -1

Display your cluster status, group resources by node, and include inactive resources in the list:

	crm_mon --group-by-node --inactive

Start crm_mon as a background daemon and have it write the cluster status to an HTML file:

	crm_mon --daemonize --output-as html --output-to /path/to/docroot/filename.html

Start crm_mon and export the current cluster status as XML to stdout, then exit:

	crm_mon --output-as xml

`
