package srp

import "github.com/pacesync/pacesync/totem/wire"

// flowState is a node's share of the token's counters (Totem, flow control).
type flowState struct {
	sent        int    // in the last visit, counted in the token's fcc
	backlog     uint32 // counted in the token's backlog, before this visit
	backlogThis uint32 // waiting in this visit
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
