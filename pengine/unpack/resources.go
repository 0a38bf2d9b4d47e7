package unpack

import (
	"strings"

	"github.com/pacesync/pacesync/internal/rules"
	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

// config is what one element of the configuration says, read once for all instances.
type config struct {
	n                         *xmltree.Node // with its template merged in
	template                  string
	meta, params, utilization []rules.Set
	ops                       []*model.Op
	bad                       bool
}

func (u *unpacker) config(n *xmltree.Node) *config {
	if k := u.conf[n]; k != nil {
		return k
	}
	name, templated := n.Get("template")
	k := &config{n: n, template: name}
	u.conf[n] = k
	if templated {
		if k.n = u.mergeTemplate(n, name); k.n == nil {
			k.bad = true
			return k
		}
	}
	k.meta, k.params = u.sets(k.n, "meta_attributes"), u.sets(k.n, "instance_attributes")
	k.utilization = u.sets(k.n, "utilization")
	k.ops = u.ops(k.n.Child("operations"))
	return k
}

// mergeTemplate returns a copy of the template with what n says added (unpack_template).
func (u *unpacker) mergeTemplate(n *xmltree.Node, name string) *xmltree.Node {
	var tmpl *xmltree.Node
	u.doc.section("resources").Each("template", func(t *xmltree.Node) {
		if tmpl == nil && t.ID() == name {
			tmpl = t
		}
	})
	if name == n.ID() {
		u.c.Report(model.PeErr, "unpack_template", "The resource object '"+name+"' should not reference itself")
		return nil
	}
	if tmpl == nil {
		u.c.Report(model.PeErr, "unpack_template", "No template named '"+name+"'")
		return nil
	}
	out := tmpl.Copy()
	out.Name = n.Name
	out.Set("id", n.ID())
	inherited := out.Child("operations")
	var own *xmltree.Node
	n.Elements(func(c *xmltree.Node) {
		k := out.Add(c.Copy())
		if k.Name == "operations" {
			own = k
		}
	})
	if inherited != nil && own != nil {
		have := map[string]bool{}
		own.Elements(func(op *xmltree.Node) { have[templateOpKey(op)] = true })
		inherited.Elements(func(op *xmltree.Node) {
			if !have[templateOpKey(op)] {
				own.Add(op.Copy())
			}
		})
		inherited.Remove()
	}
	return out
}

func templateOpKey(op *xmltree.Node) string {
	role, has := op.Get("role")
	if r := rules.ParseRole(role); !has || r == model.Started || r == model.Unpromoted {
		role = model.Unknown.String()
	}
	return op.Attr("name") + "-" + role
}

func (u *unpacker) ops(n *xmltree.Node) []*model.Op {
	if n == nil {
		return nil
	}
	if n = u.doc.Expand(n); n == nil {
		return nil
	}
	var out []*model.Op
	n.Each("op", func(x *xmltree.Node) {
		op := &model.Op{ID: x.ID(), Name: x.Attr("name"), IntervalMS: u.c.Interval(x.Attr("interval")), Timeout: x.Attr("timeout"), OnFail: x.Attr("on-fail"),
			Meta: u.sets(x, "meta_attributes"), Params: u.sets(x, "instance_attributes")}
		op.Role, op.HasRole = x.Get("role")
		enabled, ok := model.Bool(x.Attr("enabled"))
		op.Disabled = ok && !enabled
		for _, a := range x.Attrs {
			op.Attrs = append(op.Attrs, rules.Pair{Name: a.Name, Value: a.Value})
		}
		out = append(out, op)
	})
	return out
}

// resources reads the resources section and everything implied by it (unpack_resources).
func (u *unpacker) resources(list []*xmltree.Node) {
	c := u.c
	for _, n := range list {
		if n.ID() == "" {
			c.Report(model.ConfigErr, "unpack_resources", "Ignoring <"+n.Name+"> resource without ID")
			continue
		}
		if n.Name == "template" {
			if _, have := c.Templates[n.ID()]; !have {
				c.Templates[n.ID()] = nil
			}
			continue
		}
		r := u.resource(n, "", nil)
		if r == nil {
			c.Report(model.ConfigErr, "unpack_resources", "Ignoring <"+n.Name+"> resource '"+n.ID()+"' because configuration is invalid")
			continue
		}
		c.Resources = append(c.Resources, r)
		c.Register(r)
	}
	for _, r := range c.Resources {
		u.setupContainer(r)
		u.linkRemote(r)
	}
	model.MergeSort(c.Resources, func(a, b *model.Resource) int { return int(b.Priority) - int(a.Priority) })
	if c.Opt.StonithEnabled && !c.Opt.HaveStonith {
		c.Report(model.ConfigErr, "unpack_resources", "Resource start-up disabled since no STONITH resources have been defined")
		c.Report(model.ConfigErr, "unpack_resources", "Either configure some or disable STONITH with the stonith-enabled option")
		c.Report(model.ConfigErr, "unpack_resources", "NOTE: Clusters with shared data need STONITH to ensure data integrity")
	}
}

func variantOf(tag string) (model.Variant, bool) {
	switch strings.ToLower(tag) {
	case "primitive":
		return model.Primitive, true
	case "group":
		return model.Group, true
	case "clone", "master":
		return model.Clone, true
	case "bundle":
		return model.Bundle, true
	}
	return 0, false
}

// resource reads one resource and what is in it; instance is its number within a
// clone, empty for none; nil when it is invalid (pe__unpack_resource).
func (u *unpacker) resource(n *xmltree.Node, instance string, parent *model.Resource) *model.Resource {
	c := u.c
	if _, ok := n.Get("id"); !ok {
		return nil
	}
	k := u.config(n)
	variant, known := variantOf(n.Name)
	if k.bad {
		return nil
	}
	if !known {
		c.Report(model.PeErr, "pe__unpack_resource", "Ignoring resource '"+n.ID()+"' of unknown type '"+n.Name+"'")
		return nil
	}
	r := &model.Resource{XMLID: k.n.ID(), ID: k.n.ID(), Tag: k.n.Name, Class: k.n.Attr("class"), Type: k.n.Attr("type"),
		Descr: k.n.Attr("description"), Variant: variant, Parent: parent, Meta: map[string]string{}, Utilization: map[string]string{},
		ParamSets: k.params, Ops: k.ops, MigrationThreshold: model.Inf, Role: model.Stopped}
	r.Prov, r.HasProv = k.n.Get("provider")
	c.AddResource(r)
	u.doc.rsc[r] = element{k.n, n}
	if instance != "" {
		r.ID += ":" + instance
		r.Meta["clone"] = instance
	}
	u.meta(r, k)
	r.Set(model.Provisional)
	guest := u.flags(r, k.n)
	u.recovery(r)
	u.requires(r)
	remote := r.IsRemoteConn && !guest
	r.FailureTimeout = int64(c.Interval(r.Meta["failure-timeout"]) / 1000)
	if v, ok := r.Params(nil)["reconnect_interval"]; ok && remote {
		r.ReconnectMS = c.Interval(v)
		r.FailureTimeout = int64(r.ReconnectMS / 1000)
	}
	if role, ok := TargetRole(r); ok {
		r.NextRole = role
	}
	if !u.children(r, k.n, instance) {
		return nil
	}
	if c.Opt.Symmetric {
		r.AddNeutral()
	} else if guest {
		r.AddScore(nil, 0, model.CauseNone)
	}
	c.Apply(k.utilization, rules.Env{}, r.Utilization, false)
	if k.template != "" {
		model.AddTag(c.Templates, k.template, n.ID())
	}
	return r
}

func (u *unpacker) children(r *model.Resource, n *xmltree.Node, instance string) bool {
	switch r.Variant {
	case model.Group:
		u.group(r, n, instance)
	case model.Clone:
		return u.clone(r, n)
	case model.Bundle:
		return u.bundle(r, n)
	default:
		return u.primitive(r)
	}
	return true
}

// meta collects the meta attributes of r: its own, those of what holds it, defaults
// (get_meta_attributes).
func (u *unpacker) meta(r *model.Resource, k *config) {
	env := rules.Env{Agent: &rules.Agent{Class: r.Class, Provider: r.Prov, Type: r.Type}}
	for _, a := range k.n.Attrs {
		if _, have := r.Meta[a.Name]; !have && !strings.EqualFold(a.Value, "#default") {
			r.Meta[a.Name] = a.Value
		}
	}
	u.c.Apply(k.meta, env, r.Meta, false)
	if r.Parent != nil {
		inherited := map[string]string{}
		for p := r.Parent; p != nil; p = p.Parent {
			if pk := u.metaOf[p]; pk != nil {
				u.c.Apply(pk.meta, env, inherited, false)
			}
		}
		addMissing(r.Meta, inherited)
	}
	u.c.Apply(u.c.RscDefaults, env, r.Meta, false)
	if r.Parent != nil {
		addMissing(r.Meta, r.Parent.Meta)
	}
	if u.metaOf == nil {
		u.metaOf = map[*model.Resource]*config{}
	}
	u.metaOf[r] = k
}

func addMissing(dst, src map[string]string) {
	for name, v := range src {
		if _, have := dst[name]; !have && !strings.EqualFold(v, "#default") {
			dst[name] = v
		}
	}
}

// isRemoteXML says whether an element is a connection to a remote node
// (xml_contains_remote_node).
func isRemoteXML(n *xmltree.Node) bool {
	return strings.EqualFold(n.Attr("type"), "remote") && strings.EqualFold(n.Attr("class"), "ocf") &&
		strings.EqualFold(n.Attr("provider"), "pacemaker")
}

// flags sets what the meta attributes switch on and off; it says whether r is the
// connection of a guest node.
func (u *unpacker) flags(r *model.Resource, n *xmltree.Node) (guest bool) {
	m, opt := r.Meta, &u.c.Opt
	if !opt.MaintenanceMode {
		r.Set(model.Managed)
	}
	r.Priority = u.score(m["priority"])
	if v, ok := m["critical"]; !ok || model.True(v) {
		r.Set(model.Critical)
	}
	if model.True(m["notify"]) {
		r.Set(model.Notify)
	}
	if r.IsRemoteConn = isRemoteXML(n); r.IsRemoteConn {
		_, guest = m["container"]
	}
	if v, ok := m["allow-migrate"]; model.True(v) || (!ok && r.IsRemoteConn && !guest) {
		r.Set(model.AllowMigrate)
	}
	if v, ok := m["is-managed"]; ok && !strings.EqualFold(v, "default") {
		if model.True(v) {
			r.Set(model.Managed)
		} else {
			r.Clear(model.Managed)
		}
	}
	if model.True(m["maintenance"]) || opt.MaintenanceMode {
		r.Clear(model.Managed)
		r.Set(model.InMaintenance)
	}
	if !r.Top().IsClone() {
		r.Set(model.Unique)
		return guest
	}
	if model.True(m["globally-unique"]) {
		r.Set(model.Unique)
	}
	if strings.EqualFold(r.Tag, "master") {
		m["promotable"] = "true"
	}
	if model.True(m["promotable"]) {
		r.Set(model.Promotable)
	}
	return guest
}

func (u *unpacker) recovery(r *model.Resource) {
	m := r.Meta
	if r.RestartDependents = strings.EqualFold(m["restart-type"], "restart"); r.RestartDependents {
		u.c.ReportOnce(model.PeWarn, "pe__unpack_resource", "Support for restart-type is deprecated and will be removed in a future release")
	}
	switch strings.ToLower(m["multiple-active"]) {
	case "stop_only":
		r.Recovery = model.RecoverStopOnly
	case "block":
		r.Recovery = model.RecoverBlock
	case "stop_unexpected":
		r.Recovery = model.RecoverStopUnexpected
	default:
		if v, given := m["multiple-active"]; given && !strings.EqualFold(v, "stop_start") {
			u.c.Report(model.PeWarn, "pe__unpack_resource", v+" is not a valid value for multiple-active, using default of \"stop_start\"")
		}
	}
	if v, ok := m["resource-stickiness"]; ok && !strings.EqualFold(v, "default") {
		r.Stickiness = u.score(v)
	}
	if v, ok := m["migration-threshold"]; ok && !strings.EqualFold(v, "default") {
		r.MigrationThreshold = u.score(v)
		if r.MigrationThreshold < 0 {
			u.c.ReportOnce(model.PeWarn, "pe__unpack_resource", "migration-threshold must be non-negative, using 1 instead")
			r.MigrationThreshold = 1
		}
	}
	if strings.EqualFold(r.Class, "stonith") {
		u.c.Opt.HaveStonith = true
		r.Set(model.FenceDevice)
	}
}

// requires reads what a start needs (unpack_requires).
func (u *unpacker) requires(r *model.Resource) {
	opt := &u.c.Opt
	value, given := r.Meta["requires"]
	low := strings.ToLower(value)
	switch low {
	case "nothing", "quorum", "fencing", "unfencing":
	default:
		switch {
		case r.Is(model.FenceDevice), r.Variant == model.Primitive && r.IsRemoteConn:
			low = "quorum"
		case opt.EnableUnfencing:
			low = "unfencing"
		case opt.StonithEnabled:
			low = "fencing"
		case opt.NoQuorum == model.QuorumIgnore:
			low = "nothing"
		default:
			low = "quorum"
		}
		if given {
			u.c.Report(model.ConfigErr, "unpack_requires", "Resetting 'requires' for "+r.ID+" to '"+low+"' because '"+value+"' is not valid")
		}
	}
	why := ""
	switch {
	case low == "fencing" && !opt.StonithEnabled:
		u.c.Report(model.ConfigWarn, "unpack_requires", r.ID+" requires fencing but fencing is disabled")
	case low == "unfencing" && r.Is(model.FenceDevice):
		why = "fencing devices cannot require unfencing"
	case low == "unfencing" && !opt.StonithEnabled:
		why = "fencing is disabled"
	}
	if why != "" {
		low = "quorum"
		u.c.Report(model.ConfigWarn, "unpack_requires", "Resetting \"requires\" for "+r.ID+" to \"quorum\" because "+why)
	}
	switch low {
	case "quorum":
		r.Set(model.NeedsQuorum)
	case "fencing":
		r.Set(model.NeedsFencing)
	case "unfencing":
		r.Set(model.NeedsFencing | model.NeedsUnfencing)
	}
}

// TargetRole reads target-role; ok is false where it does not limit anything
// (get_target_role).
func TargetRole(r *model.Resource) (role model.Role, ok bool) {
	v, has := r.Meta["target-role"]
	if !has || strings.EqualFold(v, "started") || strings.EqualFold(v, "default") {
		return 0, false
	}
	role = r.Cluster.ParseRole(v)
	switch {
	case role == model.Unknown:
		r.Cluster.Report(model.ConfigErr, "get_target_role", "Ignoring 'target-role' for "+r.ID+" because '"+v+"' is not valid")
		return 0, false
	case role <= model.Started:
		return role, true
	case !r.Top().Is(model.Promotable):
		r.Cluster.Report(model.ConfigErr, "get_target_role", "Ignoring 'target-role' for "+r.ID+" because '"+v+"' only makes sense for promotable clones")
		return 0, false
	}
	return role, role == model.Unpromoted
}

// primitive checks that the agent can do what is asked (native_unpack).
func (u *unpacker) primitive(r *model.Resource) bool {
	top := r.Top()
	class := strings.ToLower(r.Class)
	if class != "ocf" && class != "stonith" && r.Is(model.Unique) && top.IsClone() {
		u.c.Report(model.PeWarn, "pe__force_anon", "Ignoring globally-unique for "+top.ID+" because "+r.Class+" resources such as "+r.ID+
			" can be used only as anonymous clones")
		top.Clone.NodeMax = 1
		top.Clone.Max = min(top.Clone.Max, len(u.c.Nodes))
		clearUnique(top)
		clearUnique(r)
	}
	return class == "ocf" || !top.Is(model.Promotable)
}

func clearUnique(r *model.Resource) {
	r.Clear(model.Unique)
	if _, have := r.Meta["globally-unique"]; !have {
		r.Meta["globally-unique"] = "false"
	}
	for _, k := range r.Children {
		clearUnique(k)
	}
}

// group reads the members (group_unpack).
func (u *unpacker) group(r *model.Resource, n *xmltree.Node, instance string) {
	on := func(name string) bool {
		v, ok := model.Bool(r.Meta[name])
		if ok && !v {
			u.c.ReportOnce(model.PeWarn, "set_group_flag", "Support for the '"+name+"' group meta-attribute is deprecated "+
				"and will be removed in a future release (use a resource set instead)")
		}
		return !ok || v
	}
	r.GroupOrdered, r.GroupColocated = on("ordered"), on("collocated")
	n.Each("primitive", func(x *xmltree.Node) {
		if k := u.resource(x, instance, r); k != nil {
			r.Children = append(r.Children, k)
		}
	})
	if len(r.Children) == 0 {
		u.c.Report(model.ConfigWarn, "group_unpack", "Group "+r.ID+" will be ignored because it does not have any members")
	}
}

// setupContainer connects a resource with the one it lives in (setup_container).
func (u *unpacker) setupContainer(r *model.Resource) {
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			u.setupContainer(k)
		}
		return
	}
	id, ok := r.Meta["container"]
	if !ok || strings.EqualFold(id, r.ID) {
		return
	}
	switch k := u.c.Find(id); {
	case k == nil:
		u.c.Report(model.PeErr, "setup_container", "Resource "+r.ID+": Unknown resource container ("+id+")")
	case inside(k, r):
		u.c.Report(model.PeErr, "setup_container", "Resource "+r.ID+": its container "+id+" is contained in it")
	default:
		r.Container = k
		k.Set(model.IsContainer)
		k.Fillers = append(k.Fillers, r)
	}
}

// inside says whether a resource is r or is contained in it. The original does not
// ask and never ends when two contain each other.
func inside(k, r *model.Resource) bool {
	for k != nil && k != r {
		k = k.Container
	}
	return k != nil
}

func (u *unpacker) linkRemote(r *model.Resource) {
	if !r.IsRemoteConn {
		return
	}
	n := u.c.Node(r.ID)
	if n == nil {
		return
	}
	n.RemoteRsc = r
	if r.Container == nil {
		u.startupFencing(n)
	} else {
		n.Attrs["#kind"] = "container"
	}
}
