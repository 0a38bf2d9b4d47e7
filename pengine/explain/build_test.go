package explain_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// builder makes a CIB of lines, so that a story shows a cluster at a glance:
//
//	option NAME=VALUE...                      cluster options
//	node NAME [offline|unclean|dead|unseen|pending|leaving|ping] [ATTRIBUTE=VALUE...] [cap:NAME=N...] [score=N]
//	prim ID [stonith|remote] [META=VALUE...] [use:NAME=N...] [op:NAME=INTERVAL[/ON-FAIL]...]
//	group ID MEMBER... [META=VALUE...]        clone ID MEMBER [META=VALUE...]
//	bundle ID MEMBER REPLICAS                 defaults META=VALUE...
//	on RESOURCE NODE [RC [promoted]]          it is active there (rc 0), or a probe said RC
//	fail RESOURCE NODE TASK RC [count=N] [at=SECONDS] [interval=S] [reason=TEXT]
//	pending RESOURCE NODE TASK                an operation under way
//	migrating RESOURCE FROM TO                a live migration under way
//	ticket NAME [granted] [standby]
//	set ELEMENT NAME=VALUE                    attributes of the root
//	<xml>                                     a constraint, as it is
type builder struct {
	t                                     testing.TB
	cib, options, nodes, rscs, cons, stat *xmltree.Node
	n, call                               int
	prims                                 map[string]*xmltree.Node
}

// noParameters is the digest of no parameters.
const noParameters = "f2317cad3d54cec5d7d7aa7d0bf35cf8"

func newBuilder(t testing.TB) *builder {
	b := &builder{t: t, prims: map[string]*xmltree.Node{}}
	b.cib = xmltree.New("cib", at("crm_feature_set", "3.16.1"), at("validate-with", "pacemaker-3.9"), at("have-quorum", "1"), at("dc-uuid", "1"),
		at("epoch", "1"), at("num_updates", "0"), at("admin_epoch", "0"))
	conf := b.cib.AddNew("configuration")
	b.options = conf.AddNew("crm_config").AddNew("cluster_property_set", at("id", "options"))
	b.nodes, b.rscs, b.cons = conf.AddNew("nodes"), conf.AddNew("resources"), conf.AddNew("constraints")
	b.stat = b.cib.AddNew("status")
	return b
}

func at(name, value string) xmltree.Attr { return xmltree.Attr{Name: name, Value: value} }

func (b *builder) build(text string) *xmltree.Node {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '<' {
			x, err := xmltree.ParseString(line, xmltree.Limits{})
			if err != nil {
				b.t.Fatalf("%s: %v", line, err)
			}
			b.cons.Add(x)
			continue
		}
		b.line(strings.Fields(line))
	}
	return b.cib
}

// words splits arguments into plain words and pairs.
func words(args []string) (plain []string, pairs [][2]string) {
	for _, a := range args {
		if k, v, ok := strings.Cut(a, "="); ok {
			pairs = append(pairs, [2]string{k, v})
		} else {
			plain = append(plain, a)
		}
	}
	return plain, pairs
}

func (b *builder) nvpair(block *xmltree.Node, id, name, value string) {
	block.AddNew("nvpair", at("id", id), at("name", name), at("value", value))
}

func (b *builder) meta(x *xmltree.Node, pairs [][2]string) {
	if len(pairs) == 0 {
		return
	}
	block := x.AddNew("meta_attributes", at("id", x.ID()+"-meta"))
	for _, p := range pairs {
		b.nvpair(block, x.ID()+"-"+p[0], p[0], p[1])
	}
}

func (b *builder) line(f []string) {
	plain, pairs := words(f[1:])
	switch f[0] {
	case "option":
		for _, p := range pairs {
			b.nvpair(b.options, "opt-"+p[0], p[0], p[1])
		}
	case "set":
		for _, p := range pairs {
			b.cib.Set(p[0], p[1])
		}
	case "defaults":
		x := b.cib.Child("configuration").AddNew("rsc_defaults").AddNew("meta_attributes", at("id", "defaults"))
		for _, p := range pairs {
			b.nvpair(x, "default-"+p[0], p[0], p[1])
		}
	case "node":
		b.node(plain, pairs)
	case "prim":
		b.prim(plain, pairs)
	case "group", "clone":
		x := b.rscs.AddNew(f[0], at("id", plain[0]))
		for _, m := range plain[1:] {
			k := b.prims[m]
			k.Remove()
			x.Add(k)
		}
		b.meta(x, pairs)
		b.prims[plain[0]] = x
	case "bundle":
		x := b.rscs.AddNew("bundle", at("id", plain[0]))
		x.AddNew("podman", at("image", "image"), at("replicas", plain[2]))
		x.AddNew("network", at("ip-range-start", "10.0.0.1"), at("control-port", "9999"))
		k := b.prims[plain[1]]
		k.Remove()
		x.Add(k)
	case "on", "fail", "pending", "migrating":
		b.history(f[0], plain, pairs)
	case "ticket":
		x := b.cib.Child("status")
		tickets := x.Child("tickets")
		if tickets == nil {
			tickets = x.AddNew("tickets")
		}
		state := tickets.AddNew("ticket_state", at("id", plain[0]))
		for _, w := range plain[1:] {
			state.Set(w, "true")
		}
	default:
		b.t.Fatalf("what is %q?", f)
	}
}

func (b *builder) node(plain []string, pairs [][2]string) {
	b.n++
	id, name := strconv.Itoa(b.n), plain[0]
	x := b.nodes.AddNew("node", at("id", id), at("uname", name))
	attrs := x.AddNew("instance_attributes", at("id", name+"-attrs"))
	var caps *xmltree.Node
	state := b.stat.AddNew("node_state", at("id", id), at("uname", name), at("in_ccm", "true"), at("crmd", "online"), at("join", "member"), at("expected", "member"))
	transient := state.AddNew("transient_attributes", at("id", id)).AddNew("instance_attributes", at("id", "status-"+id))
	for _, p := range pairs {
		if c, ok := strings.CutPrefix(p[0], "cap:"); ok {
			if caps == nil {
				caps = x.AddNew("utilization", at("id", name+"-cap"))
			}
			b.nvpair(caps, name+"-cap-"+c, c, p[1])
		} else if p[0] == "score" {
			x.Set("score", p[1])
		} else if strings.HasPrefix(p[0], "master-") || strings.HasPrefix(p[0], "#") || p[0] == "shutdown" {
			b.nvpair(transient, "status-"+id+"-"+strings.TrimPrefix(p[0], "#"), p[0], p[1])
		} else {
			b.nvpair(attrs, name+"-"+p[0], p[0], p[1])
		}
	}
	state.AddNew("lrm", at("id", id)).AddNew("lrm_resources")
	if len(plain) == 1 {
		return
	}
	switch plain[1] {
	case "offline":
		set(state, "in_ccm", "false", "crmd", "offline", "join", "down", "expected", "down")
	case "unclean":
		set(state, "in_ccm", "false", "crmd", "offline", "join", "down")
	case "dead":
		set(state, "crmd", "offline", "join", "down")
	case "pending":
		set(state, "join", "pending")
	case "unseen":
		state.Remove()
	case "leaving":
		b.nvpair(transient, "status-"+id+"-shutdown", "shutdown", "1699999000")
	case "ping":
		x.Set("type", "ping")
	}
}

func set(x *xmltree.Node, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		x.Set(pairs[i], pairs[i+1])
	}
}

func (b *builder) prim(plain []string, pairs [][2]string) {
	id := plain[0]
	x := b.rscs.AddNew("primitive", at("id", id), at("class", "ocf"), at("provider", "heartbeat"), at("type", "Dummy"))
	if len(plain) > 1 && plain[1] == "stonith" {
		x.Unset("provider")
		set(x, "class", "stonith", "type", "fence_x")
	} else if len(plain) > 1 && plain[1] == "remote" {
		set(x, "provider", "pacemaker", "type", "remote")
	}
	var meta [][2]string
	ops := xmltree.New("operations")
	var use *xmltree.Node
	for _, p := range pairs {
		if u, ok := strings.CutPrefix(p[0], "use:"); ok {
			if use == nil {
				use = x.AddNew("utilization", at("id", id+"-use"))
			}
			b.nvpair(use, id+"-use-"+u, u, p[1])
		} else if op, ok := strings.CutPrefix(p[0], "op:"); ok {
			interval, onFail, given := strings.Cut(p[1], "/")
			o := ops.AddNew("op", at("id", id+"-"+op), at("name", op), at("interval", interval))
			if given {
				o.Set("on-fail", onFail)
			}
		} else {
			meta = append(meta, p)
		}
	}
	b.meta(x, meta)
	if ops.HasElements() {
		x.Add(ops)
	}
	b.prims[id] = x
}

func (b *builder) history(what string, plain []string, pairs [][2]string) {
	opt := map[string]string{"at": "1699999990", "interval": "0"}
	for _, p := range pairs {
		opt[p[0]] = p[1]
	}
	rsc, node := plain[0], plain[1]
	op := func(node, id, task, rc, status, target string, extra ...string) {
		b.call++
		ms := 0
		if task == "monitor" {
			ms, _ = strconv.Atoi(opt["interval"])
			ms *= 1000
		}
		key := fmt.Sprintf("%s_%s_%d", rsc, task, ms)
		if id == "" {
			id = key
		}
		x := b.lrm(node, rsc).AddNew("lrm_rsc_op", at("id", id), at("operation_key", key), at("operation", task), at("call-id", strconv.Itoa(b.call)),
			at("rc-code", rc), at("op-status", status), at("op-digest", noParameters), at("interval", strconv.Itoa(ms)), at("transition-key", "1:1:"+target+":x"),
			at("transition-magic", status+":"+rc+";1:1:"+target+":x"), at("crm_feature_set", "3.16.1"), at("last-rc-change", opt["at"]), at("on_node", node))
		set(x, extra...)
		if r := opt["reason"]; r != "" {
			x.Set("exit-reason", strings.ReplaceAll(r, "_", " "))
		}
	}
	switch {
	case what == "on" && len(plain) > 2 && plain[2] == "promoted":
		op(node, rsc+"_last_0", "promote", "0", "0", "0")
	case what == "on" && len(plain) > 2:
		op(node, rsc+"_last_0", "monitor", plain[2], "0", "7")
	case what == "on":
		op(node, rsc+"_last_0", "start", "0", "0", "0")
	case what == "pending":
		op(node, rsc+"_last_0", plain[2], "193", "-1", "0", "call-id", "-1")
	case what == "migrating":
		op(node, rsc+"_last_0", "migrate_to", "0", "0", "0", "migrate_source", node, "migrate_target", plain[2])
	case what == "fail":
		target := "0"
		if plain[2] == "probe" {
			plain[2], target = "monitor", "7"
		}
		op(node, rsc+"_last_failure_0", plain[2], plain[3], "0", target)
		if c := opt["count"]; c != "" {
			b.failCount(node, rsc+"#"+plain[2]+"_"+opt["interval"], c, opt["at"])
		}
	}
}

func (b *builder) state(node string) (found *xmltree.Node) {
	b.stat.Each("node_state", func(x *xmltree.Node) {
		if x.Attr("uname") == node {
			found = x
		}
	})
	if found == nil {
		b.t.Fatalf("there is no node %s", node)
	}
	return found
}

func (b *builder) lrm(node, rsc string) (found *xmltree.Node) {
	all := b.state(node).Path("lrm", "lrm_resources")
	all.Each("lrm_resource", func(x *xmltree.Node) {
		if x.ID() == rsc {
			found = x
		}
	})
	if found != nil {
		return found
	}
	found = all.AddNew("lrm_resource", at("id", rsc))
	p := b.prims[rsc]
	if p == nil {
		set(found, "class", "ocf", "provider", "heartbeat", "type", "Dummy")
		return found
	}
	for _, name := range []string{"class", "provider", "type"} {
		if v, ok := p.Get(name); ok {
			found.Set(name, v)
		}
	}
	return found
}

func (b *builder) failCount(node, what, count, last string) {
	x := b.state(node).Path("transient_attributes", "instance_attributes")
	b.nvpair(x, "status-fail-"+what, "fail-count-"+what, count)
	b.nvpair(x, "status-last-"+what, "last-failure-"+what, last)
}
