package totemtest

import (
	"net/netip"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/totem/knet"
	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// knetNode is a node's engine. It is driven as totem/link drives it.
type knetNode struct {
	eng     *knet.Engine  // nil: not running, or a plan without knet
	timer   time.Duration // -1: not armed
	busy    bool          // what the engine put together is being read: sending waits
	burning bool          // data that is sent now gets lost
	mute    bool          // and so do pings
	losing  bool          // so does the first packet of what is sent now
	direct  bool          // data that is sent now arrives at once
}

// knetPacket is what the simulator knows of a datagram between two engines.
type knetPacket struct {
	link     uint8
	local    uint8 // the link whose socket it comes in at
	forged   bool
	harmless bool   // forged: it must leave no trace
	dgram    int32  // application datagram it carries, -1: none
	proc     ProcID // who sent it
	full     uint32 // number in it, without the wrap
	from     netip.AddrPort
}

// pauseMin is how late a timer is when the shell takes it for a pause (totem/link).
const pauseMin = 20 * time.Millisecond

// knetAddr is a node's address on a link.
func knetAddr(node int, link uint8) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, link, 0, byte(node + 1)}), 5405+uint16(link))
}

// due is when a node's next timer is due, -1: none.
func (n *node) due() time.Duration {
	if n.knet.timer >= 0 && (n.timer < 0 || n.knet.timer < n.timer) {
		return n.knet.timer
	}
	return n.timer
}

// knetConfig is what a node's engine is configured with.
func (w *World) knetConfig(n *node) knet.Config {
	k := w.plan.Knet
	cfg := knet.Config{Self: knet.HostID(n.id), Policy: k.Policy, PMTUDInterval: k.PMTUDInterval}
	for i, id := range w.plan.IDs {
		if i == n.idx {
			continue
		}
		h := knet.HostConfig{ID: knet.HostID(id)}
		for l := range uint8(k.Links) {
			priority := uint8(1)
			if k.First && l == k.Guard[n.idx][i] {
				priority = 2
			}
			h.Links = append(h.Links, knet.LinkConfig{
				ID: l, Local: knetAddr(n.idx, l), Remote: knetAddr(i, l), Priority: priority,
				PingInterval: k.PingInterval, PongTimeout: k.PongTimeout, PongCount: k.PongCount,
			})
		}
		cfg.Hosts = append(cfg.Hosts, h)
	}
	return cfg
}

// knetStart begins the engine's life with the node's.
func (w *World) knetStart(n *node) {
	if w.plan.Knet == nil {
		return
	}
	eng, err := knet.New(epoch.Add(w.now), w.knetConfig(n))
	if err != nil {
		panic(err)
	}
	n.knet = knetNode{eng: eng, timer: -1}
	w.knet.start(n)
	w.knetFlush(n)
}

// knetFlush carries out what the engine wants, until it wants no more.
func (w *World) knetFlush(n *node) {
	k := &n.knet
	if k.eng == nil || k.busy {
		return
	}
	for range maxDrain {
		out := k.eng.Output()
		if out.Empty() {
			k.timer = max(k.eng.Deadline().Sub(epoch)+n.slop, w.now)
			return
		}
		w.knetOut(n, out, -1)
		if len(out.Up) > 0 {
			w.hist.fail("knet: delivers what comes", w.now, "%s delivers without a packet", w.hist.proc(n.proc))
		}
	}
	w.hist.fail("knet: bounded work", w.now, "%s never has enough", w.hist.proc(n.proc))
	w.done = true
}

// knetOut tells the judge what happened and sends what is to be sent. link is the
// one of the packet that led to it, by peer and number; -1: there was none.
func (w *World) knetOut(n *node, out *knet.Output, cause int) {
	for i := range out.Events {
		w.knet.event(n, &out.Events[i])
		if w.verbose(1) && out.Events[i].Level() != knet.LevelDebug {
			w.logf("n%d knet %s", n.idx, out.Events[i].Text())
		}
	}
	for i := range out.Send {
		w.knetTransmit(n, &out.Send[i])
	}
	w.knet.dropped(n, cause)
}

// knetStep runs the engine's due timers.
func (w *World) knetStep(n *node) {
	n.knet.eng.Step(epoch.Add(w.now))
	w.knetFlush(n)
}

// knetResume tells the engine that the process did not run.
func (w *World) knetResume(n *node) {
	w.knet.nodes[n.idx].since = w.now
	if k := &n.knet; k.eng != nil && k.timer >= 0 && w.now-k.timer > pauseMin {
		k.eng.Paused(w.now - k.timer)
		w.knetFlush(n)
	}
}

// knetSend gives the engine a datagram for a node, -1: for all others. A filler is
// another application's: the receiver's ring does not see it.
func (w *World) knetSend(n *node, to int, data []byte, filler bool) {
	id := knet.HostID(0)
	if to >= 0 {
		id = knet.HostID(w.plan.IDs[to])
	}
	w.knet.sending(n, to, data, filler)
	n.knet.eng.Send(epoch.Add(w.now), id, data)
}

// knetReceive hands a packet to a running node's engine, and what that delivers to
// its ring.
func (w *World) knetReceive(n *node, ev event) {
	data, p := w.net.packets[ev.arg].data, w.net.packets[ev.arg].knet
	if w.verbose(2) {
		w.logf("n%d <- n%d link %d %s", n.idx, ev.from, p.link, describeKnet(data))
	}
	w.hash.Add(uint64(w.now)<<12 | uint64(ev.node)<<8 | uint64(ev.from)<<4 | uint64(p.link))
	w.hash.Add(uint64(len(data)))
	from := p.from
	if !from.IsValid() {
		from = knetAddr(int(ev.from), p.link)
	}
	cause := w.knet.arrives(n, int(ev.from), &p, data)
	n.knet.eng.Receive(epoch.Add(w.now), knetAddr(n.idx, p.local), from, data)
	out := n.knet.eng.Output()
	filler := w.knet.arrived(n, int(ev.from), &p, data, out)
	w.knetOut(n, out, cause)
	n.knet.busy = true
	for i := range out.Up {
		if n.eng == nil {
			break
		}
		if !filler {
			w.step(n, srp.Event{Kind: srp.EvPacket, Data: out.Up[i].Data})
		}
	}
	n.knet.busy = false
	w.knetFlush(n)
	w.net.drop(ev.arg)
}

// knetRefused tells an engine that nobody is at the other end.
func (w *World) knetRefused(ev event) {
	n := &w.nodes[ev.node]
	if n.eng == nil || n.paused {
		return
	}
	l := uint8(ev.arg)
	w.knet.failed(n, int(ev.from), l, rowRefused)
	n.knet.eng.Failed(epoch.Add(w.now), knet.Failure{Local: knetAddr(n.idx, l), To: knetAddr(int(ev.from), l), Errno: knet.ECONNREFUSED})
	w.knetFlush(n)
}

// knetTransmit puts a packet of an engine on its link, as kernel and network allow.
func (w *World) knetTransmit(n *node, d *knet.Datagram) {
	to := int(d.To.Addr().As4()[3]) - 1
	p := w.knet.sends(n, to, d)
	path := w.net.path(n.idx, to, d.Link)
	size := len(d.Data) + ipOverhead
	fail := knet.Failure{Local: d.Local, To: d.To, Type: d.Type, Now: true, Errno: path.errno}
	if n.knet.direct && d.Type == knet.TypeData {
		fail.Errno = 0 // it is to arrive
	}
	if fail.Errno == 0 && size > path.iface {
		fail.Errno = knet.EMSGSIZE
		if path.hint {
			fail.MTU = path.iface
		}
	}
	if fail.Errno != 0 {
		w.knet.failed(n, to, d.Link, failRow(fail.Errno))
		n.knet.eng.Failed(epoch.Add(w.now), fail)
		return
	}
	if d.Type == knet.TypeData {
		w.knet.fits(n, to, d.Link, size, &path)
		if n.knet.burning || n.knet.losing && d.Data[12] == 1 {
			return
		}
	}
	if n.knet.mute && d.Type == knet.TypePing {
		return
	}
	if n.knet.direct && d.Type == knet.TypeData {
		w.knetDirect(n, to, d, p)
		return
	}
	w.net.udp(n.idx, to, d, p, &path)
}

// knetDirect lets a packet arrive at once, if anybody is there.
func (w *World) knetDirect(n *node, to int, d *knet.Datagram, p knetPacket) {
	peer := &w.nodes[to]
	if peer.eng == nil || peer.paused {
		return
	}
	w.knet.kept[n.idx] = kept{to: to, p: p, data: append(w.knet.kept[n.idx].data[:0], d.Data...)}
	i := w.net.take(d.Data)
	w.net.packets[i].knet = p
	w.knetReceive(peer, event{kind: evArrive, node: uint8(to), from: uint8(n.idx), arg: i})
}

// ipOverhead is what IPv4 and UDP add to a packet.
const ipOverhead = 28

// linkPath is what a link is like between two nodes now.
type linkPath struct {
	cut            bool
	solid          bool // cut, and not by flapping
	lossy          bool // it is not whole, apart from sizes
	loss           float64
	delay          time.Duration
	reorder, dup   float64
	reorderD, dupD time.Duration
	errno          knet.Errno
	iface, mtu     int
	hint           bool
}

// path adds up the faults of a link from one node to another.
func (t *network) path(from, to int, link uint8) linkPath {
	k := t.w.plan.Knet
	p := linkPath{iface: k.MTU[link], mtu: k.MTU[link], delay: k.Latency[link], hint: true}
	for i := range t.conds.links {
		f := &t.conds.links[i]
		if f.N != int(link) || !k.hits(f, from, to) {
			continue
		}
		p.lossy = p.lossy || f.Kind != LinkHole && f.Kind != LinkMTU
		switch f.Kind {
		case LinkCut, LinkCutOneWay:
			p.cut, p.solid = true, true
		case LinkFlap:
			p.cut = p.cut || (t.w.now-f.At)/(f.D/2)%2 == 0
		case LinkLoss:
			p.loss = max(p.loss, f.P)
		case LinkDelay:
			p.delay += f.D
		case LinkReorder:
			p.reorder, p.reorderD = max(p.reorder, f.P), max(p.reorderD, f.D)
		case LinkDuplicate:
			p.dup, p.dupD = max(p.dup, f.P), max(p.dupD, f.D)
		case LinkHole:
			p.mtu = min(p.mtu, int(f.D))
		case LinkMTU:
			p.iface, p.hint = min(p.iface, int(f.D)), f.P > 0
		case LinkErrno:
			p.errno = knet.Errno(f.D)
		}
	}
	p.mtu = min(p.mtu, p.iface)
	return p
}

// hits tells whether a fault of a link is one between these nodes.
func (k *KnetPlan) hits(f *Fault, from, to int) bool {
	if k.Guarded && int(k.Guard[from][to]) == f.N {
		return false
	}
	switch {
	case f.Kind == LinkErrno:
		return from == f.Node && (f.Peer < 0 || to == f.Peer)
	case f.Peer < 0:
		return true
	case f.Kind == LinkCutOneWay:
		return from == f.Node && to == f.Peer
	}
	return from == f.Node && to == f.Peer || from == f.Peer && to == f.Node
}

// udp carries a packet over a link.
func (t *network) udp(from, to int, d *knet.Datagram, p knetPacket, path *linkPath) {
	depart, ok := t.depart(from, len(d.Data))
	ok = ok && !path.cut && len(d.Data)+ipOverhead <= path.mtu && !sim.Chance(t.rng, path.loss)
	i := t.take(d.Data)
	t.packets[i].knet = p
	at := depart + path.delay
	if sim.Chance(t.rng, path.reorder) {
		at += sim.Between(t.rng, 0, path.reorderD)
	}
	t.link(from, to, i, at, ok)
	if ok && sim.Chance(t.rng, path.dup) {
		if late := at + sim.Between(t.rng, 0, path.dupD); late < t.w.plan.Heal {
			t.link(from, to, i, late, true)
		}
	}
	t.drop(i)
	if peer := &t.w.nodes[to]; ok && peer.eng == nil && t.w.plan.Knet.Refuse && !t.conds.cut[to].Has(from) && t.conds.down == 0 {
		t.w.queue.Put(at+t.w.plan.Latency, event{kind: evRefused, node: uint8(from), from: uint8(to), arg: int32(d.Link)})
	}
}

// kindOf is a packet's type as faults number them: the ring's, or knet's.
func (w *World) kindOf(data []byte) int {
	switch {
	case len(data) < 4:
		return -1
	case w.plan.Knet == nil:
		return int(data[3])
	case data[1] == 0:
		return 0
	}
	return int(data[1] & 0x7f)
}

// describe names a packet in a few words.
func (w *World) describe(data []byte) string {
	if w.plan.Knet != nil {
		return describeKnet(data)
	}
	return describe(data)
}

// knetView holds the membership to what whole links promise.
func (w *World) knetView(n *node, v *srp.View) {
	k := w.plan.Knet
	if k == nil || !k.Guarded || w.healed || !w.knet.formed {
		return
	}
	w.hist.fail("knet: a whole link between each two nodes keeps the membership", w.now, "%s gets ring %v with %v", w.hist.proc(n.proc), v.Ring, v.Members)
}

// hostIndex finds a node by its id.
func (w *World) hostIndex(id knet.HostID) int {
	for i, other := range w.plan.IDs {
		if other == wire.NodeID(id) {
			return i
		}
	}
	return -1
}
