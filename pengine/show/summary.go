package show

import (
	"fmt"
	"strconv"

	"github.com/pacesync/pacesync/internal/pcmkout"
	"github.com/pacesync/pacesync/internal/rules/iso8601"
	"github.com/pacesync/pacesync/pengine/model"
)

// summary shows what the cluster is and how it is doing (cluster_summary).
func (v *View) summary() bool {
	list := section{v: v, title: "Cluster Summary"}
	has := func(s Sections) bool { return v.Sections&s != 0 }
	if has(Stack) {
		list.show()
		v.stack()
	}
	if has(DC) {
		list.show()
		v.dc()
	}
	if has(Times) {
		list.show()
		v.times()
	}
	if has(Counts) {
		list.show()
		v.counts()
	}
	if has(Options) {
		v.options(&list)
	}
	wrote := list.end()
	return has(MaintMode) && v.Maintenance() || wrote
}

func (v *View) stack() {
	switch v.Format {
	case pcmkout.XML:
		v.Node("stack", "type", v.Facts.Stack)
	case pcmkout.HTML:
		n := v.Node("li")
		pcmkout.Span(n, "bold", "Stack: ")
		pcmkout.Span(n, "", v.Facts.Stack)
	default:
		v.Item("Stack", v.Facts.Stack)
	}
}

func (v *View) dc() {
	dc, mixed := v.Cluster.DC, v.mixedVersion()
	version := v.Facts.DCVersion
	if version == "" && v.Format != pcmkout.XML {
		version = "unknown"
	}
	switch v.Format {
	case pcmkout.XML:
		if dc == nil {
			v.Node("current_dc", "present", "false")
			return
		}
		v.Node("current_dc", "present", "true", "version", version, "name", dc.Name, "id", dc.ID,
			"with_quorum", btoa(v.Facts.Quorum), "mixed_version", btoa(mixed))
	case pcmkout.HTML:
		n := v.Node("li")
		pcmkout.Span(n, "bold", "Current DC: ")
		if dc == nil {
			pcmkout.Span(n, "warning", "NONE")
			return
		}
		pcmkout.Span(n, "", v.nodeName(dc)+" (version "+version+") -")
		if mixed {
			pcmkout.Span(n, "warning", " MIXED-VERSION")
		}
		pcmkout.Span(n, "", " partition")
		if v.Facts.Quorum {
			pcmkout.Span(n, "", " with")
		} else {
			pcmkout.Span(n, "warning", " WITHOUT")
		}
		pcmkout.Span(n, "", " quorum")
	default:
		if dc == nil {
			v.Item("Current DC", "NONE")
			return
		}
		kind, with := "", "WITHOUT"
		if mixed {
			kind = "MIXED-VERSION "
		}
		if v.Facts.Quorum {
			with = "with"
		}
		v.Item("Current DC", fmt.Sprintf("%s (version %s) - %spartition %s quorum", v.nodeName(dc), version, kind, with))
	}
}

func (v *View) times() {
	f, now := v.Facts, ctime(v.Now)
	if v.Format == pcmkout.XML {
		v.Node("last_update", "time", now)
		v.Node("last_change", "time", f.Written, "user", f.User, "client", f.Client, "origin", f.Where)
		return
	}
	change := f.Written
	for _, part := range [][2]string{{" by ", f.User}, {" via ", f.Client}, {" on ", f.Where}} {
		if part[1] != "" {
			change += part[0] + part[1]
		}
	}
	if v.Format == pcmkout.HTML {
		updated, changed := v.Node("li"), v.Node("li")
		pcmkout.Span(updated, "bold", "Last updated: ")
		pcmkout.Span(updated, "", now)
		pcmkout.Span(changed, "bold", "Last change: ")
		pcmkout.Span(changed, "", change)
		return
	}
	v.Item("Last updated", now)
	v.Item("Last change", " "+change)
}

func (v *View) counts() {
	c := v.Cluster
	nodes := fmt.Sprintf("%d node%s configured", len(c.Nodes), plural(len(c.Nodes)))
	rscs := fmt.Sprintf("%d resource instance%s configured", c.Instances, plural(c.Instances))
	switch v.Format {
	case pcmkout.XML:
		v.Node("nodes_configured", "number", strconv.Itoa(len(c.Nodes)))
		v.Node("resources_configured", "number", strconv.Itoa(c.Instances), "disabled", strconv.Itoa(c.Disabled), "blocked", strconv.Itoa(c.Blocked))
	case pcmkout.HTML:
		n, r := v.Node("li"), v.Node("li")
		pcmkout.Span(n, "", nodes)
		switch {
		case c.Disabled > 0:
			pcmkout.Span(r, "", rscs+" ("+strconv.Itoa(c.Disabled)+" ")
			pcmkout.Span(r, "bold", "DISABLED")
			if c.Blocked == 0 {
				pcmkout.Span(r, "", ")")
				return
			}
			pcmkout.Span(r, "", ", "+strconv.Itoa(c.Blocked)+" ")
		case c.Blocked > 0:
			pcmkout.Span(r, "", rscs+" ("+strconv.Itoa(c.Blocked)+" ")
		default:
			pcmkout.Span(r, "", rscs)
			return
		}
		pcmkout.Span(r, "bold", "BLOCKED")
		pcmkout.Span(r, "", " from further action due to failure)")
	default:
		v.Item("", nodes)
		switch {
		case c.Disabled > 0 && c.Blocked > 0:
			rscs += fmt.Sprintf(" (%d DISABLED, %d BLOCKED from further action due to failure)", c.Disabled, c.Blocked)
		case c.Disabled > 0:
			rscs += fmt.Sprintf(" (%d DISABLED)", c.Disabled)
		case c.Blocked > 0:
			rscs += fmt.Sprintf(" (%d BLOCKED from further action due to failure)", c.Blocked)
		}
		v.Item("", rscs)
	}
}

// options shows cluster options; in HTML they are a list of their own.
func (v *View) options(list *section) {
	o := &v.Cluster.Opt
	if v.Format == pcmkout.XML {
		list.show()
		timeout, _ := iso8601.IntervalMS(o.All["stonith-timeout"])
		v.Node("cluster_options", "stonith-enabled", btoa(o.StonithEnabled), "symmetric-cluster", btoa(o.Symmetric),
			"no-quorum-policy", quorumName(o.NoQuorum), "maintenance-mode", btoa(o.MaintenanceMode),
			"stop-all-resources", btoa(o.StopEverything), "stonith-timeout-ms", strconv.Itoa(int(timeout)),
			"priority-fencing-delay-ms", strconv.Itoa(o.PriorityFencingDelay*1000))
		return
	}
	if v.Format == pcmkout.HTML {
		list.end()
		*list = section{v: v, title: "Config Options"}
	}
	list.show()
	word := func(ok bool, yes, no string) string {
		if ok {
			return yes
		}
		return no
	}
	v.Item("", "STONITH of failed nodes "+word(o.StonithEnabled, "enabled", "disabled"))
	v.Item("", "Cluster is "+word(o.Symmetric, "symmetric", "asymmetric"))
	v.Item("", "No quorum policy: "+quorumText(o.NoQuorum))
	if v.Format != pcmkout.HTML {
		return
	}
	state, what := "", ""
	switch {
	case o.MaintenanceMode:
		state, what = "DISABLED", " (the cluster will not attempt to start, stop, or recover services)"
	case o.StopEverything:
		state, what = "STOPPED", " (the cluster will keep all resources stopped)"
	default:
		v.Item("", "Resource management: enabled")
		return
	}
	n := v.Node("li")
	pcmkout.Span(n, "", "Resource management: ")
	pcmkout.Span(n, "bold", state)
	pcmkout.Span(n, "", what)
}

func quorumName(p model.QuorumPolicy) string {
	return [...]string{model.QuorumStop: "stop", model.QuorumFreeze: "freeze", model.QuorumIgnore: "ignore",
		model.QuorumSuicide: "suicide", model.QuorumDemote: "demote"}[p]
}

func quorumText(p model.QuorumPolicy) string {
	return [...]string{model.QuorumStop: "Stop ALL resources", model.QuorumFreeze: "Freeze resources", model.QuorumIgnore: "Ignore",
		model.QuorumSuicide: "Suicide", model.QuorumDemote: "Demote promotable resources and stop all other resources"}[p]
}

// Maintenance warns that nothing is managed; in text alone.
func (v *View) Maintenance() bool {
	if v.Format != pcmkout.Text {
		return false
	}
	switch o := &v.Cluster.Opt; {
	case o.MaintenanceMode:
		v.Print("\n              *** Resource management is DISABLED ***\n" +
			"  The cluster will not attempt to start, stop or recover services\n")
	case o.StopEverything:
		v.Print("\n    *** Resource management is DISABLED ***\n  The cluster will keep all resources stopped\n")
	default:
		return false
	}
	return true
}

// Simple is the one line of crm_mon -s, and whether all is well
// (pcmk__output_simple_status).
func Simple(c *model.Cluster) (line string, ok bool) {
	online, standby, maintenance, offline := 0, 0, 0, ""
	for _, n := range c.Nodes {
		switch {
		case n.Standby && n.Online:
			standby++
		case n.Maintenance && n.Online:
			maintenance++
		case n.Online:
			online++
		default:
			offline += " offline node: " + n.Name
		}
	}
	if offline != "" {
		offline = offline[1:]
	}
	switch {
	case c.DC == nil && offline != "":
		return "CLUSTER WARN: No DC, " + offline, false
	case c.DC == nil:
		return "CLUSTER WARN: No DC", false
	case offline != "":
		return "CLUSTER WARN: " + offline, false
	}
	line = fmt.Sprintf("CLUSTER OK: %d node%s online", online, plural(online))
	if standby > 0 {
		line += fmt.Sprintf(", %d standby node%s", standby, plural(standby))
	}
	if maintenance > 0 {
		line += fmt.Sprintf(", %d maintenance node%s", maintenance, plural(maintenance))
	}
	return line + fmt.Sprintf(", %d resource instance%s configured", c.Instances, plural(c.Instances)), true
}
