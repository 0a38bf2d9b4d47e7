package model

import (
	"github.com/pacesync/pacesync/internal/score"
)

// Cause says what kind of thing changed a score.
type Cause uint8

// The causes. Those with a name of the original's carry it in the comment; it is
// the id of the location that resource_location was told.
const (
	CauseNone         Cause = iota // symmetric_default, remote_connection_default: the neutral score
	CauseNode                      // the node's own score
	CauseLocation                  // a location constraint
	CauseHealth                    // the node's health
	CauseStickiness                // stickiness
	CauseColocation                // where what it is to be with (or apart from) is
	CauseCompany                   // what those that are to be with it think of nodes
	CausePromotion                 // promotion score
	CauseFailures                  // __fail_limit__
	CauseOnFail                    // __action_migration_auto__
	CauseNotHere                   // a probe found that it cannot run there
	CauseHardError                 // hard-error
	CauseFatalError                // fatal-error
	CauseStopFailed                // __stop_fail__
	CauseTargetRole                // target-role
	CauseNoTicket                  // __no_ticket__, __stateful_without_ticket__
	CauseStandby                   // __ticket_standby__
	CauseTicketLost                // __loss_of_ticket__
	CauseUndiscovered              // resource-discovery=exclusive elsewhere
	CauseRemote                    // remote nodes cannot run this
	CauseContainer                 // the node or container that it lives in
	CauseLock                      // shutdown-lock
	CauseCloneMax                  // clone:limit_reached
	CauseNodeMax                   // as many instances are there as may be
	CauseCloneBan                  // the clone as a whole is not wanted there
	CauseUnusable                  // an instance, and the node cannot run resources
	CauseCapacity                  // __limit_utilization__
	CauseOrphan                    // __orphan_do_not_run__
	CauseUnmanaged                 // not_managed_default
	CauseMultiple                  // multiple-active=stop_only
	CauseFailStop                  // on-fail=stop
	CauseWhole                     // promotion: what the clone as a whole thinks of the node
	Causes                         // how many there are
)

// Why is one change of what a resource thinks of a node. The changes of a node,
// in order, lead from 0 to its score.
type Why struct {
	Node       *Node
	Score      score.Score // what was added; a ban or a must whatever was there before
	Total      score.Score // the score after it
	Cause      Cause
	Location   *Location   // of CauseLocation and CauseHealth
	Colocation *Colocation // of CauseColocation and CauseCompany
}

// Contest is how a node was chosen.
type Contest struct {
	By     ChosenBy
	Ranked []Contender // best first
}

// Contender is a node as it was when one was chosen.
type Contender struct {
	Node   *Node
	Score  score.Score
	Usable bool
	Load   int // resources assigned to it by then
	Room   int // placement-strategy=balanced: negative if it has more room left than the chosen node
}

// ChosenBy says which of the nodes is taken.
type ChosenBy uint8

// The ways.
const (
	ByRank    ChosenBy = iota // the first of the ranked
	ByPrefer                  // the one that was asked for, which is as good as the first
	ByRunning                 // it is active there, and that is as good as the first
)

// Explain notes that a score of r was changed by s to what w holds now.
func (r *Resource) Explain(w *Weighted, s score.Score, why Why) {
	if r.Cluster.Explaining {
		why.Node, why.Score, why.Total = w.Node, s, w.Score
		r.Why = append(r.Why, why)
	}
}

// ExplainPromotion notes that what r is worth promoting on its node became total.
func (r *Resource) ExplainPromotion(total score.Score, why Why) {
	if !r.Cluster.Explaining {
		return
	}
	was := score.Score(0)
	if n := len(r.WhyPromoted); n > 0 {
		was = r.WhyPromoted[n-1].Total
	}
	if was != total {
		why.Node, why.Score, why.Total = r.Location(Planned), Difference(was, total), total
		r.WhyPromoted = append(r.WhyPromoted, why)
	}
}

// Before returns the scores of r for Explained, empty unless somebody asks why.
func (r *Resource) Before() Table {
	if !r.Cluster.Explaining {
		return Table{}
	}
	return r.Allowed.Copy()
}

// Explained notes what changed since Before, and bans of nodes that were banned
// before; banned says which nodes are, nil for none.
func (r *Resource) Explained(before *Table, why Why, banned func(*Node) bool) {
	if !r.Cluster.Explaining {
		return
	}
	for w := range r.Allowed.All {
		was := score.Score(0)
		if b := before.Get(w.Node); b != nil {
			was = b.Score
		}
		switch {
		case was != w.Score:
			r.Explain(w, Difference(was, w.Score), why)
		case w.Score <= -Inf && banned != nil && banned(w.Node):
			r.Explain(w, -Inf, why)
		}
	}
}

// Difference is what was added to a to make it b.
func Difference(a, b score.Score) score.Score {
	if b <= -Inf || b >= Inf || a <= -Inf || a >= Inf {
		return b
	}
	return b - a
}

// Weighed notes that the scores of r are now what crm_simulate shows and the choice
// is made by; what comes later has other ends.
func (r *Resource) Weighed() {
	if r.Cluster.Explaining {
		r.WeighedAt, r.IsWeighed = len(r.Why), true
		for _, k := range r.Children {
			k.Weighed()
		}
	}
}

// Entry returns the entry of a node, made with the node's own score when it is new.
func (r *Resource) Entry(n *Node) *Weighted {
	if w := r.Allowed.Get(n); w != nil {
		return w
	}
	w := r.Allowed.Ensure(n)
	if w.Score != 0 {
		r.Explain(w, w.Score, Why{Cause: CauseNode})
	}
	return w
}

// Ban adds minus infinity to what r thinks of a node that it knows.
func (r *Resource) Ban(w *Weighted, why Why) {
	w.Score = -Inf
	r.Explain(w, -Inf, why)
}
