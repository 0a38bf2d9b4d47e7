package totemtest

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

const ms = time.Millisecond

// FromSeed draws a plan: 3 to 7 nodes, 60 simulated seconds with at least five
// faults, then peace. Every seed draws its own mix of faults (swarm testing):
// a mix of everything hides what a few of them do.
func FromSeed(seed uint64) *Plan {
	r := sim.NewRand(seed, streamPlan)
	n := 3 + r.IntN(5)
	p := &Plan{Seed: seed, IDs: drawIDs(r, n), Heal: 60*time.Second + sim.Between(r, 0, 5*time.Second)}
	drawConfig(r, p)
	drawNetwork(r, p)
	p.Starts = make([]time.Duration, n)
	if r.IntN(3) == 0 {
		for i := range p.Starts {
			p.Starts[i] = sim.Between(r, 0, 5*time.Second)
		}
	}
	p.Load = drawLoad(r, p)
	drawFaults(r, p)
	if r.IntN(8) == 0 {
		p.KeepDown = 1 << r.IntN(n)
	}
	return p
}

func drawIDs(r *rand.Rand, n int) []wire.NodeID {
	out := make([]wire.NodeID, n)
	next := wire.NodeID(1)
	if r.IntN(4) == 0 {
		next = 0x0a4e0001 + wire.NodeID(r.IntN(1000))<<16 // as made from an IPv4 address
	}
	sparse := r.IntN(3) == 0
	for i := range out {
		out[i] = next
		next++
		if sparse {
			next += wire.NodeID(r.IntN(1000))
		}
	}
	return out
}

func drawConfig(r *rand.Rand, p *Plan) {
	c := srp.Config{CancelTokenHoldOnRetransmit: r.IntN(2) == 0, TokenWarning: 75}
	c.Token = sim.Pick(r, 200*ms, 300*ms, 500*ms, 1000*ms, 1000*ms, 2000*ms)
	if r.IntN(8) == 0 {
		c.Token = 0 // corosync's default for so many nodes
	}
	if r.IntN(4) == 0 {
		c.SendJoin = sim.Between(r, 5*ms, 80*ms)
	}
	if r.IntN(3) == 0 {
		c.WindowSize, c.MaxMessages = sim.Pick(r, 5, 10, 20, 100, 300), sim.Pick(r, 1, 3, 8, 17, 40)
	}
	c.NetMTU = sim.Pick(r, 1410, 1410, 1410, 200, 300, 500, 700, 9000, 1100)
	if r.IntN(10) == 0 {
		c.NetMTU = 65446
	}
	if r.IntN(3) == 0 {
		c.MissCountConst = sim.Pick(r, 1, 2, 10)
	}
	if r.IntN(6) == 0 {
		c.FailRecvConst = sim.Pick(r, 10, 50, 200)
	}
	if r.IntN(4) == 0 {
		c.SeqnoUnchangedConst = sim.Pick(r, 1, 5, 100)
	}
	if r.IntN(8) == 0 {
		c.HeartbeatFailuresAllowed = 2 + r.IntN(4)
	}
	switch r.IntN(5) {
	case 0:
		c.SeqStart, c.TokenSeqStart = 0x7ffff000, 0x7fffff00
	case 1:
		c.SeqStart, c.TokenSeqStart = 0xfffffe00, 0xffffff00
	case 2:
		c.SeqStart = 0xffffffff - wire.Seq(r.IntN(2000))
		c.TokenSeqStart = 0x80000000 - wire.Seq(r.IntN(2000))
	}
	p.Config = c.WithDefaults(len(p.IDs))
	p.Sync = SyncMode(r.IntN(int(syncModes)))
	p.TimerFirst = r.IntN(2) == 0
	p.PoisonBuffers = r.IntN(2) == 0
	p.CheckCore = r.IntN(50) == 0
	if r.IntN(2) == 0 {
		p.TimerSlop = sim.Between(r, 0, 3*ms)
	}
}

func drawNetwork(r *rand.Rand, p *Plan) {
	p.Latency = sim.Pick(r, 1*ms, 3*ms, 5*ms, 5*ms, 8*ms)
	p.Latency = min(p.Latency, p.Config.Token/time.Duration(25*len(p.IDs)))
	p.Jitter = time.Duration(float64(p.Latency) * sim.Pick(r, 0, 0.2, 1, 3))
	p.InOrder = r.IntN(2) == 0
}

func drawLoad(r *rand.Rand, p *Plan) Load {
	l := Load{Rate: sim.Pick(r, 2.0, 5, 10, 30), MaxSize: sim.Pick(r, 100, 500, 2000, 3000)}
	if r.IntN(3) > 0 {
		l.On, l.Off = sim.Between(r, 200*ms, 3*time.Second), sim.Between(r, 200*ms, 4*time.Second)
	}
	if r.IntN(2) == 0 {
		// A large message is at most so many packets, to bound the work.
		packets := sim.Pick(r, 10, 30, 100)
		l.BigEvery, l.BigSize = sim.Pick(r, 30, 100, 400), min(packets*p.Config.NetMTU, maxBodySize-nameSize)
		l.BigSize = min(l.BigSize, 300_000)
		if r.IntN(6) == 0 && p.Config.NetMTU >= 1000 {
			l.BigEvery, l.BigSize = 500, maxBodySize-nameSize
		}
	}
	return l
}

// drawFaults draws a mix of kinds, then faults of that mix over the run.
func drawFaults(r *rand.Rand, p *Plan) {
	kinds := []FaultKind{}
	for k := FaultKind(1); k < faultKinds; k++ {
		if k != CrashLost && k != Hostile && r.IntN(2) == 0 {
			kinds = append(kinds, k)
		}
	}
	for len(kinds) < 3 {
		kinds = append(kinds, sim.Pick(r, Crash, Pause, Split, Loss, Leave))
	}
	if r.IntN(16) == 0 {
		kinds = append(kinds, CrashLost)
	}
	count := 5 + r.IntN(16)
	if r.IntN(10) == 0 {
		count += 40 // hardly a quiet second
	}
	for range count {
		p.Faults = append(p.Faults, drawFault(r, p, kinds[r.IntN(len(kinds))]))
	}
	// A stretch of calm now and then lets the ring settle between faults.
	if calm := 2 * p.settleTime(); r.IntN(3) == 0 && calm < p.Heal {
		from := sim.Between(r, 0, p.Heal-calm)
		for i := range p.Faults {
			f := &p.Faults[i]
			if f.At >= from && f.At < from+calm {
				f.At = from
			} else if f.At < from && f.At+f.For > from {
				f.For = max(from-f.At, ms)
			}
		}
	}
}

// logBetween draws evenly over orders of magnitude.
func logBetween(r *rand.Rand, lo, hi time.Duration) time.Duration {
	return time.Duration(float64(lo) * math.Pow(float64(hi)/float64(lo), r.Float64()))
}

func drawFault(r *rand.Rand, p *Plan, kind FaultKind) Fault {
	n := len(p.IDs)
	token := p.Config.Token
	f := Fault{Kind: kind, At: sim.Between(r, 500*ms, p.Heal-5*time.Second), Node: r.IntN(n)}
	f.Peer = (f.Node + 1 + r.IntN(n-1)) % n
	f.For = logBetween(r, token/4, 6*token)
	switch kind {
	case Loss, LossFrom:
		f.P = sim.Pick(r, 0.01, 0.05, 0.1, 0.2, 0.4)
		if kind == LossFrom && r.IntN(3) == 0 {
			f.P = 0.9
		}
	case DropType:
		f.N, f.P = r.IntN(wireTypes), sim.Pick(r, 0.1, 0.5, 0.9, 1)
		if r.IntN(2) == 0 {
			f.Node = -1
		}
	case Delay:
		f.D = logBetween(r, p.Latency, token/4)
	case Duplicate:
		f.P, f.D = sim.Pick(r, 0.05, 0.3, 1), logBetween(r, 10*time.Microsecond, 2*token)
		if r.IntN(2) == 0 {
			f.N, f.P, f.For = 1+r.IntN(wireTypes), 1, 2*f.For
		}
	case Reorder:
		f.P, f.D = sim.Pick(r, 0.05, 0.3, 1), logBetween(r, p.Latency, token/8)
	case Split, SplitOneWay:
		f.Set = Mask(1 + r.IntN(1<<n-2))
		if r.IntN(3) == 0 {
			f.For = sim.Between(r, p.settleTime(), 2*p.settleTime())
		}
	case Slow:
		f.N = sim.Pick(r, 20_000, 100_000, 400_000)
	case Pause:
		f.For = logBetween(r, 10*ms, 10*token)
	case Crash, CrashLost, Leave:
		f.For = logBetween(r, 10*ms, 8*token)
	case CrashWrite:
		f.N, f.For = r.IntN(3), logBetween(r, 10*ms, 4*token)
	case Reconfigure:
		f.D = sim.Pick(r, token, token/2, token*2)
	case Flood:
		f.N, f.D = 1+r.IntN(60), time.Duration(nameSize+r.IntN(2*p.Config.NetMTU))
	}
	drawWhen(r, &f)
	return f
}

// drawWhen makes some faults of a node wait until it is in a certain state;
// the states between two rings are short, chance alone seldom hits them.
func drawWhen(r *rand.Rand, f *Fault) {
	switch f.Kind {
	case Pause, Crash, Leave, LinkDown, ForceGather, CutOneWay, CutPair, LossFrom, Flood, Loss, Delay, Duplicate, Reorder, Split, Reconfigure:
	default:
		return
	}
	if r.IntN(3) == 0 {
		f.When = State(2 + r.IntN(3))
	}
	if f.Kind == ForceGather {
		f.For = 0
	}
}
