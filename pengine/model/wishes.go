package model

import "github.com/pacesync/pacesync/internal/score"

// Location is a location constraint, configured or of the engine's own.
type Location struct {
	ID       string
	Rsc      *Resource
	Role     Role // Unknown: any
	Discover Discover
	Nodes    []NodeScore
	Of       string // id of the constraint, when ID is that of one of its rules
	Health   bool   // of the engine's own, for the health of nodes
	Until    int64  // when the rule may decide otherwise, 0 for never
}

// NodeScore is a node and a score for it.
type NodeScore struct {
	Node  *Node
	Score score.Score
}

// Colocation is a colocation constraint.
type Colocation struct {
	ID                         string
	Dependent, Primary         *Resource
	DependentRole, PrimaryRole Role
	Score                      score.Score
	NodeAttr                   string // empty: the node itself
	Influence                  bool
}

// HasInfluence says whether the dependent's wishes count for where the primary
// goes; r is the primary or an instance of it (pcmk__colocation_has_influence).
func (c *Colocation) HasInfluence(r *Resource) bool {
	if r == nil {
		r = c.Primary
	}
	if c.Dependent.Is(AllowRemoteRemotes) && !r.Is(Failed) && len(r.RunningOn) == 1 {
		return false
	}
	return c.Influence || len(r.RunningOn) == 0
}

// Ordering is an order between actions that may not exist yet.
type Ordering struct {
	ID                string // CIB id, empty for the engine's own
	Type              Order
	FirstRsc, ThenRsc *Resource
	FirstKey, ThenKey string
	First, Then       *Action
}

// LossPolicy is what happens to a resource whose ticket is lost.
type LossPolicy uint8

// The policies.
const (
	LossStop LossPolicy = iota
	LossDemote
	LossFence
	LossFreeze
)

// TicketUse is a ticket constraint.
type TicketUse struct {
	ID     string
	Rsc    *Resource
	Ticket *Ticket
	Loss   LossPolicy
	Role   Role
}

// NotifyData holds the points around an action of a clone at which its instances
// are notified, and what they are told.
type NotifyData struct {
	Action                       string
	Pre, PreDone, Post, PostDone *Action
	Stop, Start, Demote, Promote []NotifyEntry
	Promoted, Unpromoted         []NotifyEntry
	Active, Inactive             []NotifyEntry
	Allowed                      *Table
	Keys                         []Pair // newest last
}

// NotifyEntry is a resource and the node it is on, nil for none.
type NotifyEntry struct {
	Rsc  *Resource
	Node *Node
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// Cause is why the constraint is there.
func (l *Location) Cause() Cause {
	if l.Health {
		return CauseHealth
	}
	return CauseLocation
}
