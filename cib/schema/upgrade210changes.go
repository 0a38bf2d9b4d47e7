package schema

import (
	"slices"
	"strings"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// change is what the step to 3.0 does to one name, of a name-value pair or of
// an attribute.
type change struct {
	what   string // the name it had
	with   string // the name it gets, empty: it is dropped
	cases  string // a|b: only where the value, or the operation, is one of these
	prefix string // only where the value begins so and is no list; what follows is the new value
	value  string // the new value, empty: the old one
	where  string // the element it moves to, empty: it stays
	extra  string // the rest of the remark
	warn   bool   // the remark is a warning
}

// leaves says that the change takes the name away from where it was.
func (c *change) leaves() bool { return c.with == "" || c.where != "" }

// changes are those of one place in a configuration (upgrade-2.10.xsl: cibtr:table).
type changes struct {
	about string // what remarks begin with
	list  []change
}

// Places that something moves to.
const (
	toOpDefaults  = "op_defaults"
	toRscDefaults = "rsc_defaults"
	toOpMeta      = "meta_attributes"              // of the operation, or of the resource for what an operation has
	toRscMeta     = "per-resource-meta_attributes" // of the resource, past the operation
)

const (
	noIsolation  = "i.e. resource at hand disabled; isolation wrappers obsoleted with bundle resources"
	useThreshold = "migration-threshold can be configured instead"
	useDefaults  = "migration-threshold in rsc_defaults can be configured instead"
	useAlerts    = "standalone alerts can be configured instead"
	startOnly    = "only start/promote operation taken into account"
	neverUsed    = "was actually never in effect"
	startPromote = "start|promote"
	worst        = "-INFINITY"
)

var clusterChanges = changes{"Cluster properties", []change{
	{what: "cluster-infrastructure", cases: "heartbeat|openais|classic openais|classic openais (with plugin)|cman",
		extra: "corosync (2+) infrastructure can be used instead, though the value is not of significance"},
	{what: "cluster_recheck_interval", with: "cluster-recheck-interval"},
	{what: "dc_deadtime", with: "dc-deadtime"},
	{what: "default-action-timeout", with: "timeout", where: toOpDefaults},
	{what: "default_action_timeout", with: "timeout", where: toOpDefaults},
	{what: "default-migration-threshold", extra: useDefaults},
	{what: "default_migration_threshold", extra: useDefaults},
	{what: "default-resource-stickiness", with: "resource-stickiness", where: toRscDefaults},
	{what: "default_resource_stickiness", with: "resource-stickiness", where: toRscDefaults},
	{what: "default-resource-failure-stickiness", with: "migration-threshold", where: toRscDefaults, cases: worst, value: "1"},
	{what: "default-resource-failure-stickiness", extra: useDefaults},
	{what: "default_resource_failure_stickiness", with: "migration-threshold", where: toRscDefaults, cases: worst, value: "1"},
	{what: "default_resource_failure_stickiness", extra: useDefaults},
	{what: "election_timeout", with: "election-timeout"},
	{what: "expected-quorum-votes", extra: "corosync (2+) infrastructure tracks quorum on its own"},
	{what: "is-managed-default", with: "is-managed", where: toRscDefaults},
	{what: "is_managed_default", with: "is-managed", where: toRscDefaults},
	{what: "no_quorum_policy", with: "no-quorum-policy"},
	{what: "notification-agent", extra: useAlerts},
	{what: "notification-recipient", extra: useAlerts},
	{what: "remove_after_stop", with: "remove-after-stop"},
	{what: "shutdown_escalation", with: "shutdown-escalation"},
	{what: "startup_fencing", with: "startup-fencing"},
	{what: "stonith_action", with: "stonith-action"},
	{what: "stonith_enabled", with: "stonith-enabled"},
	{what: "stop_orphan_actions", with: "stop-orphan-actions"},
	{what: "stop_orphan_resources", with: "stop-orphan-resources"},
	{what: "symmetric_cluster", with: "symmetric-cluster"},
	{what: "transition_idle_timeout", with: "cluster-delay"},
}}

var nodeChanges = changes{"Cluster node", []change{
	{what: "type", with: "type", cases: "normal", value: "member"},
}}

var instanceChanges = changes{"Resource instance_attributes", []change{
	{what: "pcmk_arg_map"},
	{what: "pcmk_arg_map", with: "pcmk_host_argument", prefix: "port:"},
	{what: "pcmk_list_cmd", with: "pcmk_list_action"},
	{what: "pcmk_monitor_cmd", with: "pcmk_monitor_action"},
	{what: "pcmk_off_cmd", with: "pcmk_off_action"},
	{what: "pcmk_on_cmd", with: "pcmk_on_action"},
	{what: "pcmk_reboot_cmd", with: "pcmk_reboot_action"},
	{what: "pcmk_status_cmd", with: "pcmk_status_action"},
}}

var metaChanges = changes{"Resource meta_attributes", []change{
	{what: "isolation", with: "target-role", value: "Stopped", extra: noIsolation, warn: true},
	{what: "isolation-host", with: "target-role", value: "Stopped", extra: noIsolation, warn: true},
	{what: "isolation-instance", with: "target-role", value: "Stopped", extra: noIsolation, warn: true},
	{what: "isolation-wrapper", with: "target-role", value: "Stopped", extra: noIsolation, warn: true},
	{what: "resource-failure-stickiness", with: "migration-threshold", cases: worst, value: "1"},
	{what: "resource-failure-stickiness", extra: useThreshold},
	{what: "resource_failure_stickiness", with: "migration-threshold", cases: worst, value: "1"},
	{what: "resource_failure_stickiness", extra: useThreshold},
}}

// opChanges are for the attributes and the meta-attributes of an operation.
var opChanges = changes{"Resources-operation", []change{
	{what: "requires", extra: startOnly},
	{what: "requires", with: "requires", cases: startPromote, where: toOpMeta},
}}

var opInstanceChanges = changes{"Resources-operation instance_attributes", []change{
	{what: "requires", extra: startOnly},
	{what: "requires", with: "requires", cases: startPromote, where: toRscMeta},
	{what: "interval-origin", with: "interval-origin", where: toOpMeta},
	{what: "start-delay", with: "start-delay", where: toOpMeta},
	{what: "enabled", with: "enabled", where: toOpMeta},
	{what: "on-fail", with: "on-fail", where: toOpMeta},
	{what: "record-pending", with: "record-pending", where: toOpMeta},
	{what: "role", with: "role", where: toOpMeta},
	{what: "timeout", with: "timeout", where: toOpMeta},
}}

var colocationChanges = changes{"Constraints-colocation", []change{
	{what: "score-attribute", extra: neverUsed},
	{what: "score-attribute-mangle", extra: neverUsed},
}}

// find returns the change of a name, nil when it stays as it is. by is what the
// cases are about: the value, or the name of the operation.
func (c *changes) find(what, by string) *change {
	var other *change
	for i := range c.list {
		ch := &c.list[i]
		if ch.what != what {
			continue
		}
		switch {
		case ch.cases == "" && ch.prefix == "":
			other = ch
		case ch.cases != "" && strings.Contains("|"+ch.cases+"|", "|"+by+"|"),
			ch.prefix != "" && strings.HasPrefix(by, ch.prefix) && !strings.Contains(by, ","):
			return ch
		}
	}
	return other
}

// pair is the name-value pair k changed.
func (c *change) pair(k *xmltree.Node) *xmltree.Node {
	n := xmltree.New(k.Name, slices.Clone(k.Attrs)...)
	n.Set("name", c.with)
	if v, ok := n.Get("value"); ok {
		switch {
		case c.value != "":
			n.Set("value", c.value)
		case c.prefix != "":
			n.Set("value", strings.TrimPrefix(v, c.prefix))
		}
	}
	return n
}

// remarks tells of a change; context says whose it is.
func (c *change) remarks(about, context string) []Remark {
	severity := Debug
	switch {
	case c.warn:
		severity = Warning
	case c.extra != "":
		severity = Info
	}
	var b strings.Builder
	b.WriteString(about + ": ")
	if context != "" {
		b.WriteString(context + ": ")
	}
	switch {
	case c.with == "":
		b.WriteString("dropping " + c.what)
	case c.where != "":
		b.WriteString("moving " + c.what + " under " + c.where + " as " + c.with + " unless already defined there")
	case c.with == c.what:
		b.WriteString("keeping " + c.what + " as " + c.with)
	default:
		b.WriteString("renaming " + c.what + " as " + c.with)
	}
	if c.value != "" {
		b.WriteString(", redefined as " + c.value)
		if c.cases != "" {
			b.WriteString(",")
		}
	}
	switch {
	case c.cases != "":
		b.WriteString(" for matching " + c.cases)
	case c.prefix != "":
		b.WriteString(" for matching " + c.prefix + " prefix that will, meanwhile, get dropped")
	}
	out := []Remark{{Severity: severity, Text: b.String()}}
	if c.extra != "" {
		out = append(out, Remark{Severity: severity, Text: about + ": ... " + c.extra})
	}
	return out
}
