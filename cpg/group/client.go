package group

import (
	"slices"

	"github.com/pacesync/pacesync/cpg/wire"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// localMax bounds the processes of this node, so that its JOINLIST stays below
// totem's message limit of 1 MiB.
const localMax = 7000

// Open adds a client.
func (e *Engine) Open(c *Client) { e.clients = append(e.clients, c) }

// Join serves a join request. With OK the shell multicasts the returned
// PROCJOIN; if it cannot, it calls Undo.
//
// The order of checks is upstream's (cpg.c: message_handler_req_lib_cpg_join),
// so a second join of the same group gives EXIST in every state.
func (e *Engine) Join(c *Client, r *wire.JoinReq) (*wire.Proc, service.Error) {
	if e.client(r.PID, r.Group) != nil {
		return nil, service.ErrExist
	}
	if _, there := slices.BinarySearchFunc(e.Members(r.Group), wire.Address{Node: e.self, PID: r.PID}, compareAddress); there {
		return nil, service.ErrTryAgain // an earlier client's leave is on its way
	}
	switch c.state {
	case LeaveStarted:
		return nil, service.ErrBusy
	case JoinStarted, Joined:
		return nil, service.ErrExist
	}
	if len(e.clients) > localMax {
		return nil, service.ErrNoResources
	}
	c.state, c.group, c.pid = JoinStarted, r.Group, r.PID
	c.wantTotem = r.Flags&wire.FlagInitialTotemConf != 0
	g := e.group(r.Group)
	g.clients = append(g.clients, c)
	return &wire.Proc{Group: r.Group, PID: r.PID, Reason: wire.ReasonJoin}, service.OK
}

// Leave serves a leave request. With OK the shell multicasts the returned
// PROCLEAVE; if it cannot, it calls Undo. Another group than the joined one is
// NOT_EXIST; upstream takes the named process out of that group and leaves the
// caller behind as a ghost. The pid is the one of the join.
func (e *Engine) Leave(c *Client, r *wire.LeaveReq) (*wire.Proc, service.Error) {
	switch {
	case c.state == Unjoined || c.state == LeaveStarted:
		return nil, service.ErrNotExist
	case c.state == JoinStarted:
		return nil, service.ErrBusy
	case r.Group != c.group:
		return nil, service.ErrNotExist
	}
	c.state = LeaveStarted
	return &wire.Proc{Leave: true, Group: c.group, PID: c.pid, Reason: wire.ReasonLeave}, service.OK
}

// Undo takes back a Join or Leave whose message could not be sent.
func (e *Engine) Undo(c *Client) {
	switch c.state {
	case JoinStarted:
		g := e.groups[c.group]
		e.unjoin(c)
		e.drop(g)
	case LeaveStarted:
		c.state = Joined
	}
}

// Finalize ends the events of a client; its connection closes soon.
func (e *Engine) Finalize(c *Client) { c.finalized = true }

// Close removes a client. The shell multicasts the PROCLEAVE, if there is one,
// until it succeeds: nothing else tells the peers.
func (e *Engine) Close(c *Client) *wire.Proc {
	if i := slices.Index(e.clients, c); i >= 0 {
		e.clients = slices.Delete(e.clients, i, i+1)
	}
	if c.state == Unjoined {
		return nil
	}
	var p *wire.Proc
	if c.state != LeaveStarted {
		p = &wire.Proc{Leave: true, Group: c.group, PID: c.pid, Reason: wire.ReasonProcDown}
	}
	g := e.groups[c.group]
	e.unjoin(c)
	e.drop(g)
	return p
}

// unjoin makes the client as new; the group stays.
func (e *Engine) unjoin(c *Client) {
	g := e.groups[c.group]
	if i := slices.Index(g.clients, c); i >= 0 {
		g.clients = slices.Delete(g.clients, i, i+1)
	}
	c.state, c.group, c.pid, c.wantTotem = Unjoined, wire.Name{}, 0, false
}

// MayMcast says whether the client may multicast to its group: from the join
// request on, until the leave request.
func (c *Client) MayMcast() service.Error {
	if c.state == JoinStarted || c.state == Joined {
		return service.OK
	}
	return service.ErrNotExist
}

// MayMcastPart is MayMcast for a piece of a long message: INTERRUPT if the
// membership changed since the first piece.
func (c *Client) MayMcastPart(part wire.Part) service.Error {
	if part == wire.PartFirst {
		c.changesAtFirst = c.changes
	}
	if c.changes != c.changesAtFirst {
		return service.ErrInterrupt
	}
	return c.MayMcast()
}

// Iterate lists what an iteration visits. The order is upstream's: groups in
// reverse of their first process in the sorted list, and in a group the first
// process, then the others backwards (cpg.c:
// message_handler_req_lib_cpg_iteration_initialize).
func (e *Engine) Iterate(r *wire.IterInitReq) []wire.Item {
	var order []*group // by their first process
	of := map[*group][]process{}
	total := 0
	for _, p := range e.procs {
		if r.Type == wire.IterOneGroup && p.group.name != r.Group {
			continue
		}
		if of[p.group] == nil {
			order = append(order, p.group)
		} else if r.Type == wire.IterNames {
			continue
		}
		of[p.group] = append(of[p.group], p)
		total++
	}
	items := make([]wire.Item, 0, total)
	for _, g := range slices.Backward(order) {
		list := of[g]
		slices.Reverse(list[1:])
		for _, p := range list {
			it := wire.Item{Group: g.name, Node: p.node, PID: p.pid}
			if r.Type == wire.IterNames {
				it.Node, it.PID = 0, 0
			}
			items = append(items, it)
		}
	}
	return items
}
