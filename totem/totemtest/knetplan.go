package totemtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/totem/knet"
	"github.com/pacesync/pacesync/totem/wire"
)

// KnetPlan makes the nodes of a plan talk over knet: each has an engine, and each
// link is a UDP network of its own.
type KnetPlan struct {
	Links         int
	Policy        knet.Policy
	PingInterval  time.Duration
	PongTimeout   time.Duration
	PongCount     int
	PMTUDInterval time.Duration
	MTU           [knet.MaxLinks]int           // of the interfaces; the kernel refuses more
	Latency       [knet.MaxLinks]time.Duration // beside that of the plan
	Refuse        bool                         // a node without its process answers by ICMP
	// Guarded plans have link faults only, and between each two nodes a link that
	// none of them touches: Guard. The first comes at From. Then the membership must
	// not change.
	Guarded bool
	First   bool // passive: the guard has the highest priority
	From    time.Duration
	Guard   [maxNodes][maxNodes]uint8
}

// What goes wrong with links. N is the link, Peer<0 stands for all pairs of nodes.
const (
	LinkCut       FaultKind = faultKinds + iota // nothing goes between Node and Peer
	LinkCutOneWay                               // nothing goes from Node to Peer
	LinkFlap                                    // nothing goes between Node and Peer in every other half of D
	LinkLoss                                    // P of the packets are lost
	LinkDelay                                   // packets take D longer
	LinkReorder                                 // P of the packets take up to D longer
	LinkDuplicate                               // P of the packets arrive twice, up to D apart
	LinkHole                                    // packets of more than D bytes are lost
	LinkMTU                                     // the interface takes D bytes; the kernel says so, and how many with P>0
	LinkErrno                                   // Node's sends fail with error D
	Filler                                      // Node sends Peer, or all, a datagram of N bytes that is not the ring's
	Burn                                        // N datagrams of Node to Peer get lost, so that its numbers move on; N<0: up to their wrap, but for -N
	Replay                                      // a datagram of Node to Peer arrives again when N more were sent
	StaleWrap                                   // a datagram of Node to Peer lacks its first packet; the next one arrives, and so does the one with its number
	Forge                                       // Peer receives packet N of forgery, as if Node had sent it
	allFaults
)

var linkFaultNames = [...]string{"link-cut", "link-cut-one-way", "link-flap", "link-loss", "link-delay", "link-reorder", "link-duplicate",
	"link-black-hole", "link-mtu", "link-errno", "filler", "burn", "replay", "stale-wrap", "forge"}

// onLink tells whether a fault is one of a link's that lasts.
func (k FaultKind) onLink() bool { return k >= LinkCut && k <= LinkErrno }

// linkText tells what is special to a fault of links.
func (f *Fault) linkText(b *strings.Builder) {
	if f.Kind.onLink() {
		fmt.Fprintf(b, " link %d", f.N)
	} else {
		fmt.Fprintf(b, " %d", f.N)
	}
	if f.Peer < 0 {
		b.WriteString(" all")
	} else {
		fmt.Fprintf(b, " n%d n%d", f.Node, f.Peer)
	}
	switch f.Kind {
	case LinkFlap, LinkDelay:
		fmt.Fprintf(b, " %v", f.D)
	case LinkLoss:
		fmt.Fprintf(b, " %.0f%%", f.P*100)
	case LinkReorder, LinkDuplicate:
		fmt.Fprintf(b, " %.0f%% within %v", f.P*100, f.D)
	case LinkHole, LinkMTU, LinkErrno:
		fmt.Fprintf(b, " %d", int(f.D))
	}
}

// String describes the links.
func (k *KnetPlan) String() string {
	return fmt.Sprintf("knet: %d links, %v, ping %v timeout %v count %d, mtu %v every %v, latencies %v, refuse %v, guarded %v first %v guards %v",
		k.Links, k.Policy, k.PingInterval, k.PongTimeout, k.PongCount, k.MTU[:k.Links], k.PMTUDInterval, k.Latency[:k.Links], k.Refuse, k.Guarded, k.First, k.Guard)
}

// streamKnet is apart from the others, so that plans without knet stay what they are.
const streamKnet = 1 << 62

// KnetFromSeed draws a plan over knet: the ring of FromSeed over 1 to 8 links. In
// half of the seeds faults of links come beside those of the ring; in the others
// there are only such, and one link between each two nodes stays whole.
func KnetFromSeed(seed uint64) *Plan {
	p := FromSeed(seed)
	r := sim.NewRand(seed, streamKnet)
	k := &KnetPlan{Links: sim.Pick(r, 1, 2, 2, 2, 3, 4, 8), Policy: knet.Policy(r.IntN(3)), PongCount: sim.Pick(r, 1, 2, 2, 5), Refuse: r.IntN(2) == 0}
	p.Knet = k
	for i := range p.IDs {
		p.IDs[i] = wire.NodeID(1 + i*(1+int(seed%3)*500)) // 16 bits on this wire
	}
	k.Guarded = r.IntN(2) == 0
	if k.Guarded {
		k.Links = max(k.Links, 2)
	}
	p.Config.NetMTU = sim.Pick(r, 500, 1410, 3000, 9000, 20000, 65446)
	if k.Links > 3 {
		p.Config.NetMTU = min(p.Config.NetMTU, 9000)
	}
	p.Load.BigSize = min(p.Load.BigSize, 50_000)
	p.Load.Rate = min(p.Load.Rate, 10)
	k.setTimers(p.Config.Token)
	k.PMTUDInterval = sim.Pick(r, time.Second, 2*time.Second, 5*time.Second)
	for l := range k.Links {
		k.MTU[l] = sim.Pick(r, 1500, 1500, 1500, 9000, 1280, 65535)
		k.Latency[l] = time.Duration(r.Int64N(int64(p.Latency) + 1))
	}
	if k.Guarded {
		drawGuarded(r, p)
	} else {
		drawWild(r, p)
	}
	if k.Policy == knet.PolicyActive || !k.Guarded {
		for range r.IntN(8) {
			f := drawLinkFault(r, p, Forge)
			f.At = sim.Between(r, max(k.From, time.Second), p.Heal-time.Second)
			p.Faults = append(p.Faults, f)
		}
	}
	return p
}

// setTimers derives the links' timers from the token timeout, as corosync does
// (coroparse.c, totemconfig.c).
func (k *KnetPlan) setTimers(token time.Duration) {
	k.PingInterval = token / time.Duration(2*k.PongCount)
	k.PongTimeout = token / time.Duration(k.PongCount)
}

// drawWild adds faults of links to the ring's.
func drawWild(r *rand.Rand, p *Plan) {
	p.Heal = min(p.Heal, 40*time.Second)
	for range 4 + r.IntN(16) {
		p.Faults = append(p.Faults, drawLinkFault(r, p, FaultKind(int(LinkCut)+r.IntN(int(allFaults-LinkCut)))))
	}
	for i := range p.Faults {
		f := &p.Faults[i]
		f.At = min(f.At, 500*ms+f.At*p.Heal/(65*time.Second))
	}
}

// drawGuarded makes a plan in which one link between each two nodes stays whole.
// With the active policy, or when passive prefers that link, anything may happen to
// the others. Else data goes over a link until its failure is noticed: then one
// failure at a time, so far apart that the links' timeouts are the normal ones.
func drawGuarded(r *rand.Rand, p *Plan) {
	k := p.Knet
	p.Faults, p.KeepDown = nil, 0
	clear(p.Starts)
	p.Config.HeartbeatFailuresAllowed, p.Config.FailRecvConst, p.Config.SendJoin = 0, 0, 0
	p.Config = p.Config.WithDefaults(len(p.IDs))
	for a := range p.IDs {
		for b := range a {
			g := uint8(r.IntN(k.Links))
			k.Guard[a][b], k.Guard[b][a] = g, g
		}
	}
	k.First = r.IntN(2) == 0
	k.From = p.settleTime()
	if k.Policy == knet.PolicyActive || k.Policy == knet.PolicyPassive && k.First {
		p.Heal = k.From + 30*time.Second
		kinds, count, fillers := linkKinds(LinkCut, allFaults), 4+r.IntN(20), 0
		switch r.IntN(6) {
		case 0, 1: // paths that stay narrow
			kinds, count, fillers = []FaultKind{LinkHole, LinkMTU}, 1+r.IntN(3), 80
			p.Heal += 30 * time.Second
		case 2: // links that come and go while much is sent
			kinds, count, fillers = []FaultKind{LinkFlap, LinkCut}, 2+r.IntN(6), 300
		}
		for range count {
			f := drawLinkFault(r, p, sim.Pick(r, kinds...))
			f.At = sim.Between(r, k.From, p.Heal-time.Second)
			if fillers == 80 {
				f.At, f.For = sim.Between(r, k.From, k.From+5*time.Second), sim.Between(r, 20*time.Second, 55*time.Second)
			}
			p.Faults = append(p.Faults, f)
		}
		for range fillers {
			f := drawLinkFault(r, p, Filler)
			f.At, f.N = sim.Between(r, k.From, p.Heal-time.Second), sim.Pick(r, 1446, 3000, 9000)
			p.Faults = append(p.Faults, f)
		}
		return
	}
	k.PongCount = max(k.PongCount, 2) // with 1 the links' timeout is the token's: nothing is promised
	k.setTimers(p.Config.Token)
	// Nor when a rotation and two latencies take much of the other half of the token's.
	p.Latency = min(p.Latency, p.Config.Token/200)
	p.Jitter = min(p.Jitter, p.Latency)
	for l := range k.Latency {
		k.Latency[l] = min(k.Latency[l], p.Latency)
	}
	k.From = max(k.From, 15*time.Second)
	at := k.From
	for range 1 + r.IntN(3) {
		f := drawLinkFault(r, p, sim.Pick(r, LinkCut, LinkCut, LinkCutOneWay, LinkErrno))
		f.At, f.For = at, sim.Between(r, 10*ms, 10*time.Second)
		p.Faults = append(p.Faults, f)
		at += f.For + 15*time.Second
	}
	p.Heal = at
}

func linkKinds(from, to FaultKind) (out []FaultKind) {
	for k := from; k < to; k++ {
		out = append(out, k)
	}
	return out
}

func drawLinkFault(r *rand.Rand, p *Plan, kind FaultKind) Fault {
	n, token := len(p.IDs), p.Config.Token
	f := Fault{Kind: kind, At: sim.Between(r, 500*ms, p.Heal-3*time.Second), Node: r.IntN(n), N: r.IntN(p.Knet.Links)}
	f.Peer = (f.Node + 1 + r.IntN(n-1)) % n
	f.For = logBetween(r, token/4, 20*token)
	if kind.onLink() && kind != LinkCutOneWay && r.IntN(3) == 0 {
		f.Peer = -1
	}
	switch kind {
	case LinkFlap:
		f.D = logBetween(r, 10*ms, 10*time.Second) // 0.1 to 100 Hz
	case LinkLoss:
		f.P = sim.Pick(r, 0.02, 0.2, 0.5, 0.9)
	case LinkDelay:
		f.D = logBetween(r, p.Latency, token)
	case LinkReorder:
		f.P, f.D = sim.Pick(r, 0.05, 0.3, 1), logBetween(r, p.Latency, token/8)
	case LinkDuplicate:
		f.P, f.D = sim.Pick(r, 0.05, 0.3, 1), logBetween(r, 10*time.Microsecond, 2*token)
	case LinkHole:
		f.D, f.For = time.Duration(sim.Pick(r, 300, 552, 600, 900, 1280, 1400, 4000)), 3*f.For
	case LinkMTU:
		f.D, f.P, f.For = time.Duration(sim.Pick(r, 560, 600, 1280, 1300, 1500, 9000, 65535)), float64(r.IntN(2)), 3*f.For
	case LinkErrno:
		f.D = time.Duration(sim.Pick(r, knet.ENOBUFS, knet.EAGAIN, knet.ENETUNREACH, knet.EINVAL, knet.EPERM, knet.ECONNREFUSED))
	case Filler:
		f.N = sim.Pick(r, 1, 2, 482, 483, 964, 1446, 2892, 2893, 20000, 60000, knet.MaxPacket)
		if r.IntN(2) == 0 {
			f.Peer = -1
		}
	case Burn:
		f.N = sim.Pick(r, -1, -3, -40, -40, -400, 40, 500, 3900, 4095, 4096, 9000, 30000, 61000, 65500, 65535)
	case Replay:
		f.N = sim.Pick(r, 1, 2, 31, 100, 4000, 4094, 4095, 4096, 4097)
	case Forge:
		f.N = r.IntN(forgeries)
	}
	if !kind.onLink() {
		f.For = 0
	}
	return f
}
