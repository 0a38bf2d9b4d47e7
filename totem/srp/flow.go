package srp

import (
	"math"
	"time"

	"github.com/pacesync/pacesync/totem/wire"
)

// Courtesy: max_messages is meant for packets that a network carries whole. Over
// knet a packet has up to 64 KiB, and a node that sends without end would keep the
// token for many milliseconds while another's only message waits. So as long as others
// send too, a visit takes along what max_messages packets of an Ethernet would.
const (
	courtesyPacket = 1500                   // bytes
	courtesySpan   = 100 * time.Millisecond // since the last message of another node
)

// flowState is a node's share of the token's counters (Totem, flow control).
type flowState struct {
	sent        int    // in the last visit, counted in the token's fcc
	backlog     uint32 // counted in the token's backlog, before this visit
	backlogThis uint32 // waiting in this visit

	others time.Time // the last message of another node
}

// Share is how many bytes of messages a visit of the token takes along, one packet
// at the least; who packs messages fills packets no further.
func (r *Ring) Share() int {
	share := r.cfg.MaxMessages * courtesyPacket
	if r.cfg.NetMTU <= share || r.now.Sub(r.flow.others) > courtesySpan {
		return math.MaxInt
	}
	return share
}

// courteous is how many of the allowed packets our share of the visit holds.
func (r *Ring) courteous(q *laneQueue, allowed int) int {
	share := r.Share()
	if share == math.MaxInt {
		return allowed
	}
	n := 0
	for n < min(allowed, q.len) && (n == 0 || len(q.at(n).pkt.B) <= share) {
		share -= len(q.at(n).pkt.B)
		n++
	}
	return n
}

// sendQueue is the lane that is sent now.
func (r *Ring) sendQueue() *laneQueue {
	if r.waiting {
		return &r.lane[LaneTrans]
	}
	return &r.lane[LaneNormal]
}

// window is how many messages may be on the ring: what is configured, as far as the
// queue that keeps them has room. Upstream asserts that, and ends.
func (r *Ring) window() int { return min(r.cfg.WindowSize, sortQueueSize/4) }

// transmitsAllowed is how many messages may be sent in this visit: what the
// window leaves, and of a crowded window our share (totemsrp.c: fcc_calculate).
func (r *Ring) transmitsAllowed(t *wire.Token) int {
	window := uint32(r.window())
	allowed := uint32(r.cfg.MaxMessages)
	if t.Fcc >= window {
		allowed = 0 // upstream's subtraction would wrap and allow everything
	} else {
		allowed = min(allowed, window-t.Fcc)
	}
	f := &r.flow
	f.backlogThis = uint32(r.sendQueue().len)
	if r.st.id() == Recovery {
		f.backlogThis = uint32(r.retrans.len)
	}
	r.stats.tokenBacklog(f.backlogThis)
	if total := t.Backlog + f.backlogThis - f.backlog; total != 0 {
		if share := window * f.backlog / total; share > 0 {
			allowed = min(allowed, share)
		}
	}
	return int(allowed)
}

// withinQueue lets nothing new be sent while the oldest message that somebody
// lacks is too far back (totemsrp.c: fcc_rtr_limit).
func (r *Ring) withinQueue(t *wire.Token, allowed int) int {
	room := sortQueueSize - allowed - r.window()
	lastReleased := r.ringQueue().head - 1
	if room < 0 || (lastReleased + wire.Seq(room)).Before(t.Seq) {
		return 0
	}
	return allowed
}

// accountFlow replaces our share of the last visit by that of this one
// (totemsrp.c: fcc_token_update).
func (r *Ring) accountFlow(t *wire.Token, sent int) {
	f := &r.flow
	t.Fcc += uint32(sent - f.sent)
	t.Backlog += f.backlogThis - f.backlog
	f.sent, f.backlog = sent, f.backlogThis
}
