package totemtest

import (
	"time"

	"github.com/pacesync/pacesync/totem/srp"
)

// faultStart begins a fault, or makes it wait for its state.
func (w *World) faultStart(i int) {
	if w.healed {
		return
	}
	f := &w.plan.Faults[i]
	if f.When != AnyState && w.state(&w.nodes[f.Node]) != f.When {
		w.waitState[i] = true
		return
	}
	w.strike(i)
}

// entered starts the faults that waited for a node to enter this state.
func (w *World) entered(n *node, state State) {
	if w.healed {
		return
	}
	for i := range w.waitState {
		f := &w.plan.Faults[i]
		if w.waitState[i] && f.Node == n.idx && f.When == state && n.eng != nil {
			w.waitState[i] = false
			w.strike(i)
		}
	}
}

// strike makes the fault happen.
func (w *World) strike(i int) {
	w.settled()
	f := &w.plan.Faults[i]
	w.lastChange = w.now
	w.strikes[i]++
	if w.verbose(1) {
		w.logf("fault: %v", f)
	}
	n := &w.nodes[max(f.Node, 0)]
	switch f.Kind {
	case Pause:
		if n.eng != nil && !n.paused {
			n.paused = true
			w.queue.Put(w.now+f.For, event{kind: evResume, node: uint8(n.idx)})
		}
	case Crash, CrashLost:
		if n.eng == nil {
			return
		}
		w.kill(n, "")
		if f.Kind == CrashLost {
			n.disk = 0
		}
		w.queue.Put(w.now+f.For, event{kind: evStart, node: uint8(n.idx)})
	case CrashWrite:
		if n.eng != nil && n.crashFault < 0 {
			n.crashFault = i
		}
	case Leave:
		if n.eng == nil || n.paused {
			return
		}
		w.step(n, srp.Event{Kind: srp.EvLeave})
		w.kill(n, "after leaving")
		w.queue.Put(w.now+f.For, event{kind: evStart, node: uint8(n.idx)})
	case ForceGather:
		if n.eng != nil && !n.paused {
			w.step(n, srp.Event{Kind: srp.EvForceGather})
		}
	case Reconfigure:
		w.reconfigure(f.D)
	case Hostile:
		if n.eng != nil && !n.paused {
			ring, _ := n.eng.Ring()
			w.step(n, srp.Event{Kind: srp.EvPacket, Data: f.Packet(ring)})
		}
	case Flood:
		w.flood(n, f.N, int(f.D))
	case Filler, Burn, Replay, StaleWrap, Forge:
		if n.eng != nil && !n.paused && w.plan.Knet != nil {
			w.knetStrike(f, n)
		}
	default:
		w.lasting(i, f, n)
	}
}

// lasting begins a fault that stays until its end.
func (w *World) lasting(i int, f *Fault, n *node) {
	w.active[i] = true
	w.conditions()
	w.knetChanged(f)
	w.queue.Put(w.now+f.For, event{kind: evFaultEnd, arg: int32(i)})
	if f.Kind == LinkDown {
		w.link(n, false)
	}
}

func (w *World) faultEnd(i int) {
	if !w.active[i] {
		return
	}
	w.settled()
	w.lastChange = w.now
	f := &w.plan.Faults[i]
	if w.verbose(1) {
		w.logf("end of fault: %v", f)
	}
	w.active[i] = false
	w.conditions()
	w.knetChanged(f)
	if f.Kind == LinkDown {
		w.link(&w.nodes[f.Node], true)
	}
}

// conditions computes the state of the network from the active faults.
func (w *World) conditions() {
	c := conditions{types: w.net.conds.types[:0], dups: w.net.conds.dups[:0], links: w.net.conds.links[:0]}
	for i, on := range w.active {
		if on {
			c.apply(&w.plan.Faults[i], len(w.nodes))
		}
	}
	w.net.conds = c
}

// link tells a node that its interface changed, if it did.
func (w *World) link(n *node, up bool) {
	if w.plan.Knet != nil {
		return // knet has no word for it: the links fall silent
	}
	if n.eng == nil || n.paused || up == w.net.conds.down.Has(n.idx) {
		return
	}
	w.step(n, srp.Event{Kind: srp.EvLink, Up: up})
}

// reconfigure gives all nodes another token timeout; those that are paused or
// down get it when they are back.
func (w *World) reconfigure(token time.Duration) {
	w.token = token
	for i := range w.nodes {
		w.configure(&w.nodes[i])
	}
}

func (w *World) configure(n *node) {
	if n.eng == nil || n.paused || n.token == w.token {
		return
	}
	n.token = w.token
	cfg := w.config(n)
	w.step(n, srp.Event{Kind: srp.EvReconfigure, Config: &cfg})
}

// config is what a node is configured with now.
func (w *World) config(n *node) srp.Config {
	cfg := w.plan.Config
	cfg.NodeID = n.id
	if cfg.Token != w.token {
		cfg.Token, cfg.TokenRetransmit, cfg.Hold, cfg.Consensus = w.token, 0, 0, 0
	}
	return cfg.WithDefaults(len(w.nodes))
}

// crashPoint is the point of an armed CrashWrite fault, -1 for none.
func (w *World) crashPoint(n *node) int {
	if n.crashFault < 0 {
		return -1
	}
	return w.plan.Faults[n.crashFault].N
}

// heal ends all faults, brings everybody back and starts the last phase.
func (w *World) heal() {
	w.settled()
	w.healed = true
	if w.verbose(1) {
		w.logf("all faults end")
	}
	down := w.net.conds.down
	clear(w.active)
	clear(w.waitState)
	w.conditions()
	w.knetChanged(nil)
	for i := range w.nodes {
		n := &w.nodes[i]
		n.crashFault = -1
		switch {
		case w.plan.KeepDown.Has(i):
			w.kill(n, "for good")
		case n.eng == nil:
			w.start(n)
		case n.paused:
			w.resume(n)
		}
		if n.eng != nil && down.Has(i) && w.plan.Knet == nil {
			w.step(n, srp.Event{Kind: srp.EvLink, Up: true})
		}
	}
	w.lastChange = w.now
	w.queue.Put(w.now+pollEvery, event{kind: evPoll})
}

// settled notes a moment of calm for the judges: nothing changed for so long
// that every connected group must hold one ring.
func (w *World) settled() {
	if w.healed || w.now-w.lastChange < w.plan.settleTime() {
		return
	}
	alive := Mask(0)
	for i := range w.nodes {
		n := &w.nodes[i]
		if n.paused || w.net.conds.down.Has(i) {
			return
		}
		if n.eng != nil {
			alive |= 1 << i
		}
	}
	groups, calm := w.net.groups(alive, len(w.nodes))
	if !calm {
		return
	}
	s := Settled{At: w.now, Views: map[ProcID]View{}}
	for _, g := range groups {
		var procs []ProcID
		for i := range w.nodes {
			if g.Has(i) {
				p := w.nodes[i].proc
				procs = append(procs, p)
				s.Views[p] = w.lastView(p)
			}
		}
		s.Groups = append(s.Groups, procs)
	}
	w.hist.Quiet = append(w.hist.Quiet, s)
}

// lastView is the regular view a process holds; empty when it has none.
func (w *World) lastView(p ProcID) View {
	log := w.hist.Procs[p].Log
	for i := len(log) - 1; i >= 0; i-- {
		if log[i].Kind == EntryRegular {
			return w.hist.Procs[p].Views[log[i].View]
		}
	}
	return View{}
}
