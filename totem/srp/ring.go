package srp

import (
	"math/rand/v2"
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// Ring is the Totem single-ring protocol of one node. All methods must be
// called from one goroutine; Ring does no I/O, starts no goroutine and never
// reads a clock. Owned by the loop (through pg.Engine).
type Ring struct {
	cfg  Config
	self wire.NodeID
	rng  *rand.Rand
	now  time.Time // of the running Step
	st   state
	msg  wire.Message

	timers timers
	out    Output
	pool   pool
	stats  statistics

	member membership
	order  ordering
	token  tokenState
	flow   flowState
	pause  pauseState
	idle   idleState
	hasty  hastyState

	foreign foreignRings

	commit wire.CommitToken // the commit token of the ring being formed

	lane    [lanes]laneQueue
	retrans fifo[*Packet] // recovery: messages of the old ring to send again
	waiting bool          // only LaneTrans is sent: a sync runs
	thisSeq uint32        // counts all messages this process has sent
}

// membership is who is there, by everybody's account.
type membership struct {
	ring    wire.RingID // the current ring, or the one being formed
	oldRing wire.RingID // the last ring that was operational, once the next is being formed
	highSeq uint64      // the highest ring number heard of

	proc, failed nodeSet // what join messages tell
	consensus    nodeSet // whose join messages told the same as ours
	left         nodeSet // who said goodbye

	memb      nodeSet // of the last operational ring
	newMemb   nodeSet // of the ring being formed
	trans     nodeSet // who comes from the same old ring into the new one
	joinAgain bool    // our own join message is to be handled, as the network would bring it

	failedToReceive bool // this node blames itself and will be alone
	originated      bool // representative: the first token of this ring was sent
}

// ordering is where the message order stands.
//
// In OPERATIONAL everything is about ring and regular. While the next ring is
// being formed, GATHER and COMMIT, it is about the old ring and regular. In
// RECOVERY aru and high are about the new ring and recovery, and saved* keep
// those of the old one.
type ordering struct {
	regular, recovery *sortQueue
	aru               wire.Seq // received without a gap
	high              wire.Seq // the highest received
	delivered         wire.Seq // handed up
	saved             bool     // the old ring's state is kept, and oldRing is set
	savedAru          wire.Seq
	savedHigh         wire.Seq
	received          bool // nothing is missing that another member of trans has
}

// New returns the ring of a node that is off until EvStart. storedSeq is the
// number in its ring id file, 0 when there was none.
func New(cfg Config, storedSeq uint64, rng *rand.Rand) *Ring {
	r := &Ring{cfg: cfg, self: cfg.NodeID, rng: rng, st: off{}}
	r.order.regular, r.order.recovery = newSortQueue(), newSortQueue()
	r.order.regular.reset(cfg.SeqStart, &r.pool)
	r.order.recovery.reset(cfg.SeqStart, &r.pool)
	r.order.aru, r.order.high, r.order.delivered = cfg.SeqStart, cfg.SeqStart, cfg.SeqStart
	r.order.received = true
	r.token.seq = cfg.TokenSeqStart - 1
	// The number grows by one at every start, so that a node alone gets a ring id
	// that was never used (totemsrp.c: main_iface_change_fn).
	r.member.ring = wire.RingID{Rep: r.self, Seq: storedSeq + 1}
	r.member.highSeq = r.member.ring.Seq
	r.waiting = true
	return r
}

// Step handles one event.
func (r *Ring) Step(now time.Time, ev Event) {
	r.begin(now)
	if r.st.id() == Off && ev.Kind != EvStart {
		if ev.Kind == EvReconfigure {
			r.cfg = *ev.Config
		}
		return
	}
	switch ev.Kind {
	case EvStart:
		r.start()
	case EvPacket:
		r.packet(ev.Data)
	case EvTimer:
		r.fire()
	case EvLink:
		r.trace(Trace{Kind: TraceLink, Up: ev.Up})
		if ev.Up {
			r.enterGather(CauseInterfaceChange)
		}
	case EvLeave:
		r.leave()
	case EvReconfigure:
		r.cfg = *ev.Config
		r.pause.stamp = now // the clock is looked at in the new rhythm from now on
		r.timers.arm(timerPause, now, r.cfg.Token/5)
	case EvForceGather:
		r.st.onTokenLoss(r)
	}
	r.ownJoin()
}

// begin starts a turn: what earlier Outputs refer to may be used again.
func (r *Ring) begin(now time.Time) {
	r.now = now
	r.pool.reclaim()
	r.out.reset()
}

// Deadline is when Step wants an EvTimer; zero: never.
func (r *Ring) Deadline() time.Time {
	_, at := r.timers.next()
	return at
}

// State is the state of the membership algorithm.
func (r *Ring) State() StateID { return r.st.id() }

// ID is the current ring, or the one being formed.
func (r *Ring) ID() wire.RingID { return r.member.ring }

// Members are the nodes of the last operational ring, ascending. The slice must
// not be changed and is valid until the next Step.
func (r *Ring) Members() []wire.NodeID { return r.member.memb }

// Reachable reports whether the node is among those that answer now
// (totemsrp.c: totemsrp_nodestatus_get).
func (r *Ring) Reachable(id wire.NodeID) bool { return r.member.proc.has(id) }

// Output is what the last call wants done; the ring keeps filling it until it
// is emptied by the next Step.
func (r *Ring) Output() *Output { return &r.out }

func (r *Ring) start() {
	if r.st.id() != Off {
		return
	}
	r.st = operational{} // as upstream: nobody is a member yet, not even we
	r.pause.stamp = r.now
	r.timers.arm(timerPause, r.now, r.cfg.Token/5)
	r.trace(Trace{Kind: TraceRingLoaded, Ring: r.member.ring})
	r.enterGather(CauseInterfaceChange)
}

// packet parses one datagram and gives it to the state.
func (r *Ring) packet(b []byte) {
	m := &r.msg
	if err := m.Parse(b); err != nil {
		r.drop(m.Node, err.Error())
		return
	}
	r.stats.countRx(m.Type)
	switch m.Type {
	case wire.TypeToken:
		r.st.onToken(r, &m.Token)
	case wire.TypeMcast:
		r.st.onMcast(r, &m.Mcast, b)
	case wire.TypeMergeDetect:
		if m.MergeDetect.Ring != r.member.ring && m.MergeDetect.From != r.self {
			r.st.onMergeDetect(r, &m.MergeDetect)
		}
	case wire.TypeJoin:
		r.join(&m.Join)
	case wire.TypeCommitToken:
		r.st.onCommitToken(r, &m.CommitToken)
	case wire.TypeHoldCancel:
		if m.HoldCancel.Ring == r.member.ring && m.HoldCancel.Node != r.self {
			r.holdCancelled()
		}
	}
}

// fire runs every timer that is due, in the order of their deadlines.
func (r *Ring) fire() {
	for {
		id, at := r.timers.next()
		if at.IsZero() || at.After(r.now) {
			return
		}
		r.timers.cancel(id)
		switch id {
		case timerPause:
			r.pauseTimer()
		case timerToken:
			r.st.onTokenLoss(r)
		case timerWarning:
			r.tokenLate()
		case timerRetransmit:
			r.st.onRetransmit(r)
		case timerHold:
			r.st.onHold(r)
		case timerMerge:
			r.st.onMerge(r)
		case timerJoin:
			r.st.onJoinTimer(r)
		case timerJoinSend:
			r.sendJoinNow()
		case timerConsensus:
			r.st.onConsensus(r)
		case timerHeartbeat:
			r.trace(Trace{Kind: TraceHeartbeatLost})
			r.st.onTokenLoss(r)
		}
	}
}

// drop counts a datagram that is of no use and says why: what does not parse,
// and messages that come when there is no ring for them (rx_msg_dropped).
func (r *Ring) drop(from wire.NodeID, reason string) {
	r.stats.RxMsgDropped++
	r.trace(Trace{Kind: TraceDropped, Node: from, Reason: reason})
}

// refuse says why a datagram of the membership is not acted on.
func (r *Ring) refuse(from wire.NodeID, reason string) {
	r.trace(Trace{Kind: TraceDropped, Node: from, Reason: reason})
}

// ignore marks a cell of the state table where nothing is to be done: that the
// event comes is normal, or it cannot come.
func (r *Ring) ignore(reason string) {}

func (r *Ring) trace(t Trace) {
	t.State = r.st.id()
	r.out.Trace = append(r.out.Trace, t)
}

// setState moves to a state whose entry actions were done.
func (r *Ring) setState(s state) {
	r.trace(Trace{Kind: TraceState, To: s.id(), Ring: r.member.ring})
	r.st = s
}

// off is the state before EvStart and after EvLeave; Step does not come here.
type off struct{}

func (off) id() StateID                                { return Off }
func (off) onToken(r *Ring, _ *wire.Token)             { r.ignore("off") }
func (off) onMcast(r *Ring, _ *wire.Mcast, _ []byte)   { r.ignore("off") }
func (off) onMergeDetect(r *Ring, _ *wire.MergeDetect) { r.ignore("off") }
func (off) onJoin(r *Ring, _ *wire.Join)               { r.ignore("off") }
func (off) onCommitToken(r *Ring, _ *wire.CommitToken) { r.ignore("off") }
func (off) onTokenLoss(r *Ring)                        { r.ignore("off") }
func (off) onRetransmit(r *Ring)                       { r.ignore("off") }
func (off) onHold(r *Ring)                             { r.ignore("off") }
func (off) onMerge(r *Ring)                            { r.ignore("off") }
func (off) onJoinTimer(r *Ring)                        { r.ignore("off") }
func (off) onConsensus(r *Ring)                        { r.ignore("off") }
