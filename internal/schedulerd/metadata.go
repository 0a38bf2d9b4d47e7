package schedulerd

import "github.com/pacesync/pacesync/internal/optmeta"

// metadata describes the cluster options that the scheduler reads; their defaults
// are those of pengine/unpack (lib/pengine/common.c: pe_metadata).
func metadata() string {
	return optmeta.Format(program, "Pacemaker scheduler options", "Cluster options used by Pacemaker's scheduler", options())
}

func options() []optmeta.Option {
	return append(append(basicOptions(), fencingOptions()...), otherOptions()...)
}

// basicOptions decide where and whether resources run at all.
func basicOptions() []optmeta.Option {
	return []optmeta.Option{
		{Name: "no-quorum-policy", Type: "select", Default: "stop", Values: "stop, freeze, ignore, demote, suicide",
			Short: "What to do when the cluster does not have quorum"},
		{Name: "symmetric-cluster", Type: "boolean", Default: "true",
			Short: "Whether resources can run on any node by default"},
		{Name: "maintenance-mode", Type: "boolean", Default: "false",
			Short: "Whether the cluster should refrain from monitoring, starting, and stopping resources"},
		{Name: "start-failure-is-fatal", Type: "boolean", Default: "true",
			Short: "Whether a start failure should prevent a resource from being recovered on the same node",
			Long:  "When true, the cluster will immediately ban a resource from a node if it fails to start there. When false, the cluster will instead check the resource's fail count against its migration-threshold."},
		{Name: "enable-startup-probes", Type: "boolean", Default: "true",
			Short: "Whether the cluster should check for active resources during start-up"},
		{Name: "shutdown-lock", Type: "boolean", Default: "false",
			Short: "Whether to lock resources to a cleanly shut down node",
			Long:  `When true, resources active on a node when it is cleanly shut down are kept "locked" to that node (not allowed to run elsewhere) until they start again on that node after it rejoins (or for at most shutdown-lock-limit, if set). Stonith resources and Pacemaker Remote connections are never locked. Clone and bundle instances and the promoted role of promotable clones are currently never locked, though support could be added in a future release.`},
		{Name: "shutdown-lock-limit", Type: "time", Default: "0",
			Short: "Do not lock resources to a cleanly shut down node longer than this",
			Long:  "If shutdown-lock is true and this is set to a nonzero time duration, shutdown locks will expire after this much time has passed since the shutdown was initiated, even if the node has not rejoined."},
	}
}

// fencingOptions decide when nodes are fenced, and how.
func fencingOptions() []optmeta.Option {
	return []optmeta.Option{
		{Name: "stonith-enabled", Type: "boolean", Default: "true",
			Short: "*** Advanced Use Only *** Whether nodes may be fenced as part of recovery",
			Long:  `If false, unresponsive nodes are immediately assumed to be harmless, and resources that were active on them may be recovered elsewhere. This can result in a "split-brain" situation, potentially leading to data loss and/or service unavailability.`},
		{Name: "stonith-action", Type: "select", Default: "reboot", Values: "reboot, off, poweroff",
			Short: `Action to send to fence device when a node needs to be fenced ("poweroff" is a deprecated alias for "off")`},
		{Name: "stonith-timeout", Type: "time", Default: "60s",
			Short: "*** Advanced Use Only *** Unused by Pacemaker",
			Long:  "This value is not used by Pacemaker, but is kept for backward compatibility, and certain legacy fence agents might use it."},
		{Name: "have-watchdog", Type: "boolean", Default: "false",
			Short: "Whether watchdog integration is enabled",
			Long:  "This is set automatically by the cluster according to whether SBD is detected to be in use. User-configured values are ignored. The value `true` is meaningful if diskless SBD is used and `stonith-watchdog-timeout` is nonzero. In that case, if fencing is required, watchdog-based self-fencing will be performed via SBD without requiring a fencing resource explicitly configured."},
		{Name: "concurrent-fencing", Type: "boolean", Default: "false",
			Short: "Allow performing fencing operations in parallel"},
		{Name: "startup-fencing", Type: "boolean", Default: "true",
			Short: "*** Advanced Use Only *** Whether to fence unseen nodes at start-up",
			Long:  `Setting this to false may lead to a "split-brain" situation,potentially leading to data loss and/or service unavailability.`},
		{Name: "priority-fencing-delay", Type: "time", Default: "0",
			Short: "Apply fencing delay targeting the lost nodes with the highest total resource priority",
			Long:  "Apply specified delay for the fencings that are targeting the lost nodes with the highest total resource priority in case we don't have the majority of the nodes in our cluster partition, so that the more significant nodes potentially win any fencing match, which is especially meaningful under split-brain of 2-node cluster. A promoted resource instance takes the base priority + 1 on calculation if the base priority is not 0. Any static/random delays that are introduced by `pcmk_delay_base/max` configured for the corresponding fencing resources will be added to this delay. This delay should be significantly greater than, safely twice, the maximum `pcmk_delay_base/max`. By default, priority fencing delay is disabled."},
	}
}

// otherOptions bound what is done at a time, and choose how.
func otherOptions() []optmeta.Option {
	return []optmeta.Option{
		{Name: "cluster-delay", Type: "time", Default: "60s",
			Short: "Maximum time for node-to-node communication",
			Long:  `The node elected Designated Controller (DC) will consider an action failed if it does not get a response from the node executing the action within this time (after considering the action's own timeout). The "correct" value will depend on the speed and load of your network and cluster nodes.`},
		{Name: "batch-limit", Type: "integer", Default: "0",
			Short: "Maximum number of jobs that the cluster may execute in parallel across all nodes",
			Long:  `The "correct" value will depend on the speed and load of your network and cluster nodes. If set to 0, the cluster will impose a dynamically calculated limit when any node has a high load.`},
		{Name: "migration-limit", Type: "integer", Default: "-1",
			Short: "The number of live migration actions that the cluster is allowed to execute in parallel on a node (-1 means no limit)"},
		{Name: "stop-all-resources", Type: "boolean", Default: "false",
			Short: "Whether the cluster should stop all active resources"},
		{Name: "stop-orphan-resources", Type: "boolean", Default: "true",
			Short: "Whether to stop resources that were removed from the configuration"},
		{Name: "stop-orphan-actions", Type: "boolean", Default: "true",
			Short: "Whether to cancel recurring actions removed from the configuration"},
		{Name: "remove-after-stop", Type: "boolean", Default: "false",
			Short: "*** Deprecated *** Whether to remove stopped resources from the executor",
			Long:  "Values other than default are poorly tested and potentially dangerous. This option will be removed in a future release."},
		{Name: "pe-error-series-max", Type: "integer", Default: "-1",
			Short: "The number of scheduler inputs resulting in errors to save",
			Long:  "Zero to disable, -1 to store unlimited."},
		{Name: "pe-warn-series-max", Type: "integer", Default: "5000",
			Short: "The number of scheduler inputs resulting in warnings to save",
			Long:  "Zero to disable, -1 to store unlimited."},
		{Name: "pe-input-series-max", Type: "integer", Default: "4000",
			Short: "The number of scheduler inputs without errors or warnings to save",
			Long:  "Zero to disable, -1 to store unlimited."},
		{Name: "node-health-strategy", Type: "select", Default: "none", Values: "none, migrate-on-red, only-green, progressive, custom",
			Short: "How cluster should react to node health attributes",
			Long:  `Requires external entities to create node attributes (named with the prefix "#health") with values "red", "yellow", or "green".`},
		{Name: "node-health-base", Type: "integer", Default: "0",
			Short: "Base health score assigned to a node",
			Long:  "Only used when node-health-strategy is set to progressive."},
		{Name: "node-health-green", Type: "integer", Default: "0",
			Short: `The score to use for a node health attribute whose value is "green"`,
			Long:  "Only used when node-health-strategy is set to custom or progressive."},
		{Name: "node-health-yellow", Type: "integer", Default: "0",
			Short: `The score to use for a node health attribute whose value is "yellow"`,
			Long:  "Only used when node-health-strategy is set to custom or progressive."},
		{Name: "node-health-red", Type: "integer", Default: "-INFINITY",
			Short: `The score to use for a node health attribute whose value is "red"`,
			Long:  "Only used when node-health-strategy is set to custom or progressive."},
		{Name: "placement-strategy", Type: "select", Default: "default", Values: "default, utilization, minimal, balanced",
			Short: "How the cluster should allocate resources to nodes"},
	}
}
