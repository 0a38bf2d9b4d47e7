package unpack

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
	"github.com/pacesync/pacesync/pengine/model"
)

const (
	remotePort = "3121"                       // DEFAULT_REMOTE_PORT
	authKey    = "/etc/pacemaker/authkey"     // DEFAULT_REMOTE_KEY_LOCATION
	bundleLogs = "/var/log/pacemaker/bundles" // CRM_BUNDLE_DIR
	remoted    = "/usr/sbin/pacemaker-remoted"
)

type mount struct {
	source, target, options string
	perReplica              bool
}

type port struct{ source, target string }

// bundleSpec is the configuration of a bundle while its parts are made.
type bundleSpec struct {
	b                                                     *model.Resource
	prefix, image, command, options, network, hostOptions string
	ipStart, ipLast, netmask, hostInterface, controlPort  string
	noAddHost                                             bool
	mounts                                                []mount
	ports                                                 []port
}

func (s *bundleSpec) hasNetwork() bool {
	if s.ipStart != "" {
		return true
	}
	if s.controlPort == "" {
		return false
	}
	if s.b.Bundle.PerHost > 1 {
		s.b.Cluster.Report(model.PeErr, "valid_network", "Specifying the 'control-port' for "+s.prefix+" requires 'replicas-per-host=1'")
	}
	s.b.Bundle.PerHost = 1
	return true
}

// bundle reads a bundle and makes all it implies (pe__unpack_bundle).
func (u *unpacker) bundle(r *model.Resource, n *xmltree.Node) bool {
	var x *xmltree.Node
	r.Bundle = &model.BundleInfo{}
	for _, agent := range []string{"docker", "rkt", "podman"} {
		if x = n.Child(agent); x != nil {
			r.Bundle.Agent = agent
			break
		}
	}
	if x == nil {
		return false
	}
	s := u.bundleSpec(r, n, x)
	child := n.Child("primitive")
	if child != nil && !s.hasNetwork() {
		u.c.Report(model.PeErr, "pe__unpack_bundle", "Cannot control "+r.ID+" inside "+child.ID()+" without either ip-range-start or control-port")
		return false
	}
	if child != nil {
		if !u.bundleChild(s, child) {
			return false
		}
	} else {
		for i := 0; i < r.Bundle.NReplicas; i++ {
			rep := &model.Replica{Offset: i}
			s.address(rep)
			r.Bundle.Replicas = append(r.Bundle.Replicas, rep)
		}
	}
	for _, rep := range r.Bundle.Replicas {
		if !u.replica(s, rep) {
			return false
		}
		if rep.Child != nil {
			rep.Container.Utilization, rep.Child.Utilization = rep.Child.Utilization, rep.Container.Utilization
		}
	}
	if r.Bundle.Child != nil {
		r.Children = append(r.Children, r.Bundle.Child)
	}
	return true
}

// count reads a number of at least least, which it is where none is given.
func (u *unpacker) count(s string, given bool, least int) int {
	if !given {
		return least
	}
	return u.c.MinInt(s, least)
}

func (u *unpacker) bundleSpec(r *model.Resource, n, x *xmltree.Node) *bundleSpec {
	b := r.Bundle
	v, ok := x.Get("promoted-max")
	if !ok {
		v, ok = x.Get("masters")
	}
	b.PromotedMax = u.bounded(r, u.count(v, ok, 0), maxReplicas)
	if v, ok = x.Get("replicas"); !ok && b.PromotedMax > 0 {
		b.NReplicas = b.PromotedMax
	} else {
		b.NReplicas = u.bounded(r, u.count(v, ok, 1), maxReplicas)
	}
	v, ok = x.Get("replicas-per-host")
	b.PerHost = u.count(v, ok, 1)
	if b.PerHost == 1 {
		r.Clear(model.Unique)
	}
	b.Image = x.Attr("image")
	s := &bundleSpec{b: r, prefix: r.ID, image: b.Image, command: x.Attr("run-command"), options: x.Attr("options"), network: x.Attr("network")}
	if net := n.Child("network"); net != nil {
		s.ipStart, s.netmask = net.Attr("ip-range-start"), net.Attr("host-netmask")
		s.hostInterface, s.controlPort = net.Attr("host-interface"), net.Attr("control-port")
		if v, ok := model.Bool(net.Attr("add-host")); ok && !v {
			s.noAddHost = true
		}
		net.Elements(s.port)
	}
	n.Child("storage").Elements(s.mount)
	return s
}

func (s *bundleSpec) port(x *xmltree.Node) {
	p := port{}
	var ok bool
	if p.source, ok = x.Get("port"); ok {
		p.target = x.Attr("internal-port")
	} else {
		p.source = x.Attr("range")
	}
	if p.source == "" {
		s.b.Cluster.Report(model.PeErr, "pe__unpack_bundle", "Invalid port directive "+x.ID())
		return
	}
	if p.target == "" {
		p.target = p.source
	}
	s.ports = append(s.ports, p)
}

func (s *bundleSpec) mount(x *xmltree.Node) {
	m := mount{target: x.Attr("target-dir"), options: x.Attr("options")}
	var ok bool
	if m.source, ok = x.Get("source-dir"); !ok {
		m.source, m.perReplica = x.Attr("source-dir-root"), true
	}
	if m.source == "" || m.target == "" {
		s.b.Cluster.Report(model.PeErr, "pe__unpack_bundle", "Invalid mount directive "+x.ID())
		return
	}
	s.mounts = append(s.mounts, m)
}

func nvset(parent *xmltree.Node, tag, id string, pairs ...string) *xmltree.Node {
	set := parent.AddNew(tag, xmltree.Attr{Name: "id", Value: id})
	for i := 0; i+1 < len(pairs); i += 2 {
		set.AddNew("nvpair", xmltree.Attr{Name: "id", Value: id + "-" + pairs[i]}, xmltree.Attr{Name: "name", Value: pairs[i]},
			xmltree.Attr{Name: "value", Value: pairs[i+1]})
	}
	return set
}

// bundleChild makes the clone of what runs inside the containers.
func (u *unpacker) bundleChild(s *bundleSpec, child *xmltree.Node) bool {
	b := s.b.Bundle
	id := s.prefix + "-clone"
	if b.PromotedMax > 0 {
		id = s.prefix + "-master"
	}
	x := xmltree.New("clone", xmltree.Attr{Name: "id", Value: id})
	pairs := []string{"ordered", "true", "clone-max", strconv.Itoa(b.NReplicas), "clone-node-max", strconv.Itoa(b.PerHost),
		"globally-unique", strconv.FormatBool(b.PerHost > 1)}
	if b.PromotedMax > 0 {
		pairs = append(pairs, "promotable", "true", "promoted-max", strconv.Itoa(b.PromotedMax))
	}
	nvset(x, "meta_attributes", s.prefix+"-clone-meta", pairs...)
	x.Add(child.Copy())
	clone := u.resource(x, "", s.b)
	if clone == nil {
		return false
	}
	b.Child = clone
	logs := true
	for _, m := range s.mounts {
		logs = logs && m.target != "/var/log"
	}
	s.mounts = append(s.mounts, mount{source: authKey, target: authKey})
	if logs {
		s.mounts = append(s.mounts, mount{source: bundleLogs, target: "/var/log", perReplica: true})
	}
	p := s.controlPort
	if p == "" {
		p = remotePort
	}
	s.ports = append(s.ports, port{p, p})
	target, has := "", false
	for i, k := range clone.Children {
		rep := &model.Replica{Offset: i, Child: k}
		k.ExclusiveDiscover = true
		if k.Is(model.Notify) {
			clone.Set(model.Notify)
		}
		s.address(rep)
		b.Replicas = append(b.Replicas, rep)
		target, has = k.Meta["container-attribute-target"], k.Meta["container-attribute-target"] != ""
	}
	if has {
		s.b.Meta["container-attribute-target"] = target
		clone.Meta["container-attribute-target"] = target
	}
	return true
}

// address gives a replica its address and the other containers its name (allocate_ip).
func (s *bundleSpec) address(rep *model.Replica) {
	switch {
	case s.ipStart == "":
		return
	case s.ipLast != "":
		rep.IPAddr = nextIP(s.ipLast)
	default:
		rep.IPAddr = s.ipStart
	}
	s.ipLast = rep.IPAddr
	if s.b.Bundle.Agent != "rkt" && !s.noAddHost {
		s.hostOptions += fmt.Sprintf(" --add-host=%s-%d:%s", s.prefix, rep.Offset, rep.IPAddr)
	} else {
		s.hostOptions += fmt.Sprintf(" --hosts-entry=%s=%s-%d", rep.IPAddr, s.prefix, rep.Offset)
	}
}

func nextIP(last string) string {
	var a, b, c, d uint
	if n, _ := fmt.Sscanf(last, "%d.%d.%d.%d", &a, &b, &c, &d); n != 4 || c > 253 {
		return ""
	}
	if d > 253 {
		c, d = c+1, 1
	} else {
		d++
	}
	return fmt.Sprintf("%d.%d.%d.%d", a, b, c, d)
}

func ocf(id, provider, typ string) *xmltree.Node {
	return xmltree.New("primitive", xmltree.Attr{Name: "id", Value: id}, xmltree.Attr{Name: "class", Value: "ocf"},
		xmltree.Attr{Name: "provider", Value: provider}, xmltree.Attr{Name: "type", Value: typ})
}

func addOp(parent *xmltree.Node, prefix, task, interval, timeout string) {
	op := parent.AddNew("op", xmltree.Attr{Name: "id", Value: prefix + "-" + task + "-" + interval},
		xmltree.Attr{Name: "interval", Value: interval}, xmltree.Attr{Name: "name", Value: task})
	if timeout != "" {
		op.Set("timeout", timeout)
	}
}

func sanitizeID(id string) string { return strings.NewReplacer(":", ".", "#", ".").Replace(id) }

// replica makes container, address and connection of one replica
// (create_replica_resources).
func (u *unpacker) replica(s *bundleSpec, rep *model.Replica) bool {
	b := s.b
	x := s.containerXML(rep)
	if rep.Container = u.resource(x, "", b); rep.Container == nil {
		return false
	}
	b.Children = append(b.Children, rep.Container)
	if s.ipStart != "" {
		id := sanitizeID(s.prefix + "-ip-" + rep.IPAddr)
		x := ocf(id, "heartbeat", "IPaddr2")
		pairs := []string{"ip", rep.IPAddr}
		if s.hostInterface != "" {
			pairs = append(pairs, "nic", s.hostInterface)
		}
		mask := s.netmask
		if mask == "" {
			mask = "32"
		}
		nvset(x, "instance_attributes", fmt.Sprintf("%s-attributes-%d", s.prefix, rep.Offset), append(pairs, "cidr_netmask", mask)...)
		addOp(x.AddNew("operations"), id, "monitor", "60s", "")
		if rep.IP = u.resource(x, "", b); rep.IP == nil {
			return false
		}
		b.Children = append(b.Children, rep.IP)
	}
	if rep.Child != nil && s.hasNetwork() && !u.replicaRemote(s, rep) {
		return false
	}
	if rep.Child != nil && rep.IPAddr != "" {
		rep.Child.Meta["external-ip"] = rep.IPAddr
	}
	if rep.Remote != nil {
		rep.Remote.Set(model.AllowRemoteRemotes)
	}
	return true
}

func (s *bundleSpec) containerXML(rep *model.Replica) *xmltree.Node {
	agent := s.b.Bundle.Agent
	id := sanitizeID(fmt.Sprintf("%s-%s-%d", s.prefix, agent, rep.Offset))
	x := ocf(id, "heartbeat", agent)
	run, points := s.runOptions(rep)
	pairs := []string{"image", s.image, "allow_pull", "true", "force_kill", "false", "reuse", "false", "run_opts", run, "mount_points", points}
	switch {
	case s.command != "":
		pairs = append(pairs, "run_cmd", s.command)
	case rep.Child != nil:
		pairs = append(pairs, "run_cmd", remoted)
	}
	pairs = append(pairs, "monitor_cmd", "/bin/true")
	nvset(x, "instance_attributes", fmt.Sprintf("%s-attributes-%d", s.prefix, rep.Offset), pairs...)
	addOp(x.AddNew("operations"), id, "monitor", "60s", "")
	return x
}

// runOptions builds the command line of a container and the list of directories that
// must exist for it (create_container_resource).
func (s *bundleSpec) runOptions(rep *model.Replica) (run, points string) {
	var b strings.Builder
	rkt := s.b.Bundle.Agent == "rkt"
	host, env := "-h ", "-e "
	if rkt {
		host, env = "--hostname=", "--environment="
	}
	if s.b.Bundle.Agent == "docker" {
		b.WriteString(" --restart=no")
	}
	if s.ipStart != "" {
		fmt.Fprintf(&b, " %s%s-%d", host, s.prefix, rep.Offset)
	}
	b.WriteString(" " + env + "PCMK_stderr=1")
	if s.network != "" {
		b.WriteString(" --net=" + s.network)
	}
	p := s.controlPort
	if p == "" {
		p = remotePort
	}
	b.WriteString(" " + env + "PCMK_remote_port=" + p)
	points = s.mountOptions(&b, rep, rkt)
	s.portOptions(&b, rep, rkt)
	if s.options != "" {
		b.WriteString(" " + s.options)
	}
	b.WriteString(" " + s.hostOptions)
	return b.String(), points
}

func (s *bundleSpec) mountOptions(b *strings.Builder, rep *model.Replica, rkt bool) string {
	var points []string
	for i, m := range s.mounts {
		source := m.source
		if m.perReplica {
			source = fmt.Sprintf("%s/%s-%d", m.source, s.prefix, rep.Offset)
			points = append(points, source)
		}
		if rkt {
			sep := ""
			if m.options != "" {
				sep = ","
			}
			fmt.Fprintf(b, " --volume vol%d,kind=host,source=%s%s%s --mount volume=vol%d,target=%s", i, source, sep, m.options, i, m.target)
			continue
		}
		b.WriteString(" -v " + source + ":" + m.target)
		if m.options != "" {
			b.WriteString(":" + m.options)
		}
	}
	return strings.Join(points, ",")
}

func (s *bundleSpec) portOptions(b *strings.Builder, rep *model.Replica, rkt bool) {
	for _, p := range s.ports {
		switch {
		case rkt && rep.IPAddr != "":
			b.WriteString(" --port=" + p.target + ":" + rep.IPAddr + ":" + p.source)
		case rkt:
			b.WriteString(" --port=" + p.target + ":" + p.source)
		case rep.IPAddr != "":
			b.WriteString(" -p " + rep.IPAddr + ":" + p.source + ":" + p.target)
		case s.network != "host":
			b.WriteString(" -p " + p.source + ":" + p.target)
		}
	}
}

// replicaRemote makes the connection to the guest node inside a container
// (create_remote_resource).
func (u *unpacker) replicaRemote(s *bundleSpec, rep *model.Replica) bool {
	c := u.c
	id := fmt.Sprintf("%s-%d", s.prefix, rep.Offset)
	if c.Find(id) != nil {
		id = fmt.Sprintf("pcmk-internal-%s-remote-%d", rep.Child.ID, rep.Offset)
	}
	addr, p := rep.IPAddr, s.controlPort
	if addr == "" {
		addr = "#uname"
	}
	if p == "" {
		p = remotePort
	}
	x := remoteXML(remoteSpec{name: id, container: rep.Container.ID, server: addr, port: p})
	n := c.Node(id)
	if n == nil {
		n = c.AddNode(id, id, model.Remote, -model.Inf)
	} else {
		n.Score = -model.Inf
	}
	n.Discover = model.DiscoverNever
	for _, r := range c.Resources {
		disallow(r, n)
	}
	rep.Node = n
	rep.Child.Allowed = model.Table{}
	rep.Child.Why = nil
	only := model.Weighted{Node: n, Score: 500, Discover: model.DiscoverExclusive}
	rep.Child.Explain(rep.Child.Allowed.Put(only), only.Score, model.Why{Cause: model.CauseContainer})
	only.Score = -model.Inf
	rep.Child.Parent.Explain(rep.Child.Parent.Allowed.Put(only), only.Score, model.Why{Cause: model.CauseContainer})
	if rep.Remote = u.resource(x, "", s.b); rep.Remote == nil {
		return false
	}
	for w := range rep.Remote.Allowed.All {
		if w.Kind == model.Remote {
			rep.Remote.Ban(w, model.Why{Cause: model.CauseRemote})
		}
	}
	n.RemoteRsc = rep.Remote
	rep.Remote.Container = rep.Container
	n.Attrs["#kind"] = "container"
	s.b.Children = append(s.b.Children, rep.Remote)
	return true
}

func disallow(r *model.Resource, n *model.Node) {
	if w := r.Allowed.Get(n); w != nil {
		w.Discover = model.DiscoverNever
		r.Ban(w, model.Why{Cause: model.CauseContainer})
	}
	for _, k := range r.Children {
		disallow(k, n)
	}
}
