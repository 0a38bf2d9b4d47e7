package service

import (
	"sync"

	"github.com/pacesync/pacesync/lrmd/agent"
)

// holder has a run that may be killed before it is known. Safe for concurrent use.
type holder struct {
	mu     sync.Mutex
	run    agent.Run
	killed bool
}

func (h *holder) set(r agent.Run) agent.Run {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.run = r
	if h.killed {
		r.Kill()
	}
	return r
}

func (h *holder) kill() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.killed = true
	if h.run != nil {
		h.run.Kill()
	}
}
