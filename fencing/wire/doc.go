// Package wire holds the messages of the fencer: between its clients and it
// (IPC service stonith-ng) and between the fencers of a cluster (process group
// stonith-ng). A message is read once, at the edge, into typed values.
//
// The fencer, its client package and stonith_admin use it. It replaces the XML
// code of lib/fencing/st_client.c and daemons/fenced/fenced_{commands,remote,
// history}.c. Names and orders of attributes are those of Pacemaker 2.1.5.
package wire

// ServiceName is both the IPC service and the process group.
const ServiceName = "stonith-ng"

// Operations, the values of st_op (include/crm/fencing/internal.h: STONITH_OP_*).
const (
	OpRegister      = "register"
	OpExecute       = "st_execute"
	OpTimeoutUpdate = "st_timeout_update"
	OpQuery         = "st_query"
	OpFence         = "st_fence"
	OpRelay         = "st_relay"
	OpDeviceAdd     = "st_device_register"
	OpDeviceDel     = "st_device_remove"
	OpHistory       = "st_fence_history"
	OpLevelAdd      = "st_level_add"
	OpLevelDel      = "st_level_remove"
	OpNotify        = "st_notify"
	OpPoke          = "poke"
	OpRemoveNode    = "rm_node_cache"
)

// Notifications that a client can ask for.
const (
	NotifyFence         = "st_notify_fence"
	NotifyHistory       = "st_notify_history"
	NotifyHistorySynced = "st_notify_history_synced"
	NotifyDeviceAdd     = OpDeviceAdd
	NotifyDeviceDel     = OpDeviceDel
)

// The watchdog's device and the names of its agent.
const (
	WatchdogID            = "watchdog"
	WatchdogAgent         = "fence_watchdog"
	WatchdogAgentInternal = "#watchdog"
)

// Options are the call options (stonith-ng.h: enum stonith_call_options).
type Options uint32

// The options.
const (
	Verbose           Options = 0x1
	AllowSuicide      Options = 0x2
	ManualAck         Options = 0x8
	DiscardReply      Options = 0x10
	UseTopology       Options = 0x40
	ScopeLocal        Options = 0x100
	TargetIsNodeID    Options = 0x200
	SyncCall          Options = 0x1000
	TimeoutUpdates    Options = 0x2000
	ReportOnlySuccess Options = 0x4000
	Cleanup           Options = 0x80000
	Broadcast         Options = 0x100000
)

// Has says whether all of o2 are set.
func (o Options) Has(o2 Options) bool { return o&o2 == o2 }

// State is where an operation stands (stonith-ng.h: enum op_state).
type State int

// The states.
const (
	StateQuery State = iota
	StateExec
	StateDone
	StateDuplicate
	StateFailed
)

// Pending says whether the operation is still to end.
func (s State) Pending() bool { return s != StateFailed && s != StateDone }

// String is stonith_op_state_str.
func (s State) String() string {
	switch s {
	case StateQuery:
		return "querying"
	case StateExec:
		return "executing"
	case StateDone:
		return "completed"
	case StateDuplicate:
		return "duplicate"
	case StateFailed:
		return "failed"
	}
	return "unknown"
}

// Flags say what an agent can do (internal.h: enum st_device_flags).
type Flags uint32

// The flags.
const (
	SupportsList   Flags = 1
	SupportsStatus Flags = 2
	SupportsReboot Flags = 4
	ParameterPlug  Flags = 8
	ParameterPort  Flags = 16
	SupportsOn     Flags = 32
)

// Has says whether all of f2 are set.
func (f Flags) Has(f2 Flags) bool { return f&f2 == f2 }

// Needed is the flag that a device must have for an action, 0 for none
// (fenced_support_flag).
func Needed(action string) Flags {
	if action == "on" {
		return SupportsOn
	}
	return 0
}

// Fences says whether an action takes the target down (pcmk__is_fencing_action).
func Fences(action string) bool { return action == "off" || action == "reboot" || action == "poweroff" }
