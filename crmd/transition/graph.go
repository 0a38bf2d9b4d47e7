package transition

import (
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/xmltree"
)

// Infinity is the priority of what must happen whatever failed before (INFINITY).
const Infinity = 1000000

// Kind says who carries an action out.
type Kind uint8

// The kinds of actions.
const (
	Resource Kind = iota // an executor
	Pseudo               // nobody: it marks a point in the order
	Cluster              // a controller, or the fencer
)

// Tasks that the engine knows (crm/crm.h, pcmk_scheduler.h).
const (
	taskFence       = "stonith"
	taskShutdown    = "do_shutdown"
	taskMaintenance = "maintenance_nodes"
	taskDelete      = "lrm_delete"
	taskMigrateTo   = "migrate_to"
	taskMigrateFrom = "migrate_from"
	taskCancel      = "cancel"
	taskStart       = "start"
	taskStop        = "stop"
	taskPromote     = "promote"
	taskDemote      = "demote"
)

// Agent names a resource and what runs it, as the graph describes it.
type Agent struct {
	ID, LongID, Class, Provider, Type string
}

// Action is a step of a transition. The fields up to XML are immutable after Decode;
// the rest belongs to the Engine.
type Action struct {
	ID       int
	Kind     Kind
	Task     string // operation
	OpKey    string // operation_key
	Node     string // on_node
	NodeID   string // on_node_uuid
	Router   string // router_node: the cluster node that a remote node is reached through
	Mode     string
	Timeout  time.Duration // of the action, its start delay included
	Interval uint32        // milliseconds
	TargetRC int
	Params   map[string]string // attributes, CRM_meta_* among them
	Agent    *Agent
	Downed   []string      // ids of nodes that it takes down
	XML      *xmltree.Node // as received, to be passed on; the engine does not look into it

	synapse    *Synapse
	canFail    bool
	executed   bool
	confirmed  bool
	failed     bool
	sentUpdate bool
	deadline   time.Time // when it is lost, zero while not running
}

// Meta returns a meta attribute of the action (crm_meta_value).
func (a *Action) Meta(name string) string {
	return a.Params["CRM_meta_"+strings.ReplaceAll(name, "-", "_")]
}

// Where is the cluster node whose controller the action is sent to.
func (a *Action) Where() string {
	if a.Router != "" {
		return a.Router
	}
	return a.Node
}

// Synapse is a set of actions and the ids of what must be confirmed before.
type Synapse struct {
	ID       int
	Priority int
	Actions  []*Action

	open      map[int]bool // inputs that are missing
	executed  bool
	confirmed bool
	failed    bool
}

// Graph is a transition graph under execution.
type Graph struct {
	ID             int
	Source         string        // where the input is kept, for the logs
	ClusterDelay   time.Duration // allowed on top of every timeout
	StonithTimeout time.Duration
	BatchLimit     int // 0 dynamic, -1 none
	MigrationLimit int // -1 or 0 none
	StopOffset     string
	StartOffset    string
	RecheckBy      int64
	Synapses       []*Synapse

	actions  map[int]*Action
	users    map[int][]*Synapse // by action: the synapses that wait for it
	complete bool
	abort    int // synapses below this priority are not begun
	reason   string
	next     Next

	pending, fired, skipped, completed, incomplete int
}

// Next is what follows when a transition has come to its end. A greater value wins.
type Next uint8

// What may follow a transition (pcmk__graph_next).
const (
	Done     Next = iota // nothing: the cluster is idle
	Wait                 // nothing, although not all was done
	Restart              // a new transition
	Shutdown             // this node leaves
)

func (n Next) String() string {
	switch n {
	case Done:
		return "done"
	case Wait:
		return "stop"
	case Restart:
		return "restart"
	}
	return "shutdown"
}

// blank is the graph before the first: over, and asking for a new one.
func blank() *Graph {
	return &Graph{ID: -1, Source: "unknown", complete: true, reason: "DC Takeover", next: Restart}
}

// Action returns an action by its id, nil when there is none.
func (g *Graph) Action(id int) *Action { return g.actions[id] }

// confirm spreads the end of an action over the graph (pcmk__update_graph): what waits
// for it may begin, unless it failed; what cannot wait begins all the same.
func (g *Graph) confirm(a *Action) {
	if s := a.synapse; s.executed && !s.confirmed && !s.failed {
		a.confirmed = true
		s.confirmed = true
		for _, b := range s.Actions {
			s.confirmed = s.confirmed && b.confirmed
		}
	}
	for _, s := range g.users[a.ID] {
		if !s.confirmed && !s.failed && !s.executed && (!a.failed || s.Priority == Infinity) {
			delete(s.open, a.ID)
		}
	}
}
