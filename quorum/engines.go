package quorum

import (
	"github.com/pacesync/pacesync/internal/corosync/cmap"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Options are what the engines need besides their host. Logs may be nil.
type Options struct {
	Map       *cmap.Map
	QuorumLog service.Log // subsystem QUORUM
	VoteLog   service.Log // subsystem VOTEQ
	// Barrier keeps the expected votes barrier over restarts; nil forgets it.
	Barrier BarrierStore
}

// Engines are the daemon's quorum service and, if quorum.provider says so, its
// votequorum service. Owned by the daemon's loop.
type Engines struct {
	quorum *quorumServer
	vote   *voteServer // nil without provider
}

// NewEngines makes the engines; the provider is that of the map at this moment
// and cannot change later.
func NewEngines(host service.Host, o Options) *Engines {
	nolog := func(service.Level, string) {}
	if o.QuorumLog == nil {
		o.QuorumLog = nolog
	}
	if o.VoteLog == nil {
		o.VoteLog = nolog
	}
	e := &Engines{quorum: &quorumServer{log: o.QuorumLog}}
	if provider, ok := o.Map.Str("quorum.provider"); ok {
		e.quorum.provider = provider
	}
	if e.quorum.provider == providerVote {
		e.vote = &voteServer{host: host, log: o.VoteLog, cmap: o.Map, store: o.Barrier, quorum: e.quorum}
	}
	if e.quorum.provider == "" {
		e.quorum.primary = true
	}
	return e
}

// List is the engines in the order in which to load them.
func (e *Engines) List() []*service.Engine {
	if e.vote == nil {
		return []*service.Engine{e.quorum.engine()}
	}
	return []*service.Engine{e.vote.engine(), e.quorum.engine()}
}

// Quorate says whether this partition may provide service: always without a
// provider.
func (e *Engines) Quorate() bool { return e.quorum.primary }

// OnQuorate calls fn at every decision, before library clients are told.
func (e *Engines) OnQuorate(fn func(quorate bool)) {
	e.quorum.listeners = append(e.quorum.listeners, fn)
}
