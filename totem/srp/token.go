package srp

import (
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// tokenState is what a node remembers between two visits of the token.
type tokenState struct {
	seq      wire.Seq // of the last token handled
	lastAru  wire.Seq // the aru it came with
	aruCount int      // visits in which the aru did not grow
	held     bool     // the ring is idle: the representative keeps the token
	stored   []byte   // the last token sent, to be repeated byte for byte

	// Of recovery:
	setRetransFlag bool     // the flag in the token is ours
	quiet          int      // visits without the flag
	installSeq     wire.Seq // what all must have received
	settled        int      // visits in which all had
}

// idleState tells an idle ring from a busy one.
type idleState struct {
	lastSeq   wire.Seq
	unchanged int // visits since the last message
}

// handleToken is one visit of the token in OPERATIONAL and RECOVERY, in
// upstream's order (totemsrp.c: message_handler_orf_token). Upstream looks at
// seq and frees messages before it knows that the token is of its ring and new.
func (r *Ring) handleToken(t *wire.Token) {
	if t.Ring != r.member.ring {
		r.timers.cancel(timerHeartbeat)
		r.refuse(t.Node, "token of another ring")
		return
	}
	if t.TokenSeq.BeforeEq(r.token.seq) {
		r.ignore("a repeated token, handled before")
		return
	}
	if t.Seq.Before(r.order.aru) || t.Seq-r.order.aru >= sortQueueSize {
		r.refuse(t.Node, "token with a sequence number that cannot be")
		return
	}
	r.stats.tokenReceived(r.now)
	r.out.TokenRotated = true
	r.noteIdle(t)
	forward := r.decideHold()
	if r.st.id() == Operational {
		r.free(t.Aru)
	}
	lastAru := r.token.lastAru
	r.token.lastAru = t.Aru

	allowed := r.transmitsAllowed(t)
	resent := r.serveRtr(t, allowed)
	r.requestMissing(t)
	if r.cfg.CancelTokenHoldOnRetransmit && r.token.held && (t.NRtr > 0 || resent > 0) {
		r.token.held, forward = false, true
	}
	sent := r.sendNew(t, r.withinQueue(t, allowed-resent))
	r.accountFlow(t, resent+sent)
	if r.updateAru(t, lastAru) {
		r.token.seq = t.TokenSeq
		r.passToken(t, forward)
	}
}

// noteIdle counts visits without a new message; an idle ring looks for other
// rings.
func (r *Ring) noteIdle(t *wire.Token) {
	if t.Seq == r.idle.lastSeq {
		if !r.timers.armed(timerMerge) {
			r.timers.arm(timerMerge, r.now, r.cfg.Merge)
		}
		r.idle.unchanged++
	} else {
		r.timers.cancel(timerMerge, timerHold)
		r.idle.unchanged = 0
	}
	r.idle.lastSeq = t.Seq
}

// decideHold notes whether the token is held because the ring is idle; that is
// done by the representative, the others know it. It returns whether the token
// is to be sent on.
func (r *Ring) decideHold() bool {
	if r.member.ring.Rep == r.self {
		r.token.held = r.idle.unchanged > r.cfg.SeqnoUnchangedConst
		return !r.token.held
	}
	r.token.held = r.idle.unchanged >= r.cfg.SeqnoUnchangedConst
	return true
}

// sendNew multicasts what waits, as much as is allowed, and keeps it until all
// have it (totemsrp.c: orf_token_mcast). The message a node sends is received by
// itself at once.
func (r *Ring) sendNew(t *wire.Token, allowed int) int {
	sent := 0
	if r.st.id() == Recovery {
		for ; sent < allowed && r.retrans.len > 0 && r.nextNumber(t, r.order.recovery); sent++ {
			r.multicast(t, r.order.recovery, r.retrans.pop())
		}
	} else {
		queue := r.sendQueue()
		allowed = r.courteous(queue, allowed)
		for ; sent < allowed && queue.len > 0 && r.nextNumber(t, r.order.regular); sent++ {
			out := queue.pop()
			r.multicast(t, r.order.regular, out.pkt)
			queue.noteSent(out, &r.pool)
		}
	}
	r.growAru()
	return sent
}

// nextNumber moves the token to the next number that nobody has used. Only the
// holder of the token uses numbers, so it is the next one, unless a peer is
// broken; then its message stays what it is, and the others ask us for it.
func (r *Ring) nextNumber(t *wire.Token, q *sortQueue) bool {
	for q.get(t.Seq+1) != nil {
		t.Seq++
	}
	if !q.inRange(t.Seq + 1) {
		return false
	}
	t.Seq++
	return true
}

func (r *Ring) multicast(t *wire.Token, q *sortQueue, pkt *Packet) {
	wire.StampMcast(pkt.B, r.member.ring, t.Seq, r.thisSeq)
	r.thisSeq++
	q.add(t.Seq, pkt)
	if r.order.high.Before(t.Seq) {
		r.order.high = t.Seq
	}
	r.stats.countRx(wire.TypeMcast)
	r.send(0, pkt.B)
}

// updateAru lowers the token's aru to ours, or raises it if it was ours, and
// notices if we hold everybody back for too long. It returns false if the ring is
// given up for that.
func (r *Ring) updateAru(t *wire.Token, lastAru wire.Seq) bool {
	if r.order.aru.Before(t.Aru) || t.AruAddr == r.self || t.AruAddr == 0 {
		t.Aru = r.order.aru
		t.AruAddr = r.self
		if t.Aru == t.Seq {
			t.AruAddr = 0
		}
	}
	if t.Aru == lastAru && t.AruAddr != 0 {
		r.token.aruCount++
	} else {
		r.token.aruCount = 0
	}
	if r.token.aruCount <= r.cfg.FailRecvConst || t.AruAddr != r.self {
		return true
	}
	// The paper lets the others find out; Corosync's nodes blame themselves.
	r.trace(Trace{Kind: TraceFailedToReceive})
	r.member.failedToReceive = true
	r.member.failed.add(r.self)
	r.enterGather(CauseFailedToReceive)
	return false
}

// passToken ends the visit: the token goes to the next member or is held, and
// what has become deliverable is delivered.
func (r *Ring) passToken(t *wire.Token, forward bool) {
	t.TokenSeq++
	if r.st.id() == Recovery {
		r.recoveryRotation(t)
	}
	t.Node = r.self
	r.storeToken(t)
	if forward {
		r.sendStoredToken()
	}
	if r.st.id() == Operational {
		r.deliver(false, r.order.high)
	}
	r.armToken()
	r.armRetransmit()
	if r.token.held && r.member.ring.Rep == r.self {
		r.timers.arm(timerHold, r.now, r.cfg.Hold)
	}
	if hb := r.heartbeat(); hb > 0 && forward {
		r.timers.arm(timerHeartbeat, r.now, hb)
	} else {
		r.timers.cancel(timerHeartbeat)
	}
	r.stats.tokenSent(r.now)
}

// sendFirstToken starts the token of a new ring (totemsrp.c:
// orf_token_send_initial). Its aru is one before the first number, so the first
// to lower it is the representative itself.
func (r *Ring) sendFirstToken() {
	t := wire.Token{
		Header:   wire.Header{Node: r.self},
		Seq:      r.cfg.SeqStart,
		TokenSeq: r.cfg.TokenSeqStart,
		Aru:      r.cfg.SeqStart - 1,
		AruAddr:  r.self,
		Ring:     r.member.ring,
	}
	r.token.setRetransFlag = r.retrans.len > 0
	if r.token.setRetransFlag {
		t.RetransFlag = 1
	}
	r.stats.OrfTokenTx++
	r.storeToken(&t)
	r.sendStoredToken()
}

// storeToken keeps the token we send, which is repeated byte for byte if the
// next member does not seem to have it.
func (r *Ring) storeToken(t appender) { r.token.stored = t.Append(r.token.stored[:0]) }

// sendStoredToken sends it to the member behind us. The bytes are copied: the
// store is written again, perhaps before they have left.
func (r *Ring) sendStoredToken() {
	if len(r.token.stored) == 0 {
		return
	}
	to := r.next()
	start := len(r.out.arena)
	r.out.arena = append(r.out.arena, r.token.stored...)
	data := r.out.arena[start:len(r.out.arena):len(r.out.arena)]
	wire.SetTarget(data, to)
	r.send(to, data)
}

// retransmitToken is the retransmit timer: no newer token has come.
func (r *Ring) retransmitToken() {
	r.sendStoredToken()
	r.armRetransmit()
}

func (r *Ring) armRetransmit() { r.timers.arm(timerRetransmit, r.now, r.cfg.TokenRetransmit) }

// armToken starts the wait for the next token, and for being told of its delay.
func (r *Ring) armToken() {
	r.timers.arm(timerToken, r.now, r.cfg.Token)
	r.armWarning()
}

func (r *Ring) armWarning() {
	if r.cfg.TokenWarning > 0 {
		r.timers.arm(timerWarning, r.now, r.cfg.Token*time.Duration(r.cfg.TokenWarning)/100)
	} else {
		r.timers.cancel(timerWarning)
	}
}

// tokenLate tells how long no token was received. Before the first one that is
// how long was waited; upstream counts from the start of the machine.
func (r *Ring) tokenLate() {
	late := r.cfg.Token * time.Duration(r.cfg.TokenWarning) / 100
	if !r.stats.lastToken.IsZero() {
		late = r.now.Sub(r.stats.lastToken)
	}
	r.trace(Trace{Kind: TraceTokenLate, Dur: late})
	r.armWarning()
}

// heartbeat is how long the token may be away before the ring is given up, if
// that is configured and shorter than the token timeout (totemsrp.c:
// totemsrp_initialize); 0: not used.
func (r *Ring) heartbeat() time.Duration {
	if r.cfg.HeartbeatFailuresAllowed <= 0 || r.cfg.HeartbeatFailuresAllowed > int(r.cfg.Token/max(r.cfg.TokenRetransmit, 1)) {
		return 0
	}
	hb := time.Duration(r.cfg.HeartbeatFailuresAllowed)*r.cfg.TokenRetransmit + r.cfg.MaxNetworkDelay
	if hb >= r.cfg.Token {
		return 0
	}
	return hb
}

// CancelHold makes the representative of an idle ring send the token it holds,
// because there is something to do (totemsrp.c: token_hold_cancel_send).
func (r *Ring) CancelHold(now time.Time) {
	r.now = now
	if !r.token.held || r.st.id() == Off {
		return
	}
	r.token.held = false
	m := wire.HoldCancel{Header: wire.Header{Node: r.self}, Ring: r.member.ring}
	r.stats.TokenHoldCancelTx++
	r.stats.countRx(wire.TypeHoldCancel)
	r.send(0, r.out.build(&m))
	r.holdCancelled()
}

// holdCancelled: somebody has something to send (totemsrp.c:
// message_handler_token_hold_cancel).
func (r *Ring) holdCancelled() {
	r.idle.unchanged = 0
	if r.member.ring.Rep != r.self {
		return
	}
	switch r.st.id() {
	case Operational, Recovery, Commit:
		r.timers.cancel(timerHold)
		r.token.held = false
		r.retransmitToken()
	case Gather, Off:
	}
}
