package totemtest

import (
	"slices"
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// loadGap is the time to a node's next message.
func (w *World) loadGap() time.Duration {
	mean := float64(time.Second) / w.plan.Load.Rate
	return time.Duration(mean * min(w.load.ExpFloat64(), 10))
}

// loadTick submits one message of a node and sets the next tick. The services
// are quiet while the sync runs, as corosync's are (ipc_glue.c refuses
// requests then), but not before the first view (a booting votequorum sends its
// state at once). A queue that is full refuses.
func (w *World) loadTick(n *node) {
	if w.healed {
		return
	}
	l := &w.plan.Load
	next := w.now + w.loadGap()
	if wave := l.On + l.Off; l.Off > 0 && next%wave >= l.On {
		next += wave - next%wave
	}
	w.queue.Put(next, event{kind: evLoad, node: uint8(n.idx)})
	early := len(w.hist.Procs) > 0 && n.eng != nil && len(w.hist.Procs[n.proc].Views) == 0
	if n.eng == nil || n.paused || n.waiting && !early {
		return
	}
	if w.submit(n, false, w.drawSize(n), syncMeta{}) {
		w.drain(n)
	}
}

// drawSize draws a message size: mostly small, some tiny, a few big.
func (w *World) drawSize(n *node) int {
	l := &w.plan.Load
	r := w.load
	if l.BigEvery > 0 && r.IntN(l.BigEvery) == 0 {
		return nameSize + r.IntN(l.BigSize)
	}
	switch r.IntN(20) {
	case 0:
		if len(n.tiny.one) < maxTiny1 {
			return 1
		}
	case 1, 2:
		if len(n.tiny.two) < maxTiny2 {
			return 2 + r.IntN(nameSize-2)
		}
	case 3, 4, 5, 6:
		return nameSize + r.IntN(l.MaxSize)
	}
	return nameSize + r.IntN(100)
}

// flood submits many messages at once, as far as they are taken.
func (w *World) flood(n *node, count, size int) {
	size = min(max(size, nameSize), maxBodySize)
	for range count {
		if n.eng == nil || n.paused || n.waiting || !w.submit(n, false, size, syncMeta{}) {
			return
		}
		w.drain(n)
	}
}

// pollEvery is how often the last phase looks whether it is done.
const pollEvery = 20 * time.Millisecond

// calmAfter is how long the ring must stay as it is at the very end.
const calmAfter = 400 * time.Millisecond

// drainTime bounds the time without any new packet while something is
// outstanding at the end. How long all of it takes depends on how much more was
// submitted than the ring could carry.
const drainTime = 20 * time.Second

// settleTime bounds how long the ring may take to form once the network is
// calm. The longest way: a lost token is noticed, a consensus round blames who
// is silent, rings form, find each other and merge, a few times over.
func (p *Plan) settleTime() time.Duration {
	token := p.Config.Token
	for i := range p.Faults {
		if p.Faults[i].Kind == Reconfigure {
			token = max(token, p.Faults[i].D)
		}
	}
	settle := 8*token + 8*token*6/5 + 3*time.Second
	if p.Knet != nil {
		// Before that links come up, or are noticed to be down after one that was.
		settle += 12*p.Knet.PongTimeout + time.Duration(p.Knet.PongCount+3)*p.Knet.PingInterval
	}
	return settle
}

// finalPhase is the end of every run: all faults are gone, the ring must form,
// deliver what is outstanding and a last round of messages to everybody.
type finalPhase struct {
	running bool
	since   time.Duration // converged
	drained time.Duration
	moved   time.Duration // the last new packet was seen
	had     uint64        // new packets until then
	todo    []finalMsg
	first   MsgID // final messages have this id or a later one
	count   int
	got     [maxNodes]int
	ring    wire.RingID
}

type finalMsg struct{ node, size int }

func (f *finalPhase) delivered(n *node, id MsgID) {
	if id >= f.first {
		f.got[n.idx]++
	}
}

// poll drives the last phase.
func (w *World) poll() {
	w.queue.Put(w.now+pollEvery, event{kind: evPoll})
	f := &w.final
	if !f.running {
		if ring, ok := w.converged(); ok {
			w.beginFinal(ring)
		} else if since := w.now - w.plan.Heal; since > w.plan.settleTime() {
			w.hist.fail("convergence", w.now, "no ring of all live nodes %v after the faults ended: %s", since, w.describeNodes())
			w.done = true
		}
		return
	}
	for len(f.todo) > 0 {
		m := f.todo[0]
		n := &w.nodes[m.node]
		if n.waiting || !w.submit(n, false, m.size, syncMeta{}) {
			break
		}
		w.drain(n)
		f.todo = f.todo[1:]
	}
	if w.ledger.moved != f.had {
		f.had, f.moved = w.ledger.moved, w.now
	}
	switch since := w.now - f.since; {
	case f.drained > 0 && w.now-f.drained >= calmAfter:
		if ring, ok := w.converged(); !ok || ring != f.ring {
			w.hist.fail("stability", w.now, "the ring changed with nothing wrong: %s", w.describeNodes())
		}
		w.hist.Complete = len(w.hist.found) == 0
		w.done = true
	case f.drained > 0:
	case w.drained():
		f.drained = w.now
		w.stats.Drained = since
	case w.now-f.moved > drainTime:
		w.hist.fail("everything is delivered", w.now, "still outstanding %v after the ring formed: %s", since, w.describeNodes())
		w.done = true
	}
}

// converged tells whether all live nodes hold one ring of exactly themselves.
func (w *World) converged() (wire.RingID, bool) {
	var members []wire.NodeID
	for i := range w.nodes {
		if w.nodes[i].eng != nil {
			members = append(members, w.nodes[i].id)
		}
	}
	var ring wire.RingID
	for i := range w.nodes {
		n := &w.nodes[i]
		if n.eng == nil {
			continue
		}
		v := w.lastView(n.proc)
		if w.state(n) != Operational || n.waiting || !slices.Equal(v.Members, members) || ring.Seq != 0 && v.Ring != ring {
			return ring, false
		}
		ring = v.Ring
	}
	return ring, true
}

func (w *World) beginFinal(ring wire.RingID) {
	w.final = finalPhase{running: true, since: w.now, moved: w.now, first: MsgID(len(w.hist.Msgs)), ring: ring}
	w.stats.Converged = w.now - w.plan.Heal
	if w.verbose(1) {
		w.logf("one ring %v after %v", ring, w.stats.Converged)
	}
	for _, size := range []int{40, 3 * max(w.plan.Config.NetMTU, 1000), 200} {
		for i := range w.nodes {
			if w.nodes[i].eng != nil {
				w.final.todo = append(w.final.todo, finalMsg{i, size})
			}
		}
	}
	w.final.count = len(w.final.todo)
}

// drained tells whether everybody has everything.
func (w *World) drained() bool {
	if len(w.final.todo) > 0 {
		return false
	}
	for i := range w.nodes {
		n := &w.nodes[i]
		if n.eng != nil && (n.outstanding > 0 && !w.hist.Hostile || w.final.got[i] < w.final.count) {
			return false
		}
	}
	return true
}
