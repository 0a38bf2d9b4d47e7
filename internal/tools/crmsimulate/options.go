package crmsimulate

import (
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/pengine/show"
	"github.com/pacesync/pacesync/pengine/simulate"
)

// withValue are the letters that may be joined with their value.
const withValue = "bdefgiqrtuwxDFGINOP"

const description = "Operation Specification:\n\n" +
	"The OPSPEC in any command line option is of the form\n" +
	"${resource}_${task}_${interval_in_ms}@${node}=${rc}\n" +
	"(memcached_monitor_20000@bart.example.com=7, for example).\n" +
	"${rc} is an OCF return code.  For more information on these\n" +
	"return codes, refer to https://clusterlabs.org/pacemaker/doc/2.1/Pacemaker_Administration/html/agents.html#ocf-return-codes\n\n" +
	"Examples:\n\n" +
	"Pretend a recurring monitor action found memcached stopped on node\n" +
	"fred.example.com and, during recovery, that the memcached stop\n" +
	"action failed:\n\n" +
	"\tcrm_simulate -LS --op-inject memcached:0_monitor_20000@bart.example.com=7 " +
	"--op-fail memcached:0_stop_0@fred.example.com=1 --save-output /tmp/memcached-test.xml\n\n" +
	"Now see what the reaction to the stop failed would be:\n\n" +
	"\tcrm_simulate -S --xml-file /tmp/memcached-test.xml\n\n"

// indent is where the lines of a long help go on.
const indent = "                                   "

// options are what the command line says.
type options struct {
	goption.Common
	sim                        simulate.Options
	live                       bool
	file                       string // "-" for standard input
	store                      bool   // results go back to the file
	input, graph, dot, output  *string
	date, dir                  *string
	repeat                     int
	fancy, simple, sub, legacy bool
}

func newOptions() *options {
	return &options{file: "-", repeat: 1, sim: simulate.Options{Pending: true, Sanitized: true}}
}

func (o *options) context(e *applet.Env) *goption.Context {
	c := goption.Pacemaker(e.Name, "crm_simulate - simulate a Pacemaker cluster's response to events", "text (default), xml", "", &o.Common)
	c.Description = description
	c.AddMain(goption.Entry{Long: "quiet", Short: 'Q', Dest: &o.Quiet, Help: "Display only essential output"})
	c.AddOutput(
		goption.Entry{Long: "text-fancy", Dest: &o.fancy, Help: "Use more highly formatted output (requires --output-as=text)"},
		goption.Entry{Long: "xml-legacy", Flags: goption.Hidden, Dest: &o.legacy},
		goption.Entry{Long: "xml-simple-list", Flags: goption.Hidden, Dest: &o.simple},
		goption.Entry{Long: "xml-substitute", Flags: goption.Hidden, Dest: &o.sub})
	c.AddGroup("operations", "Operations:", "Show operations options", o.operations()...)
	c.AddGroup("synthetic", "Synthetic Cluster Events:", "Show synthetic cluster event options", o.synthetic()...)
	c.AddGroup("artifact", "Artifact Options:", "Show artifact options", o.artifacts()...)
	c.AddGroup("source", "Data Source:", "Show data source options", o.sources()...)
	return c
}

// flag is an option without value that does something.
func flag(long string, short byte, do func(), help string) goption.Entry {
	return goption.Entry{Long: long, Short: short, Flags: goption.NoArg, Help: help,
		Dest: func(goption.Value) error { do(); return nil }}
}

// value is an option whose value is given to do.
func value(long string, short byte, arg string, do func(string), help string) goption.Entry {
	return goption.Entry{Long: long, Short: short, Arg: arg, Help: help,
		Dest: func(v goption.Value) error { do(v.Arg); return nil }}
}

func (o *options) operations() []goption.Entry {
	s := &o.sim
	pending := flag("pending", 'j', func() { s.Pending = true }, "Display pending state if 'record-pending' is enabled")
	pending.Flags |= goption.Hidden
	return []goption.Entry{
		flag("run", 'R', func() { s.Process = true }, "Process the supplied input and show what actions the cluster will take in response"),
		flag("simulate", 'S', func() { s.Process, s.Execute = true, true },
			"Like --run, but also simulate taking those actions and show the resulting new status"),
		flag("in-place", 'X', func() { s.Process, s.Execute, o.store = true, true, true },
			"Like --simulate, but also store the results back to the input file"),
		flag("show-attrs", 'A', func() { s.Sections |= show.Attributes }, "Show node attributes"),
		flag("show-failcounts", 'c', func() { s.Sections |= show.Failcounts | show.Failures }, "Show resource fail counts"),
		flag("show-scores", 's', func() { s.Process, s.Scores = true, true }, "Show allocation scores"),
		flag("show-utilization", 'U', func() { s.Process, s.Utilization = true, true }, "Show utilization information"),
		{Long: "profile", Short: 'P', Dest: &o.dir, Arg: "DIR", Help: "Process all the XML files in the named directory to create profiling data"},
		{Long: "repeat", Short: 'N', Dest: &o.repeat, Arg: "N", Help: "With --profile, repeat each test N times and print timings"},
		pending,
	}
}

func (o *options) synthetic() []goption.Entry {
	s, in := &o.sim, &o.sim.Inject
	list := func(long string, short byte, arg string, to *[]string, help string) goption.Entry {
		return value(long, short, arg, func(v string) { *to = append(*to, v) }, help)
	}
	spec := "\n" + indent + "See `Operation Specification` help for more information."
	return []goption.Entry{
		list("node-up", 'u', "NODE", &in.Up, "Simulate bringing a node online"),
		list("node-down", 'd', "NODE", &in.Down, "Simulate taking a node offline"),
		list("node-fail", 'f', "NODE", &in.Failing, "Simulate a node failing"),
		list("op-inject", 'i', "OPSPEC", &in.Ops, "Generate a failure for the cluster to react to in the simulation."+spec),
		value("op-fail", 'F', "OPSPEC", func(v string) { s.Process, s.Execute, s.Fail = true, true, append(s.Fail, v) },
			"If the specified task occurs during the simulation, have it fail with return code ${rc}.\n"+
				indent+"The transition will normally stop at the failed action.\n"+
				indent+"Save the result with --save-output and re-run with --xml-file."+spec),
		{Long: "set-datetime", Short: 't', Dest: &o.date, Arg: "DATETIME",
			Help: "Set date/time (ISO 8601 format, see https://en.wikipedia.org/wiki/ISO_8601)"},
		{Long: "quorum", Short: 'q', Dest: &in.Quorum, Arg: "QUORUM", Help: "Set to '1' (or 'true') to indicate cluster has quorum"},
		{Long: "watchdog", Short: 'w', Dest: &in.Watchdog, Arg: "DEVICE", Help: "Set to '1' (or 'true') to indicate cluster has an active watchdog device"},
		list("ticket-grant", 'g', "TICKET", &in.Grant, "Simulate granting a ticket"),
		list("ticket-revoke", 'r', "TICKET", &in.Revoke, "Simulate revoking a ticket"),
		list("ticket-standby", 'b', "TICKET", &in.Standby, "Simulate making a ticket standby"),
		list("ticket-activate", 'e', "TICKET", &in.Activate, "Simulate activating a ticket"),
	}
}

func (o *options) artifacts() []goption.Entry {
	return []goption.Entry{
		{Long: "save-input", Short: 'I', Dest: &o.input, Arg: "FILE", Help: "Save the input configuration to the named file"},
		{Long: "save-output", Short: 'O', Dest: &o.output, Arg: "FILE", Help: "Save the output configuration to the named file"},
		value("save-graph", 'G', "FILE", func(v string) { o.sim.Process, o.graph = true, &v }, "Save the transition graph (XML format) to the named file"),
		value("save-dotfile", 'D', "FILE", func(v string) { o.sim.Process, o.dot = true, &v }, "Save the transition graph (DOT format) to the named file"),
		flag("all-actions", 'a', func() { o.sim.Dot.All = true }, "Display all possible actions in DOT graph (even if not part of transition)"),
	}
}

func (o *options) sources() []goption.Entry {
	return []goption.Entry{
		flag("live-check", 'L', func() { o.live, o.sim.Sanitized = true, false }, "Connect to CIB manager and use the current CIB contents as input"),
		value("xml-file", 'x', "FILE", func(v string) { o.live, o.file, o.sim.Sanitized = false, v, true }, "Retrieve XML from the named file"),
		flag("xml-pipe", 'p', func() { o.live, o.file, o.sim.Sanitized = false, "-", true }, "Retrieve XML from stdin"),
	}
}
