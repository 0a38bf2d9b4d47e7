package group

import (
	"maps"
	"slices"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// round is what a sync round gathers.
type round struct {
	active  bool
	ring    service.RingID
	members []uint32
	trans   []uint32
	lists   []nodeList // in order of arrival
	// began and ended are processes whose PROCJOIN or, later, PROCLEAVE was
	// delivered in this round.
	began, ended []nodeProc
}

// roundMax bounds began and ended each. A round sees the ends of clients that
// close during it; only a hostile peer gets here, and only its own processes
// are then wrong.
const roundMax = 4096

type nodeList struct {
	node uint32
	list []wire.JoinEntry
}

type nodeProc struct {
	node uint32
	wire.JoinEntry
}

// joined notes a PROCJOIN delivered within the round: its process is neither
// down with its node nor a zombie, though the sender's list may lack it.
func (r *round) joined(p nodeProc) {
	if r.active {
		r.began, r.ended = include(r.began, p), exclude(r.ended, p)
	}
}

// left notes a PROCLEAVE delivered within the round.
//
// Ghost: the sender's list, sent before or after it, still names the process.
// Upstream adds it at activation, after its end.
func (r *round) left(p nodeProc) {
	if r.active {
		r.began, r.ended = exclude(r.began, p), include(r.ended, p)
	}
}

func include(s []nodeProc, p nodeProc) []nodeProc {
	if len(s) < roundMax && !slices.Contains(s, p) {
		s = append(s, p)
	}
	return s
}

func exclude(s []nodeProc, p nodeProc) []nodeProc {
	return slices.DeleteFunc(s, func(x nodeProc) bool { return x == p })
}

func (r *round) list(node uint32) *nodeList {
	i := slices.IndexFunc(r.lists, func(l nodeList) bool { return l.node == node })
	if i < 0 {
		r.lists = append(r.lists, nodeList{node: node})
		i = len(r.lists) - 1
	}
	return &r.lists[i]
}

// alive are the processes that exist by what their nodes sent in the round.
func (r *round) alive() map[nodeProc]bool {
	set := map[nodeProc]bool{}
	for _, l := range r.lists {
		for _, p := range l.list {
			set[nodeProc{l.node, p}] = true
		}
	}
	for _, p := range r.began {
		set[p] = true
	}
	for _, p := range r.ended {
		delete(set, p)
	}
	return set
}

// SyncInit starts a round. What an earlier one gathered is forgotten.
//
// Ghost: upstream forgets it only in its abort callback, so that lists which
// arrive after the abort, with the last messages of the old ring, are replayed
// in the next round.
func (e *Engine) SyncInit(trans, members []uint32, ring service.RingID) {
	e.round = round{
		active: true, ring: ring,
		trans: slices.Clone(trans), members: slices.Clone(members),
	}
}

// SyncAbort ends a round that was interrupted.
func (e *Engine) SyncAbort() { e.round = round{} }

// DownList is the DOWNLIST to send in this round.
func (e *Engine) DownList() wire.DownList {
	d := wire.DownList{OldMembers: uint32(len(e.members))}
	for _, n := range e.members {
		if !slices.Contains(e.round.trans, n) {
			d.Left = append(d.Left, n)
		}
	}
	return d
}

// JoinList is the JOINLIST to send in this round; empty: none is sent.
func (e *Engine) JoinList() []wire.JoinEntry {
	var list []wire.JoinEntry
	for _, p := range e.procs {
		if p.node == e.self {
			list = append(list, wire.JoinEntry{PID: p.pid, Group: p.group.name})
		}
	}
	return list
}

// GotDownList tells that a node has begun to send its state: what it sent
// before in this round was left in its queue by an interrupted one.
//
// Ghost: a node without processes sends no JOINLIST, so that an old one would
// stand.
func (e *Engine) GotDownList(from uint32) {
	if e.round.active {
		l := e.round.list(from)
		l.list = l.list[:0]
	}
}

// GotJoinList takes the list of a node. Outside a round, from a node that is
// not in the ring, and from ourselves it is ignored. A second one replaces the
// first.
func (e *Engine) GotJoinList(from uint32, list wire.JoinList) {
	if !e.round.active || from == e.self || !slices.Contains(e.round.members, from) {
		return
	}
	l := e.round.list(from)
	l.list = l.list[:0]
	for i := range list.Len() {
		l.list = append(l.list, list.At(i))
	}
}

// SyncActivate ends the round: processes of nodes that are gone leave, one
// event per group; those of the lists join, one event per group; processes
// that their node no longer names leave one by one; at last every client is
// told of the ring. Groups come in the order of their names.
func (e *Engine) SyncActivate() {
	r := &e.round
	if !r.active {
		return
	}
	e.ring, e.members = r.ring, r.members
	e.nodesDown(r)
	alive := r.alive()
	e.nodesUp(r, alive)
	e.zombies(alive)
	var to []*Client
	for _, c := range e.clients {
		if !c.finalized {
			to = append(to, c)
		}
	}
	if len(to) > 0 {
		e.out = append(e.out, Event{To: to, Totem: e.totem()})
	}
	e.round = round{}
	for _, p := range e.procs {
		if !slices.Contains(e.members, p.node) {
			panic("cpg: a process of a node outside the ring after a sync round")
		}
	}
}

// perGroup collects addresses by group, for one event each.
type perGroup map[*group][]wire.Address

// inOrder are the groups by their names.
func (pg perGroup) inOrder() []*group {
	return slices.SortedFunc(maps.Keys(pg), func(a, b *group) int { return a.name.CompareC(&b.name) })
}

// nodesDown removes the processes of nodes that did not come along.
//
// Ghost: upstream looks at the members of its last round only. A node that was
// never in a completed round, yet had a process that we learnt of, would keep it.
func (e *Engine) nodesDown(r *round) {
	stays := func(node uint32, name wire.Name, pid uint32) bool {
		return node == e.self || slices.Contains(r.members, node) &&
			(slices.Contains(r.trans, node) || slices.Contains(r.began, nodeProc{node, wire.JoinEntry{PID: pid, Group: name}}))
	}
	gone := perGroup{}
	e.procs = slices.DeleteFunc(e.procs, func(p process) bool {
		if stays(p.node, p.group.name, p.pid) {
			return false
		}
		gone[p.group] = append(gone[p.group], wire.Address{Node: p.node, PID: p.pid, Reason: wire.ReasonNodeDown})
		return true
	})
	for g := range gone {
		g.members = slices.DeleteFunc(g.members, func(a wire.Address) bool { return !stays(a.Node, g.name, a.PID) })
	}
	for _, g := range gone.inOrder() {
		e.notify(g, gone[g], nil)
		e.drop(g)
	}
}

// nodesUp adds the processes of the lists. Within an event they are in reverse
// order of arrival, as upstream, which pushes each to the front.
func (e *Engine) nodesUp(r *round, alive map[nodeProc]bool) {
	fresh := perGroup{}
	for _, l := range slices.Backward(r.lists) {
		if l.node == e.self || !slices.Contains(r.members, l.node) {
			continue
		}
		for _, p := range slices.Backward(l.list) {
			if alive[nodeProc{l.node, p}] && e.add(p.Group, l.node, p.PID) {
				g := e.groups[p.Group]
				fresh[g] = append(fresh[g], wire.Address{Node: l.node, PID: p.PID, Reason: wire.ReasonNodeUp})
			}
		}
	}
	for _, g := range fresh.inOrder() {
		e.notify(g, nil, fresh[g])
	}
}

// zombies removes processes of other nodes that their node did not name: they
// ended while the nodes were apart.
func (e *Engine) zombies(alive map[nodeProc]bool) {
	for _, p := range slices.Clone(e.procs) {
		if p.node == e.self || alive[p.id()] {
			continue
		}
		e.remove(p.group.name, p.node, p.pid)
		e.notify(p.group, []wire.Address{{Node: p.node, PID: p.pid, Reason: wire.ReasonProcDown}}, nil)
		e.drop(p.group)
	}
}
