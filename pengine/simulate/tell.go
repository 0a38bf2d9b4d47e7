package simulate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/pengine/change"
	"github.com/pacesync/pacesync/pengine/graph"
	"github.com/pacesync/pacesync/pengine/model"
)

// teller shows what is pretended, decided and executed, in the format of its
// output (the messages of pcmk_output.c and pe_output.c that are crm_simulate's).
type teller struct{ *pcmkout.Out }

// quiet says whether only the essential is shown; XML is for programs and complete.
func (t teller) quiet() bool { return t.Quiet && t.Format != pcmkout.XML }

// event shows something that is pretended or executed: an element of that name and
// attributes in XML, a line in text; nothing at all quietly. Attributes without
// value are left out.
func (t teller) event(text func() string, name string, attrs ...string) {
	switch {
	case t.quiet(), t.Format == pcmkout.None:
	case t.Format == pcmkout.XML:
		n := t.Node(name)
		for i := 0; i+1 < len(attrs); i += 2 {
			if attrs[i+1] != "" {
				n.Set(attrs[i], attrs[i+1])
			}
		}
	default:
		t.Item("", text())
	}
}

func (t teller) pseudo(e *graph.Event) {
	task, node := e.Attr("operation_key"), e.Attr("on_node")
	t.event(func() string {
		if node != "" {
			return "Pseudo action:   " + task + " on " + node
		}
		return "Pseudo action:   " + task
	}, "pseudo_action", "task", task, "node", node)
}

func (t teller) cluster(e *graph.Event) {
	task, node, rsc := e.Attr("operation"), e.Attr("on_node"), ""
	if e.Rsc != nil {
		rsc = e.Rsc.ID()
	}
	t.event(func() string {
		if rsc != "" {
			return "Cluster action:  " + task + " for " + rsc + " on " + node
		}
		return "Cluster action:  " + task + " on " + node
	}, "cluster_action", "task", task, "node", node, "id", rsc)
}

func (t teller) fencing(target, op string) {
	t.event(func() string { return "Fencing " + target + " (" + op + ")" }, "fencing_action", "target", target, "op", op)
}

func (t teller) resource(rsc, task, node string, ms uint32) {
	interval := ""
	if ms > 0 {
		interval = strconv.FormatUint(uint64(ms), 10)
	}
	t.event(func() string {
		if ms > 0 {
			task += "=" + interval
		}
		return fmt.Sprintf("Resource action: %-15s %s on %s", rsc, task, node)
	}, "rsc_action", "resource", rsc, "op", task, "node", node, "interval", interval)
}

// attribute shows a transient attribute that is put into a node's state.
func (t teller) attribute(name, value, element, id string) {
	path := "/" + element
	t.event(func() string { return "Injecting attribute " + name + "=" + value + " into " + path + " '" + id + "'" },
		"inject_attr", "name", name, "value", value, "node_path", path, "cib_node", id)
}

// modifications opens the list of what is pretended.
func (t teller) modifications(quorum, watchdog string) {
	switch {
	case t.quiet():
		return
	case t.Format == pcmkout.XML:
		n := t.Parent("modifications")
		if quorum != "" {
			n.Set("quorum", quorum)
		}
		if watchdog != "" {
			n.Set("watchdog", watchdog)
		}
		return
	}
	t.Begin("Performing Requested Modifications")
	if quorum != "" {
		t.Item("", "Setting quorum: "+quorum)
	}
	if watchdog != "" {
		t.Item("", "Setting watchdog: "+watchdog)
	}
}

func (t teller) modifiedNode(what, node string) {
	t.event(func() string {
		switch what {
		case "Online":
			return "Bringing node " + node + " online"
		case "Offline":
			return "Taking node " + node + " offline"
		}
		return "Failing node " + node
	}, "modify_node", "action", what, "node", node)
}

func (t teller) modifiedTicket(what, ticket string) {
	t.event(func() string {
		if what == "Standby" {
			return "Making ticket " + ticket + " standby"
		}
		return what + " ticket " + ticket
	}, "modify_ticket", "action", what, "ticket", ticket)
}

func (t teller) spec(spec string) {
	t.event(func() string { return "Injecting " + spec + " into the configuration" }, "inject_spec", "spec", spec)
}

// spacer leaves room when something was shown before.
func (t teller) spacer(before bool) {
	if before {
		t.Spacer()
	}
}

// shown shows what the engine told while it ran.
func (t teller) shown(s *model.Shown) {
	for i := range s.Lines {
		l := &s.Lines[i]
		switch {
		case l.Kind == model.ShownNotice:
			t.Info(l.Text)
		case t.Format == pcmkout.XML:
			t.lineXML(l)
		default:
			t.Item("", line(l))
		}
	}
	s.Lines = nil
}

func line(l *model.ShownLine) (text string) {
	switch l.Kind {
	case model.ShownScore:
		return l.By + ": " + l.Rsc + " allocation score on " + l.Node + ": " + l.Score
	case model.ShownPromotion:
		node := l.Node
		if node == "" {
			node = "none"
		}
		return l.Rsc + " promotion score on " + node + ": " + l.Score
	case model.ShownCapacity:
		text = l.By + ": " + l.Node + " capacity:"
	case model.ShownUtilization:
		text = l.By + ": " + l.Rsc + " utilization on " + l.Node + ":"
	}
	for _, a := range l.Amounts {
		text += " " + a[0] + "=" + a[1]
	}
	return text
}

func (t teller) lineXML(l *model.ShownLine) {
	switch l.Kind {
	case model.ShownScore:
		t.Node("node_weight", "function", l.By, "node", l.Node, "score", l.Score, "id", l.Rsc)
	case model.ShownPromotion:
		n := t.Node("promotion_score", "id", l.Rsc, "score", l.Score)
		if l.Node != "" {
			n.Set("node", l.Node)
		}
	case model.ShownCapacity:
		n := t.Node("capacity", "node", l.Node, "comment", l.By)
		for _, a := range l.Amounts {
			pcmkout.Add(n, a[0], a[1])
		}
	case model.ShownUtilization:
		n := t.Node("utilization", "resource", l.Rsc, "node", l.Node, "function", l.By)
		for _, a := range l.Amounts {
			pcmkout.Add(n, a[0], a[1])
		}
	}
}

// changes shows what the transition will do.
func (t teller) changes(c *change.Changes) {
	if t.Format != pcmkout.XML {
		for _, l := range c.Lines() {
			t.Item("", l)
		}
		return
	}
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.Reason != "" {
			t.Node("node_action", "task", n.What, "node", n.Name(), "reason", n.Reason)
		}
	}
	for i := range c.Resources {
		t.changeXML(&c.Resources[i])
	}
}

// changeXML says where and in which roles a resource was and will be: one node is
// where it is and stays, or goes; two are from where to where.
func (t teller) changeXML(c *change.Change) {
	n := t.Node("rsc_action", "action", strings.ToLower(c.What), "resource", c.Rsc.ID)
	role := c.Was > model.Started || c.Will > model.Unpromoted
	sameRole, sameNode := c.Was == c.Will, c.From != nil && c.From == c.To
	switch {
	case c.From == nil && c.To == nil:
	case c.From == nil && role:
		n.Set("role", c.Was.String())
		n.Set("next-role", c.Will.String())
		n.Set("dest", c.To.Name)
	case c.From == nil:
		n.Set("node", c.To.Name)
	case c.To == nil:
		if role {
			n.Set("role", c.Was.String())
		}
		n.Set("node", c.From.Name)
	case sameRole && sameNode:
		if role {
			n.Set("role", c.Was.String())
		}
		n.Set("source", c.From.Name)
	case sameRole:
		n.Set("source", c.From.Name)
		n.Set("dest", c.To.Name)
		if role {
			n.Set("role", c.Was.String())
		}
	case sameNode:
		n.Set("role", c.Was.String())
		n.Set("next-role", c.Will.String())
		n.Set("source", c.From.Name)
	default:
		n.Set("role", c.Was.String())
		n.Set("source", c.From.Name)
		n.Set("next-role", c.Will.String())
		n.Set("dest", c.To.Name)
	}
	if c.Why != "" {
		n.Set("reason", c.Why)
	}
	if c.Blocked {
		n.Set("blocked", "true")
	}
}
