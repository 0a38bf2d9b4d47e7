// Package sync is the sync layer: after every membership change it leads all
// services of all members, one service after the other, through the exchange
// of their state. It is pure: the daemon feeds it the configuration changes and
// the messages of totem group "sync", tells it when a token has been handled,
// and multicasts what it has pending.
//
// One round, the same on every member (exec/sync.c):
//
//	regular change ─► SERVICE_BUILD(ids of the services here), SyncInit of all
//	SERVICE_BUILD of all members received ─► the union, ascending, is the list
//	for each service of the list:
//	    token handled ─► SyncProcess, again at later tokens until it is done ─► BARRIER
//	    BARRIER of all members received ─► SyncActivate
//	after the last one ─► completed
//
// A service that a peer has and we have not takes part with barriers alone.
// Messages of another ring are ignored. A further change aborts the round at
// once, whether the current service was sending or waited for barriers.
//
// Upstream: exec/sync.c, and the abort fix 2ab885ab (2026) of its newest tree.
package sync

import (
	"fmt"
	"slices"

	"github.com/pacesync/pacesync/internal/corosync/service"
)

// state is what the layer waits for.
type state uint8

const (
	idle    state = iota // no round runs
	build                // SERVICE_BUILD of all members
	process              // the current service to be done sending
	barrier              // BARRIER of all members
)

// Layer is the sync layer of one node. Owned by the daemon's loop.
type Layer struct {
	local []*entry // services here with a Syncer, ascending by id
	log   service.Log

	state   state
	synced  bool // the last round was completed, no change since
	ring    service.RingID
	members []uint32
	heard   []bool   // parallel to members
	list    []*entry // services of the round, ascending by id
	cur     int      // the current service of list
	pending []byte
	dropped uint64
}

type entry struct {
	id   service.ID
	name string
	sync service.Syncer // nil: only peers have it

	// trans are the nodes that came along in every change since the service was
	// last activated, which is what it compares its state with. Upstream knows
	// the last change alone and so misses that a node was gone between two
	// interrupted rounds.
	trans     []uint32
	activated bool // ever
	fresh     bool // activated since the last change
}

// carry takes the members that came along in one more change.
func (e *entry) carry(members []uint32) {
	if e.activated && !e.fresh {
		e.trans = intersect(e.trans, members)
	} else {
		e.trans = slices.Clone(members)
	}
	slices.Sort(e.trans)
	e.fresh = false
}

// New makes the layer for the engines that have a Syncer; the others are
// ignored. log may be nil.
func New(engines []*service.Engine, log service.Log) *Layer {
	l := &Layer{log: log}
	for _, e := range engines {
		if e.Sync != nil {
			l.local = append(l.local, &entry{id: e.ID, name: e.Title, sync: e.Sync})
		}
	}
	slices.SortFunc(l.local, func(a, b *entry) int { return int(a.id) - int(b.id) })
	if l.log == nil {
		l.log = func(service.Level, string) {}
	}
	return l
}

// Running says that a round is not completed; the daemon then holds back
// requests that multicast.
func (l *Layer) Running() bool { return !l.synced }

// Dropped counts messages that were not understood.
func (l *Layer) Dropped() uint64 { return l.dropped }

// Pending is the message to multicast in group "sync", nil if there is none.
// It stays pending, and the same, until Sent. The daemon asks after every
// other call, once what the services multicast during that call is queued.
func (l *Layer) Pending() []byte { return l.pending }

// Sent tells that totem took the pending message.
func (l *Layer) Sent() { l.pending = nil }

// Transitional tells of a transitional configuration: the members that come
// along from the old ring. The running round ends here; what is still
// delivered belongs to the old ring.
func (l *Layer) Transitional(members []uint32) {
	l.abort()
	for _, e := range l.local {
		e.carry(members)
	}
}

// Regular tells of a regular configuration and starts the round for it:
// SERVICE_BUILD is pending and SyncInit of all local services was called, in
// the order of their ids.
func (l *Layer) Regular(members []uint32, ring service.RingID) {
	l.abort()
	l.ring = ring
	l.members = slices.Clone(members)
	slices.Sort(l.members)
	l.heard = make([]bool, len(l.members))
	l.state, l.cur = build, 0
	l.list = slices.Clone(l.local)
	ids := make([]service.ID, 0, len(l.local))
	for _, e := range l.local {
		ids = append(ids, e.id)
	}
	l.pending = appendServiceBuild(nil, ring, ids)
	l.log(service.LevelDebug, "call init for locally known services")
	for _, e := range l.local {
		e.sync.SyncInit(intersect(e.trans, l.members), l.members, ring)
	}
}

// abort ends the round if one runs. Only the current service is told: those
// before it have activated, those after it have sent nothing.
func (l *Layer) abort() {
	if (l.state == process || l.state == barrier) && l.list[l.cur].sync != nil {
		l.list[l.cur].sync.SyncAbort()
	}
	l.state, l.synced, l.pending = idle, false, nil
	l.ring = service.RingID{}
}

// Deliver takes a message of group "sync", our own included, in total order.
// It returns true when it completed the round.
func (l *Layer) Deliver(from uint32, msg []byte) (completed bool) {
	m, err := parse(msg)
	if err != nil {
		l.dropped++
		l.log(service.LevelDebug, fmt.Sprintf("message of node %d dropped: %v", from, err))
		return false
	}
	i, member := slices.BinarySearch(l.members, from)
	switch {
	case l.state == idle || m.ring != l.ring || !member:
		if m.build {
			l.log(service.LevelDebug, "service build for old ring - discarding")
		} else {
			l.log(service.LevelDebug, "barrier for old ring - discarding")
		}
		return false
	case m.build && l.state == build:
		l.addServices(m.services)
		l.heard[i] = true
		if slices.Contains(l.heard, false) {
			return false
		}
		l.log(service.LevelDebug, "enter sync process")
		return l.enterProcess()
	case !m.build && l.state != build:
		l.heard[i] = true
		if slices.Contains(l.heard, false) {
			return false
		}
		return l.activate()
	}
	// Total order puts all SERVICE_BUILD before the first BARRIER.
	l.dropped++
	return false
}

// addServices adds services that only a peer has.
func (l *Layer) addServices(ids []service.ID) {
	for _, id := range ids {
		i, ok := slices.BinarySearchFunc(l.list, id, func(e *entry, id service.ID) int { return int(e.id) - int(id) })
		if !ok {
			name := fmt.Sprintf("Unknown External Service (id = %d)", id)
			l.list = slices.Insert(l.list, i, &entry{id: id, name: name})
		}
	}
}

// enterProcess goes on with the current service, or completes the round when
// there is none left.
func (l *Layer) enterProcess() (completed bool) {
	if l.cur == len(l.list) {
		l.state, l.synced = idle, true
		return true
	}
	l.state = process
	clear(l.heard)
	return false
}

// TokenHandled tells that the token has passed: the current service may send.
func (l *Layer) TokenHandled() {
	if l.state != process {
		return
	}
	if s := l.list[l.cur].sync; s != nil && !s.SyncProcess() {
		return
	}
	l.state = barrier
	l.pending = appendBarrier(nil, l.ring)
}

func (l *Layer) activate() (completed bool) {
	e := l.list[l.cur]
	l.log(service.LevelDebug, "Committing synchronization for "+e.name)
	if e.sync != nil {
		e.sync.SyncActivate()
	}
	e.activated, e.fresh = true, true
	l.cur++
	return l.enterProcess()
}

func intersect(a, b []uint32) []uint32 {
	var out []uint32
	for _, x := range a {
		if slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
