// Package crmadmin is crmadmin: what the controllers and pacemakerd say of
// themselves, and the names of the nodes.
//
// Administrators, pcs and crmsh call it. Upstream: tools/crmadmin.c,
// lib/pacemaker/pcmk_cluster_queries.c.
package crmadmin

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/cib/client"
	controld "github.com/pacesync/pacesync/crmd/client"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/tools/session"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const indent = "\n                             "

const notes = "Notes:\n\nTime Specification:\n\n" +
	"The TIMESPEC in any command line option can be specified in many different\n" +
	"formats.  It can be just an integer number of seconds, a number plus units\n" +
	"(ms/msec/us/usec/s/sec/m/min/h/hr), or an ISO 8601 period specification.\n\n" +
	"Report bugs to users@clusterlabs.org"

// options of the command line.
type options struct {
	goption.Common
	command       byte
	fancy, health bool
	timeout       time.Duration
	arg, ipcName  *string
	export        bool
}

// call is one run of the program.
type call struct {
	*applet.Env
	options
	s *session.Session
}

// Run is the program.
func Run(e *applet.Env) int {
	c := &call{Env: e}
	ctx := c.context()
	if _, status, ok := ctx.Run(e.Args, "itKNS", e.Stdout, e.Stderr); !ok {
		return status
	}
	s, status, ok := session.Begin(e, &c.Common, c.fancy, pcmkout.Text, pcmkout.XML, pcmkout.None)
	if !ok {
		return int(status)
	}
	c.s = s
	s.Out.SimpleList, s.Out.Substitute = true, true
	if c.Version {
		s.Out.ShowVersion(false)
		return s.End(pcmk.ExitOK, "")
	}
	if c.health {
		s.Out.Err("Cluster-wide health option not supported")
	}
	if c.command == 0 {
		s.Out.Err("error: Must specify a command option")
	}
	if c.health || c.command == 0 {
		s.Out.Err(ctx.Help(true, nil))
		return s.End(pcmk.ExitUsage, "")
	}
	if rc := c.run(); rc != pcmk.OK {
		s.Out.Err("error: Command failed: " + rc.Error())
		return s.End(rc.Exit(), "")
	}
	return s.End(pcmk.ExitOK, "")
}

// context is the description of the options.
func (c *call) context() *goption.Context {
	ctx := goption.Pacemaker("crmadmin", "query and manage the Pacemaker controller", "text (default), xml", "", &c.Common)
	ctx.Description = notes
	ctx.AddMain(goption.Entry{Long: "quiet", Short: 'q', Dest: &c.Quiet, Help: "Display only the essential query information"})
	ctx.AddOutput(goption.Entry{Long: "text-fancy", Dest: &c.fancy, Help: "Use more highly formatted output (requires --output-as=text)"})
	command := func(letter byte) goption.Callback {
		return func(v goption.Value) error {
			c.command, c.arg = letter, nil
			if v.Given {
				c.arg = &v.Arg
			}
			return nil
		}
	}
	ctx.AddGroup("command", "Commands:", "Show command options",
		goption.Entry{Long: "status", Short: 'S', Dest: command('S'), Help: "Display the status of the specified node." +
			indent + "Result is state of node's internal finite state" + indent + "machine, which can be useful for debugging", Arg: "NODE"},
		goption.Entry{Long: "pacemakerd", Short: 'P', Flags: goption.NoArg, Dest: command('P'), Help: "Display the status of local pacemakerd." +
			indent + "Result is the state of the sub-daemons watched" + indent + "by pacemakerd."},
		goption.Entry{Long: "dc_lookup", Short: 'D', Flags: goption.NoArg, Dest: command('D'), Help: "Display the uname of the node co-ordinating the cluster." +
			indent + "This is an internal detail rarely useful to" + indent + "administrators except when deciding on which" + indent + "node to examine the logs."},
		goption.Entry{Long: "nodes", Short: 'N', Flags: goption.OptionalArg, Dest: command('N'), Help: "Display the uname of all member nodes [optionally filtered by type (comma-separated)]" +
			indent + "Types: all (default), cluster, guest, remote", Arg: "TYPE"},
		goption.Entry{Long: "health", Short: 'H', Flags: goption.Hidden, Dest: &c.health})
	ctx.AddGroup("additional", "Additional Options:", "Show additional options",
		goption.Entry{Long: "timeout", Short: 't', Dest: func(v goption.Value) error {
			ms, ok := iso8601.IntervalMS(v.Arg)
			if !ok {
				return fmt.Errorf("Error parsing option %s", v.Option)
			}
			c.timeout = time.Duration(ms) * time.Millisecond
			return nil
		}, Help: "Time  to wait before declaring the operation" + indent + "failed", Arg: "TIMESPEC"},
		goption.Entry{Long: "bash-export", Short: 'B', Dest: &c.export, Help: "Display nodes as shell commands of the form 'export uname=uuid'" +
			indent + "(valid with -N/--nodes)"},
		goption.Entry{Long: "ipc-name", Short: 'i', Dest: &c.ipcName, Help: "Name to use for ipc instead of 'crmadmin' (with -P/--pacemakerd).", Arg: "NAME"})
	return ctx
}

// patience is the time for an answer; without the option there is no end to it.
func (c *call) patience() (context.Context, context.CancelFunc) {
	if c.timeout > 0 {
		return context.WithTimeout(context.Background(), c.timeout)
	}
	return context.WithCancel(context.Background())
}

// run does the command.
func (c *call) run() pcmk.RC {
	ctx, cancel := c.patience()
	defer cancel()
	switch c.command {
	case 'P':
		return c.pacemakerd(ctx)
	case 'N':
		return c.nodes(ctx)
	}
	conn, err := controld.Dial(ctx, "crmadmin")
	if err != nil {
		c.s.Out.Errf("error: Could not connect to controller: %v", controld.Code(err))
		return controld.Code(err)
	}
	defer conn.Close()
	node := ""
	if c.command == 'S' && c.arg != nil {
		node = *c.arg
	}
	p, err := conn.Ping(ctx, node)
	if err != nil {
		return c.unanswered(ctx, err, "controller")
	}
	if c.command == 'S' {
		c.showState(p)
	} else {
		c.showDC(p.Host)
	}
	return pcmk.OK
}

// unanswered is a question without an answer.
func (c *call) unanswered(ctx context.Context, err error, who string) pcmk.RC {
	if ctx.Err() != nil {
		c.s.Out.Errf("error: No reply received from controller before timeout (%dms)", c.timeout.Milliseconds())
		return pcmk.RC(unix.ETIMEDOUT)
	}
	if crmipc.ErrnoOf(err) == unix.ENOTCONN {
		c.s.Out.Errf("error: Lost connection to %s", who)
		return pcmk.RC(unix.ECONNRESET)
	}
	return controld.Code(err)
}

// or is the first of two texts that is not empty.
func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

func (c *call) showState(p controld.Ping) {
	out := c.s.Out
	switch {
	case out.Format == pcmkout.XML:
		out.Node(p.Subsystem, "node_name", p.Host, "state", p.State, "result", p.Result)
	case out.Quiet:
		if p.State != "" {
			out.Print(p.State + "\n")
		}
	default:
		out.Infof("Controller on %s in state %s: %s", or(p.Host, "unknown node"), or(p.State, "unknown"), or(p.Result, "unknown result"))
	}
}

func (c *call) showDC(name string) {
	out := c.s.Out
	switch {
	case out.Format == pcmkout.XML:
		out.Node("dc", "node_name", name)
	case out.Quiet:
		if name != "" {
			out.Print(name + "\n")
		}
	default:
		out.Info("Designated Controller is: " + or(name, "not yet elected"))
	}
}

// pacemakerd asks the daemon on this node (pcmk__pacemakerd_status).
func (c *call) pacemakerd(ctx context.Context) pcmk.RC {
	name := "crmadmin"
	if c.ipcName != nil {
		name = *c.ipcName
	}
	conn, err := crmipc.Dial(ctx, pcmk.MCP, crmipc.DialOptions{})
	if err != nil {
		rc := pcmk.RC(crmipc.ErrnoOf(err))
		c.s.Out.Errf("error: Could not connect to launcher: %v", rc)
		return rc
	}
	defer conn.Close()
	req := crmipc.NewRequest("ping", "", pcmk.MCP, name, strconv.Itoa(os.Getpid()), nil)
	if err := conn.Post(req); err != nil {
		return pcmk.RC(crmipc.ErrnoOf(err))
	}
	in, err := conn.Next(ctx)
	if err != nil {
		return c.unanswered(ctx, err, "pacemakerd")
	}
	session.ShowHealth(c.s.Out, crmipc.Data(in.XML))
	return pcmk.OK
}

// nodes lists the nodes of the CIB (pcmk__list_nodes).
func (c *call) nodes(ctx context.Context) pcmk.RC {
	conn, err := session.OpenCIB(ctx, c.Env)
	if err != nil {
		return pcmk.RCNoInput // whatever the reason, as in the original
	}
	defer conn.Close()
	cib, err := conn.Do(ctx, client.Call{Op: client.Query, Options: client.SyncCall | client.ScopeLocal})
	if err != nil {
		return session.RC(err)
	}
	types := ""
	if c.arg != nil {
		types = *c.arg
	}
	if strings.Contains(types, "all") {
		types = ""
	}
	c.s.Out.BeginCounted("", "", "nodes")
	found := c.showNodes(cib.Child("configuration"), types)
	c.s.Out.End()
	if found == 0 {
		c.s.Out.Info("No nodes configured")
	}
	return pcmk.OK
}

func (c *call) showNodes(config *xmltree.Node, types string) (found int) {
	show := func(kind, name, id string) {
		found++
		c.showNode(kind, or(name, id), id)
	}
	if types == "" || strings.Contains(types, "cluster") {
		config.Child("nodes").Each("node", func(n *xmltree.Node) {
			if t, ok := n.Get("type"); !ok || t == "member" {
				show("cluster", n.Attr("uname"), n.ID())
			}
		})
	}
	if types == "" || strings.Contains(types, "guest") {
		within(config, "primitive", func(p *xmltree.Node) {
			within(p, "meta_attributes", func(m *xmltree.Node) {
				within(m, "nvpair", func(nv *xmltree.Node) {
					if nv.Attr("name") == "remote-node" {
						show("guest", nv.Attr("uname"), nv.Attr("value"))
					}
				})
			})
		})
	}
	// The original's expression for this type also takes a comma.
	if types == "" || strings.Contains(types, ",") || strings.HasPrefix(types, "remote") {
		within(config, "primitive", func(p *xmltree.Node) {
			if p.Attr("type") == "remote" && p.Attr("provider") == "pacemaker" {
				show("remote", p.Attr("uname"), p.ID())
			}
		})
	}
	return found
}

// within calls f for every element of that name below n.
func within(n *xmltree.Node, name string, f func(*xmltree.Node)) {
	n.Elements(func(c *xmltree.Node) {
		if c.Name == name {
			f(c)
		}
		within(c, name, f)
	})
}

func (c *call) showNode(kind, name, id string) {
	out := c.s.Out
	switch {
	case out.Format == pcmkout.XML:
		out.Node("node", "type", kind, "name", name, "id", id)
	case out.Quiet:
		out.Print(name + "\n")
	case c.export:
		out.Infof("export %s=%s", name, id)
	default:
		out.Infof("%s node: %s (%s)", kind, name, id)
	}
}
