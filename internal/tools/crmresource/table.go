package crmresource

import (
	"strings"

	"github.com/pacesync/pacesync/internal/goption"
)

const indent = "                                    "

// lines joins the lines of a help text.
func lines(s ...string) string { return strings.Join(s, "\n"+indent) }

// queries are the commands that change nothing.
func (o *options) queries() []goption.Entry {
	return []goption.Entry{
		{Long: "list", Short: 'L', Flags: goption.NoArg, Dest: o.choose(list), Help: "List all cluster resources with status"},
		{Long: "list-raw", Short: 'l', Flags: goption.NoArg, Dest: o.choose(listRaw), Help: lines("List IDs of all instantiated resources (individual members", "rather than groups etc.)")},
		{Long: "list-cts", Short: 'c', Flags: goption.Hidden | goption.NoArg, Dest: o.choose(listCTS)},
		{Long: "list-operations", Short: 'O', Flags: goption.NoArg, Dest: o.choose(activeOps), Help: lines("List active resource operations, optionally filtered by", "--resource and/or --node")},
		{Long: "list-all-operations", Short: 'o', Flags: goption.NoArg, Dest: o.choose(allOps), Help: lines("List all resource operations, optionally filtered by", "--resource and/or --node")},
		{Long: "list-standards", Flags: goption.NoArg, Dest: o.choose(standards), Help: "List supported standards"},
		{Long: "list-ocf-providers", Flags: goption.NoArg, Dest: o.choose(providers), Help: "List all available OCF providers"},
		{Long: "list-agents", Dest: o.choose(agents), Arg: "STD:PROV", Help: "List all agents available for the named standard and/or provider"},
		{Long: "list-ocf-alternatives", Dest: o.choose(alternatives), Arg: "AGENT", Help: "List all available providers for the named OCF agent"},
		{Long: "show-metadata", Dest: o.choose(metadata), Arg: "SPEC", Help: "Show the metadata for the named class:provider:agent"},
		{Long: "query-xml", Short: 'q', Flags: goption.NoArg, Dest: o.choose(queryXML), Help: "Show XML configuration of resource (after any template expansion)"},
		{Long: "query-xml-raw", Short: 'w', Flags: goption.NoArg, Dest: o.choose(queryRaw), Help: "Show XML configuration of resource (before any template expansion)"},
		{Long: "get-parameter", Short: 'g', Dest: o.choose(getParam), Arg: "PARAM", Help: lines("Display named parameter for resource (use instance attribute", "unless --meta or --utilization is specified)")},
		{Long: "get-property", Short: 'G', Flags: goption.Hidden, Dest: o.choose(getProperty), Arg: "PROPERTY", Help: "Display named property of resource ('class', 'type', or 'provider') (requires --resource)"},
		{Long: "locate", Short: 'W', Flags: goption.NoArg, Dest: o.choose(locate), Help: "Show node(s) currently running resource"},
		{Long: "constraints", Short: 'a', Flags: goption.NoArg, Dest: o.choose(constraints), Help: lines("Display the location and colocation constraints that apply to a", "resource, and if --recursive is specified, to the resources", "directly or indirectly involved in those colocations.", "If the named resource is part of a group, or a clone or", "bundle instance, constraints for the collective resource", "will be shown unless --force is given.")},
		{Long: "stack", Short: 'A', Flags: goption.NoArg, Dest: o.choose(stack), Help: "Equivalent to --constraints --recursive"},
		{Long: "why", Short: 'Y', Flags: goption.NoArg, Dest: o.choose(why), Help: lines("Show why resources are not running, optionally filtered by", "--resource and/or --node")},
	}
}

// commands are the everyday changes.
func (o *options) commands() []goption.Entry {
	return []goption.Entry{
		{Long: "validate", Flags: goption.OptionalArg, Dest: o.choose(execute), Arg: "LEVEL", Help: lines("Validate resource configuration by calling agent's validate-all", "action. The configuration may be specified either by giving an", "existing resource name with -r, or by specifying --class,", "--agent, and --provider arguments, along with any number of", "--option arguments. An optional LEVEL argument can be given", "to control the level of checking performed.")},
		{Long: "cleanup", Short: 'C', Flags: goption.NoArg, Dest: o.choose(cleanup), Help: lines("If resource has any past failures, clear its history and fail", "count. Optionally filtered by --resource, --node, --operation", "and --interval (otherwise all). --operation and --interval", "apply to fail counts, but entire history is always clear, to", "allow current state to be rechecked. If the named resource is", "part of a group, or one numbered instance of a clone or bundled", "resource, the clean-up applies to the whole collective resource", "unless --force is given.")},
		{Long: "refresh", Short: 'R', Flags: goption.NoArg, Dest: o.choose(refresh), Help: lines("Delete resource's history (including failures) so its current state", "is rechecked. Optionally filtered by --resource and --node", "(otherwise all). If the named resource is part of a group, or one", "numbered instance of a clone or bundled resource, the refresh", "applies to the whole collective resource unless --force is given.")},
		{Long: "set-parameter", Short: 'p', Dest: o.choose(setParam), Arg: "PARAM", Help: lines("Set named parameter for resource (requires -v). Use instance", "attribute unless --meta or --utilization is specified.")},
		{Long: "delete-parameter", Short: 'd', Dest: o.choose(deleteParam), Arg: "PARAM", Help: lines("Delete named parameter for resource. Use instance attribute", "unless --meta or --utilization is specified.")},
		{Long: "set-property", Short: 'S', Flags: goption.Hidden, Dest: o.choose(setProperty), Arg: "PROPERTY", Help: "Set named property of resource ('class', 'type', or 'provider') (requires -r, -t, -v)"},
	}
}

// locations are the commands that make and remove location constraints.
func (o *options) locations() []goption.Entry {
	return []goption.Entry{
		{Long: "move", Short: 'M', Flags: goption.NoArg, Dest: o.choose(move), Help: lines("Create a constraint to move resource. If --node is specified,", "the constraint will be to move to that node, otherwise it", "will be to ban the current node. Unless --force is specified", "this will return an error if the resource is already running", "on the specified node. If --force is specified, this will", "always ban the current node.", "Optional: --lifetime, --promoted. NOTE: This may prevent the", "resource from running on its previous location until the", "implicit constraint expires or is removed with --clear.")},
		{Long: "ban", Short: 'B', Flags: goption.NoArg, Dest: o.choose(ban), Help: lines("Create a constraint to keep resource off a node.", "Optional: --node, --lifetime, --promoted.", "NOTE: This will prevent the resource from running on the", "affected node until the implicit constraint expires or is", "removed with --clear. If --node is not specified, it defaults", "to the node currently running the resource for primitives", "and groups, or the promoted instance of promotable clones with", "promoted-max=1 (all other situations result in an error as", "there is no sane default).")},
		{Long: "clear", Short: 'U', Flags: goption.NoArg, Dest: o.choose(clearAll), Help: lines("Remove all constraints created by the --ban and/or --move", "commands. Requires: --resource. Optional: --node, --promoted,", "--expired. If --node is not specified, all constraints created", "by --ban and --move will be removed for the named resource. If", "--node and --force are specified, any constraint created by", "--move will be cleared, even if it is not for the specified", "node. If --expired is specified, only those constraints whose", "lifetimes have expired will be removed.")},
		{Long: "expired", Short: 'e', Flags: goption.NoArg, Dest: goption.Callback(o.setExpired), Help: lines("Modifies the --clear argument to remove constraints with", "expired lifetimes.")},
		{Long: "lifetime", Short: 'u', Dest: &o.lifetime, Arg: "TIMESPEC", Help: lines("Lifespan (as ISO 8601 duration) of created constraints (with", "-B, -M) see https://en.wikipedia.org/wiki/ISO_8601#Durations)")},
		{Long: "promoted", Dest: &o.promoted, Help: lines("Limit scope of command to promoted role (with -B, -M, -U). For", "-B and -M, previously promoted instances may remain", "active in the unpromoted role.")},
		{Long: "master", Dest: &o.promoted, Help: "Deprecated: Use --promoted instead"},
	}
}

// advanced are the commands for administrators who know what they do.
func (o *options) advanced() []goption.Entry {
	return []goption.Entry{
		{Long: "delete", Short: 'D', Flags: goption.NoArg, Dest: o.choose(remove), Help: "(Advanced) Delete a resource from the CIB. Required: -t"},
		{Long: "fail", Short: 'F', Flags: goption.NoArg, Dest: o.choose(fail), Help: "(Advanced) Tell the cluster this resource has failed"},
		{Long: "restart", Flags: goption.NoArg, Dest: o.choose(restart), Help: lines("(Advanced) Tell the cluster to restart this resource and", "anything that depends on it")},
		{Long: "wait", Flags: goption.NoArg, Dest: o.choose(wait), Help: "(Advanced) Wait until the cluster settles into a stable state"},
		{Long: "digests", Flags: goption.NoArg, Dest: o.choose(digests), Help: lines("(Advanced) Show parameter hashes that Pacemaker uses to detect", "configuration changes (only accurate if there is resource", "history on the specified node). Required: --resource, --node.", "Optional: any NAME=VALUE parameters will be used to override", "the configuration (to see what the hash would be with those", "changes).")},
		{Long: "force-demote", Flags: goption.NoArg, Dest: o.choose(execute), Help: lines("(Advanced) Bypass the cluster and demote a resource on the local", "node. Unless --force is specified, this will refuse to do so if", "the cluster believes the resource is a clone instance already", "running on the local node.")},
		{Long: "force-stop", Flags: goption.NoArg, Dest: o.choose(execute), Help: "(Advanced) Bypass the cluster and stop a resource on the local node"},
		{Long: "force-start", Flags: goption.NoArg, Dest: o.choose(execute), Help: lines("(Advanced) Bypass the cluster and start a resource on the local", "node. Unless --force is specified, this will refuse to do so if", "the cluster believes the resource is a clone instance already", "running on the local node.")},
		{Long: "force-promote", Flags: goption.NoArg, Dest: o.choose(execute), Help: lines("(Advanced) Bypass the cluster and promote a resource on the local", "node. Unless --force is specified, this will refuse to do so if", "the cluster believes the resource is a clone instance already", "running on the local node.")},
		{Long: "force-check", Flags: goption.OptionalArg, Dest: o.choose(execute), Arg: "LEVEL", Help: lines("(Advanced) Bypass the cluster and check the state of a resource on", "the local node. An optional LEVEL argument can be given", "to control the level of checking performed.")},
	}
}

// additional are the options of the commands.
func (o *options) additional() []goption.Entry {
	return []goption.Entry{
		{Long: "node", Short: 'N', Dest: &o.node, Arg: "NAME", Help: "Node name"},
		{Long: "recursive", Dest: &o.recursive, Help: "Follow colocation chains when using --set-parameter or --constraints"},
		{Long: "resource-type", Short: 't', Dest: &o.element, Arg: "ELEMENT", Help: "Resource XML element (primitive, group, etc.) (with -D)"},
		{Long: "parameter-value", Short: 'v', Dest: &o.value, Arg: "PARAM", Help: "Value to use with -p"},
		{Long: "meta", Short: 'm', Flags: goption.NoArg, Dest: o.kindOf("meta_attributes"), Help: lines("Use resource meta-attribute instead of instance attribute", "(with -p, -g, -d)")},
		{Long: "utilization", Short: 'z', Flags: goption.NoArg, Dest: o.kindOf("utilization"), Help: lines("Use resource utilization attribute instead of instance attribute", "(with -p, -g, -d)")},
		{Long: "operation", Short: 'n', Dest: &o.operation, Arg: "OPERATION", Help: "Operation to clear instead of all (with -C -r)"},
		{Long: "interval", Short: 'I', Dest: &o.interval, Arg: "N", Help: "Interval of operation to clear (default 0) (with -C -r -n)"},
		{Long: "class", Dest: o.config(&o.class), Arg: "CLASS", Help: lines("The standard the resource agent conforms to (for example, ocf).", "Use with --agent, --provider, --option, and --validate.")},
		{Long: "agent", Dest: o.config(&o.agent), Arg: "AGENT", Help: lines("The agent to use (for example, IPaddr). Use with --class,", "--provider, --option, and --validate.")},
		{Long: "provider", Dest: o.config(&o.provider), Arg: "PROVIDER", Help: lines("The vendor that supplies the resource agent (for example,", "heartbeat). Use with --class, --agent, --option, and --validate.")},
		{Long: "option", Dest: goption.Callback(o.option), Arg: "PARAM", Help: lines("Specify a device configuration parameter as NAME=VALUE (may be", "specified multiple times). Use with --validate and without the", "-r option.")},
		{Long: "set-name", Short: 's', Dest: &o.set, Arg: "ID", Help: "(Advanced) XML ID of attributes element to use (with -p, -d)"},
		{Long: "nvpair", Short: 'i', Dest: &o.pair, Arg: "ID", Help: "(Advanced) XML ID of nvpair element to use (with -p, -d)"},
		{Long: "timeout", Short: 'T', Dest: goption.Callback(o.setTimeout), Arg: "N", Help: lines("(Advanced) Abort if command does not finish in this time (with", "--restart, --wait, --force-*)")},
		{Long: "force", Short: 'f', Dest: &o.force, Help: lines("If making CIB changes, do so regardless of quorum. See help for", "individual commands for additional behavior.")},
		{Long: "xml-file", Short: 'x', Flags: goption.Hidden, Dest: &o.xmlFile, Arg: "FILE"},
		{Long: "host-uname", Short: 'H', Flags: goption.Hidden, Dest: &o.node, Arg: "HOST"},
	}
}

const description = `Examples:

List the available OCF agents:

	# crm_resource --list-agents ocf

List the available OCF agents from the linux-ha project:

	# crm_resource --list-agents ocf:heartbeat

Move 'myResource' to a specific node:

	# crm_resource --resource myResource --move --node altNode

Allow (but not force) 'myResource' to move back to its original location:

	# crm_resource --resource myResource --clear

Stop 'myResource' (and anything that depends on it):

	# crm_resource --resource myResource --set-parameter target-role --meta --parameter-value Stopped

Tell the cluster not to manage 'myResource' (the cluster will not attempt to start or stop the
resource under any circumstances; useful when performing maintenance tasks on a resource):

	# crm_resource --resource myResource --set-parameter is-managed --meta --parameter-value false

Erase the operation history of 'myResource' on 'aNode' (the cluster will 'forget' the existing
resource state, including any errors, and attempt to recover theresource; useful when a resource
had failed permanently and has been repaired by an administrator):

	# crm_resource --resource myResource --cleanup --node aNode

`
