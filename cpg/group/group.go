// Package group is the membership of closed process groups on one node: which
// processes of which nodes are in which group, what local clients are allowed
// to do, and which events a message or a sync round causes. It is pure; package
// cpg, its shell, owns connections and multicasts.
//
// State of a client:
//
//	          join request        own PROCJOIN delivered
//	Unjoined ─────────────► JoinStarted ─────────────► Joined
//	    ▲                                                │ leave request
//	    └──────────── LeaveStarted ◄─────────────────────┘
//	 own PROCLEAVE delivered
//
// Invariant after every sync round: each process belongs to a member of the
// ring, and each process of another node is in the list that this node sent in
// the round. Upstream breaks it in several interleavings of a client's end, a
// node's end and a round (issue 828 is one); the places that keep it are marked
// "ghost".
//
// Upstream: exec/cpg.c.
package group

import (
	"slices"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// State is where a client stands with its group.
type State uint8

// States, with the numbers that upstream's log shows.
const (
	Unjoined State = iota
	LeaveStarted
	JoinStarted
	Joined
)

// Client is a library connection. Owned by the Engine; Tag is the shell's.
type Client struct {
	Tag any

	state     State
	group     wire.Name
	pid       uint32
	wantTotem bool // asked for a totem event after its join, not yet sent
	finalized bool
	// changes counts the membership events sent; a message in pieces must not
	// span one.
	changes, changesAtFirst uint64
}

// State, Group and PID tell of the membership; the group is empty and the pid
// 0 when there is none.
func (c *Client) State() State     { return c.state }
func (c *Client) Group() wire.Name { return c.group }
func (c *Client) PID() uint32      { return c.pid }

// hears says that the client gets the events of its group.
func (c *Client) hears() bool {
	return (c.state == Joined || c.state == LeaveStarted) && !c.finalized
}

// Event is what clients are to be told: one of Confchg and Totem is set. To is
// never empty.
type Event struct {
	Confchg *wire.Confchg
	Totem   *wire.TotemConfchg
	To      []*Client
}

type process struct {
	node, pid uint32
	group     *group
}

func (p process) id() nodeProc {
	return nodeProc{p.node, wire.JoinEntry{PID: p.pid, Group: p.group.name}}
}

// group has members or clients, else it is removed.
type group struct {
	name    wire.Name
	members []wire.Address // ascending by node, pid; reason none
	clients []*Client      // local, from JoinStarted on
}

// Engine is the membership of all groups as one node knows it. Owned by the
// daemon's loop.
type Engine struct {
	self    uint32
	procs   []process // ascending by node, pid; equal ones in order of joining
	groups  map[wire.Name]*group
	clients []*Client
	ring    service.RingID // of the last activated round
	members []uint32
	round   round
	// early holds processes of this node whose PROCLEAVE came before their
	// PROCJOIN, see ProcLeave.
	early []wire.JoinEntry
	out   []Event
}

// earlyMax bounds early: a client that ends at the very moment of a membership
// change each.
const earlyMax = 256

// New makes the engine of a node.
func New(self uint32) *Engine {
	return &Engine{self: self, groups: map[wire.Name]*group{}}
}

// Take returns the events since the last call, in the order in which to send
// them. The slice is valid until the next call of another method.
func (e *Engine) Take() []Event {
	out := e.out
	e.out = e.out[:0]
	return out
}

// Members are the processes of a group.
func (e *Engine) Members(name wire.Name) []wire.Address {
	if g := e.groups[name]; g != nil {
		return g.members
	}
	return nil
}

// Audience appends to buf the clients that get a message of a group. known is
// false if the sender's node has no process in the group: then nobody gets it.
// It allocates nothing while buf has room.
func (e *Engine) Audience(from uint32, name *wire.Name, buf []*Client) (to []*Client, known bool) {
	g := e.groups[*name]
	if g == nil {
		return buf, true
	}
	for _, c := range g.clients {
		if c.hears() {
			buf = append(buf, c)
		}
	}
	if len(buf) == 0 {
		return buf, true
	}
	for _, m := range g.members {
		if m.Node == from {
			return buf, true
		}
	}
	return buf[:0], false
}

// ProcJoin takes a PROCJOIN of a node. orphan tells that it is a process of
// this node whose client is gone and whose PROCLEAVE overtook it: the shell
// multicasts another PROCLEAVE.
func (e *Engine) ProcJoin(from uint32, p *wire.Proc) (orphan bool) {
	e.round.joined(nodeProc{from, wire.JoinEntry{PID: p.PID, Group: p.Group}})
	if e.add(p.Group, from, p.PID) {
		e.notify(e.groups[p.Group], nil, []wire.Address{{Node: from, PID: p.PID, Reason: wire.ReasonJoin}})
	}
	if from != e.self {
		return false
	}
	i := slices.Index(e.early, wire.JoinEntry{PID: p.PID, Group: p.Group})
	if i < 0 {
		return false
	}
	e.early = slices.Delete(e.early, i, i+1)
	return e.client(p.PID, p.Group) == nil
}

// ProcLeave takes a PROCLEAVE of a node. Unlike upstream it tells nobody of the
// end of a process that nobody was told of.
//
// Ghost: a PROCLEAVE of this node can come before the PROCJOIN of the same
// process, since totem sends what is queued during a sync round ahead of what
// was queued before it. Then ProcJoin must answer with another PROCLEAVE.
func (e *Engine) ProcLeave(from uint32, p *wire.Proc) {
	e.round.left(nodeProc{from, wire.JoinEntry{PID: p.PID, Group: p.Group}})
	if !e.remove(p.Group, from, p.PID) {
		if from == e.self && len(e.early) < earlyMax {
			e.early = append(e.early, wire.JoinEntry{PID: p.PID, Group: p.Group})
		}
		return
	}
	e.notify(e.groups[p.Group], []wire.Address{{Node: from, PID: p.PID, Reason: p.Reason}}, nil)
	if from == e.self {
		// Upstream never gets here by a slip in its loop; there a client cannot
		// join again after it left.
		if c := e.client(p.PID, p.Group); c != nil && c.state != JoinStarted {
			e.unjoin(c)
		}
	}
	e.drop(e.groups[p.Group])
}

// notify tells the group's clients of a change that has been made, completes
// the join of local processes, and sends the first totem event to clients that
// asked for one.
func (e *Engine) notify(g *group, left, joined []wire.Address) {
	for _, a := range joined {
		if a.Node != e.self {
			continue
		}
		if c := e.client(a.PID, g.name); c != nil && c.state == JoinStarted {
			c.state = Joined
		}
	}
	var to []*Client
	for _, c := range g.clients {
		if c.hears() {
			to = append(to, c)
			c.changes++
		}
	}
	if len(to) > 0 {
		e.out = append(e.out, Event{To: to, Confchg: &wire.Confchg{
			Group: g.name, Members: slices.Clone(g.members), Left: left, Joined: joined,
		}})
	}
	for _, c := range e.clients {
		if c.wantTotem && !c.finalized {
			c.wantTotem = false
			e.out = append(e.out, Event{To: []*Client{c}, Totem: e.totem()})
		}
	}
}

func (e *Engine) totem() *wire.TotemConfchg {
	return &wire.TotemConfchg{Ring: e.ring, Members: e.members}
}

// client finds the local client of a process.
func (e *Engine) client(pid uint32, name wire.Name) *Client {
	if g := e.groups[name]; g != nil {
		for _, c := range g.clients {
			if c.pid == pid {
				return c
			}
		}
	}
	return nil
}

// procsMax bounds the processes of all nodes, which peers tell of.
const procsMax = 1 << 16

// add puts a process into a group; false if it is there.
func (e *Engine) add(name wire.Name, node, pid uint32) bool {
	if len(e.procs) >= procsMax {
		return false
	}
	g := e.group(name)
	i, found := slices.BinarySearchFunc(g.members, wire.Address{Node: node, PID: pid}, compareAddress)
	if found {
		return false
	}
	g.members = slices.Insert(g.members, i, wire.Address{Node: node, PID: pid})
	p := process{node, pid, g}
	e.procs = slices.Insert(e.procs, e.after(p), p)
	return true
}

// after is the position behind the last process that is not greater by node
// and pid.
func (e *Engine) after(p process) int {
	i, _ := slices.BinarySearchFunc(e.procs, p, func(x, p process) int {
		if x.node < p.node || x.node == p.node && x.pid <= p.pid {
			return -1
		}
		return 1
	})
	return i
}

// remove takes a process out of a group; false if it was not there. The group
// stays, even empty: the caller drops it.
func (e *Engine) remove(name wire.Name, node, pid uint32) bool {
	g := e.groups[name]
	if g == nil {
		return false
	}
	i, found := slices.BinarySearchFunc(g.members, wire.Address{Node: node, PID: pid}, compareAddress)
	if !found {
		return false
	}
	g.members = slices.Delete(g.members, i, i+1)
	p := process{node, pid, g}
	j := e.after(p) - 1
	for e.procs[j] != p { // another group of the same process
		j--
	}
	e.procs = slices.Delete(e.procs, j, j+1)
	return true
}

func compareAddress(a, b wire.Address) int {
	switch {
	case a.Node != b.Node && a.Node < b.Node, a.Node == b.Node && a.PID < b.PID:
		return -1
	case a.Node == b.Node && a.PID == b.PID:
		return 0
	}
	return 1
}

func (e *Engine) group(name wire.Name) *group {
	g := e.groups[name]
	if g == nil {
		g = &group{name: name}
		e.groups[name] = g
	}
	return g
}

// drop removes a group that has neither members nor clients.
func (e *Engine) drop(g *group) {
	if len(g.members) == 0 && len(g.clients) == 0 {
		delete(e.groups, g.name)
	}
}
