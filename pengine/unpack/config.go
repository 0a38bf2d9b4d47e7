package unpack

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/internal/score"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// Option is a cluster option of the scheduler (pe_opts).
type Option struct {
	Name, Default string
	check         check
}

// Options returns the cluster options of the scheduler with their defaults.
func Options() []Option {
	return []Option{
		{"no-quorum-policy", "stop", oneOf("stop", "freeze", "ignore", "demote", "suicide")},
		{"symmetric-cluster", "true", boolean()},
		{"maintenance-mode", "false", boolean()},
		{"start-failure-is-fatal", "true", boolean()},
		{"enable-startup-probes", "true", boolean()},
		{"shutdown-lock", "false", boolean()},
		{"shutdown-lock-limit", "0", interval()},
		{"stonith-enabled", "true", boolean()},
		{"stonith-action", "reboot", oneOf("reboot", "off", "poweroff")},
		{"stonith-timeout", "60s", interval()},
		{"have-watchdog", "false", boolean()},
		{"concurrent-fencing", "false", boolean()},
		{"startup-fencing", "true", boolean()},
		{"priority-fencing-delay", "0", interval()},
		{"cluster-delay", "60s", interval()},
		{"batch-limit", "0", number()},
		{"migration-limit", "-1", number()},
		{"stop-all-resources", "false", boolean()},
		{"stop-orphan-resources", "true", boolean()},
		{"stop-orphan-actions", "true", boolean()},
		{"remove-after-stop", "false", boolean()},
		{"pe-error-series-max", "-1", number()},
		{"pe-warn-series-max", "5000", number()},
		{"pe-input-series-max", "4000", number()},
		{"node-health-strategy", "none", oneOf("none", "migrate-on-red", "only-green", "progressive", "custom")},
		{"node-health-base", "0", number()},
		{"node-health-green", "0", number()},
		{"node-health-yellow", "0", number()},
		{"node-health-red", "-INFINITY", number()},
		{"placement-strategy", "default", oneOf("default", "utilization", "minimal", "balanced")},
	}
}

// check is how an option is checked: what it may be, and what is said of it first.
type check struct {
	valid    func(string) bool
	complain func(c *model.Cluster, value string)
}

// Valid says whether the option may have that value.
func (o *Option) Valid(value string) bool { return o.check.valid(value) }

func silent(*model.Cluster, string) {}

func boolean() check {
	return check{func(s string) bool { _, ok := model.Bool(s); return ok }, silent}
}

func interval() check {
	return check{func(s string) bool { _, ok := iso8601.IntervalMS(s); return ok }, func(c *model.Cluster, s string) { c.Interval(s) }}
}

func number() check {
	return check{func(s string) bool { _, ok := score.Int(s); return ok || score.IsInfinite(s) }, func(c *model.Cluster, s string) { c.Int(s, 0) }}
}

func oneOf(values ...string) check {
	return check{func(s string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, s) })
	}, silent}
}

// options reads the cluster options (unpack_config).
func (u *unpacker) options(n *xmltree.Node) {
	all := map[string]string{}
	if n != nil {
		u.c.Apply(rules.ParseSets(n, "cluster_property_set", "cib-bootstrap-options", u.doc.Lookup), rules.Env{}, all, false)
	}
	for _, o := range Options() {
		if v, ok := all[o.Name]; ok && !o.Valid(v) {
			o.check.complain(u.c, v)
			u.c.Report(model.ConfigErr, "cluster_option_value", "Using default value for cluster option '"+o.Name+"' because '"+v+"' is invalid")
			all[o.Name] = o.Default
		} else if !ok {
			all[o.Name] = o.Default
		}
	}
	is := func(name string) bool { return model.True(all[name]) }
	opt := &u.c.Opt
	*opt = model.Options{
		All: all, StonithAction: all["stonith-action"], Strategy: strings.ToLower(all["placement-strategy"]),
		HealthStrategy: all["node-health-strategy"], StonithEnabled: is("stonith-enabled"), HaveStonith: is("have-watchdog"),
		ConcurrentFencing: is("concurrent-fencing"), StopOrphanResources: is("stop-orphan-resources"),
		StopOrphanActions: is("stop-orphan-actions"), StopEverything: is("stop-all-resources"),
		StartFailureFatal: is("start-failure-is-fatal"), RemoveAfterStop: is("remove-after-stop"),
		ShutdownLock: is("shutdown-lock"), StartupProbes: is("enable-startup-probes"), Symmetric: is("symmetric-cluster"),
		MaintenanceMode: is("maintenance-mode"), EnableUnfencing: u.usesUnfencing(),
	}
	opt.StartupFencing = opt.StonithEnabled && is("startup-fencing")
	if opt.StonithAction == "poweroff" {
		u.c.Report(model.PeWarn, "unpack_config", "Support for stonith-action of 'poweroff' is deprecated and will be removed in a future release (use 'off' instead)")
		opt.StonithAction = "off"
	}
	ms, _ := iso8601.IntervalMS(all["priority-fencing-delay"])
	opt.PriorityFencingDelay = int(ms / 1000)
	if opt.ShutdownLock {
		ms, _ = iso8601.IntervalMS(all["shutdown-lock-limit"])
		opt.ShutdownLockLimit = int64(ms / 1000)
	}
	u.quorumPolicy(all["no-quorum-policy"])
	if opt.RemoveAfterStop {
		u.c.Report(model.PeWarn, "unpack_config", "Support for the remove-after-stop cluster property is deprecated and will be removed in a future release")
	}
	u.health(all)
	if !opt.StartupFencing {
		u.c.Report(model.LogWarn, "unpack_config", "Blind faith: not fencing unseen nodes")
	}
}

func (u *unpacker) quorumPolicy(v string) {
	opt := &u.c.Opt
	switch strings.ToLower(v) {
	case "ignore":
		opt.NoQuorum = model.QuorumIgnore
	case "freeze":
		opt.NoQuorum = model.QuorumFreeze
	case "demote":
		opt.NoQuorum = model.QuorumDemote
	case "suicide":
		switch {
		case !opt.StonithEnabled:
			u.c.Report(model.ConfigErr, "unpack_config", "Resetting no-quorum-policy to 'stop' because fencing is disabled")
		case u.c.Panic || u.c.HaveQuorum:
			opt.NoQuorum = model.QuorumSuicide
		}
	}
}

// health decides what the health colours stand for (pe__unpack_node_health_scores).
func (u *unpacker) health(all map[string]string) {
	opt := &u.c.Opt
	opt.HealthBase = score.Parse(all["node-health-base"], score.Health{})
	switch strings.ToLower(opt.HealthStrategy) {
	case "none":
	case "migrate-on-red":
		opt.Health.Red = -model.Inf
	case "only-green":
		opt.Health.Red, opt.Health.Yellow = -model.Inf, -model.Inf
	default:
		opt.Health.Red = score.Parse(all["node-health-red"], score.Health{})
		opt.Health.Green = score.Parse(all["node-health-green"], score.Health{})
		opt.Health.Yellow = score.Parse(all["node-health-yellow"], score.Health{})
	}
}

// usesUnfencing says whether something in the configuration asks for unfencing.
func (u *unpacker) usesUnfencing() bool {
	conf := u.doc.Root.Child("configuration")
	asks := func(n *xmltree.Node) bool {
		if n.Name != "meta_attributes" {
			return false
		}
		found := false
		n.Each("nvpair", func(p *xmltree.Node) {
			name := p.Attr("name")
			found = found || ((name == "provides" || name == "requires") && p.Attr("value") == "unfencing")
		})
		return found
	}
	return conf.Child("resources").Find(asks) != nil || conf.Child("rsc_defaults").Find(asks) != nil
}

// nodes reads the nodes section (unpack_nodes).
func (u *unpacker) nodes(n *xmltree.Node) {
	n.Each("node", func(x *xmltree.Node) {
		id, ok := x.Get("id")
		if !ok {
			u.c.Report(model.ConfigErr, "unpack_nodes", "Ignoring <node> entry in configuration without id")
			return
		}
		if u.c.Node(x.Attr("uname")) != nil {
			u.c.Report(model.ConfigWarn, "pe_create_node", "More than one node entry has name '"+x.Attr("uname")+"'")
		}
		node := u.c.AddNode(id, x.Attr("uname"), u.kindOf(x), u.score(x.Attr("score")))
		u.startupFencing(node)
		u.nodeAttrs(x, node, false)
		u.c.Apply(u.sets(x, "utilization"), rules.Env{}, node.Utilization, false)
	})
}

// kindOf reads the type of a node (pe_create_node).
func (u *unpacker) kindOf(x *xmltree.Node) model.NodeKind {
	typ, has := x.Get("type")
	switch {
	case !has, strings.EqualFold(typ, "member"):
		return model.Member
	case strings.EqualFold(typ, "remote"):
		return model.Remote
	case !strings.EqualFold(typ, "ping"):
		name, named := x.Get("uname")
		if !named {
			name = "without name"
		}
		u.c.Report(model.ConfigWarn, "pe_create_node", "Node "+name+" has unrecognized type '"+typ+"', assuming 'ping'")
	}
	if !u.ping {
		u.ping = true
		name, named := x.Get("uname")
		if !named {
			name = "unnamed node"
		}
		u.c.Report(model.PeWarn, "pe_create_node", "Support for nodes of type 'ping' (such as "+name+") is deprecated and will be removed in a future release")
	}
	return model.Ping
}

// startupFencing marks a node that nothing is known about (handle_startup_fencing).
func (u *unpacker) startupFencing(n *model.Node) {
	if n.Kind == model.Remote && n.RemoteRsc == nil {
		return
	}
	n.Unclean, n.Unseen = u.c.Opt.StartupFencing, true
}

// nodeAttrs reads node attributes from a node or its transient attributes
// (add_node_attrs).
func (u *unpacker) nodeAttrs(x *xmltree.Node, n *model.Node, overwrite bool) {
	c := u.c
	n.Attrs["#uname"], n.Attrs["#id"] = n.Name, n.ID
	n.Attrs["#is_dc"] = "false"
	if c.DCUUID != "" && strings.EqualFold(n.ID, c.DCUUID) {
		c.DC, n.IsDC = n, true
		n.Attrs["#is_dc"] = "true"
	}
	cluster, named := c.Opt.All["cluster-name"]
	if named {
		n.Attrs["#cluster-name"] = cluster
	}
	c.Apply(u.sets(x, "instance_attributes"), rules.Env{}, n.Attrs, overwrite)
	if _, have := n.Attrs["#site-name"]; !have {
		if site, ok := n.Attrs["site-name"]; ok {
			n.Attrs["#site-name"] = site
		} else if named {
			n.Attrs["#site-name"] = cluster
		}
	}
}
