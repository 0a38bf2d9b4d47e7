package explain

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// remedy is a kind of change that may undo a reason, smallest first in the table.
type remedy struct {
	name   string
	undoes []Kind
	make   func(g *goal, f Finding) []Step
}

// remedies returns the table. Whatever it proposes counts only after the engine was
// seen to do what is wanted.
func remedies() []remedy {
	return []remedy{
		{"clear-failure", []Kind{Failures, OnFail, NotHere, HardError, FatalError, StopFailed, BlockedFailure, FailStop, NodeStandbyOnFail, MultipleActive, Recovers}, clearFailure},
		{"end-standby", []Kind{NodeStandby}, endStandby},
		{"end-maintenance", []Kind{NodeMaintenance, MaintenanceMode, ResourceMaintenance}, endMaintenance},
		{"manage", []Kind{IsUnmanaged}, setMeta("is-managed", "true")},
		{"start", []Kind{TargetRole}, setMeta("target-role", "Started")},
		{"promote", []Kind{TargetUnpromoted}, setMeta("target-role", "Promoted")},
		{"start-all", []Kind{StopAll}, startAll},
		{"remove-location", []Kind{Location, LocationRule}, removeLocation},
		{"fence-device", []Kind{NoFencing}, addFencing},
		{"heal", []Kind{Health}, heal},
		{"grant-ticket", []Kind{NoTicket, TicketLost, TicketStandby}, grantTicket},
		{"release-lock", []Kind{Locked}, releaseLock},
		{"clone-max", []Kind{CloneMax}, moreInstances},
		{"capacity", []Kind{Capacity}, moreRoom},
		{"discover", []Kind{Undiscovered}, discover},
		{"node-up", []Kind{NodeOffline, NodeUnseen}, nodeUp},
		{"confirm-off", []Kind{CannotFence, NodeUnclean}, confirmOff},
		{"quorum", []Kind{NoQuorum}, quorum},
		{"remove-colocation", []Kind{Elsewhere, NotRunningWith, Apart}, removeConstraint("rsc_colocation")},
		{"remove-order", []Kind{WaitsForOrder, NoPartner}, removeConstraint("rsc_order")},
	}
}

// Remedies lists the names of the kinds of changes, smallest first, and the reasons
// that they undo.
func Remedies() (names []string, kinds [][]Kind) {
	for _, r := range remedies() {
		names, kinds = append(names, r.name), append(kinds, r.undoes)
	}
	return append(names, "add-score", "raise-score"), append(kinds, nil, nil)
}

// maxAsked bounds how many resources that a resource depends on are looked at.
const maxAsked = 8

// candidates proposes changes for what the answer found, and for what the resource
// depends on.
func (g *goal) candidates(a *Answer) []Step {
	found := g.findings(a)
	asked := []string{a.Resource}
	for i := 0; i < len(found) && len(asked) < maxAsked; i++ {
		f := found[i]
		if f.Rsc == "" || slices.Contains(asked, f.Rsc) || !slices.Contains([]Kind{WaitsForOrder, WaitsFor, NoPartner, NotRunningWith, Elsewhere, Member}, f.Kind) {
			continue
		}
		asked = append(asked, f.Rsc)
		if other, err := g.e.Resource(Query{Resource: f.Rsc}); err == nil {
			found = append(found, g.findings(other)...)
		}
	}
	var out []Step
	for _, r := range remedies() {
		for _, f := range found {
			if !slices.Contains(r.undoes, f.Kind) {
				continue
			}
			for _, s := range r.make(g, f) {
				s.Remedy = r.name
				if !slices.ContainsFunc(out, func(o Step) bool { return o.Text == s.Text }) {
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// findings are the reasons that stand in the way: those of the resource, those
// against the node, and what ties it to another node.
func (g *goal) findings(a *Answer) []Finding {
	rsc := a.Resource
	if a.Leader != "" {
		rsc = a.Leader
	}
	var out []Finding
	add := func(f Finding) {
		if f.Rsc == "" && f.Kind != Member {
			f.Rsc = rsc
		}
		out = append(out, f)
	}
	for _, f := range a.Reasons {
		add(f)
	}
	for _, n := range a.Nodes {
		here := g.node == nil || n.Node == g.node.Name
		for _, f := range n.Reasons {
			if here && (f.Ban() || f.Scored() && f.Score < 0 || f.Kind == CloneMax) || !here && n.Chosen && f.Kind == Location && f.Score >= model.Inf {
				add(f)
			}
		}
		for _, f := range slices.Concat(n.Choice, n.Promoted) {
			if here && (f.Kind == TargetUnpromoted || f.Ban()) {
				add(f)
			}
		}
	}
	return out
}

func one(text, command string, apply func(cib *xmltree.Node)) []Step {
	return []Step{{Text: text, Command: command, Apply: apply}}
}

func clearFailure(g *goal, f Finding) []Step {
	node := f.Node
	if f.Of != "" && (f.Kind == FatalError || f.Kind == FailStop) {
		node = f.Of
	}
	ids := map[string]bool{}
	var named string
	g.e.walk(func(r *model.Resource) {
		if r.ID == f.Rsc || r.XMLID == f.Rsc {
			named = r.XMLID
			for _, k := range family(r) {
				ids[k.XMLID] = true
			}
		}
	})
	if named == "" || node == "" {
		return nil
	}
	n := g.e.c.Node(node)
	if n == nil {
		return nil
	}
	return one("clear the failure of "+named+" on "+node, "crm_resource --cleanup --resource "+named+" --node "+node,
		func(cib *xmltree.Node) { forget(cib, n, ids) })
}

// forget takes the failures of resources on a node out of the status, of all when
// ids is nil.
func forget(cib *xmltree.Node, n *model.Node, ids map[string]bool) {
	mine := func(id string) bool { return ids == nil || ids[id] || ids[model.BaseName(id)] }
	var gone []*xmltree.Node
	nodeState(cib, n).Child("transient_attributes").Each("instance_attributes", func(b *xmltree.Node) {
		b.Each("nvpair", func(p *xmltree.Node) {
			for _, prefix := range []string{"fail-count-", "last-failure-"} {
				if rest, ok := strings.CutPrefix(p.Attr("name"), prefix); ok {
					if id, _, _ := strings.Cut(rest, "#"); mine(id) {
						gone = append(gone, p)
					}
				}
			}
		})
	})
	nodeState(cib, n).Path("lrm", "lrm_resources").Each("lrm_resource", func(l *xmltree.Node) {
		if !mine(l.ID()) {
			return
		}
		l.Each("lrm_rsc_op", func(o *xmltree.Node) {
			if strings.HasSuffix(o.ID(), "_last_failure_0") || o.Attr("rc-code") != "0" && o.Attr("rc-code") != "7" && o.Attr("rc-code") != "8" ||
				o.Attr("op-status") != "0" && o.Attr("op-status") != "-1" {
				gone = append(gone, o)
			}
		})
	})
	for _, x := range gone {
		x.Remove()
	}
}

// nodeState returns the state of a node in a CIB, nil when there is none.
func nodeState(cib *xmltree.Node, n *model.Node) *xmltree.Node {
	var found *xmltree.Node
	cib.Child("status").Each("node_state", func(x *xmltree.Node) {
		if found == nil && strings.EqualFold(x.Attr("uname"), n.Name) {
			found = x
		}
	})
	return found
}

func endStandby(g *goal, f Finding) []Step {
	return unsetNodeAttr(g, f.Node, "standby", "end the standby of ")
}

func unsetNodeAttr(g *goal, node, name, text string) []Step {
	n := g.e.c.Node(node)
	if n == nil {
		return nil
	}
	cmd := "crm_attribute --node " + node + " --name " + name + " --delete"
	if x := nodeState(g.e.cib, n); x != nil && nvpair(x.Child("transient_attributes"), "instance_attributes", name) != nil {
		cmd += " --lifetime reboot"
	}
	return one(text+node, cmd, func(cib *xmltree.Node) {
		for p := nodeAttr(cib, n, name); p != nil; p = nodeAttr(cib, n, name) {
			p.Remove()
		}
	})
}

func endMaintenance(g *goal, f Finding) []Step {
	switch f.Kind {
	case NodeMaintenance:
		return unsetNodeAttr(g, f.Node, "maintenance", "end the maintenance of ")
	case MaintenanceMode:
		return option("maintenance-mode", "false", f.ID)
	}
	return setMeta("maintenance", "false")(g, f)
}

func startAll(_ *goal, f Finding) []Step { return option("stop-all-resources", "false", f.ID) }

func option(name, value, id string) []Step {
	return one("set "+name+" to "+value, "crm_attribute --name "+name+" --update "+value, func(cib *xmltree.Node) { setByID(cib, "nvpair", id, "value", value) })
}

// setMeta changes the meta attribute that the finding names.
func setMeta(name, value string) func(*goal, Finding) []Step {
	return func(g *goal, f Finding) []Step {
		id := f.ID
		if id == "" {
			return nil
		}
		rsc := f.Rsc
		g.e.walk(func(r *model.Resource) {
			if (r.ID == f.Rsc || r.XMLID == f.Rsc) && rsc == f.Rsc {
				for p := r; p != nil; p = p.Parent {
					if x, _ := g.e.run.Element(p); nvpair(x, "meta_attributes", name) != nil {
						rsc = p.XMLID
						return
					}
				}
			}
		})
		return one("set "+name+" of "+rsc+" to "+value, "crm_resource --resource "+rsc+" --meta --set-parameter "+name+" --parameter-value "+value,
			func(cib *xmltree.Node) { setByID(cib, "nvpair", id, "value", value) })
	}
}

func removeLocation(g *goal, f Finding) []Step {
	id := f.ID
	if f.Kind == LocationRule {
		id = f.Of
	}
	cmd := "cibadmin --delete --scope constraints --xml-text '<rsc_location id=\"" + id + "\"/>'"
	if strings.HasPrefix(id, "cli-ban-") || strings.HasPrefix(id, "cli-prefer-") {
		if x := byID(g.e.cib, "rsc_location", id); x != nil {
			cmd = "crm_resource --clear --resource " + x.Attr("rsc") + " --node " + f.Node
		}
	}
	return one("remove location constraint "+id, cmd, func(cib *xmltree.Node) { removeByID(cib, "rsc_location", id) })
}

func removeConstraint(tag string) func(*goal, Finding) []Step {
	return func(_ *goal, f Finding) []Step {
		return one("remove constraint "+f.ID, "cibadmin --delete --scope constraints --xml-text '<"+tag+" id=\""+f.ID+"\"/>'", func(cib *xmltree.Node) { removeByID(cib, tag, f.ID) })
	}
}

// addFencing stands for any fence device.
func addFencing(*goal, Finding) []Step {
	return one("configure a fence device", "", func(cib *xmltree.Node) {
		place(cib, "configuration", "resources").AddNew("primitive", xmltree.Attr{Name: "id", Value: "fencing"},
			xmltree.Attr{Name: "class", Value: "stonith"}, xmltree.Attr{Name: "type", Value: "fence_any"})
	})
}

func heal(g *goal, f Finding) []Step {
	n := g.e.c.Node(f.Node)
	if n == nil {
		return nil
	}
	return one("mend what makes "+f.Node+" unhealthy ("+health(n)+")", "", func(cib *xmltree.Node) {
		for name := range n.Attrs {
			for strings.HasPrefix(name, "#health") {
				p := nodeAttr(cib, n, name)
				if p == nil {
					break
				}
				p.Remove()
			}
		}
	})
}

func grantTicket(_ *goal, f Finding) []Step {
	text, cmd, name, value := "grant ticket "+f.Rsc, "crm_ticket --ticket "+f.Rsc+" --grant", "granted", "true"
	if f.Kind == TicketStandby {
		text, cmd, name, value = "activate ticket "+f.Rsc, "crm_ticket --ticket "+f.Rsc+" --activate", "standby", "false"
	}
	return one(text, cmd, func(cib *xmltree.Node) {
		tickets := place(cib, "status", "tickets")
		var state *xmltree.Node
		tickets.Each("ticket_state", func(x *xmltree.Node) {
			if x.ID() == f.Rsc {
				state = x
			}
		})
		if state == nil {
			state = tickets.AddNew("ticket_state", xmltree.Attr{Name: "id", Value: f.Rsc})
		}
		state.Set(name, value)
	})
}

func releaseLock(g *goal, f Finding) []Step {
	n := g.e.c.Node(f.Value)
	if n == nil {
		return nil
	}
	off := option("shutdown-lock", "false", g.e.optionID("shutdown-lock"))
	return append(off, one("release the lock of "+f.Rsc+" to "+f.Value, "crm_resource --refresh --resource "+f.Rsc+" --node "+f.Value, func(cib *xmltree.Node) {
		nodeState(cib, n).Path("lrm", "lrm_resources").Each("lrm_resource", func(l *xmltree.Node) {
			if l.ID() == f.Rsc || model.BaseName(l.ID()) == f.Rsc {
				l.Unset("shutdown-lock")
			}
		})
	})...)
}

func moreInstances(g *goal, f Finding) []Step {
	top := g.s.top.Top()
	if !top.IsClone() {
		return nil
	}
	limit := itoa(top.Clone.Max + 1)
	id := g.e.metaID(top, "clone-max")
	return one("raise clone-max of "+top.ID+" to "+limit, "crm_resource --resource "+top.ID+" --meta --set-parameter clone-max --parameter-value "+limit,
		func(cib *xmltree.Node) { setByID(cib, "nvpair", id, "value", limit) })
}

func moreRoom(g *goal, f Finding) []Step {
	n := g.e.c.Node(f.Node)
	if n == nil {
		return nil
	}
	d := decider(g.s.parts[0])
	var text, cmd []string
	raise := map[string]string{}
	for name, v := range d.Utilization {
		need, left := model.Int(v, 0), 0
		if have, ok := n.Utilization[name]; ok {
			left = model.Int(have, -1<<31)
		}
		if need <= left {
			continue
		}
		total := 0
		if p := utilizationPair(g.e.cib, n, name); p != nil {
			total = atoi(p.Attr("value"))
		}
		raise[name] = itoa(total + need - left)
		text = append(text, name+" to "+raise[name])
		cmd = append(cmd, "crm_attribute --node "+n.Name+" --utilization --name "+name+" --update "+raise[name])
	}
	if len(raise) == 0 {
		return nil
	}
	slices.Sort(cmd)
	return one("raise the capacity of "+n.Name+": "+sorted(text), strings.Join(cmd, "; "), func(cib *xmltree.Node) {
		for name, v := range raise {
			if p := utilizationPair(cib, n, name); p != nil {
				p.Set("value", v)
			} else if x := nodeElement(cib, n); x != nil {
				place(x, "utilization").AddNew("nvpair", xmltree.Attr{Name: "id", Value: "raised-" + name}, xmltree.Attr{Name: "name", Value: name}, xmltree.Attr{Name: "value", Value: v})
			}
		}
	})
}

func nodeElement(cib *xmltree.Node, n *model.Node) *xmltree.Node {
	var found *xmltree.Node
	cib.Path("configuration", "nodes").Each("node", func(x *xmltree.Node) {
		if strings.EqualFold(x.Attr("uname"), n.Name) {
			found = x
		}
	})
	return found
}

func utilizationPair(cib *xmltree.Node, n *model.Node, name string) *xmltree.Node {
	return nvpair(nodeElement(cib, n), "utilization", name)
}

func discover(g *goal, f Finding) []Step {
	x := xmltree.New("rsc_location", xmltree.Attr{Name: "id", Value: g.e.freeID("discover-" + g.owner() + "-" + f.Node)}, xmltree.Attr{Name: "rsc", Value: g.owner()},
		xmltree.Attr{Name: "node", Value: f.Node}, xmltree.Attr{Name: "score", Value: "0"}, xmltree.Attr{Name: "resource-discovery", Value: "exclusive"})
	return one("name "+f.Node+" in a constraint with resource-discovery=exclusive as well", "cibadmin --create --scope constraints --xml-text '"+x.String()+"'",
		func(cib *xmltree.Node) { place(cib, "configuration", "constraints").Add(x.Copy()) })
}

func nodeUp(g *goal, f Finding) []Step {
	n := g.e.c.Node(f.Node)
	if n == nil || n.Kind != model.Member {
		return nil
	}
	return one("start the cluster on "+f.Node, "", func(cib *xmltree.Node) {
		x := nodeState(cib, n)
		if x == nil {
			x = place(cib, "status").AddNew("node_state", xmltree.Attr{Name: "id", Value: n.ID}, xmltree.Attr{Name: "uname", Value: n.Name})
		}
		setAll(x, "in_ccm", "true", "crmd", "online", "join", "member", "expected", "member")
	})
}

func confirmOff(g *goal, f Finding) []Step {
	n := g.e.c.Node(f.Node)
	if n == nil || n.Kind != model.Member {
		return nil
	}
	return one("when "+f.Node+" is surely off, say so", "stonith_admin --confirm "+f.Node, func(cib *xmltree.Node) {
		if x := nodeState(cib, n); x != nil {
			setAll(x, "in_ccm", "false", "crmd", "offline", "join", "down", "expected", "down")
			for _, part := range []string{"lrm", "transient_attributes"} {
				if c := x.Child(part); c != nil {
					c.Remove()
				}
			}
		}
	})
}

func setAll(x *xmltree.Node, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		x.Set(pairs[i], pairs[i+1])
	}
}

func quorum(*goal, Finding) []Step {
	return one("regain quorum", "", func(cib *xmltree.Node) { cib.Set("have-quorum", "1") })
}
