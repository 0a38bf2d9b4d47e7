// Package totemtest is a seeded simulator of N Totem nodes in one process:
// virtual time, a faulty simulated network, processes that pause, crash and
// come back, and checkers that judge what was delivered. A seed makes a Plan, a
// Plan makes one run and only one: the same plan gives the same trace hash.
//
// The judges do not trust the core: they use what nodes delivered, what left
// on the wire (decoded here, by ledger.go) and what the simulator did to them.
//
// Callers: this package's tests and nobody else. It drives pg.Engine, the real
// core. It replaces no upstream file; Corosync has no test of totemsrp.c.
package totemtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// maxNodes bounds the nodes of a plan; a set of nodes fits a Mask.
const maxNodes = 16

// Mask is a set of nodes by their index in Plan.IDs.
type Mask uint16

// Has tells whether node i is in the set.
func (m Mask) Has(i int) bool { return m>>i&1 == 1 }

// FaultKind says what goes wrong.
type FaultKind uint8

// What can go wrong. The comment says which fields of Fault count besides At,
// For and When.
const (
	Loss        FaultKind = iota + 1 // P of all packets between nodes are lost
	LossFrom                         // P of the packets that Node sends are lost
	DropType                         // P of the packets of wire type N that reach Node are lost; Node<0: any node
	Delay                            // packets take D longer
	Duplicate                        // P of the packets, of wire type N-1 if N>0, arrive twice, up to D apart
	Reorder                          // P of the packets take up to D longer
	CutOneWay                        // nothing goes from Node to Peer
	CutPair                          // nothing goes between Node and Peer
	Split                            // nothing goes between Set and the others
	SplitOneWay                      // nothing goes from Set to the others
	Slow                             // Node sends N bytes per second, more queue and drop
	Pause                            // Node is not scheduled; what arrives waits in its sockets
	Crash                            // Node dies and comes back after For with its ring id file
	CrashLost                        // the same, the ring id file is lost
	CrashWrite                       // Node dies at its next ring id write: N=0 before it, N=1 after it, N=2 after it and the first packet
	Leave                            // Node leaves cleanly and comes back after For
	LinkDown                         // Node's interface goes down
	ForceGather                      // Node is told to gather without cause
	Reconfigure                      // all nodes get a token timeout of D
	Flood                            // Node submits N messages of D (as a number) bytes at once
	Hostile                          // Node receives Packet; only in plans with Hostile set
	faultKinds                       // those of links follow (knetplan.go)
)

var faultNames = [...]string{
	Loss: "loss", LossFrom: "loss-from", DropType: "drop-type", Delay: "delay", Duplicate: "duplicate", Reorder: "reorder",
	CutOneWay: "cut-one-way", CutPair: "cut-pair", Split: "split", SplitOneWay: "split-one-way", Slow: "slow",
	Pause: "pause", Crash: "crash", CrashLost: "crash-lost-file", CrashWrite: "crash-at-write", Leave: "leave",
	LinkDown: "link-down", ForceGather: "force-gather", Reconfigure: "reconfigure", Flood: "flood", Hostile: "hostile",
}

// String is the name used in traces.
func (k FaultKind) String() string {
	if k >= faultKinds {
		return linkFaultNames[k-faultKinds]
	}
	return faultNames[k]
}

// Fault is one thing that goes wrong, for a while.
type Fault struct {
	Kind FaultKind
	At   time.Duration
	For  time.Duration
	// When makes the fault wait, from At on, until Node enters that state;
	// AnyState does not wait.
	When State
	Node int
	Peer int
	Set  Mask
	P    float64
	D    time.Duration
	N    int
	// Packet makes the bytes of a Hostile fault for the receiver's ring.
	Packet func(wire.RingID) []byte
}

// String tells the fault in one line.
func (f Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%8.3fs %s", f.At.Seconds(), f.Kind)
	switch f.Kind {
	case Loss:
		fmt.Fprintf(&b, " %.0f%%", f.P*100)
	case LossFrom:
		fmt.Fprintf(&b, " %.0f%% n%d", f.P*100, f.Node)
	case DropType:
		fmt.Fprintf(&b, " %.0f%% of type %d to n%d", f.P*100, f.N, f.Node)
	case Delay:
		fmt.Fprintf(&b, " +%v", f.D)
	case Duplicate, Reorder:
		fmt.Fprintf(&b, " %.0f%% within %v", f.P*100, f.D)
		if f.N > 0 {
			fmt.Fprintf(&b, " of type %d", f.N-1)
		}
	case CutOneWay:
		fmt.Fprintf(&b, " n%d->n%d", f.Node, f.Peer)
	case CutPair:
		fmt.Fprintf(&b, " n%d<->n%d", f.Node, f.Peer)
	case Split, SplitOneWay:
		fmt.Fprintf(&b, " set %b", f.Set)
	case Slow:
		fmt.Fprintf(&b, " n%d at %d B/s", f.Node, f.N)
	case Reconfigure:
		fmt.Fprintf(&b, " token %v", f.D)
	case Flood:
		fmt.Fprintf(&b, " n%d %d messages of %d bytes", f.Node, f.N, int(f.D))
	case CrashWrite:
		fmt.Fprintf(&b, " n%d at point %d", f.Node, f.N)
	default:
		if f.Kind >= faultKinds {
			f.linkText(&b)
			break
		}
		fmt.Fprintf(&b, " n%d", f.Node)
	}
	if f.When != AnyState {
		fmt.Fprintf(&b, " when in %v", f.When)
	}
	if f.For > 0 {
		fmt.Fprintf(&b, " for %v", f.For)
	}
	return b.String()
}

// SyncMode is what stands in for the sync layer after a new view.
type SyncMode uint8

// The stand-ins, from nothing to what corosync does.
const (
	SyncNone    SyncMode = iota // the acknowledgement comes at once
	SyncBarrier                 // after a message of every member
	SyncTwo                     // after two rounds, the first with a large message
	syncModes
)

// Plan is a whole run as data. Two equal plans run equally.
type Plan struct {
	Seed   uint64
	IDs    []wire.NodeID // ascending
	Config srp.Config    // without NodeID; defaults are filled in
	Starts []time.Duration
	Faults []Fault

	// Network without faults.
	Latency, Jitter time.Duration
	InOrder         bool // packets of one link never overtake each other
	PoisonBuffers   bool // a packet's bytes are destroyed after Step
	CheckCore       bool // the core's own invariants are checked after each Step: slow

	Sync       SyncMode
	TimerFirst bool          // after a pause timers run before the queued packets
	TimerSlop  time.Duration // timers fire up to so much late

	Load Load
	// Heal ends all faults, restarts the dead (but not KeepDown) and starts the
	// phase that must converge.
	Heal     time.Duration
	KeepDown Mask
	// Hostile plans hold packets that no node would send: only survival and
	// convergence are judged.
	Hostile bool
	// Big are the nodes of the other byte order. Not in plans that the ledger does not
	// follow (Hostile, CrashLost).
	Big Mask
	// Knet puts knet between the nodes and the network; nil: plain datagrams.
	Knet *KnetPlan
}

// Load is what applications send.
type Load struct {
	Rate     float64       // messages per second and node while on
	On, Off  time.Duration // the load comes in waves; Off 0: always on
	MaxSize  int           // of common messages
	BigEvery int           // one message in so many is up to BigSize bytes; 0: none
	BigSize  int
}

// String describes the plan, faults and all.
func (p *Plan) String() string {
	var b strings.Builder
	c := p.Config
	fmt.Fprintf(&b, "seed %d: %d nodes %v, token %v consensus %v window %d/%d mtu %d seqstart %#x, latency %v±%v in-order=%v, sync %d, load %.0f/s up to %d (1 in %d up to %d)\n",
		p.Seed, len(p.IDs), p.IDs, c.Token, c.Consensus, c.WindowSize, c.MaxMessages, c.NetMTU, uint32(c.SeqStart),
		p.Latency, p.Jitter, p.InOrder, p.Sync, p.Load.Rate, p.Load.MaxSize, p.Load.BigEvery, p.Load.BigSize)
	if p.Knet != nil {
		fmt.Fprintf(&b, "  %v\n", p.Knet)
	}
	if p.Big != 0 {
		fmt.Fprintf(&b, "  nodes of the other byte order: %b\n", p.Big)
	}
	for i, s := range p.Starts {
		if s > 0 {
			fmt.Fprintf(&b, "  n%d starts at %v\n", i, s)
		}
	}
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "  %v\n", f)
	}
	fmt.Fprintf(&b, "  %8.3fs heal, keep down %b\n", p.Heal.Seconds(), p.KeepDown)
	return b.String()
}
