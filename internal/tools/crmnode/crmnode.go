// Package crmnode is crm_node: this node's name and id, the known nodes, quorum,
// and the removal of a node from Pacemaker.
//
// Administrators and resource agents call it. Upstream: tools/crm_node.c.
package crmnode

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/cib/client"
	controld "github.com/pacesync/pacesync/crmd/client"
	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/crmipc"
	"github.com/pacesync/pacesync/internal/goption"
	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/xmltree"
)

const indent = "                           "

// options of the command line.
type options struct {
	goption.Common
	command byte
	force   bool
	id      uint32
	target  string
}

// call is one run of the program.
type call struct {
	*applet.Env
	options
}

// Run is the program.
func Run(e *applet.Env) int {
	c := &call{Env: e}
	ctx := c.context()
	if _, status, ok := ctx.Run(e.Args, "NR", e.Stdout, e.Stderr); !ok {
		return status
	}
	switch {
	case c.Version:
		fmt.Fprintf(e.Stdout, "Pacemaker %s\nWritten by Andrew Beekhof and the Pacemaker project contributors\n", pcmk.Version)
		return 0
	case c.command == 0:
		fmt.Fprint(e.Stderr, ctx.Help(true, nil))
		return int(pcmk.ExitUsage)
	case c.command == 'R' && !c.force:
		fmt.Fprint(e.Stderr, "The supplied command is considered dangerous.  To prevent accidental destruction of the cluster,"+
			" the --force flag is required in order to proceed.\n")
		return int(pcmk.ExitUsage)
	}
	return int(c.run(context.Background()))
}

// context is the description of the options.
func (c *call) context() *goption.Context {
	ctx := goption.Pacemaker("crm_node", "crm_node - Tool for displaying low-level node information", "", "", &c.Common)
	ctx.AddMain(goption.Entry{Long: "quiet", Short: 'Q', Dest: &c.Quiet, Help: "Be less descriptive in output."})
	command := func(letter byte) goption.Callback {
		return func(goption.Value) error { c.command = letter; return nil }
	}
	ctx.AddGroup("commands", "Commands:", "Show command help",
		goption.Entry{Long: "cluster-id", Short: 'i', Flags: goption.NoArg, Dest: command('i'), Help: "Display this node's cluster id"},
		goption.Entry{Long: "list", Short: 'l', Flags: goption.NoArg, Dest: command('l'), Help: "Display all known members (past and present) of this cluster"},
		goption.Entry{Long: "name", Short: 'n', Flags: goption.NoArg, Dest: command('n'), Help: "Display the name used by the cluster for this node"},
		goption.Entry{Long: "partition", Short: 'p', Flags: goption.NoArg, Dest: command('p'), Help: "Display the members of this partition"},
		goption.Entry{Long: "quorum", Short: 'q', Flags: goption.NoArg, Dest: command('q'), Help: "Display a 1 if our partition has quorum, 0 if not"},
		goption.Entry{Long: "name-for-id", Short: 'N', Dest: func(v goption.Value) error {
			c.command = 'N'
			n, _ := strconv.ParseUint(strings.TrimSpace(v.Arg), 10, 31) // anything else is 0, as in the original
			c.id = uint32(n)
			return nil
		}, Help: "Display the name used by the cluster for the node with the specified ID", Arg: "ID"},
		goption.Entry{Long: "remove", Short: 'R', Dest: func(v goption.Value) error {
			c.command, c.target = 'R', v.Arg
			return nil
		}, Help: "(Advanced) Remove the (stopped) node with the specified name from Pacemaker's\n" +
			indent + "configuration and caches (the node must already have been removed from\n" +
			indent + "the underlying cluster stack configuration", Arg: "NAME"})
	ctx.AddGroup("additional", "Additional Options:", "Show additional options",
		goption.Entry{Long: "force", Short: 'f', Dest: &c.force},
		goption.Entry{Long: "corosync", Short: 'C', Flags: goption.Hidden, Dest: new(bool)})
	return ctx
}

// run does the command.
func (c *call) run(ctx context.Context) pcmk.Exit {
	// An agent has its node's name in the environment.
	if name, ok := os.LookupEnv("OCF_RESKEY_CRM_meta_on_node"); ok && c.command == 'n' {
		fmt.Fprintln(c.Stdout, name)
		return pcmk.ExitOK
	}
	if c.command == 'R' {
		return c.remove(ctx)
	}
	conn, err := controld.Dial(ctx, "crm_node")
	if err != nil {
		fmt.Fprintf(c.Stderr, "error: Could not connect to controller: %v\n", controld.Code(err))
		return controld.Code(err).Exit()
	}
	defer conn.Close()
	if c.command == 'l' || c.command == 'p' {
		return c.list(ctx, conn)
	}
	info, err := conn.NodeInfo(ctx, c.id)
	if err != nil {
		return c.lost()
	}
	switch c.command {
	case 'i':
		if info.ID == 0 {
			fmt.Fprintln(c.Stderr, "error: Controller reply did not contain node ID")
			return pcmk.ExitProtocol
		}
		fmt.Fprintln(c.Stdout, info.ID)
	case 'n', 'N':
		if info.Name == "" {
			fmt.Fprintln(c.Stderr, "Node is not known to cluster")
			return pcmk.ExitNoHost
		}
		fmt.Fprintln(c.Stdout, info.Name)
	case 'q':
		if !info.HaveQuorum {
			fmt.Fprintln(c.Stdout, 0)
			return pcmk.ExitQuorum
		}
		fmt.Fprintln(c.Stdout, 1)
	}
	return pcmk.ExitOK
}

func (c *call) lost() pcmk.Exit {
	fmt.Fprintln(c.Stderr, "error: Lost connection to controller")
	return pcmk.ExitDisconnect
}

// list prints all nodes, or the names of the members.
func (c *call) list(ctx context.Context, conn *controld.Conn) pcmk.Exit {
	nodes, err := conn.Nodes(ctx)
	if err != nil {
		return c.lost()
	}
	slices.SortStableFunc(nodes, func(a, b controld.Node) int { return numeric(a.Name, b.Name) })
	for _, n := range nodes {
		switch {
		case c.command == 'l':
			fmt.Fprintf(c.Stdout, "%d %s %s\n", n.ID, n.Name, n.State)
		case n.State == "member":
			fmt.Fprintf(c.Stdout, "%s ", n.Name)
		}
	}
	if c.command == 'p' {
		fmt.Fprintln(c.Stdout)
	}
	return pcmk.ExitOK
}

// numeric compares names as people do: n9 before n10, capitals alike
// (strings.c: pcmk__numeric_strcasecmp).
func numeric(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	for a != "" && b != "" {
		if isDigit(a[0]) && isDigit(b[0]) {
			na, ra := number(a)
			nb, rb := number(b)
			if d := cmp.Or(cmp.Compare(len(na), len(nb)), cmp.Compare(na, nb)); d != 0 {
				return d
			}
			a, b = ra, rb
			continue
		}
		if d := cmp.Compare(a[0], b[0]); d != 0 {
			return d
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(a, b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// number cuts the digits off, without leading zeroes.
func number(s string) (digits, rest string) {
	i := 0
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return strings.TrimLeft(s[:i], "0"), s[i:]
}

// remove makes Pacemaker forget a node: the controller's, the fencer's and the
// attribute manager's memory, and the CIB.
func (c *call) remove(ctx context.Context) pcmk.Exit {
	name := c.target
	id, err := strconv.ParseUint(c.target, 10, 31)
	if err == nil && id > 0 {
		name = ""
	} else {
		id = 0
	}
	conn, err := controld.Dial(ctx, "crm_node")
	if err != nil {
		fmt.Fprintf(c.Stderr, "error: Could not connect to controller: %v\n", controld.Code(err))
		return controld.Code(err).Exit()
	}
	defer conn.Close()
	req := conn.Request("rm_node_cache", "", nil)
	setNode(req, "id", "uname", id, name)
	if err := conn.Post(req); err != nil {
		fmt.Fprintf(c.Stderr, "error: Could not clear node from controller's cache: %v\n", controld.Code(err))
	}
	for _, service := range []string{"stonith-ng", "attrd", pcmk.MCP} {
		if err := c.forget(ctx, service, id, name); err != nil {
			return pcmk.ExitError
		}
	}
	return pcmk.ExitOK
}

func setNode(n *xmltree.Node, idAttr, nameAttr string, id uint64, name string) {
	if id > 0 {
		n.Set(idAttr, strconv.FormatUint(id, 10))
	}
	if name != "" {
		n.Set(nameAttr, name)
	}
}

// forget tells one daemon, and takes the node out of the CIB
// (crm_node.c: tools_remove_node_cache).
func (c *call) forget(ctx context.Context, service string, id uint64, name string) error {
	conn, err := crmipc.Dial(ctx, service, crmipc.DialOptions{})
	if err != nil {
		return err
	}
	defer conn.Close()
	var req *xmltree.Node
	if service == "attrd" {
		req = xmltree.New("tools_remove_node_cache", xmltree.Attr{Name: "t", Value: "attrd"},
			xmltree.Attr{Name: "src", Value: "crm_node"}, xmltree.Attr{Name: "task", Value: "peer-remove"})
		setNode(req, "attr_host_id", "attr_host", id, name)
	} else {
		req = crmipc.NewRequest("rm_node_cache", "", service, "crm_node", "", nil)
		setNode(req, "id", "uname", id, name)
	}
	if err := conn.Post(req); err != nil {
		return err
	}
	return c.removeFromCIB(ctx, id, name)
}

// removeFromCIB takes the node's entry and its status away (crm_node.c:
// cib_remove_node).
func (c *call) removeFromCIB(ctx context.Context, id uint64, name string) error {
	conn, err := client.Dial(ctx, "crm_node", client.Options{})
	if err != nil {
		return err
	}
	defer conn.Close()
	var last error
	for _, s := range [][2]string{{"nodes", "node"}, {"status", "node_state"}} {
		n := xmltree.New(s[1])
		if name != "" {
			n.Set("uname", name)
		}
		if id > 0 {
			n.Set("id", strconv.FormatUint(id, 10))
		}
		_, last = conn.Do(ctx, client.Call{Op: "cib_delete", Section: s[0], Data: n, Options: client.SyncCall})
		if last != nil {
			rc := pcmk.RCError
			_ = errors.As(last, &rc)
			fmt.Fprintf(c.Stdout, "Could not remove %s[%d] from %s: %v", name, id, s[0], rc)
		}
	}
	return last
}
