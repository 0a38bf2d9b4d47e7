// Package labcmd is `pacesync lab`: a cluster of namespaces on one machine, by
// hand. It is the command line of package lab and replaces nothing upstream.
package labcmd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/applet"
	"github.com/pacesync/pacesync/internal/lab"
)

// limit bounds every command that waits for a cluster.
const limit = 2 * time.Minute

// command is one word after `pacesync lab`.
type command struct {
	name, args, help string
	run              func(c *call) error
}

// call is one invocation: its options and what is left of the arguments.
type call struct {
	env   *applet.Env
	ctx   context.Context
	flags *flag.FlagSet
	name  string
	args  []string

	nodes, networks, network int
	hosts                    int
	larger                   int
	ours, on                 string
	start, all, oneWay       bool
	signal                   string
}

var errUsage = errors.New("see `pacesync lab --help`")

func commands() []command {
	return []command{
		{"up", "[-n 3] [-nets 1] [-ours WHAT] [-start] [SETTING…]", "build a lab and switch its nodes on; SETTING as for conf", runUp},
		{"conf", "[-on NODE,…] [SETTING…]", "write corosync.conf: transport=knet token=1000 quorum.two_node=1 links=2 link1.knet_link_priority=2 key=WORD; without: show it", runConf},
		{"start", "[corosync|pacemaker] [NODE…]", "start daemons and wait for ring and controller; default both, all nodes", runStart},
		{"stop", "[corosync|pacemaker] [NODE…]", "stop daemons in order", runStop},
		{"status", "", "a picture: who runs what, which ring, quorum, what is cut", runStatus},
		{"exec", "NODE COMMAND…", "run a command inside a node (`exec n1 bash` is a shell there)", runExec},
		{"ps", "[NODE…]", "processes, and whose program each is", runPs},
		{"log", "NODE [corosync|pacemaker]", "print a node's log", runLog},
		{"cut", "[-one-way] [-net K] [-larger BYTES] NODE [NODE]", "cut two nodes from each other, or one from all", runCut},
		{"loss", "PERCENT", "lose packets at random, everywhere", runLoss},
		{"rough", "[-net K] NODE|all SETTING…", "bad cables while it runs: delay=20ms jitter=5ms reorder=5% hold=10ms duplicate=1%", runRough},
		{"mtu", "[-net K] NODE|all BYTES", "the MTU of cables, at both ends: 65520, 9000, 1500, 1300, …", runMTU},
		{"if", "[-net K] NODE up|down|addr|noaddr", "a node's interface set up or down, or its address given or taken, as by ifup and ifdown; default net 0", runInterface},
		{"heal", "[NODE [NODE]]", "end cuts and loss", runHeal},
		{"kill", "[-signal KILL] NODE corosync|pacemaker|all", "signal a part of a node: KILL, TERM, STOP, CONT, …", runKill},
		{"power", "NODE on|off", "the power switch: off ends every process of the node at once", runPower},
		{"down", "[-all]", "end everything and remove the lab, also what a crash left", runDown},
		{"list", "", "the labs of this machine", runList},
	}
}

// Run is the program `pacesync lab`.
func Run(e *applet.Env) int {
	if len(e.Args) == 0 || e.Args[0] == "--help" || e.Args[0] == "-h" || e.Args[0] == "help" {
		usage(e.Stdout)
		return 0
	}
	for _, cmd := range commands() {
		if cmd.name == e.Args[0] {
			return runCommand(e, cmd)
		}
	}
	fmt.Fprintf(e.Stderr, "pacesync lab: no command %q; %v\n", e.Args[0], errUsage)
	return 1
}

func runCommand(e *applet.Env, cmd command) int {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := &call{env: e, ctx: ctx, flags: flag.NewFlagSet("pacesync lab "+cmd.name, flag.ContinueOnError)}
	f := c.flags
	f.SetOutput(e.Stderr)
	def := os.Getenv("PACESYNC_LAB")
	if def == "" {
		def = "lab"
	}
	f.StringVar(&c.name, "l", def, "name of the lab")
	f.IntVar(&c.nodes, "n", 3, "up: number of nodes")
	f.IntVar(&c.hosts, "hosts", 0, "up: machines beside the cluster (h1, h2, …), for clients")
	f.IntVar(&c.networks, "nets", 1, "up: networks per node")
	f.StringVar(&c.ours, "ours", "", "up: what is ours and not Debian's: corosync, pacemaker, tools, all, single programs (pacemaker-attrd,crm_node), or on some nodes n1:corosync,n2:pacemaker-attrd")
	f.BoolVar(&c.start, "start", false, "up: start corosync and pacemaker too")
	f.BoolVar(&c.oneWay, "one-way", false, "cut: only from the first node to the second")
	f.IntVar(&c.network, "net", lab.AllNetworks, "cut, rough, mtu, if: only on this network (-1: all)")
	f.IntVar(&c.larger, "larger", 0, "cut: only packets of more bytes, IP header included")
	f.StringVar(&c.on, "on", "", "conf: only on these nodes, separated by commas")
	f.StringVar(&c.signal, "signal", "KILL", "kill: the signal")
	f.BoolVar(&c.all, "all", false, "down: every lab of this machine")
	f.Usage = func() {
		fmt.Fprintf(e.Stderr, "usage: pacesync lab %s [-l LAB] %s\n  %s\n", cmd.name, cmd.args, cmd.help)
	}
	if err := f.Parse(e.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 1
	}
	c.args = f.Args()
	err := cmd.run(c)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		f.Usage()
		return 1
	}
	fmt.Fprintln(e.Stderr, "pacesync "+strings.ReplaceAll(err.Error(), "\nlab: ", "\npacesync lab: "))
	return 1
}

func usage(w io.Writer) {
	fmt.Fprint(w, `pacesync lab: a cluster on this machine, its nodes made of namespaces (needs root).

  Each node has its own network, processes, /etc/corosync, /var/lib, /var/log,
  /run and /dev/shm. Its addresses exist inside only: network 0 is 10.78.0.ID.

usage: pacesync lab COMMAND [-l LAB] [OPTIONS] [ARGUMENTS]     (LAB: default "lab", or $PACESYNC_LAB)

`)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-7s %-42s\n          %s\n", c.name, c.args, c.help)
	}
	fmt.Fprint(w, `
A first walk, with our corosync under Debian's pacemaker:

  pacesync lab up -ours corosync -start token=1000
  pacesync lab status
  pacesync lab exec n1 crm_mon -1        any command, as on a real node
  pacesync lab cut n3                    n3 loses the network; look at status again
  pacesync lab heal
  pacesync lab kill n2 corosync
  pacesync lab log n1 | tail
  pacesync lab down
`)
}

func (c *call) open() (*lab.Lab, error) {
	l, err := lab.Open(c.name)
	if errors.Is(err, lab.ErrNone) {
		return nil, fmt.Errorf("%w (labs here: %s)", err, strings.Join(append(lab.List(), "no other"), ", "))
	}
	return l, err
}

// node finds the node that argument i names.
func (c *call) node(l *lab.Lab, name string) (*lab.Node, error) {
	n := l.Node(name)
	if n == nil {
		var names []string
		for _, m := range l.Nodes() {
			names = append(names, m.Name())
		}
		return nil, fmt.Errorf("lab: no node %q: %s has %s", name, l.Name(), strings.Join(names, ", "))
	}
	return n, nil
}

// openNode is for commands whose first argument is a node.
func (c *call) openNode() (*lab.Lab, *lab.Node, error) {
	l, err := c.open()
	if err != nil {
		return nil, nil, err
	}
	n, err := c.node(l, c.args[0])
	return l, n, err
}

// nodesOr returns the named nodes, or all members when no name is given.
func (c *call) nodesOr(l *lab.Lab, names []string) ([]*lab.Node, error) {
	if len(names) == 0 {
		return l.Members(), nil
	}
	var nodes []*lab.Node
	for _, name := range names {
		n, err := c.node(l, name)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func runUp(c *call) error {
	specs, err := specs(c.nodes, c.hosts, c.ours)
	if err != nil {
		return err
	}
	conf, err := parseConf(c.args)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("lab: own path: %w", err)
	}
	l, err := lab.Up(c.ctx, lab.Options{Name: c.name, Nodes: specs, Networks: c.networks, Bin: filepath.Dir(self)})
	if err != nil {
		return err
	}
	if err := l.WriteConf(conf); err != nil {
		return err
	}
	if c.start {
		if err := startAll(c, l, []lab.Part{lab.PartCorosync, lab.PartPacemaker}, l.Members()); err != nil {
			return err
		}
	}
	return picture(c.ctx, c.env.Stdout, l)
}

// specs reads -ours: WHAT for all nodes or NODE:WHAT for one, separated by commas.
func specs(nodes, hosts int, ours string) ([]lab.NodeSpec, error) {
	out := make([]lab.NodeSpec, nodes, nodes+max(hosts, 0))
	for i := range out {
		out[i].Name = fmt.Sprintf("n%d", i+1)
	}
	for _, item := range strings.FieldsFunc(ours, func(r rune) bool { return r == ',' }) {
		node, what, one := strings.Cut(item, ":")
		if !one {
			node, what = "", item
		}
		hit := false
		for i := range out {
			if one && out[i].Name != node {
				continue
			}
			hit = true
			s := &out[i]
			switch what {
			case "corosync":
				s.Corosync = lab.Ours
			case "pacemaker":
				s.Pacemaker = lab.Ours
			case "tools":
				s.Tools = lab.Ours
			case "all":
				s.Corosync, s.Pacemaker, s.Tools = lab.Ours, lab.Ours, lab.Ours
			default:
				s.Ours = append(s.Ours, what) // lab.Up knows whether there is such a program
			}
		}
		if !hit {
			return nil, fmt.Errorf("lab: -ours %q: there is no such node", item)
		}
	}
	for range hosts {
		out = append(out, lab.NodeSpec{Host: true})
	}
	return out, nil
}

// parseConf reads KEY=VALUE settings; the key names a section before a dot, totem by default.
func parseConf(args []string) (lab.Conf, error) {
	var conf lab.Conf
	for _, a := range args {
		key, val, ok := strings.Cut(a, "=")
		if !ok || key == "" {
			return conf, fmt.Errorf("lab: setting %q: want KEY=VALUE, such as token=1000 or quorum.two_node=1", a)
		}
		section, name, dotted := strings.Cut(key, ".")
		if !dotted {
			section, name = "totem", key
		}
		line := name + ": " + val
		switch {
		case key == "transport":
			conf.Transport = val
		case key == "ip_version" && val == "ipv6": // and the addresses with it
			conf.IPv6 = true
		case key == "key":
			conf.Key = val
		case key == "links":
			n, err := strconv.Atoi(val)
			if err != nil || n < 1 || n > lab.MaxNetworks {
				return conf, fmt.Errorf("lab: setting %q: 1 to %d links are possible", a, lab.MaxNetworks)
			}
			conf.Links = n
		case strings.HasPrefix(section, "link") && dotted:
			k, err := strconv.Atoi(strings.TrimPrefix(section, "link"))
			if err != nil || k < 0 || k >= lab.MaxNetworks {
				return conf, fmt.Errorf("lab: setting %q: links are link0 to link%d", a, lab.MaxNetworks-1)
			}
			for len(conf.Interfaces) <= k {
				conf.Interfaces = append(conf.Interfaces, nil)
			}
			conf.Interfaces[k] = append(conf.Interfaces[k], line)
		case section == "totem":
			conf.Totem = append(conf.Totem, line)
		case section == "quorum":
			conf.Quorum = append(conf.Quorum, line)
		case section == "logging":
			conf.Logging = append(conf.Logging, line)
		case section == "node":
			conf.Node = append(conf.Node, line)
		default:
			return conf, fmt.Errorf("lab: setting %q: sections are totem, quorum, logging, node and link0 to link7", a)
		}
	}
	return conf, nil
}

func runConf(c *call) error {
	l, err := c.open()
	if err != nil {
		return err
	}
	if len(c.args) > 0 {
		conf, err := parseConf(c.args)
		if err != nil {
			return err
		}
		only, err := c.nodesOr(l, strings.FieldsFunc(c.on, func(r rune) bool { return r == ',' }))
		if err != nil {
			return err
		}
		return l.WriteConf(conf, only...)
	}
	text, err := os.ReadFile(l.Members()[0].Path("/etc/corosync/corosync.conf"))
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	_, err = c.env.Stdout.Write(text)
	return err
}

// partsAndNodes reads [PART] [NODE…].
func (c *call) partsAndNodes(l *lab.Lab) ([]lab.Part, []*lab.Node, error) {
	parts := []lab.Part{lab.PartCorosync, lab.PartPacemaker}
	args := c.args
	if len(args) > 0 && l.Node(args[0]) == nil {
		switch p := lab.Part(args[0]); p {
		case lab.PartCorosync, lab.PartPacemaker:
			parts = []lab.Part{p}
		case lab.PartAll:
		default:
			return nil, nil, fmt.Errorf("lab: %q is neither a part (corosync, pacemaker, all) nor a node", args[0])
		}
		args = args[1:]
	}
	nodes, err := c.nodesOr(l, args)
	return parts, nodes, err
}

func runStart(c *call) error {
	l, err := c.open()
	if err != nil {
		return err
	}
	parts, nodes, err := c.partsAndNodes(l)
	if err != nil {
		return err
	}
	if err := startAll(c, l, parts, nodes); err != nil {
		return err
	}
	return picture(c.ctx, c.env.Stdout, l)
}

// startAll starts the parts and waits until each serves.
func startAll(c *call, l *lab.Lab, parts []lab.Part, nodes []*lab.Node) error {
	for _, part := range parts {
		for _, n := range nodes {
			if err := n.Start(c.ctx, part); err != nil {
				return err
			}
		}
		switch part {
		case lab.PartCorosync:
			fmt.Fprintln(c.env.Stdout, "corosync runs; waiting for the ring")
			for _, n := range nodes {
				if err := n.WaitServe(c.ctx); err != nil {
					return err
				}
			}
			if len(nodes) == len(l.Members()) && len(l.Faults()) == 0 {
				if err := l.WaitRing(c.ctx, nodes...); err != nil {
					return err
				}
			}
		case lab.PartPacemaker:
			fmt.Fprintln(c.env.Stdout, "pacemaker runs; waiting for a designated controller (some 20 s)")
			if _, err := nodes[0].WaitDC(c.ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func runStop(c *call) error {
	l, err := c.open()
	if err != nil {
		return err
	}
	parts, nodes, err := c.partsAndNodes(l)
	if err != nil {
		return err
	}
	for i := range parts {
		for _, n := range nodes {
			if err := n.Stop(c.ctx, parts[len(parts)-1-i]); err != nil { // pacemaker first
				return err
			}
		}
	}
	return nil
}

func runExec(c *call) error {
	if len(c.args) < 2 {
		return errUsage
	}
	_, n, err := c.openNode()
	if err != nil {
		return err
	}
	return become(n, c.args[1:])
}

// become replaces this process by a command inside the node, so that terminal,
// signals and exit status are the command's own.
func become(n *lab.Node, args []string) error {
	full, env, err := n.Become(args...)
	if err != nil {
		return err
	}
	if err := syscall.Exec(full[0], full, env); err != nil {
		return fmt.Errorf("lab: %s: %w", full[0], err)
	}
	return nil
}

func runLog(c *call) error {
	if len(c.args) < 1 {
		return errUsage
	}
	_, n, err := c.openNode()
	if err != nil {
		return err
	}
	file := "/var/log/corosync/corosync.log"
	if len(c.args) > 1 && c.args[1] == "pacemaker" {
		file = "/var/log/pacemaker/pacemaker.log"
	}
	f, err := os.Open(n.Path(file))
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	defer f.Close()
	_, err = io.Copy(c.env.Stdout, f)
	return err
}

func runDown(c *call) error {
	names := []string{c.name}
	if c.all {
		names = lab.List()
	}
	for _, name := range names {
		if err := lab.DownLeftover(name); err != nil {
			return err
		}
	}
	return nil
}

func runList(c *call) error {
	for _, name := range lab.List() {
		l, err := lab.Open(name)
		if err != nil {
			fmt.Fprintf(c.env.Stdout, "%-20s damaged; `pacesync lab down -l %s` clears it\n", name, name)
			continue
		}
		on := 0
		for _, n := range l.Nodes() {
			if n.On() {
				on++
			}
		}
		fmt.Fprintf(c.env.Stdout, "%-20s %d nodes, %d on, %d networks\n", name, len(l.Nodes()), on, l.Networks())
	}
	return nil
}
