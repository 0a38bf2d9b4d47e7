package totemtest

import (
	"hash/maphash"
	"slices"
	"time"

	"github.com/pacesync/pacesync/totem/knet"
)

// knetJudge holds engines to what they promise. It goes by what the simulated
// network carried, read by its own decoder, and by what came out.
type knetJudge struct {
	w      *World
	seed   maphash.Seed
	formed bool // Guarded: all were in one ring, nothing may change that
	dgrams []kdgram
	nodes  [maxNodes]kside
	views  [maxNodes][maxNodes]*kview
	links  [maxNodes][maxNodes][knet.MaxLinks]klink
	gen    uint32
	last   [maxNodes]uint16 // number of the datagram sent last
	kept   [maxNodes]kept
	cover  KnetCoverage
}

// kdgram is one application datagram that an engine took.
type kdgram struct {
	proc   ProcID
	to     int
	hash   uint64
	size   int
	full   uint32 // its number without the wrap
	filler bool
}

// kside is one engine in its present life.
type kside struct {
	since   time.Duration // it runs without a pause
	pending []int32       // taken and not yet seen on a link
	current int32         // whose packets go out
	full    uint32
	stats   knet.Stats
}

// kview is what a node's engine can know of another node's numbers.
type kview struct {
	proc     ProcID // the life that was heard last
	heard    bool
	gen      uint32 // changes when the engine may have forgotten what came
	mixed    bool   // two lives or two rounds of numbers met: no telling what is new
	top      uint16
	topFull  uint32
	topSet   bool
	gotData  bool
	untimed  uint16
	timed    uint16
	seen     [4096]kseen
	assembly [64]kassembly
}

// kseen is a datagram that was delivered.
type kseen struct {
	proc      ProcID
	full, gen uint32
}

// kassembly are the fragments of a datagram that came.
type kassembly struct {
	proc      ProcID
	full, gen uint32
	have      [4]uint64
	got       int
	late      bool
}

// klink is one end of a link.
type klink struct {
	state  LinkState
	forced bool
	pongs  int // since it was last down
	proven int // greatest packet that was confirmed since it came up
	steady time.Duration
}

// kept is a packet that Replay lets arrive again.
type kept struct {
	to   int
	p    knetPacket
	data []byte
}

// knetReset makes the judge ready for a run.
func (w *World) knetReset() {
	j := &w.knet
	j.w, j.seed, j.formed, j.dgrams = w, maphash.MakeSeed(), false, j.dgrams[:0]
	j.links = [maxNodes][maxNodes][knet.MaxLinks]klink{}
	if w.plan.Knet != nil {
		w.queue.Put(lookEvery, event{kind: evKnetLook})
	}
}

// start begins a life.
func (j *knetJudge) start(n *node) {
	j.nodes[n.idx] = kside{since: j.w.now, current: -1}
	j.last[n.idx], j.kept[n.idx] = 0, kept{}
	for peer := range j.w.nodes {
		v := j.views[n.idx][peer]
		if v == nil {
			v = new(kview)
			j.views[n.idx][peer] = v
		}
		j.gen++
		v.heard, v.gen, v.mixed, v.topSet, v.gotData, v.untimed, v.timed = false, j.gen, false, false, false, 0, 0
		for i := range v.seen {
			v.seen[i].gen = 0
		}
		for l := range j.links[n.idx][peer] {
			kl := &j.links[n.idx][peer][l]
			*kl = klink{steady: kl.steady}
		}
	}
}

func (j *knetJudge) fail(n *node, property, format string, args ...any) {
	args = append([]any{j.w.hist.proc(n.proc)}, args...)
	j.w.hist.fail("knet: "+property, j.w.now, "%s "+format, args...)
}

// sending is told what the engine gets to send.
func (j *knetJudge) sending(n *node, to int, data []byte, filler bool) {
	reachable := false
	for i, id := range j.w.plan.IDs {
		if i != n.idx && (to < 0 || to == i) {
			st, _ := n.knet.eng.HostStatus(knet.HostID(id))
			reachable = reachable || st.Reachable
		}
	}
	if !reachable {
		return
	}
	j.nodes[n.idx].pending = append(j.nodes[n.idx].pending, int32(len(j.dgrams)))
	j.dgrams = append(j.dgrams, kdgram{proc: n.proc, to: to, hash: maphash.Bytes(j.seed, data), size: len(data), filler: filler})
}

// sends judges a packet that goes out, and tells what it is.
func (j *knetJudge) sends(n *node, to int, d *knet.Datagram) knetPacket {
	s, b := &j.nodes[n.idx], d.Data
	p := knetPacket{link: d.Link, local: d.Link, dgram: -1, proc: n.proc, full: s.full}
	if len(b) < 9 || b[0] != 1 || b[1] != byte(d.Type) || be.Uint16(b[2:]) != uint16(n.id) || d.Local != knetAddr(n.idx, d.Link) || d.To != knetAddr(to, d.Link) {
		j.fail(n, "well-formed packets", "sends % x from %v to %v", b[:min(len(b), 20)], d.Local, d.To)
		return p
	}
	switch d.Type {
	case knet.TypeData:
		j.sendsData(n, to, d)
		p.dgram, p.full = s.current, s.full
	case knet.TypePing:
		p.full = s.full + uint32(be.Uint16(b[23:])-j.last[n.idx])
	case knet.TypePMTUD:
		if size := int(le.Uint16(b[7:])); size != len(b)+ipOverhead {
			j.fail(n, "well-formed packets", "asks about %d with a packet of %d", size, len(b)+ipOverhead)
		}
	}
	return p
}

// sendsData follows the numbers.
func (j *knetJudge) sendsData(n *node, to int, d *knet.Datagram) {
	s, b := &j.nodes[n.idx], d.Data
	seq := be.Uint16(b[6:])
	if seq != j.last[n.idx] || s.current < 0 {
		next := max(j.last[n.idx]+1, 1)
		if len(s.pending) == 0 || seq != next {
			j.fail(n, "numbers go up by one", "sends number %d after %d with %d datagrams to send", seq, j.last[n.idx], len(s.pending))
			return
		}
		s.current, s.pending = s.pending[0], s.pending[1:]
		s.full += uint32(seq - j.last[n.idx])
		j.last[n.idx] = seq
		j.dgrams[s.current].full = s.full
	}
	if g := &j.dgrams[s.current]; g.to >= 0 && g.to != to {
		j.fail(n, "to whom it is for", "sends n%d what is for n%d", to, g.to)
	}
	if len(b) <= 14 || b[11] == 0 || b[11] == 1 && b[12] != 0 || b[11] > 1 && (b[12] == 0 || b[12] > b[11]) {
		j.fail(n, "well-formed packets", "sends % x", b[:min(len(b), 20)])
	}
	kl := &j.links[n.idx][to][d.Link]
	if size := len(b) + ipOverhead; size > max(smallest, kl.proven) {
		j.fail(n, "sizes are proven", "sends n%d %d bytes on link %d, where %d were confirmed", to, size, d.Link, kl.proven)
	}
}

// smallest is a packet that every network takes.
const smallest = 576

// arrives notes what is about to reach an engine and returns the link for coverage.
func (j *knetJudge) arrives(n *node, from int, p *knetPacket, b []byte) int {
	kl := &j.links[n.idx][from][p.link]
	if !p.forged {
		j.cover.input(kl.state, b)
		switch knet.PacketType(b[1]) {
		case knet.TypePong:
			kl.pongs++
		case knet.TypePMTUDReply:
			kl.proven = max(kl.proven, int(le.Uint16(b[7:])))
		}
	}
	return from*knet.MaxLinks + int(p.link)
}

// arrived judges what an engine made of a packet; filler: the ring has no use for it.
func (j *knetJudge) arrived(n *node, from int, p *knetPacket, b []byte, out *knet.Output) (filler bool) {
	if p.forged {
		j.arrivedForged(n, from, p, b, out)
		return true
	}
	v := j.views[n.idx][from]
	switch knet.PacketType(b[1]) {
	case knet.TypeData:
		j.arrivedData(n, from, v, p, b, out)
		return j.dgrams[p.dgram].filler
	case knet.TypePing:
		v.ping(j, p, be.Uint16(b[23:]), b[25] != 0)
	}
	return false
}

func (j *knetJudge) arrivedForged(n *node, from int, p *knetPacket, b []byte, out *knet.Output) {
	if len(out.Up) > 0 {
		j.fail(n, "forged packets are not delivered", "delivers % x from %v", b[:20], p.from)
	}
	if p.harmless && len(out.Send) > 0 {
		j.fail(n, "forged packets are not answered", "answers % x from %v", b[:min(len(b), 26)], p.from)
	}
	if !p.harmless && len(b) > 7 && b[1] == 0 {
		// From the right address: it counts as one of the sender's numbers.
		seq := be.Uint16(b[6:])
		j.views[n.idx][from].move(j, seq, j.nodes[from].full+uint32(seq-j.last[from]))
	}
}

// arrivedData judges contents, and that what is new is delivered, once.
func (j *knetJudge) arrivedData(n *node, from int, v *kview, p *knetPacket, b []byte, out *knet.Output) {
	d := &j.dgrams[p.dgram]
	for i := range out.Up {
		u := &out.Up[i]
		if i > 0 || int(u.From) != int(j.w.plan.IDs[from]) || len(u.Data) != d.size || maphash.Bytes(j.seed, u.Data) != d.hash || u.Broadcast != (d.to < 0) {
			j.fail(n, "whole datagrams", "delivers %d bytes of host %d that are not the %d bytes of number %d", len(u.Data), u.From, d.size, d.full)
		}
	}
	if st, _ := n.knet.eng.HostStatus(knet.HostID(j.w.plan.IDs[from])); !st.Reachable {
		return
	}
	v.gotData = true
	v.life(j, d.proc)
	if v.topSet && distance(d.full, v.topFull) >= 32768-4096 {
		v.mixed = true
	}
	v.move(j, be.Uint16(b[6:]), d.full)
	seen := &v.seen[d.full%uint32(len(v.seen))]
	again := seen.full == d.full && seen.proc == d.proc && seen.gen != 0
	complete := v.assemble(d, b)
	switch up := len(out.Up) > 0; {
	case up && again && seen.gen == v.gen && !v.mixed:
		j.fail(n, "delivered once", "delivers number %d of n%d again", d.full, from)
	case !up && !again && complete && !v.mixed:
		j.fail(n, "what is new is delivered", "drops number %d of n%d, the highest was %d", d.full, from, v.topFull)
	}
	if len(out.Up) > 0 {
		*seen = kseen{d.proc, d.full, v.gen}
	}
}

func distance(a, b uint32) uint32 { return max(a, b) - min(a, b) }

// life notes whose life is heard.
func (v *kview) life(j *knetJudge, proc ProcID) {
	if v.heard && v.proc == proc {
		return
	}
	v.mixed = v.mixed || v.heard
	v.forget(j)
	v.heard, v.proc = true, proc
}

// forget notes that the engine may not know any more what it delivered.
func (v *kview) forget(j *knetJudge) {
	j.gen++
	v.gen, v.topSet = j.gen, false
}

// move is the window's rule: 4096 numbers up to the highest are known.
func (v *kview) move(j *knetJudge, seq uint16, full uint32) {
	switch {
	case !v.topSet:
	case v.top-seq < 4096:
		return
	case seq-v.top >= 4096:
		v.forget(j)
	}
	v.top, v.topFull, v.topSet = seq, full, true
}

// ping follows the numbers in pings.
func (v *kview) ping(j *knetJudge, p *knetPacket, seq uint16, timed bool) {
	if timed {
		if seq == 0 {
			known := v.timed != 0
			v.forget(j)
			if known && (!v.heard || v.proc != p.proc) {
				v.heard, v.proc, v.mixed = true, p.proc, false
			}
		}
		v.timed = seq
		return
	}
	if v.heard && v.proc != p.proc {
		v.life(j, p.proc)
	}
	if seq != v.untimed {
		v.untimed = seq
		if !v.gotData {
			v.forget(j)
		}
		v.gotData = false
	}
	v.move(j, seq, p.full)
}

// assemble tells whether a datagram must be whole with this packet: all of it came,
// while its number was among the last 30.
func (v *kview) assemble(d *kdgram, b []byte) bool {
	if b[11] == 1 {
		return true
	}
	a := &v.assembly[d.full%uint32(len(v.assembly))]
	if a.full != d.full || a.proc != d.proc || a.gen != v.gen {
		*a = kassembly{proc: d.proc, full: d.full, gen: v.gen}
	}
	a.late = a.late || v.top-be.Uint16(b[6:]) > 30
	if bit := uint64(1) << (b[12] % 64); a.have[b[12]/64]&bit == 0 {
		a.have[b[12]/64] |= bit
		a.got++
		return a.got == int(b[11]) && !a.late
	}
	return false
}

// event notes what an engine says of hosts and links.
func (j *knetJudge) event(n *node, ev *knet.Event) {
	peer := j.w.hostIndex(ev.Host)
	if peer < 0 || peer == n.idx {
		return
	}
	kl := &j.links[n.idx][peer][ev.Link%knet.MaxLinks]
	j.cover.event(kl.state, ev)
	switch ev.Kind {
	case knet.EventReachable:
		if ev.N == 0 {
			v := j.views[n.idx][peer]
			v.forget(j)
			v.mixed, v.heard = false, false
		}
	case knet.EventDataUp:
		kl.forced = true
	case knet.EventPong:
		kl.state = max(kl.state, LinkRising)
	case knet.EventLinkUp:
		need := j.w.plan.Knet.PongCount + 1
		if kl.forced {
			need = 1
		}
		if kl.pongs < need {
			j.fail(n, "a link is up when its pings are answered", "takes link %d to n%d up after %d pongs", ev.Link, peer, kl.pongs)
		}
		kl.state, kl.proven, kl.forced = LinkUp, 0, false
	case knet.EventMTUDone:
		kl.state = LinkKnown
	case knet.EventLinkDown:
		kl.state, kl.pongs, kl.forced = LinkSilent, 0, false
	}
}

// failed notes what the kernel says.
func (j *knetJudge) failed(n *node, peer int, link uint8, row int) {
	j.cover.cells[row][j.links[n.idx][peer][link].state]++
}

// dropped counts what the engine dropped, by the state of the link.
func (j *knetJudge) dropped(n *node, cause int) {
	var now knet.Stats
	n.knet.eng.Stats(&now)
	was := &j.nodes[n.idx].stats
	if now.Dropped == was.Dropped {
		return
	}
	col := linkNone
	if cause >= 0 {
		col = j.links[n.idx][cause/knet.MaxLinks][cause%knet.MaxLinks].state
	}
	for i := range now.Dropped {
		j.cover.cells[rowDrops+i][col] += now.Dropped[i] - was.Dropped[i]
	}
	*was = now
}

// lookEvery is how often links are looked at.
const lookEvery = 500 * time.Millisecond

// knetChanged notes that a link's conditions changed; nil: everything did.
func (w *World) knetChanged(f *Fault) {
	if w.plan.Knet == nil {
		return
	}
	for a := range w.nodes {
		for b := range w.nodes {
			for l := range w.plan.Knet.Links {
				if f == nil || !f.Kind.onLink() || f.N == l && (w.plan.Knet.hits(f, a, b) || w.plan.Knet.hits(f, b, a)) {
					w.knet.links[a][b][l].steady = w.now
				}
			}
		}
	}
}

// rough tells whether the network is anything but whole or cut.
func (c *conditions) rough() bool {
	return c.loss > 0 || len(c.types) > 0 || c.delay > 0 || c.reorder > 0 || c.down != 0 ||
		slices.Max(c.lossFrom[:]) > 0 || slices.Max(c.rate[:]) > 0
}

// steadyFor is how long a link between two nodes has been as it is now.
func (w *World) steadyFor(a, b, l int) time.Duration {
	j := &w.knet
	return w.now - max(j.links[a][b][l].steady, j.nodes[a].since, j.nodes[b].since)
}

// linkTime bounds how long an engine takes to notice that a link is gone or back: the
// back-off, the latency that delayed pongs left behind, and a few pings.
func (k *KnetPlan) linkTime(token time.Duration) time.Duration {
	return 11*k.PongTimeout + 2*token + time.Duration(k.PongCount+4)*k.PingInterval + time.Second
}

// searchTime bounds how long a path may be too narrow without being noticed: a search
// that is under way asks for up to 18 sizes that get lost.
func (k *KnetPlan) searchTime(token time.Duration) time.Duration {
	return k.PMTUDInterval + 5*time.Second + 18*(200*time.Millisecond+k.PongTimeout+2*token/10) + 2*token
}

// knetLook judges the links: those that are cut are down, those that are whole up.
func (w *World) knetLook() {
	w.queue.Put(w.now+lookEvery, event{kind: evKnetLook})
	k := w.plan.Knet
	if k.Guarded && !w.knet.formed && w.now > k.From-lookEvery {
		w.knet.formed = true
		if _, ok := w.converged(); !ok {
			w.hist.fail("knet: one ring before links fail", w.now, "%s", w.describeNodes())
		}
	}
	if w.net.conds.rough() {
		return
	}
	for a := range w.nodes {
		for b := range w.nodes {
			if n, o := &w.nodes[a], &w.nodes[b]; a != b && n.eng != nil && o.eng != nil && !n.paused && !o.paused {
				w.knetLookAt(n, b)
			}
		}
	}
}

func (w *World) knetLookAt(n *node, peer int) {
	k := w.plan.Knet
	a := n.idx
	var st knet.LinkStatus
	for l := range k.Links {
		if w.steadyFor(a, peer, l) < k.linkTime(w.plan.Config.Token) {
			continue
		}
		there, back := w.net.path(a, peer, uint8(l)), w.net.path(peer, a, uint8(l))
		cut := there.solid || back.solid || w.net.conds.cut[a].Has(peer) || w.net.conds.cut[peer].Has(a)
		if !cut && (there.lossy || back.lossy) {
			continue
		}
		n.knet.eng.Status(knet.LinkKey{Host: knet.HostID(w.plan.IDs[peer]), Link: uint8(l)}, &st)
		if st.Connected == cut {
			w.knet.fail(n, "links are up when they are whole", "has link %d to n%d up: %v, it is cut: %v", l, peer, st.Connected, cut)
		}
	}
}

// fits judges the size of data on a path that has been narrow for long.
func (j *knetJudge) fits(n *node, to int, link uint8, size int, path *linkPath) {
	w := j.w
	if size <= path.mtu || path.mtu < smallest || path.lossy || w.net.conds.rough() || w.net.conds.cut[n.idx].Has(to) || w.net.conds.cut[to].Has(n.idx) {
		return
	}
	if back := w.net.path(to, n.idx, link); !back.lossy && w.steadyFor(n.idx, to, int(link)) > w.plan.Knet.searchTime(w.plan.Config.Token) {
		j.fail(n, "data fits the path", "sends n%d %d bytes on link %d, which has taken %d for %v", to, size, link, path.mtu, w.steadyFor(n.idx, to, int(link)))
	}
}
