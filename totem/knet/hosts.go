package knet

import "time"

// choose decides on which links a host's data goes, and whether it can be reached
// (host.c: _host_dstcache_update_sync).
func (e *Engine) choose(now time.Time, h *host) {
	was := h.reachable()
	h.active, h.actives = [MaxLinks]*link{}, 0
	for _, l := range h.links {
		switch {
		case !l.connected || !l.mtuValid:
		case e.cfg.Policy != PolicyPassive:
			h.active[h.actives] = l
			h.actives++
		case h.actives == 0 || l.cfg.Priority > h.active[0].cfg.Priority:
			h.active[0], h.actives = l, 1
		}
	}
	e.tellChoice(h)
	if h.reachable() != was {
		n := 0
		if h.reachable() {
			n = 1
		}
		e.tell(Event{Kind: EventReachable, Host: h.id, N: n})
	}
	if !h.reachable() {
		h.window.reset(0)
		h.defrag.clear(&e.pool)
	}
	e.fresh = false
}

// tellChoice tells what was chosen. Passive names a link even when none is up, as
// the original does: the last one that was used.
func (e *Engine) tellChoice(h *host) {
	if e.cfg.Policy == PolicyPassive {
		l := h.active[0]
		if l == nil && len(h.links) > 0 {
			if l = h.byID[h.best]; l == nil {
				l = h.links[0]
			}
		}
		if l != nil {
			h.best = l.cfg.ID
			e.tellLink(EventBestLink, h, l, int(l.cfg.Priority), 0)
		}
	} else {
		e.tell(Event{Kind: EventActiveLinks, Host: h.id, N: h.actives})
	}
	if h.actives == 0 {
		e.tell(Event{Kind: EventNoLinks, Host: h.id})
	}
}

// rotate puts the link that was used at the end of the row.
func (h *host) rotate() {
	first := h.active[0]
	copy(h.active[:h.actives], h.active[1:h.actives])
	h.active[h.actives-1] = first
}
