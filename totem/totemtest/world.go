package totemtest

import (
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/totem/pg"
	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
	"github.com/pacesync/pacesync/totem/wire/wiretest"
)

// Streams of a seed's randomness.
const (
	streamPlan = iota
	streamNet
	streamLoad
	streamNode // and up: one per process

	streamOrder = 1 << 40 // far above the processes
)

// maxEvents bounds a run; the busiest runs need a tenth of it.
const maxEvents = 4_000_000

// maxDrain bounds the outputs of one step: a step may deliver a whole ring's
// worth of messages, each with a sync message behind it.
const maxDrain = 20_000

// maxTimerSpin bounds how often a timer may be due again at the same moment.
const maxTimerSpin = 100

// epoch is virtual time zero.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

type eventKind uint8

const (
	evArrive eventKind = iota
	evStart
	evLoad
	evFaultStart
	evFaultEnd
	evHeal
	evPoll
	evResume
	evRefused  // an ICMP error for what was sent on link arg reaches node
	evKnetLook // the judge of links looks around
)

type event struct {
	kind eventKind
	node uint8
	from uint8
	arg  int32
}

// World is one run in progress: nodes, network, clock and judges. Owned by one
// goroutine; Reset makes it ready for the next plan with its memory kept.
type World struct {
	plan   *Plan
	now    time.Duration
	queue  sim.Queue[event]
	net    network
	nodes  []node
	hist   *History
	ledger ledger
	load   *rand.Rand
	hash   sim.Hash
	cover  Coverage
	knet   knetJudge

	token      time.Duration // the token timeout that all are configured to have
	active     []bool        // by fault
	waitState  []bool        // faults that wait for a state
	strikes    []int         // how often each fault happened
	lastChange time.Duration
	loopBack   bool
	healed     bool
	final      finalPhase
	done       bool
	stats      Stats

	trace      io.Writer
	traceLevel int
	pool       []byte
}

// Stats are the figures of one run.
type Stats struct {
	Events, Steps, Packets, Lost uint64
	Submitted, Delivered, Views  int
	Refused                      int
	Calm                         int           // moments at which every partition had to hold one ring
	Struck                       int           // faults that happened
	Converged                    time.Duration // after Heal
	Drained                      time.Duration // after Converged
	End                          time.Duration
}

// Result is what a run gave.
type Result struct {
	Plan       *Plan
	Violations []Violation
	Hash       uint64
	Stats      Stats
}

// NewWorld returns a world that can run plans, one after the other.
func NewWorld() *World { return &World{pool: newPool()} }

// Trace makes the following runs write a timeline: level 1 views, faults and
// states, level 2 every packet and timer too. A nil writer stops it.
func (w *World) Trace(to io.Writer, level int) { w.trace, w.traceLevel = to, level }

func (w *World) verbose(level int) bool { return w.trace != nil && level <= w.traceLevel }

func (w *World) logf(format string, args ...any) {
	fmt.Fprintf(w.trace, "%11.6f ", w.now.Seconds())
	fmt.Fprintf(w.trace, format, args...)
	fmt.Fprintln(w.trace)
}

// Run runs a plan to its end and judges it.
func (w *World) Run(plan *Plan) (res Result) {
	w.reset(plan)
	res.Plan = plan
	func() {
		defer func() {
			if r := recover(); r != nil {
				w.hist.fail("no panic", w.now, "%v\n%s", r, stack())
			}
		}()
		w.loop()
	}()
	w.finish()
	res.Violations = w.hist.Check()
	res.Hash, res.Stats = uint64(w.hash), w.stats
	return res
}

// stack is the part of a panic's stack that lies below the recovery.
func stack() string {
	_, after, ok := strings.Cut(string(debug.Stack()), "panic(")
	if !ok {
		return string(debug.Stack())
	}
	lines := strings.Split(after, "\n")
	return strings.Join(lines[:min(len(lines), 16)], "\n")
}

func (w *World) reset(plan *Plan) {
	w.plan, w.now = plan, 0
	w.queue.Reset()
	w.hist = &History{Lax: plan.Hostile, Hostile: plan.Hostile}
	for i := range plan.Faults {
		w.hist.Lax = w.hist.Lax || plan.Faults[i].Kind == CrashLost
	}
	w.ledger = ledger{h: w.hist, pool: w.pool, seqStart: uint32(plan.Config.SeqStart), hash: maphash.MakeSeed()}
	w.ledger.big = map[wire.NodeID]bool{}
	for i, id := range plan.IDs {
		w.ledger.big[id] = plan.Big.Has(i)
	}
	w.load = sim.NewRand(plan.Seed, streamLoad)
	w.hash = sim.NewHash()
	packets, free := w.net.packets, w.net.free[:0]
	for i := range packets {
		free = append(free, int32(i))
	}
	w.net = network{w: w, rng: sim.NewRand(plan.Seed, streamNet), packets: packets, free: free}
	w.nodes = make([]node, len(plan.IDs))
	w.active = make([]bool, len(plan.Faults))
	w.waitState = make([]bool, len(plan.Faults))
	w.strikes = make([]int, len(plan.Faults))
	w.lastChange, w.healed, w.done = 0, false, false
	w.token = plan.Config.Token
	w.loopBack = plan.Seed%2 == 1
	w.final, w.stats = finalPhase{}, Stats{}
	for i := range w.nodes {
		w.nodes[i] = newNode(i, plan.IDs[i])
		w.queue.Put(plan.Starts[i], event{kind: evStart, node: uint8(i)})
		w.queue.Put(plan.Starts[i]+w.loadGap(), event{kind: evLoad, node: uint8(i)})
	}
	for i := range plan.Faults {
		w.queue.Put(plan.Faults[i].At, event{kind: evFaultStart, arg: int32(i)})
	}
	w.queue.Put(plan.Heal, event{kind: evHeal})
	w.knetReset()
}

// loop takes events and timers in the order of their time until the run ends.
func (w *World) loop() {
	for !w.done {
		if w.stats.Events++; w.stats.Events > maxEvents {
			w.hist.fail("bounded work", w.now, "%d events and no end", w.stats.Events)
			return
		}
		at, ok := w.queue.Next()
		timer := w.nextTimer()
		if timer >= 0 && (!ok || w.nodes[timer].due() < at) {
			w.now = max(w.now, w.nodes[timer].due())
			w.fire(&w.nodes[timer])
			continue
		}
		if !ok {
			w.hist.fail("bounded work", w.now, "nothing left to do before the end")
			return
		}
		var ev event
		w.now, ev = w.queue.Pop()
		w.handle(ev)
		if len(w.hist.found) > 0 && !w.hist.Lax {
			return // the first violation is the one to understand
		}
	}
}

// nextTimer is the node whose timer comes first, -1 for none.
func (w *World) nextTimer() int {
	best := -1
	for i := range w.nodes {
		n := &w.nodes[i]
		if n.due() >= 0 && !n.paused && (best < 0 || n.due() < w.nodes[best].due()) {
			best = i
		}
	}
	return best
}

func (w *World) handle(ev event) {
	switch ev.kind {
	case evArrive:
		w.arrive(ev)
	case evStart:
		w.start(&w.nodes[ev.node])
	case evLoad:
		w.loadTick(&w.nodes[ev.node])
	case evFaultStart:
		w.faultStart(int(ev.arg))
	case evFaultEnd:
		w.faultEnd(int(ev.arg))
	case evHeal:
		w.heal()
	case evPoll:
		w.poll()
	case evResume:
		w.resume(&w.nodes[ev.node])
	case evRefused:
		w.knetRefused(ev)
	case evKnetLook:
		w.knetLook()
	}
}

func (w *World) arrive(ev event) {
	n := &w.nodes[ev.node]
	switch {
	case n.eng == nil:
		w.net.drop(ev.arg)
	case n.paused:
		size := len(w.net.packets[ev.arg].data)
		if n.inboxSize+size > socketBuffer {
			w.net.drop(ev.arg)
			return
		}
		n.inbox = append(n.inbox, ev)
		n.inboxSize += size
	default:
		w.receive(n, ev)
	}
}

// receive hands one packet to a running node.
func (w *World) receive(n *node, ev event) {
	if w.plan.Knet != nil && ev.from != ev.node {
		w.knetReceive(n, ev)
		return
	}
	data := w.net.packets[ev.arg].data
	if w.verbose(2) {
		w.logf("n%d <- n%d %s", n.idx, ev.from, describe(data))
	}
	w.hash.Add(uint64(w.now)<<8 | uint64(ev.node)<<4 | uint64(ev.from))
	w.hash.Add(uint64(len(data)))
	w.step(n, srp.Event{Kind: srp.EvPacket, Data: data})
	w.net.drop(ev.arg)
}

// fire runs a node's due timers.
func (w *World) fire(n *node) {
	if n.spinAt == w.now {
		if n.spin++; n.spin > maxTimerSpin {
			w.hist.fail("timers move on", w.now, "node %d has a timer due again and again, state %v", n.id, w.state(n))
			n.timer, n.knet.timer = -1, -1
			w.done = true
			return
		}
	} else {
		n.spinAt, n.spin = w.now, 0
	}
	w.hash.Add(uint64(w.now)<<8 | uint64(n.idx))
	if n.knet.timer >= 0 && n.knet.timer == n.due() {
		w.knetStep(n)
		return
	}
	w.step(n, srp.Event{Kind: srp.EvTimer})
}

// step lets a node handle one event and does what it wants done.
func (w *World) step(n *node, ev srp.Event) {
	w.stats.Steps++
	before := w.state(n)
	w.cover.event(n, before, ev, epoch.Add(w.now))
	n.eng.Step(epoch.Add(w.now), ev)
	w.drain(n)
	if n.eng == nil {
		return
	}
	if w.plan.CheckCore {
		if err := n.eng.Check(); err != nil {
			w.hist.fail("the core's own invariants", w.now, "%v", err)
		}
	}
	if after := w.state(n); after != before {
		w.entered(n, after)
	}
}

// drain carries out what the core wants and lets the application react, until
// both have nothing more to say, then arms the timer.
func (w *World) drain(n *node) {
	for range maxDrain {
		out := n.eng.Take()
		more := out.More
		w.effects(n, out)
		if n.eng == nil {
			return
		}
		if !w.syncTurn(n) && !more {
			w.arm(n)
			return
		}
	}
	w.hist.fail("bounded work", w.now, "node %d: one step has no end", n.id)
	w.done = true
}

func (w *World) arm(n *node) {
	d := n.eng.Deadline()
	if d.IsZero() {
		n.timer = -1
		return
	}
	n.timer = max(d.Sub(epoch)+n.slop, w.now)
}

// effects carries out an output in its order: store, send, deliver.
func (w *World) effects(n *node, out *pg.Output) {
	sends := len(out.Send)
	if out.Persist {
		switch w.crashPoint(n) {
		case 0:
			w.kill(n, "before the ring id write")
			return
		case 1:
			n.disk = out.RingSeq
			w.kill(n, "after the ring id write")
			return
		case 2:
			sends = min(sends, 1)
		}
		n.disk = out.RingSeq
	}
	for i := range out.Send[:sends] {
		d := &out.Send[i]
		w.ledger.sent(n.proc, w.now, d.Data, n.waiting, n.disk)
		to := -1
		if d.To != 0 {
			if to = slices.Index(w.plan.IDs, d.To); to < 0 {
				w.hist.fail("known destinations", w.now, "node %d sends %s to node %d", n.id, describe(d.Data), d.To)
				continue
			}
		}
		if w.verbose(2) {
			w.logf("n%d -> n%d %s", n.idx, to, describe(d.Data))
		}
		w.transmit(n, to, d.Data)
	}
	w.knetFlush(n)
	if sends < len(out.Send) {
		w.kill(n, "after the first packet")
		return
	}
	if w.verbose(1) {
		for i := range out.Trace {
			w.logf("n%d %s %s", n.idx, w.state(n), traceText(&out.Trace[i]))
		}
	}
	n.flush = n.flush || out.DropQueued
	for i := range out.Up {
		if u := &out.Up[i]; u.View != nil {
			w.view(n, u.View)
		} else {
			w.deliver(n, u)
		}
	}
}

// transmit gives a datagram of the ring to knet or to the network.
func (w *World) transmit(n *node, to int, data []byte) {
	if w.plan.Big.Has(n.idx) && to != n.idx {
		if to < 0 && w.loopBack {
			w.net.send(n.idx, n.idx, data)
		}
		data = wiretest.Packet(data, uint32(n.id), w.ledger.begun)
		if w.plan.Knet == nil {
			w.net.sendOthers(n.idx, to, data)
			return
		}
		w.knetSend(n, to, data, false)
		return
	}
	if w.plan.Knet == nil || to == n.idx {
		w.net.send(n.idx, to, data)
		return
	}
	if to < 0 && w.loopBack {
		w.net.send(n.idx, n.idx, data)
	}
	w.knetSend(n, to, data, false)
}

func (w *World) view(n *node, v *srp.View) {
	w.knetView(n, v)
	p := &w.hist.Procs[n.proc]
	kind := EntryRegular
	if v.Kind == srp.ViewTransitional {
		kind = EntryTransitional
		n.waiting = true
		n.sync.stop()
	} else {
		w.stats.Views++
		n.sync.begin(v, w.plan.Sync)
	}
	p.Log = append(p.Log, Entry{At: w.now, Kind: kind, View: int32(len(p.Views)), Msg: noMsg})
	p.Views = append(p.Views, View{Ring: v.Ring, Members: slices.Clone(v.Members), Left: slices.Clone(v.Left),
		Joined: slices.Clone(v.Joined), Stored: n.disk})
	w.hash.Add(uint64(w.now) ^ v.Ring.Seq<<32 ^ uint64(len(v.Members)))
	if w.verbose(1) {
		name := "view      "
		if kind == EntryTransitional {
			name = "trans view"
		}
		w.logf("n%d %s %v members %v left %v joined %v", n.idx, name, v.Ring, v.Members, v.Left, v.Joined)
	}
}

func (w *World) deliver(n *node, u *pg.Upcall) {
	p := &w.hist.Procs[n.proc]
	from := slices.Index(w.plan.IDs, u.From)
	id := noMsg
	if from >= 0 {
		id = w.ledger.recognise(w.nodes[from].lives, &w.nodes[from].tiny, u.Group == pg.GroupSync, u.Data)
	}
	if id == noMsg && w.hist.Hostile {
		return
	}
	if id == noMsg || u.Swapped != (w.plan.Big.Has(from) && from != n.idx) {
		w.hist.fail("delivered as submitted", w.now, "%s delivers %d bytes of group %q from node %d that nobody submitted: % x",
			w.hist.proc(n.proc), len(u.Data), u.Group, u.From, u.Data[:min(len(u.Data), 32)])
		return
	}
	p.Log = append(p.Log, Entry{At: w.now, Kind: EntryDeliver, Msg: id, View: -1})
	n.lastDelivered = id
	w.stats.Delivered++
	w.hash.Add(uint64(id)<<8 | uint64(n.idx))
	if w.verbose(3) {
		w.logf("n%d delivers %s", n.idx, w.hist.msg(id))
	}
	if w.hist.Msgs[id].From == n.proc {
		n.outstanding--
	}
	if w.final.running {
		w.final.delivered(n, id)
	}
	if w.hist.Msgs[id].Sync {
		n.sync.got(&w.hist.Msgs[id], from)
	}
}

// finish closes the books of a run.
func (w *World) finish() {
	w.stats.End = w.now
	w.stats.Packets, w.stats.Lost, w.stats.Calm = w.net.sent, w.net.lost, len(w.hist.Quiet)
	for _, n := range w.strikes {
		w.stats.Struck += n
	}
	for i := range w.nodes {
		if n := &w.nodes[i]; n.eng != nil {
			w.hist.Procs[n.proc].Alive = true
		}
	}
}

// struck tells whether a fault happened.
func (w *World) struck(fault int) bool { return w.strikes[fault] > 0 }
