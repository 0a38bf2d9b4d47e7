package labcmd

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/lab"
)

func runCut(c *call) error {
	if len(c.args) < 1 || len(c.args) > 2 {
		return errUsage
	}
	l, err := c.open()
	if err != nil {
		return err
	}
	from, to := c.args[0], lab.Any
	if len(c.args) == 2 {
		to = c.args[1]
	}
	for _, name := range c.args {
		if _, err := c.node(l, name); err != nil {
			return err
		}
	}
	faults := []lab.Fault{{From: from, To: to, Net: c.network, Percent: 100, KeepARP: c.oneWay, Larger: c.larger}}
	if !c.oneWay {
		faults = append(faults, lab.Fault{From: to, To: from, Net: c.network, Percent: 100, Larger: c.larger})
	}
	return l.AddFaults(faults...)
}

func runLoss(c *call) error {
	if len(c.args) != 1 {
		return errUsage
	}
	percent, err := strconv.ParseFloat(strings.TrimSuffix(c.args[0], "%"), 64)
	if err != nil {
		return fmt.Errorf("lab: loss %q: want a number between 0 and 100", c.args[0])
	}
	l, err := c.open()
	if err != nil {
		return err
	}
	return l.Loss(percent)
}

// runRough holds bad cables until it is interrupted, and counts what they did.
func runRough(c *call) error {
	if len(c.args) < 2 {
		return errUsage
	}
	how, err := lab.ParseRough(c.args[1:])
	if err != nil {
		return err
	}
	l, err := c.open()
	if err != nil {
		return err
	}
	node := c.args[0]
	if node == "all" {
		node = lab.Any
	} else if _, err := c.node(l, node); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	relay, err := l.Rough(node, c.network, how)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.env.Stdout, "%s: %v; interrupt it to end that\n", c.args[0], how)
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			s := relay.Stats()
			fmt.Fprintf(c.env.Stdout, "\r%d packets, %d twice, %d overtaken ", s.Passed, s.Duplicated, s.Overtaken)
		case <-ctx.Done():
		}
	}
	fmt.Fprintln(c.env.Stdout)
	return relay.Close()
}

// links are the networks that -net names.
func (c *call) links(l *lab.Lab) ([]int, error) {
	if c.network >= l.Networks() || c.network < lab.AllNetworks {
		return nil, fmt.Errorf("lab: network %d: the lab has 0 to %d", c.network, l.Networks()-1)
	}
	if c.network != lab.AllNetworks {
		return []int{c.network}, nil
	}
	var all []int
	for k := range l.Networks() {
		all = append(all, k)
	}
	return all, nil
}

func runMTU(c *call) error {
	if len(c.args) != 2 {
		return errUsage
	}
	mtu, err := strconv.Atoi(c.args[1])
	if err != nil {
		return fmt.Errorf("lab: MTU %q: want a number of bytes", c.args[1])
	}
	l, err := c.open()
	if err != nil {
		return err
	}
	nets, err := c.links(l)
	if err != nil {
		return err
	}
	nodes := l.Nodes()
	if c.args[0] != "all" {
		if nodes, err = c.nodesOr(l, c.args[:1]); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		for _, k := range nets {
			if err := n.SetMTU(k, mtu); err != nil {
				return err
			}
		}
	}
	return nil
}

func runInterface(c *call) error {
	if len(c.args) != 2 {
		return errUsage
	}
	l, n, err := c.openNode()
	if err != nil {
		return err
	}
	k := max(c.network, 0)
	if k >= l.Networks() {
		return fmt.Errorf("lab: network %d: the lab has 0 to %d", k, l.Networks()-1)
	}
	switch c.args[1] {
	case "up", "down":
		return n.SetInterface(k, c.args[1] == "up")
	case "addr", "noaddr":
		return n.SetAddr(k, c.args[1] == "addr")
	}
	return errUsage
}

func runHeal(c *call) error {
	l, err := c.open()
	if err != nil {
		return err
	}
	switch len(c.args) {
	case 0:
		return l.Heal()
	case 1:
		return l.HealBetween(c.args[0], lab.Any)
	case 2:
		return l.HealBetween(c.args[0], c.args[1])
	}
	return errUsage
}

func runKill(c *call) error {
	if len(c.args) != 2 {
		return errUsage
	}
	sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(c.signal), "SIG"))
	if sig == 0 {
		return fmt.Errorf("lab: no signal %q", c.signal)
	}
	_, n, err := c.openNode()
	if err != nil {
		return err
	}
	part := lab.Part(c.args[1])
	switch part {
	case lab.PartCorosync, lab.PartPacemaker, lab.PartAll:
	default:
		return fmt.Errorf("lab: part %q: want corosync, pacemaker or all", part)
	}
	count := n.Signal(part, sig)
	if count == 0 {
		return fmt.Errorf("lab: %s: no process of %s", n.Name(), part)
	}
	fmt.Fprintf(c.env.Stdout, "%s: %s sent to %d processes\n", n.Name(), unix.SignalName(sig), count)
	return nil
}

func runPower(c *call) error {
	if len(c.args) != 2 {
		return errUsage
	}
	_, n, err := c.openNode()
	if err != nil {
		return err
	}
	switch c.args[1] {
	case "on":
		return n.PowerOn(c.ctx)
	case "off":
		return n.PowerOff(c.ctx)
	}
	return errUsage
}

func runPs(c *call) error {
	l, err := c.open()
	if err != nil {
		return err
	}
	nodes := l.Nodes()
	if len(c.args) > 0 {
		if nodes, err = c.nodesOr(l, c.args); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.env.Stdout, "%-8s %7s %7s %s %8s  %-10s %s\n", "NODE", "PID", "INSIDE", "S", "RSS KiB", "WHOSE", "PROGRAM")
	for _, n := range nodes {
		for _, p := range n.Ps() {
			fmt.Fprintf(c.env.Stdout, "%-8s %7d %7d %c %8d  %-10s %s\n", n.Name(), p.PID, p.NSPID, p.State, p.RSS, n.Origin(p), strings.Join(p.Args, " "))
		}
	}
	return nil
}
