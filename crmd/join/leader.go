package join

import (
	"fmt"
	"slices"
	"strings"
)

// Leader is the DC's side of joining. It is owned by the controller's loop.
type Leader struct {
	self     string
	features string

	round    int
	phases   map[string]Phase // by name in lower case
	names    map[string]string
	seq      uint64 // membership event that offers were based on
	told     uint64 // newest membership event that a new offer was asked for
	best     Generation
	bestFrom string // node with it, empty while nobody asked
}

// NewLeader returns a Leader for the node self.
func NewLeader(self, features string) *Leader {
	return &Leader{self: self, features: features, phases: map[string]Phase{}, names: map[string]string{}}
}

// Round is the number of the current round.
func (l *Leader) Round() int { return l.round }

// Seq is the membership event that the offers were based on.
func (l *Leader) Seq() uint64 { return l.seq }

// Best is the node whose CIB is the newest of those who asked.
func (l *Leader) Best() (node string, g Generation) { return l.bestFrom, l.best }

// Phase returns how far a node has come.
func (l *Leader) Phase(name string) Phase { return l.phases[strings.ToLower(name)] }

// Set notes how far a node has come. A node advances by one step at a time or
// falls back to None or Nack; anything else is refused with an error
// (crm_update_peer_join).
func (l *Leader) Set(name string, p Phase) error {
	last := l.Phase(name)
	if p == last {
		return nil
	}
	if p > None && p != last+1 {
		return fmt.Errorf("join-%d: node %s cannot go from %s to %s", l.round, name, last, p)
	}
	l.phases[strings.ToLower(name)], l.names[strings.ToLower(name)] = p, name
	return nil
}

// Forget drops a node that is no more.
func (l *Leader) Forget(name string) {
	delete(l.phases, strings.ToLower(name))
	delete(l.names, strings.ToLower(name))
}

// Count returns how many nodes are in a phase.
func (l *Leader) Count(p Phase) int { return len(l.In(p)) }

// In returns the nodes in a phase, by name.
func (l *Leader) In(p Phase) []string {
	var out []string
	for k, q := range l.phases {
		if q == p {
			out = append(out, l.names[k])
		}
	}
	slices.Sort(out)
	return out
}

// Report describes the phases of all nodes, for the log.
func (l *Leader) Report() []string {
	var out []string
	for k, p := range l.phases {
		out = append(out, fmt.Sprintf("join-%d: %s=%s", l.round, l.names[k], p))
	}
	slices.Sort(out)
	return out
}

// Offer is what an offering leads to.
type Offer struct {
	To      []string // offer membership to these
	Skipped []string // why others got none, for the log
	Down    []string // nodes to be expected down: never seen here, so fenced if something is active there
}

// OfferAll begins a new round with everybody (A_DC_JOIN_OFFER_ALL).
func (l *Leader) OfferAll(m Members) Offer {
	l.round++
	for k := range l.phases {
		l.phases[k] = None
	}
	l.best, l.bestFrom = Generation{}, ""
	var o Offer
	for _, p := range m.Peers {
		l.offer(&o, p, m.Seq, false)
	}
	return o
}

// OfferMissing offers to who was not offered yet in this round
// (A_DC_JOIN_OFFER_ONE without a node).
func (l *Leader) OfferMissing(m Members) Offer {
	var o Offer
	for _, p := range m.Peers {
		l.offer(&o, p, m.Seq, true)
	}
	return o
}

// OfferOne offers to one node that showed up, and to this one again, so that
// its CIB is compared too (A_DC_JOIN_OFFER_ONE).
func (l *Leader) OfferOne(m Members, name string) Offer {
	var o Offer
	for _, n := range []string{name, l.self} {
		p := Peer{Name: n}
		if i := slices.IndexFunc(m.Peers, func(p Peer) bool { return same(p.Name, n) }); i >= 0 {
			p = m.Peers[i]
		}
		l.offer(&o, p, m.Seq, false)
		if same(name, l.self) {
			break
		}
	}
	return o
}

func (l *Leader) offer(o *Offer, p Peer, seq uint64, onlyNew bool) {
	switch {
	case !p.Active:
		name := p.Name
		if name == "" {
			name = "with unknown name"
		}
		o.Skipped = append(o.Skipped, fmt.Sprintf("Not making join-%d offer to inactive node %s", l.round, name))
		if p.Lost && p.Name != "" {
			o.Down = append(o.Down, p.Name)
		}
		if p.Name != "" && !onlyNew {
			_ = l.Set(p.Name, None)
		}
		return
	case p.Name == "":
		o.Skipped = append(o.Skipped, fmt.Sprintf("Not making join-%d offer to a node with unknown name", l.round))
		return
	}
	l.seq = seq
	if onlyNew && l.Phase(p.Name) > None {
		o.Skipped = append(o.Skipped, fmt.Sprintf("Not making join-%d offer to already known node %s (%s)", l.round, p.Name, l.Phase(p.Name)))
		return
	}
	_ = l.Set(p.Name, None) // falling back is always allowed, and one step forward
	_ = l.Set(p.Name, Welcomed)
	o.To = append(o.To, p.Name)
}

// Request is a node's answer to an offer.
type Request struct {
	From     string
	Active   bool // member, as this node sees it
	Round    int
	Features string
	CIB      *Generation // nil when it did not say
	Ref      string      // reference of the message, for the log
}

// Verdict is what became of a request or a confirmation.
type Verdict struct {
	Accepted bool
	Ignored  bool   // of another round or out of turn: nothing changed
	Severe   bool   // the reason deserves an error in the log
	Reason   string // for the log
}

// Request takes a node's answer (A_DC_JOIN_PROCESS_REQ). A refused node is in
// phase Nack and must be expected not to be a member.
func (l *Leader) Request(r Request) Verdict {
	if r.Round != l.round {
		return Verdict{Ignored: true, Reason: fmt.Sprintf("Ignoring join-%d request from %s because we are on join-%d", r.Round, r.From, l.round)}
	}
	refuse := func(format string, args ...any) Verdict {
		_ = l.Set(r.From, Nack)
		return Verdict{Severe: true, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case !r.Active:
		return refuse("Rejecting join-%d request from inactive node %s | ref=%s", r.Round, r.From, r.Ref)
	case r.CIB == nil:
		return refuse("Rejecting invalid join-%d request from node %s missing CIB generation | ref=%s", r.Round, r.From, r.Ref)
	case r.Features == "" || !Compatible(l.features, r.Features):
		features := r.Features
		if features == "" {
			features = "pre-3.1.0"
		}
		return refuse("Rejecting join-%d request from node %s because feature set %s is incompatible with ours (%s) | ref=%s",
			r.Round, r.From, features, l.features, r.Ref)
	}
	v := Verdict{Accepted: true, Reason: fmt.Sprintf("Accepting join-%d request from %s | ref=%s", r.Round, r.From, r.Ref)}
	age := l.best.Compare(*r.CIB)
	switch {
	case l.bestFrom == "":
		v.Reason = fmt.Sprintf("Accepting join-%d request from %s (with first CIB generation) | ref=%s", r.Round, r.From, r.Ref)
		l.best, l.bestFrom = *r.CIB, r.From
	case age < 0, age == 0 && same(r.From, l.self):
		v.Reason = fmt.Sprintf("Accepting join-%d request from %s (with better CIB generation than current best from %s) | ref=%s",
			r.Round, r.From, l.bestFrom, r.Ref)
		l.best, l.bestFrom = *r.CIB, r.From
	}
	if err := l.Set(r.From, Integrated); err != nil {
		v.Severe, v.Reason = true, err.Error()
	}
	return v
}

// Accept says that a node is told of its membership, once the CIB is the same
// everywhere (finalize_join_for).
func (l *Leader) Accept(name string) error { return l.Set(name, Finalized) }

// Confirm takes a node's confirmation (A_DC_JOIN_PROCESS_ACK).
func (l *Leader) Confirm(from string, round int) Verdict {
	if p := l.Phase(from); p != Finalized {
		return Verdict{Ignored: true, Reason: fmt.Sprintf("Ignoring out-of-sequence join-%d confirmation from %s (currently %s not %s)", round, from, p, Finalized)}
	}
	if round != l.round {
		_ = l.Set(from, Nack)
		return Verdict{Severe: true, Reason: fmt.Sprintf("Rejecting join-%d confirmation from %s because currently on join-%d", round, from, l.round)}
	}
	_ = l.Set(from, Confirmed)
	return Verdict{Accepted: true}
}

// Stage is what the controller is doing when it asks for progress.
type Stage uint8

const (
	Elsewhere   Stage = iota // in another state
	Integrating              // S_INTEGRATION
	Finalizing               // S_FINALIZE_JOIN
)

// Progress is how a round stands.
type Progress uint8

const (
	Waiting       Progress = iota // somebody has not answered
	NewMembership                 // the membership changed since the offers: offer to who is missing
	AllIntegrated                 // all asked: go on to finalize
	NoCIB                         // finalizing waits for the CIB
	AllConfirmed                  // all are members: the round is over
)

// Check says how the round stands (check_join_state). haveCIB: our CIB is the
// one that all go on with.
func (l *Leader) Check(stage Stage, seq uint64, haveCIB bool) Progress {
	switch {
	case l.seq != seq:
		if l.told < seq { // ask once for each event
			l.told = seq
			return NewMembership
		}
	case stage == Integrating && l.Count(Welcomed) == 0:
		return AllIntegrated
	case stage == Finalizing && !haveCIB:
		return NoCIB
	case stage == Finalizing && l.Count(Welcomed)+l.Count(Integrated)+l.Count(Finalized) == 0:
		return AllConfirmed
	}
	return Waiting
}
