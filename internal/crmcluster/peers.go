package crmcluster

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// State is whether a node is in the cluster.
type State uint8

// States. Unknown until the first news.
const (
	Unknown State = iota
	Member
	Gone
)

// String is the word of the original's logs and of the CIB's in_ccm.
func (s State) String() string {
	switch s {
	case Member:
		return "member"
	case Gone:
		return "lost"
	}
	return "unknown"
}

// Peer is a cluster node, as known here (cluster.h: crm_node_t).
type Peer struct {
	ID       uint32 // corosync's; 0 while only the name is known
	Name     string // empty while only the id is known
	State    State
	Online   bool   // its process is in our process group
	Expected string // for the controller: the state that it should have
	Seen     uint64 // the last membership that had it
	WhenLost time.Time
}

// UUID is the node's id in the CIB: corosync's id in decimal, empty without.
func (p *Peer) UUID() string {
	if p == nil || p.ID == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(p.ID), 10)
}

// Active tells whether the node takes part: a member whose process is in our
// group (corosync.c: crm_is_corosync_peer_active).
func (p *Peer) Active() bool { return p != nil && p.State == Member && p.Online }

// ChangeKind says what changed at a peer.
type ChangeKind uint8

const (
	// Named: the peer's name became known (crm_status_uname).
	Named ChangeKind = iota + 1
	// StateChanged: Member or Gone, Old is the state before (crm_status_nstate).
	StateChanged
	// ProcessChanged: Online, its process came to the group or left it
	// (crm_status_processes).
	ProcessChanged
)

// Change is one piece of news about a peer. A peer that is Gone may have been
// dropped from the cache already.
type Change struct {
	Kind ChangeKind
	Peer *Peer
	Old  State
}

// Peers is the cache of cluster nodes. It is owned by the daemon's loop, reads
// no clock and logs nothing: the changes that it returns tell what to log.
type Peers struct {
	keep    bool
	self    uint32
	list    []*Peer
	started bool // a quorum event with members has come
}

// lostLimit is how long a process group's member may be believed lost before
// the group is believed instead (cpg.c: pcmk_cpg_membership).
const lostLimit = 60 * time.Second

// NewPeers makes a cache that knows this node. keep leaves lost peers in it, and
// has only quorum events say who is a member: the controller wants that; for
// the other daemons the process group decides, and they forget who is lost
// (membership.c: crm_set_autoreap).
func NewPeers(self uint32, name string, keep bool) *Peers {
	p := &Peer{ID: self, Name: name, Online: true}
	if !keep {
		p.State = Member
	}
	return &Peers{keep: keep, self: self, list: []*Peer{p}}
}

// Self is this node.
func (ps *Peers) Self() *Peer { return ps.ByID(ps.self) }

// All lists the peers in the order of their ids.
func (ps *Peers) All() []*Peer {
	out := slices.Clone(ps.list)
	slices.SortStableFunc(out, func(a, b *Peer) int {
		if a.ID != b.ID {
			return int(int64(a.ID) - int64(b.ID))
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// Active counts the active peers (membership.c: crm_active_peers).
func (ps *Peers) Active() int {
	n := 0
	for _, p := range ps.list {
		if p.Active() {
			n++
		}
	}
	return n
}

// ByID finds a peer, nil when it is not known.
func (ps *Peers) ByID(id uint32) *Peer {
	for _, p := range ps.list {
		if id != 0 && p.ID == id {
			return p
		}
	}
	return nil
}

// ByName finds a peer; capital letters do not matter.
func (ps *Peers) ByName(name string) *Peer {
	for _, p := range ps.list {
		if name != "" && strings.EqualFold(p.Name, name) {
			return p
		}
	}
	return nil
}

// Get finds or adds a peer by id, name or both, and merges what is known under
// one and under the other (membership.c: crm_get_peer). Of two nodes that claim
// one name the one with the given id is returned.
func (ps *Peers) Get(id uint32, name string) (*Peer, []Change) {
	byID, byName := ps.ByID(id), ps.ByName(name)
	p := byID
	switch {
	case p == nil && byName != nil && (id == 0 || byName.ID == 0):
		p = byName
	case p != nil && byName != nil && p != byName && (p.Name == "" || strings.EqualFold(p.Name, name)) && (byName.ID == 0 || !byName.Active()):
		ps.drop(byName) // one node that was known twice, or has a new id
	}
	if p == nil {
		p = &Peer{}
		ps.list = append(ps.list, p)
	}
	if p.ID == 0 {
		p.ID = id
	}
	if p.Name == "" && name != "" {
		p.Name = name
		ps.dropRivals(p)
		return p, []Change{{Kind: Named, Peer: p}}
	}
	return p, nil
}

// dropRivals forgets nodes that are not active and have the name of p
// (membership.c: remove_conflicting_peer).
func (ps *Peers) dropRivals(p *Peer) {
	ps.list = slices.DeleteFunc(ps.list, func(q *Peer) bool {
		return q != p && p.ID != 0 && q.ID != 0 && !q.Active() && strings.EqualFold(q.Name, p.Name)
	})
}

func (ps *Peers) drop(p *Peer) {
	ps.list = slices.DeleteFunc(ps.list, func(q *Peer) bool { return q == p })
}

// Forget drops the peers that are not active and have that id or, if it is 0,
// that name; it returns how many there were (membership.c: reap_crm_member).
func (ps *Peers) Forget(id uint32, name string) int {
	n := len(ps.list)
	ps.list = slices.DeleteFunc(ps.list, func(p *Peer) bool {
		fits := id != 0 && p.ID == id || id == 0 && name != "" && strings.EqualFold(p.Name, name)
		return fits && !p.Active()
	})
	return n - len(ps.list)
}

// Apply takes in a Confchg or Quorum event.
func (ps *Peers) Apply(ev Event, now time.Time) []Change {
	switch ev.Kind {
	case Confchg:
		return ps.confchg(ev, now)
	case Quorum:
		return ps.view(ev, now)
	}
	return nil
}

// SetState tells the cache what became of a node, from another source than
// corosync (membership.c: pcmk__update_peer_state).
func (ps *Peers) SetState(p *Peer, s State, now time.Time) []Change {
	return ps.setState(nil, p, s, 0, now)
}

func (ps *Peers) setState(out []Change, p *Peer, s State, seen uint64, now time.Time) []Change {
	if s == Member {
		p.WhenLost = time.Time{}
		if seen != 0 {
			p.Seen = seen
		}
	}
	if p.State == s {
		return out
	}
	old := p.State
	p.State = s
	if s == Gone {
		p.WhenLost = now
		if !ps.keep && p.ID != ps.self {
			ps.drop(p)
		}
	}
	return append(out, Change{StateChanged, p, old})
}

func (ps *Peers) setOnline(out []Change, p *Peer, online bool, now time.Time) []Change {
	if p.Online == online {
		return out
	}
	p.Online = online
	out = append(out, Change{Kind: ProcessChanged, Peer: p})
	if ps.keep {
		return out
	}
	if online {
		return ps.setState(out, p, Member, 0, now)
	}
	return ps.setState(out, p, Gone, 0, now)
}

// confchg is a change of the process group (cpg.c: pcmk_cpg_membership). A node
// that left while another process of it stays is not gone.
func (ps *Peers) confchg(ev Event, now time.Time) []Change {
	var out []Change
	for _, left := range ev.Left {
		p := ps.ByID(left.Node)
		stays := slices.ContainsFunc(ev.Members, func(m Process) bool { return m.Node == left.Node })
		if p != nil && !stays {
			out = ps.setOnline(out, p, false, now)
		}
	}
	for _, m := range ev.Members {
		if m.Node == ps.self && m.PID != ev.PID {
			continue // a predecessor of this process that corosync has yet to miss
		}
		p, named := ps.Get(m.Node, ev.Names[m.Node])
		out = append(out, named...)
		out = ps.setOnline(out, p, true, now)
		if p.State == Gone {
			switch {
			case p.WhenLost.IsZero():
				p.WhenLost = now
			case now.Sub(p.WhenLost) > lostLimit:
				out = ps.setState(out, p, Member, 0, now)
			}
		}
	}
	return out
}

// view is the list of the ring's nodes (corosync.c: quorum_notification_cb).
func (ps *Peers) view(ev Event, now time.Time) []Change {
	if len(ev.View) == 0 && !ps.started {
		return nil
	}
	ps.started = true
	var out []Change
	for _, p := range ps.list {
		p.Seen = 0
	}
	for _, id := range ev.View {
		p, named := ps.Get(id, ev.Names[id])
		out = append(out, named...)
		out = ps.setState(out, p, Member, ev.Ring, now)
	}
	for _, p := range ps.All() {
		if p.Seen != ev.Ring && p.State != Unknown {
			out = ps.setState(out, p, Gone, 0, now)
		}
	}
	return out
}
