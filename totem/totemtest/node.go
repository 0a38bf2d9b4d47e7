package totemtest

import (
	"slices"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/totem/pg"
	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// socketBuffer is what waits for a paused node (totemudpu.c asks for 1 MiB).
const socketBuffer = 1 << 20

// node is one machine: its disk, and the process that runs on it.
type node struct {
	idx  int
	id   wire.NodeID
	disk uint64 // the ring id file
	tiny tiny

	lives []ProcID
	proc  ProcID
	eng   *pg.Engine // nil: not running
	knet  knetNode

	timer         time.Duration // -1: not armed
	slop          time.Duration
	spinAt        time.Duration
	spin          int
	paused        bool
	token         time.Duration // the token timeout it runs with
	inbox         []event
	inboxSize     int
	waiting       bool // between a transitional view and the end of its sync, and before the first view
	flush         bool // what waits in the sockets is to be dropped
	sync          syncer
	lastDelivered MsgID
	outstanding   int // own messages not yet delivered to itself
	crashFault    int // index of the armed CrashWrite fault, -1: none
}

func newNode(idx int, id wire.NodeID) node {
	return node{idx: idx, id: id, timer: -1, crashFault: -1, knet: knetNode{timer: -1}}
}

func (w *World) state(n *node) State {
	if n.eng == nil {
		return AnyState
	}
	return stateOf(n.eng)
}

// start begins a new life of a node that is not running.
func (w *World) start(n *node) {
	if n.eng != nil || w.plan.KeepDown.Has(n.idx) && w.healed {
		return
	}
	n.proc = ProcID(len(w.hist.Procs))
	w.lastChange = w.now
	w.hist.Procs = append(w.hist.Procs, Proc{Node: n.id, Life: len(n.lives)})
	n.lives = append(n.lives, n.proc)
	n.token = w.token
	n.eng = pg.New(w.config(n), n.disk, sim.NewRand(w.plan.Seed, streamNode+uint64(n.proc)))
	n.timer, n.paused, n.waiting, n.outstanding, n.lastDelivered, n.crashFault = -1, false, true, 0, noMsg, -1
	n.sync = syncer{}
	n.slop = 0
	if w.plan.TimerSlop > 0 {
		n.slop = time.Duration(sim.NewRand(w.plan.Seed, uint64(n.proc)<<32).Int64N(int64(w.plan.TimerSlop)))
	}
	if w.verbose(1) {
		w.logf("n%d (node %d) starts, life %d, ring id file %d", n.idx, n.id, len(n.lives)-1, n.disk)
	}
	w.knetStart(n)
	w.step(n, srp.Event{Kind: srp.EvStart})
	if n.eng != nil && w.plan.Knet == nil && w.net.conds.down.Has(n.idx) {
		w.step(n, srp.Event{Kind: srp.EvLink, Up: false})
	}
}

// kill ends a node's process at once.
func (w *World) kill(n *node, how string) {
	if n.eng == nil {
		return
	}
	if w.verbose(1) {
		w.logf("n%d dies %s", n.idx, how)
	}
	n.eng, n.timer, n.paused = nil, -1, false
	n.knet = knetNode{timer: -1}
	for _, ev := range n.inbox {
		w.net.drop(ev.arg)
	}
	n.inbox, n.inboxSize = n.inbox[:0], 0
	if f := n.crashFault; f >= 0 {
		n.crashFault = -1
		w.queue.Put(w.now+w.plan.Faults[f].For, event{kind: evStart, node: uint8(n.idx)})
	}
}

// resume lets a paused node run again. Everything that waited is due now.
func (w *World) resume(n *node) {
	if !n.paused || n.eng == nil {
		return
	}
	n.paused = false
	w.configure(n)
	w.knetResume(n)
	if w.verbose(1) {
		w.logf("n%d goes on, %d packets waited", n.idx, len(n.inbox))
	}
	if w.plan.TimerFirst {
		w.runTimers(n)
	}
	inbox := slices.Clone(n.inbox)
	n.inbox, n.inboxSize = n.inbox[:0], 0
	n.flush = false
	for _, ev := range inbox {
		if n.eng == nil || n.paused || n.flush {
			w.net.drop(ev.arg)
			continue
		}
		w.receive(n, ev)
	}
	if !w.plan.TimerFirst {
		w.runTimers(n)
	}
}

func (w *World) runTimers(n *node) {
	for range maxTimerSpin {
		if n.eng == nil || n.paused || n.timer < 0 || n.timer > w.now {
			return
		}
		w.step(n, srp.Event{Kind: srp.EvTimer})
	}
}

// submit gives a message of size bytes to a node's core.
func (w *World) submit(n *node, sync bool, size int, meta syncMeta) bool {
	h := w.hist
	if !n.eng.Room(size) {
		w.stats.Refused++
		return false
	}
	id := MsgID(len(h.Msgs))
	p := &h.Procs[n.proc]
	lane := LaneNormal
	if n.waiting {
		lane = LaneTrans
	}
	m := Msg{From: n.proc, Lane: lane, Sync: sync, N: int32(len(p.Sent[lane])), Size: int32(size), First: notSent(), Last: notSent(),
		At: w.now, After: n.lastDelivered, sync: meta}
	switch {
	case size == 1:
		m.Tiny = uint16(len(n.tiny.one))
		n.tiny.one = append(n.tiny.one, id)
	case size < nameSize:
		m.Tiny = uint16(len(n.tiny.two))
		n.tiny.two = append(n.tiny.two, id)
	}
	h.Msgs = append(h.Msgs, m)
	p.Sent[lane] = append(p.Sent[lane], id)
	w.ledger.submitted(n.proc, id)
	var buf [nameSize]byte
	head, body := w.ledger.build(id, buf[:0])
	group := pg.GroupService
	if sync {
		group = pg.GroupSync
	}
	if err := n.eng.Mcast(epoch.Add(w.now), group, head, body); err != nil {
		h.fail("room keeps its word", w.now, "%s said there is room for %d bytes, then: %v", h.proc(n.proc), size, err)
		return false
	}
	n.outstanding++
	w.stats.Submitted++
	if w.verbose(3) {
		w.logf("n%d submits %s", n.idx, h.msg(id))
	}
	return true
}
