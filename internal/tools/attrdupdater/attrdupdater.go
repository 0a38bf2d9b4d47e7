// Package attrdupdater is the program attrd_updater: it changes and shows node
// attributes by way of the attribute manager. Agents and administrators call it.
//
// Upstream: tools/attrd_updater.c, attrd_updater(8).
package attrdupdater

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/attrd/attrdclient"
	"github.com/pacesync/pacesync/internal/attrd/wire"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/tools/session"
)

const indent = "                              "

// options are what the command line asks for.
type options struct {
	goption.Common
	fancy      bool
	name       string
	delay      *string
	set, node  string
	all, quiet bool
	private    bool
	value      *string
	command    byte // U, B, Y, Q, D or R
}

// Run is the whole program; it returns the exit status.
func Run(e *applet.Env) int {
	o := &options{command: 'Q'}
	if _, status, ok := o.context().Run(e.Args, "dlnsvBNUS", e.Stdout, e.Stderr); !ok {
		return status
	}
	s, status, ok := session.Begin(e, &o.Common, o.fancy, pcmkout.Text, pcmkout.XML, pcmkout.None)
	if !ok {
		return int(status)
	}
	if o.Version {
		s.Out.ShowVersion(false)
		return s.End(pcmk.ExitOK, "")
	}
	if o.command != 'R' && o.name == "" {
		return s.End(pcmk.ExitUsage, "Command requires --name argument")
	}
	if (o.command == 'B' || o.command == 'Y') && o.delay == nil {
		s.Out.Infof("Warning: '%c' command given without required --delay", o.command)
	}
	if o.command == 'Q' {
		return o.query(e, s)
	}
	return o.update(e, s)
}

func (o *options) context() *goption.Context {
	c := goption.Pacemaker("attrd_updater", "query and update Pacemaker node attributes", "text (default), xml", "", &o.Common)
	c.AddOutput(goption.Entry{Long: "text-fancy", Dest: &o.fancy, Help: "Use more highly formatted output (requires --output-as=text)"})
	c.AddGroup("required", "Required Arguments:", "Show required arguments",
		goption.Entry{Long: "name", Short: 'n', Dest: &o.name, Help: "The attribute's name", Arg: "NAME"})
	c.AddGroup("command", "Command:", "Show command options (mutually exclusive)",
		goption.Entry{Long: "update", Short: 'U', Dest: o.choose('U'), Arg: "VALUE",
			Help: "Update attribute's value in pacemaker-attrd. If this causes the value\n" + indent + "to change, it will also be updated in the cluster configuration."},
		goption.Entry{Long: "update-both", Short: 'B', Dest: o.choose('B'), Arg: "VALUE",
			Help: "Update attribute's value and time to wait (dampening) in\n" + indent + "pacemaker-attrd. If this causes the value or dampening to change,\n" +
				indent + "the attribute will also be written to the cluster configuration,\n" + indent + "so be aware that repeatedly changing the dampening reduces its\n" +
				indent + "effectiveness.\n" + indent + "Requires -d/--delay"},
		goption.Entry{Long: "update-delay", Short: 'Y', Flags: goption.NoArg, Dest: o.choose('Y'),
			Help: "Update attribute's dampening in pacemaker-attrd. If this causes\n" + indent + "the dampening to change, the attribute will also be written\n" +
				indent + "to the cluster configuration, so be aware that repeatedly\n" + indent + "changing the dampening reduces its effectiveness.\n" + indent + "Requires -d/--delay"},
		goption.Entry{Long: "query", Short: 'Q', Flags: goption.NoArg, Dest: o.choose('Q'), Help: "Query the attribute's value from pacemaker-attrd"},
		goption.Entry{Long: "delete", Short: 'D', Flags: goption.NoArg, Dest: o.choose('D'),
			Help: "Unset attribute from pacemaker-attrd. At the moment, there is no way\n" + indent + "to remove an attribute. This option will instead set its value\n" +
				indent + "to the empty string."},
		goption.Entry{Long: "refresh", Short: 'R', Flags: goption.NoArg, Dest: o.choose('R'),
			Help: "(Advanced) Force the pacemaker-attrd daemon to resend all current\n" + indent + "values to the CIB"})
	c.AddGroup("additional", "Additional Options:", "Show additional options",
		goption.Entry{Long: "delay", Short: 'd', Dest: &o.delay, Arg: "SECONDS",
			Help: "The time to wait (dampening) in seconds for further changes\n" + indent + "before sending to the CIB"},
		goption.Entry{Long: "set", Short: 's', Dest: &o.set, Arg: "SET", Help: "(Advanced) The attribute set in which to place the value"},
		goption.Entry{Long: "node", Short: 'N', Dest: &o.node, Arg: "NODE", Help: "Set the attribute for the named node (instead of the local one)"},
		goption.Entry{Long: "all", Short: 'A', Dest: &o.all, Help: "Show values of the attribute for all nodes (query only)"},
		goption.Entry{Long: "lifetime", Short: 'l', Dest: lifetime, Arg: "SECTION",
			Help: "(Not yet implemented) Lifetime of the node attribute (silently\n" + indent + "ignored by cluster)"},
		goption.Entry{Long: "private", Short: 'p', Flags: goption.NoArg, Dest: func(goption.Value) error { o.private = true; return nil },
			Help: "If this creates a new attribute, never write the attribute to CIB"})
	c.AddGroup("deprecated", "Deprecated Options:", "Show deprecated options",
		goption.Entry{Long: "quiet", Short: 'q', Flags: goption.Hidden, Dest: &o.quiet},
		goption.Entry{Long: "update", Short: 'v', Flags: goption.Hidden, Dest: o.choose('U')},
		goption.Entry{Long: "section", Short: 'S', Flags: goption.Hidden, Dest: lifetime})
	return c
}

// choose makes an option select a command; of several the last one counts, and
// so does its value, or that it has none.
func (o *options) choose(command byte) goption.Callback {
	return func(v goption.Value) error {
		o.command, o.value = command, nil
		if v.Given {
			o.value = &v.Arg
		}
		return nil
	}
}

// lifetime is checked and has no effect.
func lifetime(v goption.Value) error {
	switch v.Arg {
	case "nodes", "forever", "status", "reboot":
		return nil
	}
	return fmt.Errorf("Unknown value for --lifetime: %s", v.Arg) //nolint:staticcheck // the original's text
}

func (o *options) query(e *applet.Env, s *session.Session) int {
	host := ""
	if !o.all {
		host = o.node
	}
	answer, err := attrdclient.Query(context.Background(), e.Name, o.name, attrdclient.Target(host))
	var none *attrdclient.ConnectError
	switch {
	case errors.As(err, &none):
		return s.End(statusOf(err), none.Error())
	case err != nil:
		return s.End(statusOf(err), fmt.Sprintf("Could not query value of %s: %v (%d)", o.name, err, int(rcOf(err))))
	case len(answer.Nodes) == 0:
		return s.End(pcmk.RCSchemaValidation.Exit(), fmt.Sprintf("Could not query value of %s: attribute does not exist", o.name))
	}
	for i := range answer.Nodes { // the original shows them from the last to the first
		n := answer.Nodes[len(answer.Nodes)-1-i]
		s.Attribute("", "", answer.Name, n.Value, n.Host)
	}
	return s.End(pcmk.ExitOK, "")
}

func (o *options) update(e *applet.Env, s *session.Session) int {
	v := wire.Value{Name: o.name, Host: attrdclient.Target(o.node), Set: o.set, Private: o.private}
	if o.value != nil {
		v.Value = *o.value
	}
	delay := ""
	if o.delay != nil {
		delay = *o.delay
	}
	switch o.command {
	case 'B':
		v.Task, v.Dampening = wire.UpdateBoth, delay
	case 'Y':
		v.Task, v.Dampening, v.Value = wire.UpdateDelay, delay, ""
	case 'U':
		v.Task = wire.Update
	case 'D':
		v.Task, v.Value, v.Set = wire.Update, "", ""
	case 'R':
		v = wire.Value{Task: wire.Refresh, Host: v.Host}
	}
	if err := attrdclient.Send(context.Background(), e.Name, wire.Message{Value: v}); err != nil {
		shown := "(null)"
		if o.value != nil {
			shown = *o.value
		}
		return s.End(statusOf(err), fmt.Sprintf("Could not update %s=%s: %v (%d)", cmp.Or(o.name, "(null)"), shown, err, int(rcOf(err))))
	}
	return s.End(pcmk.ExitOK, "")
}

func rcOf(err error) pcmk.RC {
	var rc pcmk.RC
	if errors.As(err, &rc) {
		return rc
	}
	return pcmk.RCError
}

func statusOf(err error) pcmk.Exit { return rcOf(err).Exit() }
