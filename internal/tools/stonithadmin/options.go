package stonithadmin

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pacesync/pacesync/fencing/wire"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
)

// options are the command line.
type options struct {
	goption.Common
	asNodeID, broadcast, cleanup, installed, metadata, registered, validate bool
	device                                                                  []string
	params                                                                  []wire.Pair
	level, timeout, delay                                                   int
	tolerance                                                               time.Duration
	agent                                                                   *string
	cgi, fancy, legacy, simple, substitute                                  bool
	title, sheet                                                            *string
	commands                                                                [int(levelDel) + 1]*string // by command
	tag                                                                     string
}

// command is what is to be done. Where several are given the last of this list
// counts, as in the original.
type command int

// The commands.
const (
	none command = iota - 1
	register
	query
	deregister
	targets
	list
	reboot
	fence
	unfence
	confirm
	last
	historyOf
	levelAdd
	levelDel
	validate
	installed
	registered
	metadata
)

// choose finds the command and what it is about (main).
func (o *options) choose() (c command, about string) {
	c = none
	flag := func(set bool, is command) {
		if set {
			c, about = is, ""
		}
	}
	text := func(is command, s *string) {
		if s != nil {
			c, about = is, *s
		}
	}
	flag(o.validate, validate)
	flag(o.installed, installed)
	flag(o.registered, registered)
	for _, is := range [...]command{register, query, deregister, targets, list} {
		text(is, o.commands[is])
	}
	flag(o.metadata, metadata)
	for _, is := range [...]command{reboot, fence, unfence, confirm, last, historyOf, levelAdd, levelDel} {
		text(is, o.commands[is])
	}
	return c, about
}

const indent = "                                    "

func help(lines ...string) string { return strings.Join(lines, "\n"+indent) }

// context describes the command line.
func (o *options) context(program string) *goption.Context {
	o.timeout = 120
	c := goption.Pacemaker(program, "stonith_admin - Access the Pacemaker fencing API", "text (default), html, xml", "", &o.Common)
	c.AddOutput(goption.Entry{Long: "html-cgi", Dest: &o.cgi, Help: "Add CGI headers (requires --output-as=html)"},
		goption.Entry{Long: "html-stylesheet", Dest: &o.sheet, Help: "Link to an external stylesheet (requires --output-as=html)", Arg: "URI"},
		goption.Entry{Long: "html-title", Dest: &o.title, Help: "Specify a page title (requires --output-as=html)", Arg: "TITLE"},
		goption.Entry{Long: "text-fancy", Dest: &o.fancy, Help: "Use more highly formatted output (requires --output-as=text)"},
		goption.Entry{Long: "xml-legacy", Flags: goption.Hidden, Dest: &o.legacy},
		goption.Entry{Long: "xml-simple-list", Flags: goption.Hidden, Dest: &o.simple},
		goption.Entry{Long: "xml-substitute", Flags: goption.Hidden, Dest: &o.substitute})
	c.AddMain(goption.Entry{Long: "quiet", Short: 'q', Dest: &o.Quiet, Help: "Be less descriptive in output."})
	text := func(long string, short byte, is command, arg string, lines ...string) goption.Entry {
		return goption.Entry{Long: long, Short: short, Dest: &o.commands[is], Help: help(lines...), Arg: arg}
	}
	c.AddGroup("definition", "Device Definition Commands:", "Show device definition help",
		text("register", 'R', register, "DEVICE", "Register the named stonith device. Requires: --agent.", "Optional: --option, --env-option."),
		text("deregister", 'D', deregister, "DEVICE", "De-register the named stonith device."),
		text("register-level", 'r', levelAdd, "TARGET", "Register a stonith level for the named target,",
			"specified as one of NAME, @PATTERN, or ATTR=VALUE.", "Requires: --index and one or more --device entries."),
		text("deregister-level", 'd', levelDel, "TARGET", "Unregister a stonith level for the named target,",
			"specified as for --register-level. Requires: --index"))
	c.AddGroup("queries", "Queries:", "Show query help",
		text("list", 'l', list, "HOST", "List devices that can terminate the specified host.", "Optional: --timeout"),
		goption.Entry{Long: "list-registered", Short: 'L', Dest: &o.registered, Help: "List all registered devices. Optional: --timeout."},
		goption.Entry{Long: "list-installed", Short: 'I', Dest: &o.installed, Help: "List all installed devices. Optional: --timeout."},
		text("list-targets", 's', targets, "DEVICE", "List the targets that can be fenced by the", "named device. Optional: --timeout."),
		goption.Entry{Long: "metadata", Short: 'M', Dest: &o.metadata, Help: help("Show agent metadata. Requires: --agent.", "Optional: --timeout.")},
		text("query", 'Q', query, "DEVICE", "Check the named device's status. Optional: --timeout."),
		text("history", 'H', historyOf, "NODE", "Show last successful fencing operation for named node",
			"(or '*' for all nodes). Optional: --timeout, --cleanup,", "--quiet (show only the operation's epoch timestamp),",
			"--verbose (show all recorded and pending operations),", "--broadcast (update history from all nodes available)."),
		text("last", 'h', last, "NODE", "Indicate when the named node was last fenced.", "Optional: --as-node-id."),
		goption.Entry{Long: "validate", Short: 'K', Dest: &o.validate, Help: help("Validate a fence device configuration.",
			"Requires: --agent. Optional: --option, --env-option,", "--quiet (print no output, only return status).")})
	c.AddGroup("fence", "Fencing Commands:", "Show fence help",
		text("fence", 'F', fence, "HOST", "Fence named host. Optional: --timeout, --tolerance, --delay."),
		text("unfence", 'U', unfence, "HOST", "Unfence named host. Optional: --timeout, --tolerance, --delay."),
		text("reboot", 'B', reboot, "HOST", "Reboot named host. Optional: --timeout, --tolerance, --delay."),
		text("confirm", 'C', confirm, "HOST", "Tell cluster that named host is now safely down."))
	o.addMore(c)
	return c
}

func (o *options) addMore(c *goption.Context) {
	c.AddGroup("additional", "Additional Options:", "Show additional options",
		goption.Entry{Long: "cleanup", Short: 'c', Dest: &o.cleanup, Help: "Cleanup wherever appropriate. Requires --history."},
		goption.Entry{Long: "broadcast", Short: 'b', Dest: &o.broadcast, Help: "Broadcast wherever appropriate."},
		goption.Entry{Long: "agent", Short: 'a', Dest: &o.agent, Arg: "AGENT", Help: help("The agent to use (for example, fence_xvm;", "with --register, --metadata, --validate).")},
		goption.Entry{Long: "option", Short: 'o', Dest: o.addParam, Arg: "PARAM", Help: help("Specify a device configuration parameter as NAME=VALUE",
			"(may be specified multiple times; with --register,", "--validate).")},
		goption.Entry{Long: "env-option", Short: 'e', Dest: o.addEnv, Arg: "PARAM", Help: help("Specify a device configuration parameter with the",
			"specified name, using the value of the", "environment variable of the same name prefixed with",
			"OCF_RESKEY_ (may be specified multiple times;", "with --register, --validate).")},
		goption.Entry{Long: "tag", Short: 'T', Dest: goption.Callback(func(v goption.Value) error { o.tag = v.Arg; return nil }), Arg: "TAG",
			Help: help("Identify fencing operations in logs with the specified", "tag; useful when multiple entities might invoke", "stonith_admin (used with most commands).")},
		goption.Entry{Long: "device", Short: 'v', Dest: goption.Callback(func(v goption.Value) error { o.device = append(o.device, v.Arg); return nil }), Arg: "DEVICE",
			Help: help("Device ID (with --register-level, device to associate with", "a given host and level; may be specified multiple times)",
				"(with --validate, name to use to load CIB secrets).")},
		goption.Entry{Long: "index", Short: 'i', Dest: &o.level, Arg: "LEVEL", Help: help("The stonith level (1-9) (with --register-level,", "--deregister-level).")},
		goption.Entry{Long: "timeout", Short: 't', Dest: &o.timeout, Arg: "SECONDS", Help: help("Operation timeout in seconds (default 120;", "used with most commands).")},
		goption.Entry{Long: "delay", Short: 'y', Dest: &o.delay, Arg: "SECONDS", Help: help("Apply a fencing delay in seconds. Any static/random delays from",
			"pcmk_delay_base/max will be added, otherwise all", "disabled with the value -1", "(default 0; with --fence, --reboot, --unfence).")},
		goption.Entry{Long: "as-node-id", Short: 'n', Dest: &o.asNodeID, Help: help("(Advanced) The supplied node is the corosync node ID", "(with --last).")},
		goption.Entry{Long: "tolerance", Dest: goption.Callback(func(v goption.Value) error {
			ms, _ := iso8601.MSec(v.Arg)
			o.tolerance = time.Duration(ms/1000) * time.Second
			return nil
		}), Arg: "SECONDS", Help: help("(Advanced) Do nothing if an equivalent --fence request",
			"succeeded less than this many seconds earlier", "(with --fence, --unfence, --reboot).")})
}

// addParam takes -o NAME=VALUE.
func (o *options) addParam(v goption.Value) error {
	name, value, _ := strings.Cut(v.Arg, "=")
	value, _, _ = strings.Cut(value, "\n")
	switch { // the original takes the number of parts that it found for an errno
	case name == "":
		return fmt.Errorf("Invalid option: -o %s: %s", v.Arg, pcmk.RCBadNvpair.Error())
	case value == "":
		return fmt.Errorf("Invalid option: -o %s: %s", v.Arg, pcmk.RC(1).Error())
	}
	o.params = append(o.params, wire.Pair{Name: name, Value: value})
	return nil
}

// addEnv takes -e NAME.
func (o *options) addEnv(v goption.Value) error {
	value, ok := os.LookupEnv("OCF_RESKEY_" + v.Arg)
	if !ok {
		return fmt.Errorf("Invalid option: -e %s", v.Arg)
	}
	o.params = append(o.params, wire.Pair{Name: v.Arg, Value: value})
	return nil
}
