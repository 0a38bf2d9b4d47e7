package show

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// nodeName is a node as it is shown: a guest with its host and a node with its id
// where details are wanted (pe__node_display_name).
func (v *View) nodeName(n *model.Node) string {
	name := n.Name
	if !v.Opts.is(NodeID) {
		return name
	}
	if n.IsGuest() {
		name += "@"
		if host := n.RemoteRsc.Container.Current(); host != nil {
			name += host.Name
		}
	}
	if !strings.EqualFold(n.Name, n.ID) {
		name += " (" + n.ID + ")"
	}
	return name
}

// featureSet is what a cluster node announces, empty for others.
func featureSet(n *model.Node) string {
	if !n.Online || n.IsGuest() || n.IsRemote() {
		return ""
	}
	if v, ok := n.Attrs["#feature-set"]; ok {
		return v
	}
	return "<3.15.1"
}

func (v *View) mixedVersion() bool {
	first := ""
	for _, n := range v.Cluster.Nodes {
		f := featureSet(n)
		if f != "" && first != "" && f != first {
			return true
		}
		if first == "" {
			first = f
		}
	}
	return false
}

// NodeList shows the nodes.
func (v *View) NodeList(spacer bool) bool {
	switch v.Format {
	case pcmkout.XML:
		v.Begin("nodes")
		for _, n := range v.Cluster.Nodes {
			if v.Nodes.node(n.Name) {
				v.nodeXML(n)
			}
		}
		v.End()
		return true
	case pcmkout.HTML:
		list := section{v: v, title: "Node List"}
		for _, n := range v.Cluster.Nodes {
			if v.Nodes.node(n.Name) {
				list.show()
				v.nodeHTML(n)
			}
		}
		return list.end()
	}
	return v.nodeListText(spacer)
}

func (v *View) nodeListText(spacer bool) bool {
	list := section{v: v, title: "Node List", spacer: spacer}
	var online, onlineRemote, onlineGuest, offline, offlineRemote []string
	for _, n := range v.Cluster.Nodes {
		if !v.Nodes.node(n.Name) {
			continue
		}
		list.show()
		name := v.nodeName(n)
		switch {
		case n.Unclean || n.Pending || (n.StandbyOnFail && n.Online) || n.Standby || n.Maintenance ||
			v.Opts.is(RscsByNode|FeatureSet) || v.Health(n) <= 0:
			v.nodeText(n)
		case n.Online && n.IsGuest():
			onlineGuest = append(onlineGuest, name)
		case n.Online && n.IsRemote():
			onlineRemote = append(onlineRemote, name)
		case n.Online:
			online = append(online, name)
		case n.IsRemote():
			offlineRemote = append(offlineRemote, name)
		case !n.IsGuest():
			offline = append(offline, name)
		}
	}
	for _, l := range []struct {
		name  string
		nodes []string
	}{{"Online", online}, {"OFFLINE", offline}, {"RemoteOnline", onlineRemote}, {"RemoteOFFLINE", offlineRemote}, {"GuestOnline", onlineGuest}} {
		if l.nodes != nil {
			v.Item(l.name, "[ "+strings.Join(l.nodes, " ")+" ]")
		}
	}
	return list.end()
}

// nodeText shows one node, and what runs there where resources are grouped so.
func (v *View) nodeText(n *model.Node) {
	kind := "Node"
	switch {
	case n.IsGuest():
		kind = "GuestNode"
	case n.IsRemote():
		kind = "RemoteNode"
	}
	line := kind + " " + v.nodeName(n) + ": " + nodeState(n)
	switch h := v.Health(n); {
	case h < 0:
		line += " (health is RED)"
	case h == 0:
		line += " (health is YELLOW)"
	}
	if f := featureSet(n); f != "" && v.Opts.is(FeatureSet) {
		line += ", feature set " + f
	}
	if !v.Opts.is(RscsByNode) {
		v.Item("", line)
		return
	}
	if v.Opts.is(Brief) {
		rscs := v.filterRscs(n.Running)
		if rscs == nil {
			return
		}
		v.Begin(line)
		v.Begin("Resources")
		v.briefly(rscs, (v.Opts|RscOnly)&^InactiveRscs)
	} else {
		v.Begin(line)
		v.Begin("Resources")
		for _, r := range n.Running {
			v.Resource(r, v.Opts|RscOnly, v.Rscs)
		}
	}
	v.End()
	v.End()
}

func nodeState(n *model.Node) string {
	switch {
	case n.Unclean && n.Online:
		return "UNCLEAN (online)"
	case n.Unclean && n.Pending:
		return "UNCLEAN (pending)"
	case n.Unclean:
		return "UNCLEAN (offline)"
	case n.Pending:
		return "pending"
	case n.StandbyOnFail && n.Online:
		return "standby (on-fail)"
	case n.Standby && n.Online && len(n.Running) > 0:
		return "standby (with active resources)"
	case n.Standby && n.Online:
		return "standby"
	case n.Standby:
		return "OFFLINE (standby)"
	case n.Maintenance && n.Online:
		return "maintenance"
	case n.Maintenance:
		return "OFFLINE (maintenance)"
	case n.Online:
		return "online"
	}
	return "OFFLINE"
}

// nodeHead opens the list of what belongs to a node.
func (v *View) nodeHead(n *model.Node) {
	switch v.Format {
	case pcmkout.XML:
		v.Parent("node", "name", n.Name)
	case pcmkout.HTML:
		v.Begin(v.nodeName(n) + ":")
	default:
		v.Begin("Node: " + v.nodeName(n))
	}
}

func (v *View) nodeXML(n *model.Node) {
	kind := [...]string{model.Member: "member", model.Ping: "ping", model.Remote: "remote"}[n.Kind]
	health := [...]string{"red", "yellow", "green"}[v.Health(n)+1]
	x := v.Parent("node", "name", n.Name, "id", n.ID, "online", btoa(n.Online), "standby", btoa(n.Standby),
		"standby_onfail", btoa(n.StandbyOnFail), "maintenance", btoa(n.Maintenance), "pending", btoa(n.Pending),
		"unclean", btoa(n.Unclean), "health", health)
	if f := featureSet(n); f != "" {
		x.Set("feature_set", f)
	}
	for _, a := range [][2]string{{"shutdown", btoa(n.Shutdown)}, {"expected_up", btoa(n.ExpectedUp)}, {"is_dc", btoa(n.IsDC)},
		{"resources_running", strconv.Itoa(len(n.Running))}, {"type", kind}} {
		x.Set(a[0], a[1])
	}
	if n.IsGuest() {
		x.Set("id_as_resource", n.RemoteRsc.Container.ID)
	}
	if v.Opts.is(RscsByNode) {
		for _, r := range n.Running {
			v.Resource(r, v.Opts|RscOnly, v.Rscs)
		}
	}
	v.End()
}

func (v *View) nodeHTML(n *model.Node) {
	if !v.Opts.is(RscsByNode) {
		x := v.Node("li")
		pcmkout.Span(x, "bold", v.nodeName(n)+":")
		v.nodeStatusHTML(x, n)
		return
	}
	v.Begin(v.nodeName(n) + ":")
	x := v.Parent("li")
	pcmkout.Span(x, "", "Status:")
	v.nodeStatusHTML(x, n)
	if v.Opts.is(Brief) {
		if rscs := v.filterRscs(n.Running); rscs != nil {
			v.Begin("Resources")
			v.briefly(rscs, (v.Opts|RscOnly)&^InactiveRscs)
			v.End()
		}
	} else {
		list := section{v: v, title: "Resources"}
		for _, r := range n.Running {
			list.show()
			v.Resource(r, v.Opts|RscOnly, v.Rscs)
		}
		list.end()
	}
	v.Pop()
	v.End()
}

func (v *View) nodeStatusHTML(x *xmltree.Node, n *model.Node) {
	if n.Online {
		pcmkout.Span(x, "online", " online")
	} else {
		pcmkout.Span(x, "offline", " OFFLINE")
	}
	busy := len(n.Running) > 0
	switch {
	case n.StandbyOnFail && busy:
		pcmkout.Span(x, "standby", " (in standby due to on-fail, with active resources)")
	case n.StandbyOnFail:
		pcmkout.Span(x, "standby", " (in standby due to on-fail)")
	case n.Standby && busy:
		pcmkout.Span(x, "standby", " (in standby, with active resources)")
	case n.Standby:
		pcmkout.Span(x, "standby", " (in standby)")
	}
	if n.Maintenance {
		pcmkout.Span(x, "maint", " (in maintenance mode)")
	}
	switch h := v.Health(n); {
	case h < 0:
		pcmkout.Span(x, "health_red", " (health is RED)")
	case h == 0:
		pcmkout.Span(x, "health_yellow", " (health is YELLOW)")
	}
	if f := featureSet(n); f != "" && v.Opts.is(FeatureSet) {
		pcmkout.Span(x, "", ", feature set "+f)
	}
}

// Health is 1 for a healthy node, 0 for a doubtful and -1 for a sick one.
func (v *View) Health(n *model.Node) int {
	o := &v.Cluster.Opt
	switch strings.ToLower(o.HealthStrategy) {
	case "", "none":
		return 1
	}
	h := 1
	for k, value := range n.Attrs {
		if !strings.HasPrefix(k, "#health") {
			continue
		}
		s := score.Parse(value, o.Health)
		switch {
		case strings.EqualFold(value, "red"):
			return -1
		case strings.EqualFold(value, "yellow"):
			h = 0
		case s <= o.Health.Red:
			return -1
		case s <= o.Health.Yellow && o.Health.Yellow != o.Health.Green:
			h = 0
		}
	}
	return h
}

// attributes shows the node attributes that are not the cluster's own.
func (v *View) attributes(spacer bool) bool {
	list := section{v: v, title: "Node Attributes", spacer: spacer}
	for _, n := range v.Cluster.Nodes {
		if !n.Online || !v.Nodes.node(n.Name) {
			continue
		}
		var names []string
		for name := range n.Attrs {
			if !ownAttribute(name) {
				names = append(names, name)
			}
		}
		if names == nil {
			continue
		}
		slices.Sort(names)
		list.show()
		v.nodeHead(n)
		for _, name := range names {
			expected, ping := pingScore(n, n.Running, name)
			v.attribute(name, n.Attrs[name], ping, expected)
		}
		v.End()
	}
	return list.end()
}

func ownAttribute(name string) bool {
	for _, p := range []string{"fail-count", "last-failure", "shutdown", "terminate", "standby", "#"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// pingScore says which value the attribute has while all hosts that a ping
// resource watches answer; ok is false for other attributes.
func pingScore(n *model.Node, rscs []*model.Resource, attr string) (want int, ok bool) {
	for _, r := range rscs {
		if want, ok = pingScore(n, r.Children, attr); ok {
			return want, true
		}
		if !strings.EqualFold(r.Type, "ping") && !strings.EqualFold(r.Type, "pingd") {
			continue
		}
		params := r.Params(n)
		name, named := params["name"]
		if !named {
			name = "pingd"
		}
		if !strings.EqualFold(name, attr) {
			continue
		}
		hosts := 0
		if list, ok := params["host_list"]; ok && list != "" {
			hosts = len(strings.Split(list, " "))
		}
		each := 1
		if m, ok := score.LeadingInt(params["multiplier"]); ok {
			each = int(m)
		}
		return hosts * each, true
	}
	return 0, false
}

func (v *View) attribute(name, value string, ping bool, expected int) {
	n, _ := score.LeadingInt(value)
	switch v.Format {
	case pcmkout.XML:
		x := v.Node("attribute", "name", name, "value", value)
		if ping {
			x.Set("expected", strconv.Itoa(expected))
		}
	case pcmkout.HTML:
		if !ping {
			v.Item("", name+": "+value)
			return
		}
		x := v.Node("li")
		pcmkout.Span(x, "", name+": "+value)
		if n <= 0 {
			pcmkout.Span(x, "bold", "(connectivity is lost)")
		} else if int(n) < expected {
			pcmkout.Span(x, "bold", fmt.Sprintf("(connectivity is degraded -- expected %d", expected))
		}
	default:
		line := fmt.Sprintf("%-32s\t: %-10s", name, value)
		switch {
		case ping && n <= 0:
			line += "\t: Connectivity is lost"
		case ping && int(n) < expected:
			line += fmt.Sprintf("\t: Connectivity is degraded (Expected=%d)", expected)
		}
		v.Item("", line)
	}
}
