// Package show presents the state of a cluster in every output format: summary,
// nodes, resources, attributes, history, failures, fencing, tickets and bans.
//
// crm_mon, crm_resource and crm_simulate call it with a cluster that pengine.Status
// made and a pcmkout.Out to write to. It replaces the messages of
// lib/pengine/{pe_output,native,group,clone,bundle}.c, lib/fencing/st_output.c and
// "cluster-status" of lib/pacemaker/pcmk_output.c. Pure.
package show

import (
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// Sections says what to show (pcmk_section_e).
type Sections uint32

// The sections.
const (
	Stack Sections = 1 << iota
	DC
	Times
	Counts
	Options
	Nodes
	Resources
	Attributes
	Failcounts
	Operations
	FenceFailed
	FencePending
	FenceWorked
	Tickets
	Bans
	Failures
	MaintMode

	Fencing = FenceFailed | FencePending | FenceWorked
	Summary = Stack | DC | Times | Counts | MaintMode
	All     = MaintMode<<1 - 1
)

// Opts says how to show it (pcmk_show_opt_e).
type Opts uint32

// The options.
const (
	Brief Opts = 1 << iota
	CloneDetail
	NodeID
	ImplicitRscs
	Timing
	InactiveRscs
	RscsByNode
	Pending
	RscOnly
	FailedDetail
	FeatureSet

	Details = CloneDetail | NodeID | ImplicitRscs | FailedDetail | FeatureSet
)

func (o Opts) is(f Opts) bool { return o&f != 0 }

// Filter is a set of names, or all names.
type Filter struct {
	All   bool
	Names []string
}

// Everything is the filter that lets all names pass.
var Everything = Filter{All: true}

func (f Filter) has(name string) bool {
	if f.All {
		return true
	}
	for _, n := range f.Names {
		if n == name {
			return true
		}
	}
	return false
}

// node is has for names of nodes, whose case does not matter.
func (f Filter) node(name string) bool {
	if f.All {
		return true
	}
	for _, n := range f.Names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func (f Filter) empty() bool { return !f.All && len(f.Names) == 0 }

// NodeFilter is what --node NAME means: a node, or the nodes of a tag
// (utils.c: pe__build_node_name_list).
func NodeFilter(c *model.Cluster, name string) (f Filter) {
	switch {
	case name == "" || name == "*":
		return Everything
	case c.Node(name) != nil:
		return Filter{Names: []string{name}}
	}
	if t := c.Tags[name]; t != nil {
		for _, id := range t.Refs {
			for _, n := range c.Nodes {
				if strings.EqualFold(n.ID, id) {
					f.Names = append(f.Names, n.Name)
					break
				}
			}
		}
	}
	return f
}

// RscFilter is what --resource NAME means: a resource, or those of a tag
// (utils.c: pe__build_rsc_list).
func RscFilter(c *model.Cluster, name string) (f Filter) {
	if name == "" || name == "*" {
		return Everything
	}
	if r := Find(c, name); r != nil {
		if strings.Contains(name, ":") {
			return Filter{Names: []string{r.ID}}
		}
		return Filter{Names: []string{r.PrintID()}}
	}
	if t := c.Tags[name]; t != nil {
		for _, id := range t.Refs {
			if r := Find(c, id); r != nil {
				f.Names = append(f.Names, r.PrintID())
			}
		}
	}
	return f
}

// Find returns the resource of that id, under any name it goes by: with or without
// instance number, or as its history has it (pe_find_renamed|pe_find_any).
func Find(c *model.Cluster, id string) *model.Resource {
	return findIn(c.Resources, id)
}

func findIn(list []*model.Resource, id string) *model.Resource {
	for _, r := range list {
		if r.ID == id || r.CloneName == id || model.BaseName(r.ID) == id {
			return r
		}
		if k := findIn(r.Children, id); k != nil {
			return k
		}
		if r.Bundle != nil {
			for _, rep := range r.Bundle.Replicas {
				if k := findIn(present(rep.IP, rep.Child, rep.Container, rep.Remote), id); k != nil {
					return k
				}
			}
		}
	}
	return nil
}

func present(list ...*model.Resource) (out []*model.Resource) {
	for _, r := range list {
		if r != nil {
			out = append(out, r)
		}
	}
	return out
}

// Facts are what only the display wants from a CIB.
type Facts struct {
	Stack, DCVersion             string // empty: unknown
	Quorum                       bool
	Written, User, Client, Where string // last change
	NodeStates                   []string
}

// ReadFacts takes the facts from a CIB.
func ReadFacts(cib *xmltree.Node) (f Facts) {
	seen := map[string]int{}
	cib.Find(func(n *xmltree.Node) bool {
		if n.Name == "nvpair" {
			name, value := n.Attr("name"), n.Attr("value")
			seen[name]++
			switch name {
			case "dc-version":
				f.DCVersion = value
			case "cluster-infrastructure":
				f.Stack = value
			}
		}
		return false
	})
	if seen["dc-version"] > 1 {
		f.DCVersion = ""
	}
	switch seen["cluster-infrastructure"] {
	case 0:
		f.Stack = "unknown"
	case 1:
	default:
		f.Stack = "unknown"
	}
	f.Quorum = model.True(cib.Attr("have-quorum"))
	f.Written, f.User = cib.Attr("cib-last-written"), cib.Attr("update-user")
	f.Client, f.Where = cib.Attr("update-client"), cib.Attr("update-origin")
	cib.Child("status").Each("node_state", func(n *xmltree.Node) { f.NodeStates = append(f.NodeStates, n.ID()) })
	return f
}

// View is one presentation of a cluster.
type View struct {
	*pcmkout.Out
	Cluster  *model.Cluster
	Facts    Facts
	Now      time.Time // shown as the time of the update; its zone is that of all times shown
	Nodes    Filter
	Rscs     Filter
	Sections Sections
	Opts     Opts
	Prefix   string // of the ids of bans to show, empty for all
	Fencing  *FenceHistory
}

// FenceHistory is what the fencer remembers, newest first.
type FenceHistory struct {
	Status pcmk.Exit // of the request
	Events []FenceEvent
}

// section opens a list before its first item, with room before it when asked for.
type section struct {
	v      *View
	title  string
	spacer bool
	open   bool
}

func (s *section) show() {
	if s.open {
		return
	}
	s.open = true
	if s.spacer {
		s.v.Spacer()
	}
	s.v.Begin(s.title)
}

func (s *section) end() bool {
	if s.open {
		s.v.End()
	}
	return s.open
}

// Status shows the sections of the view and says whether it wrote anything
// (pcmk__cluster_status_text and its variants for XML and HTML).
func (v *View) Status() (wrote bool) {
	has := func(s Sections) bool { return v.Sections&s != 0 }
	xml := v.Format == pcmkout.XML
	step := func(ok bool, f func(spacer bool) bool) {
		if ok && f(wrote && !v.Tree()) {
			wrote = true
		}
	}
	step(true, func(bool) bool { return v.summary() })
	step(has(Nodes) && (xml || !v.Nodes.empty()), func(sp bool) bool { return v.NodeList(sp) })
	step(has(Resources), func(sp bool) bool {
		opts := v.Opts
		if xml {
			opts &^= Brief
		}
		return v.ResourceList(opts, !xml, sp)
	})
	step(has(Attributes), v.attributes)
	step(has(Operations|Failcounts), v.nodeSummary)
	step(has(Failures), v.failures)
	if xml {
		step(v.Sections&Fencing == Fencing && v.Fencing != nil, v.fullFencing)
	} else {
		step(has(FenceFailed) && v.Fencing != nil, v.failedFencing)
	}
	if v.Format == pcmkout.HTML {
		step(has(Fencing) && v.Fencing != nil, v.otherFencing)
	}
	step(has(Tickets), v.tickets)
	step(has(Bans), v.bans)
	if v.Format == pcmkout.Text {
		step(has(Fencing) && v.Fencing != nil, v.otherFencing)
	}
	return wrote
}

// Epoch shows a time as ctime(3) does.
func (v *View) Epoch(at int64) string { return ctime(time.Unix(at, 0).In(v.Now.Location())) }

func ctime(t time.Time) string { return t.Format(time.ANSIC) }

// ISOTime shows a time with its offset (crm_time_as_string with date, time and zone).
func (v *View) ISOTime(at int64) string {
	t := time.Unix(at, 0).In(v.Now.Location())
	if _, off := t.Zone(); off == 0 {
		return t.Format("2006-01-02 15:04:05Z")
	}
	return t.Format("2006-01-02 15:04:05 -07:00")
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

func btoa(b bool) string {
	if b {
		return "true"
	}
	return "false"
}
