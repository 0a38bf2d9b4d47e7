package crmresource

import (
	"fmt"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
	"github.com/pacesync/pacesync/pengine/show"
	"github.com/pacesync/pacesync/pengine/unpack"

	"golang.org/x/sys/unix"
)

var errNone = failed(pcmk.RC(unix.ENXIO))

// view shows everything of the cluster.
func (p *program) view() *show.View {
	return &show.View{Out: p.out, Cluster: p.c, Now: p.now, Nodes: show.Everything, Rscs: show.Everything}
}

// show carries out a command that only shows.
func (p *program) show() error {
	o := p.o
	switch o.command {
	case list:
		if !p.view().ResourceList(show.InactiveRscs|show.RscOnly|show.Pending, true, false) {
			return errNone
		}
	case listRaw:
		return p.names()
	case listCTS:
		for _, r := range p.c.Resources {
			p.ctsLine(r)
		}
		p.ctsConstraints()
	case activeOps, allOps:
		p.operations(o.command == activeOps)
	case queryXML, queryRaw:
		p.configuration(o.command == queryXML)
	case locate:
		p.locate()
	case why:
		p.why()
	case getParam:
		p.parameter()
	case getProperty:
		return p.property()
	case constraints:
		p.constraints()
	case digests:
		return p.digests()
	}
	return nil
}

func (p *program) names() error {
	if len(p.c.Resources) == 0 {
		p.out.Err("NO resources configured\n")
		return errNone
	}
	p.out.Begin("Resource Names")
	var add func(r *model.Resource)
	add = func(r *model.Resource) {
		if len(r.Children) == 0 {
			p.out.Item("resource", r.ID)
		}
		for _, k := range r.Children {
			add(k)
		}
	}
	for _, r := range p.c.Resources {
		add(r)
	}
	p.out.End()
	return nil
}

func orNA(s string) string {
	if s == "" {
		return "NA"
	}
	return s
}

// ctsLine is a line for the cluster test suite.
func (p *program) ctsLine(r *model.Resource) {
	x, _ := p.r.Element(r)
	name, parent, host := r.CloneName, "NA", "NA"
	if name == "" {
		name = r.ID
	}
	if r.Parent != nil {
		parent = r.Parent.ID
	}
	if n := r.Current(); n != nil {
		host = n.Name
	}
	quorum := 1
	if strings.EqualFold(r.Class, "stonith") {
		quorum = 0
	}
	null := func(s string) string {
		if s == "" {
			return "(null)"
		}
		return s
	}
	flags := originalFlags(r)
	p.out.Infof("Resource: %s %s %s %s %s %s %s %s %d %d 0x%016x", x.Name, r.ID, name, parent, orNA(r.Prov), null(r.Class), null(r.Type), host,
		quorum, flags, flags)
	for _, k := range r.Children {
		p.ctsLine(k)
	}
}

// originalFlags are the flags of a resource as the original numbers them (pe_rsc_*).
func originalFlags(r *model.Resource) (f uint64) {
	f = 1 << 18 // pe_rsc_runnable, which only scheduling takes away
	for _, b := range []struct {
		flag model.Flag
		bit  uint
	}{{model.Orphan, 0}, {model.Managed, 1}, {model.Block, 2}, {model.OrphanFiller, 3}, {model.Notify, 4}, {model.Unique, 5},
		{model.FenceDevice, 6}, {model.Promotable, 7}, {model.Provisional, 8}, {model.Allocating, 9}, {model.Merging, 10},
		{model.Restarting, 11}, {model.StopOnFail, 12}, {model.Reload, 13}, {model.AllowRemoteRemotes, 14}, {model.Critical, 15},
		{model.Failed, 16}, {model.StartPending, 19}, {model.Starting, 20}, {model.Stopping, 21}, {model.StopUnexpected, 22},
		{model.AllowMigrate, 23}, {model.FailureIgnored, 24}, {model.InMaintenance, 26}, {model.IsContainer, 27},
		{model.NeedsQuorum, 28}, {model.NeedsFencing, 29}, {model.NeedsUnfencing, 30}} {
		if r.Is(b.flag) {
			f |= 1 << b.bit
		}
	}
	return f
}

func (p *program) ctsConstraints() {
	p.root.Path("configuration", "constraints").Elements(func(n *xmltree.Node) {
		if n.Name == "rsc_colocation" && n.ID() != "" {
			p.out.Infof("Constraint %s %s %s %s %s %s %s", n.Name, n.ID(), orNA(n.Attr("rsc")), orNA(n.Attr("with-rsc")),
				orNA(n.Attr("score")), orNA(n.Attr("rsc-role")), orNA(n.Attr("with-rsc-role")))
		}
	})
}

// operations shows the history, or only what is active (find_operations).
func (p *program) operations(active bool) {
	opened := false
	p.root.Child("status").Each("node_state", func(state *xmltree.Node) {
		name := state.Attr("uname")
		n := p.c.Node(name)
		if n == nil || p.o.node != nil && !strings.EqualFold(name, *p.o.node) || !n.Online && !p.c.Opt.StonithEnabled {
			return
		}
		for _, h := range p.c.Histories[name] {
			if p.o.id != nil && !strings.EqualFold(h.ID, *p.o.id) {
				continue
			}
			ops := unpack.SortedOps(h)
			if active {
				start, stop := unpack.ActiveOps(ops)
				if start < stop {
					continue
				}
				ops = ops[max(start, 0):]
			}
			for _, o := range ops {
				if !opened {
					opened = true
					p.out.Begin("Resource Operations")
				}
				p.operation(name, h.ID, o)
			}
		}
	})
	if opened {
		p.out.End()
	}
}

// operation shows one recorded operation (message "node-and-op").
func (p *program) operation(node, rsc string, o *model.HistoryOp) {
	r := p.c.Find(rsc)
	status := pcmk.ExecUnknown.String()
	if o.StatusText != "" {
		status = pcmk.ExecStatus(model.Int(o.StatusText, int(pcmk.ExecUnknown))).String()
	}
	at := ""
	if o.HasLastChange {
		at = p.view().Epoch(o.LastChange)
	}
	if p.out.Format == pcmkout.XML {
		x := p.out.Node("operation", "op", o.Key, "node", node)
		setIf(x, "call", o.CallText)
		setIf(x, "rc", o.RCText)
		x.Set("status", status)
		if r != nil {
			x.Set("rsc", r.PrintID())
			prov := ""
			if strings.EqualFold(r.Class, "ocf") {
				prov = r.Prov
			}
			x.Set("agent", r.Class+":"+prov+":"+r.Type)
		}
		if o.HasLastChange {
			x.Set("last-rc-change", at)
			setIf(x, "exec-time", o.ExecTime)
		}
		return
	}
	what := "Unknown resource " + rsc
	if r != nil {
		n := r.Current()
		if n == nil {
			n = r.PendingNode
		}
		what = show.Describe(r, r.PrintID(), n, show.RscOnly|show.Pending, false)
	}
	if o.HasLastChange {
		at = ", last-rc-change='" + at + "', exec=" + o.ExecTime + "ms"
	}
	p.out.Item("", fmt.Sprintf("%s: %s (node=%s, call=%s, rc=%s%s): %s", what, o.Key, node, o.CallText, o.RCText, at, status))
}

func setIf(n *xmltree.Node, name, value string) {
	if value != "" {
		n.Set(name, value)
	}
}

// configuration shows a resource and its XML.
func (p *program) configuration(expanded bool) {
	x, raw := p.r.Element(p.rsc)
	if !expanded {
		x = raw
	}
	if number, ok := p.rsc.Meta["clone"]; ok && p.rsc.Variant != model.Clone {
		x = x.Copy()
		x.Set("clone", number)
	}
	p.out.Begin("Resource Config")
	p.view().Resource(p.rsc, show.Pending, show.Everything)
	if p.out.Format == pcmkout.Text {
		p.out.Print("Resource XML:\n")
	}
	p.out.Document("xml", string(x.AppendPacemaker(nil, xmltree.TextOptions{Format: true})))
	p.out.End()
}

// place is where a resource runs.
type spot struct {
	node     string
	promoted bool
}

// spots are the nodes of a resource, last first (cli_resource_search).
func (p *program) spots() (out []spot) {
	r := p.rsc
	add := func(k *model.Resource, promoted bool) {
		for _, n := range k.RunningOn {
			out = append([]spot{{n.Name, promoted}}, out...)
		}
	}
	top := r.Top()
	switch {
	case r.IsClone():
	case top.IsClone() && !r.Is(model.Unique) && r.CloneName != "" && strings.EqualFold(*p.o.id, r.CloneName) && !strings.EqualFold(*p.o.id, r.ID):
		r = top
	default:
		add(r, r.State(true) == model.Promoted)
		return out
	}
	for _, k := range r.Children {
		add(k, r.Is(model.Promotable) && k.State(true) == model.Promoted)
	}
	return out
}

func (p *program) locate() {
	spots := p.spots()
	if p.out.Format == pcmkout.XML {
		p.out.Parent("nodes", "resource", *p.o.id)
		for _, s := range spots {
			n := p.out.TextNode("node", s.node)
			if s.promoted {
				n.Set("state", "promoted")
			}
		}
		return
	}
	if len(spots) == 0 {
		if !p.out.Quiet {
			p.out.Err("resource " + *p.o.id + " is NOT running")
		}
		return
	}
	p.out.Begin("Nodes")
	for _, s := range spots {
		text := s.node
		if !p.out.Quiet {
			text = "resource " + *p.o.id + " is running on: " + s.node
			if s.promoted {
				text += " Promoted"
			}
		}
		p.out.Item("node", text)
	}
	p.out.End()
}

// parameter shows one parameter of a resource.
func (p *program) parameter() {
	n, all, _ := p.rsc.ActiveOn()
	if all > 1 {
		p.out.Err(p.rsc.ID + " is active on more than one node, returning the default value for " + p.o.name)
		n = nil
	}
	var params map[string]string
	switch p.o.kind {
	case "instance_attributes":
		params = p.rsc.Params(n)
	case "meta_attributes":
		params = p.rsc.Meta
	default:
		params = p.rsc.Utilization
	}
	value, ok := params[p.o.name]
	switch {
	case !ok:
		p.out.Err("Attribute '" + p.o.name + "' not found for '" + p.rsc.ID + "'")
	case p.out.Format == pcmkout.XML:
		p.out.Begin("Attributes")
		p.out.Item(p.o.name, value)
		p.out.End()
	default:
		p.out.Print(value + "\n")
	}
}

func (p *program) property() error {
	x, _ := p.r.Element(p.rsc)
	value, ok := x.Get(p.o.name)
	switch {
	case !ok:
	case p.out.Format == pcmkout.XML:
		p.out.Begin("Properties")
		p.out.Item(p.o.name, value)
		p.out.End()
	default:
		p.out.Print(value + "\n")
	}
	return nil
}
