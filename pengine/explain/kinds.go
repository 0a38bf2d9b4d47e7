package explain

import "strings"

// Kind is a kind of reason. Text, XML, JSON and docs/explain.md derive from the
// one table below.
type Kind uint8

// The kinds of reasons.
const (
	NodeOffline Kind = iota
	NodeUnclean
	NodeUnseen
	NodeShutdown
	NodePending
	NodeStandby
	NodeStandbyOnFail
	NodeMaintenance
	NodePing
	NotAllowed
	NodeScore
	Location
	LocationRule
	Health
	Stickiness
	With
	Apart
	Elsewhere
	NotRunningWith
	Company
	Member
	MemberCompany
	Container
	Promotion
	Failures
	OnFail
	NotHere
	HardError
	FatalError
	StopFailed
	TargetRole
	NoTicket
	TicketStandby
	TicketLost
	Undiscovered
	RemoteNode
	Locked
	CloneMax
	NodeMax
	CloneBan
	CloneScore
	Capacity
	Orphan
	ActiveUnmanaged
	MultipleActive
	FailStop
	ChosenBest
	ChosenOnly
	ChosenActive
	ChosenLoad
	ChosenRoom
	ChosenName
	ChosenStay
	ChosenUnmanaged
	PromotedBest
	PromotedMax
	PromotedNodeMax
	PromotionNegative
	PromotionNone
	TargetUnpromoted
	IsUnmanaged
	MaintenanceMode
	ResourceMaintenance
	NoFencing
	Blocked
	BlockedFailure
	StopAll
	NoQuorum
	WaitsForFencing
	CannotFence
	WaitsForStop
	WaitsForOrder
	WaitsFor
	NoPartner
	InFlight
	Migrating
	Moves
	Recovers
	Planned
	RuleChanges
	Kinds // how many there are
)

// Info is what is known of a kind.
type Info struct {
	Name string // in XML, JSON and the documentation
	Text string // for people: {field} stands for a field of the finding, [...] is left out when a field in it is empty
	Help string // what it means and what can be done about it
}

// Info returns what is known of a kind.
func (k Kind) Info() Info { return infos()[k] }

// String is the name of a kind.
func (k Kind) String() string { return k.Info().Name }

func infos() *[Kinds]Info {
	t := [Kinds]Info{}
	nodeKinds(&t)
	scoreKinds(&t)
	banKinds(&t)
	choiceKinds(&t)
	stateKinds(&t)
	return &t
}

func nodeKinds(t *[Kinds]Info) {
	t[NodeOffline] = Info{"node-offline", "{node} is offline", "The node is not a member of the cluster. Start the cluster on it."}
	t[NodeUnclean] = Info{"node-unclean", "{node} is unclean: it counts as running anything until it is fenced",
		"The node was lost, or something on it failed, so that only fencing makes sure of what it does."}
	t[NodeUnseen] = Info{"node-unseen", "{node} has not been seen since the cluster started", "Nothing is known about the node; with startup-fencing it is fenced first."}
	t[NodeShutdown] = Info{"node-shutdown", "{node} is shutting down", "The node asked to leave the cluster; what runs there moves away."}
	t[NodePending] = Info{"node-pending", "{node} is joining and not ready yet", "The node is known but its controller has not joined; this should pass within seconds."}
	t[NodeStandby] = Info{"node-standby", "{node} is on standby[ ({id})]", "An administrator set the node attribute standby; unset it to let the node run resources."}
	t[NodeStandbyOnFail] = Info{"node-standby-on-fail", "{node} is on standby because[ {op} of {rsc} failed there,] an operation with on-fail=standby",
		"Clear the failure once its cause is mended."}
	t[NodeMaintenance] = Info{"node-maintenance", "{node} is in maintenance: nothing is started or stopped there[ ({id})]", "An administrator set the node attribute maintenance."}
	t[NodePing] = Info{"node-ping", "{node} is a node of type {value}, which runs no resources", "Old configurations name ping nodes."}
	t[NotAllowed] = Info{"not-allowed", "nothing allows it there (symmetric-cluster=false, or no discovery there)",
		"In an opt-in cluster a resource runs only where a location constraint names the node."}
}

func scoreKinds(t *[Kinds]Info) {
	t[NodeScore] = Info{"node-score", "score of the node itself", "The node's entry in the configuration has a score, or it cannot be reached yet."}
	t[Location] = Info{"location", "location constraint {id}", "A location constraint gives this node a score; minus infinity is a ban."}
	t[LocationRule] = Info{"location-rule", "rule {id} of location constraint {of}[ (may change at {until})]", "A rule of a location constraint holds for this node now."}
	t[Health] = Info{"health", "health of {node}[: {value}] (node-health-strategy={id})", "Node attributes that begin with #health tell how the node is; the strategy makes scores of them."}
	t[Stickiness] = Info{"stickiness", "stickiness: it is active there", "resource-stickiness keeps a resource where it is."}
	t[With] = Info{"with", "colocation {id}: with {rsc}[ as {role}], which goes there", "It prefers to be where the other resource is."}
	t[Apart] = Info{"apart", "colocation {id}: apart from {rsc}[ as {role}], which goes there", "It is to avoid, or must not be, where the other resource is."}
	t[Elsewhere] = Info{"elsewhere", "colocation {id}: it must be with {rsc}[ as {role}], which goes to {value}", "A mandatory colocation: it can only be where the other resource is. Ask about that one."}
	t[NotRunningWith] = Info{"with-not-running", "colocation {id}: it must be with {rsc}[ as {role}], which runs nowhere", "A mandatory colocation with something that has no place. Ask about that one."}
	t[Company] = Info{"company", "colocation {id}: what {rsc} thinks, which is to be with it", "What others that are to be with it think of the node counts, in proportion to the colocation's score."}
	t[Member] = Info{"member", "its group stays together, and {rsc} {value}", "The members of a group go where the first one goes. Ask about the group."}
	t[MemberCompany] = Info{"member-company", "what group member {rsc} thinks", "The wishes of all members of a group, such as their stickiness, count for the first."}
	t[Container] = Info{"container", "{value}", "A resource in a container, and what belongs to a bundle, goes where the container is."}
	t[Promotion] = Info{"promotion-score", "promotion score[ (node attribute {id})][: {value}]", "The resource agent says how much the instance is worth promoting there."}
	t[CloneScore] = Info{"clone-score", "what {rsc} as a whole thinks of {node}", "Location constraints and colocations of the clone count for which instance is promoted."}
}

func banKinds(t *[Kinds]Info) {
	t[Failures] = Info{"fail-limit", "fail-count {count} there has reached migration-threshold {limit}[; it expires at {until}]",
		"It failed there too often. Mend the cause and clear the failure; with failure-timeout it is forgotten by itself."}
	t[OnFail] = Info{"on-fail-migrate", "[{op} failed there[ ({value})]; ]its on-fail moves it away", "The operation's on-fail does not allow it to stay where it failed. Clear the failure."}
	t[NotHere] = Info{"not-here", "a probe there said[ \"{value}\"]: it cannot run there", "What the resource needs is not installed or not configured on that node. Mend it and clear the failure."}
	t[HardError] = Info{"hard-error", "[{op} failed there[ ({value})], ]an error that trying again there does not mend",
		"Some results, such as \"not installed\", rule a node out until the failure is cleared."}
	t[FatalError] = Info{"fatal-error", "[{op}[ on {of}] failed[ ({value})], ]an error that no node can mend", "The configuration of the resource is wrong. Mend it and clear the failure."}
	t[StopFailed] = Info{"stop-failed", "it could not be stopped there[ ({value})]", "After a failed stop the resource may still be active. With fencing the node is fenced; else mend it by hand and clear the failure."}
	t[TargetRole] = Info{"target-role", "target-role={value} of {rsc}[ ({id})]", "The configuration wants it stopped."}
	t[NoTicket] = Info{"no-ticket", "ticket {rsc}[ of constraint {id}] is not granted", "It may run only where a ticket is granted."}
	t[TicketStandby] = Info{"ticket-standby", "ticket {rsc}[ of constraint {id}] is on standby", "The ticket is granted but being given away."}
	t[TicketLost] = Info{"ticket-lost", "ticket {rsc}[ of constraint {id}] was lost", "The ticket is not granted any more while the resource was active; loss-policy says what follows."}
	t[Undiscovered] = Info{"undiscovered", "a constraint with resource-discovery=exclusive names other nodes", "The resource is only looked for, and only runs, on the nodes of such constraints."}
	t[RemoteNode] = Info{"remote-node", "it cannot run on remote or guest nodes", "Fence devices and connections to remote nodes run on cluster nodes alone."}
	t[Locked] = Info{"shutdown-lock", "it is locked to {value}, which was shut down cleanly[, until {until}]", "shutdown-lock keeps resources from moving while their node restarts."}
	t[CloneMax] = Info{"clone-max", "every instance has a place already; there are to be {limit}", "The clone is not to have more instances."}
	t[NodeMax] = Info{"clone-node-max", "as many instances are there as may be (clone-node-max={limit})", "Another instance of the same clone runs there."}
	t[CloneBan] = Info{"clone-ban", "the clone as a whole is kept off the node", "What keeps the clone off the node is told about the clone."}
	t[Capacity] = Info{"capacity", "{node} has too little left: {value}", "With the placement-strategy set, a node must have room for what the resource needs, and for what must be with it."}
	t[Orphan] = Info{"orphan", "it is not in the configuration any more", "Resources that were removed from the configuration are stopped (stop-orphan-resources)."}
	t[ActiveUnmanaged] = Info{"active-unmanaged", "it is active there, and not managed", "An unmanaged resource stays where it is."}
	t[MultipleActive] = Info{"multiple-active", "it was active on several nodes, and multiple-active=stop_only", "It stays stopped until someone clears the history."}
	t[FailStop] = Info{"on-fail-stop", "[{op}[ on {of}] failed[ ({value})], ]an operation with on-fail=stop", "It stays stopped everywhere until the failure is cleared."}
}

func choiceKinds(t *[Kinds]Info) {
	t[ChosenBest] = Info{"chosen-score", "chosen: the highest score[, {value} more than {of}]", "The node with the highest score wins."}
	t[ChosenOnly] = Info{"chosen-only", "chosen: the only node that may run it", "No other node is both usable and allowed."}
	t[ChosenActive] = Info{"chosen-active", "chosen: as good as {of}, and it is active there", "Of equal nodes the one where it is active wins."}
	t[ChosenLoad] = Info{"chosen-load", "chosen: as good as {of}, with fewer resources ({count} to {limit})", "Of equal nodes the one to which fewer resources were assigned by then wins."}
	t[ChosenRoom] = Info{"chosen-room", "chosen: as good as {of}, with more room left", "With placement-strategy=balanced, the node with more capacity left wins."}
	t[ChosenName] = Info{"chosen-name", "chosen: as good as {of}, and first by name", "When nothing else tells nodes apart, the first by name wins."}
	t[ChosenStay] = Info{"chosen-stay", "chosen: the instance stays where it is", "Instances of a clone that are active keep their node as long as it is good for one."}
	t[ChosenUnmanaged] = Info{"chosen-unmanaged", "it stays as it is: it is not managed", "The cluster does not decide about unmanaged resources."}
	t[PromotedBest] = Info{"promoted", "promoted: its promotion score {value} is among the {limit} best", "The instances with the highest promotion scores are promoted, promoted-max of them."}
	t[PromotedMax] = Info{"promoted-max", "not promoted: promoted-max={limit} with higher scores are (its promotion score is {value})", "Enough instances are promoted."}
	t[PromotedNodeMax] = Info{"promoted-node-max", "not promoted: as many instances there are promoted as may be (promoted-node-max={limit})", "Another instance on the same node is promoted."}
	t[PromotionNegative] = Info{"promotion-negative", "not promoted: its promotion score is {value}", "An instance with a negative promotion score is not promoted."}
	t[PromotionNone] = Info{"promotion-none", "not promoted: there is no promotion score for it there", "The agent has not told a promotion score (crm_attribute --promotion), so the instance is not promoted by itself."}
	t[TargetUnpromoted] = Info{"target-unpromoted", "not promoted: target-role=Unpromoted of {rsc}[ ({id})]", "The configuration does not want it promoted."}
}

func stateKinds(t *[Kinds]Info) {
	t[IsUnmanaged] = Info{"unmanaged", "{rsc} is not managed: is-managed=false[ ({id})]", "The cluster leaves it alone. Set is-managed to true, or remove it."}
	t[MaintenanceMode] = Info{"maintenance-mode", "the cluster is in maintenance: maintenance-mode=true[ ({id})]", "The cluster starts and stops nothing."}
	t[ResourceMaintenance] = Info{"resource-maintenance", "{rsc} is in maintenance: maintenance=true[ ({id})]", "The cluster neither starts, stops nor monitors it."}
	t[NoFencing] = Info{"no-fencing", "stonith-enabled is true and there is no fence device: nothing is started", "Configure a fence device (or, for a test, stonith-enabled=false)."}
	t[Blocked] = Info{"blocked", "{rsc} is blocked: the cluster does not touch it", "A failure with on-fail=block, several active copies with multiple-active=block, or a lost ticket with loss-policy=freeze."}
	t[BlockedFailure] = Info{"blocked-failure", "{rsc} is blocked since {op} failed on {node}[ ({value})]; clear the failure when it is mended",
		"After such a failure (most often a stop without fencing, or on-fail=block) nobody but an administrator can tell how the resource is."}
	t[StopAll] = Info{"stop-all", "stop-all-resources=true[ ({id})]", "Everything is to be stopped."}
	t[NoQuorum] = Info{"no-quorum", "the partition has no quorum, and no-quorum-policy={value}", "Without quorum nothing is started, unless no-quorum-policy says otherwise."}
	t[WaitsForFencing] = Info{"waits-for-fencing", "it waits until {node} is fenced[ ({value})]", "Before it can be started elsewhere, the node on which it may be active is fenced."}
	t[CannotFence] = Info{"cannot-fence", "{node} would have to be fenced, and cannot be: {value}", "Without fencing nobody knows whether the node still runs it. When the node is surely off: stonith_admin --confirm NODE."}
	t[WaitsForStop] = Info{"waits-for-stop", "{rsc} must be stopped on {node} first, which is not possible", "The node on which it is active cannot stop it."}
	t[WaitsForOrder] = Info{"waits-for-order", "order {id}: {op} of {rsc} must come first, which is not possible", "An ordering constraint names something that is not going to happen. Ask about that resource."}
	t[WaitsFor] = Info{"waits-for", "{op} of {rsc} must come first, which is not possible", "What belongs together (group members, containers, clones) starts in order. Ask about that resource."}
	t[NoPartner] = Info{"no-partner", "[constraint {id}: ]where it could be there is no instance of {rsc}, and interleave wants one",
		"Each instance of an interleaved clone needs its partner of the other clone on the same node. Ask about that clone."}
	t[InFlight] = Info{"in-flight", "{op} of {rsc} is under way on {node}", "An operation has been started and has not ended."}
	t[Migrating] = Info{"migrating", "a live migration of {rsc} from {of} to {node} is under way", "The cluster goes on with the migration, or recovers from it."}
	t[Moves] = Info{"moves", "{rsc} moves from {of} to {node}", "The place that is best now is not where it is; the cluster is about to move it."}
	t[Recovers] = Info{"recovers", "{op} of {rsc} failed on {node}[ ({value})]: it is recovered", "A failure that does not rule the node out: it is stopped and started."}
	t[Planned] = Info{"planned", "{op} of {rsc} is about to happen[ {value}]", "The cluster is about to restart, reload, promote or demote it in place."}
	t[RuleChanges] = Info{"rule-changes", "rule {id} of location constraint {of} decides otherwise from {until}", "A rule with dates; before then it says nothing about any node."}
}

// Find returns the kind of that name.
func Find(name string) (Kind, bool) {
	for k, i := range infos() {
		if strings.EqualFold(i.Name, name) {
			return Kind(k), true
		}
	}
	return 0, false
}
