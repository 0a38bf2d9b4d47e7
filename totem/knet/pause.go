package knet

import "time"

// Paused tells that this process did not run for a while, until just now. Silence in
// that time proves nothing about the links: it does not count. The original takes
// links down then that never failed.
func (e *Engine) Paused(d time.Duration) {
	for _, h := range e.hosts {
		for _, l := range h.links {
			if !l.pongLast.IsZero() {
				l.pongLast = l.pongLast.Add(d)
			}
		}
	}
	e.fresh = false
}
