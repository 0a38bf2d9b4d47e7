package pg

import (
	"slices"

	"github.com/pacesync/pacesync/totem/srp"
	"github.com/pacesync/pacesync/totem/wire"
)

// maxAssembly is the largest message put together: what a peer may send, its
// group header and one packet more (totempg.c: struct assembly).
const maxAssembly = MaxMessage + wire.MaxDatagram

// maxSpare is how many buffers are kept for the next fragmented messages; a
// sender has at most one or two under way.
const maxSpare = 16

// assembly is a message of which the beginning has come.
type assembly struct {
	from wire.NodeID
	last uint8 // the fragment id that its next piece will have
	buf  []byte
}

// assemblies are the unfinished messages, one per sender; and one more per
// sender for the messages that overtake during a sync (totempg.c:
// assembly_list_inuse, assembly_list_inuse_trans).
type assemblies struct {
	normal, during []*assembly
	trans          bool // a sync runs: during is in use
	spare, limbo   []*assembly
}

func (a *assemblies) list() *[]*assembly {
	if a.trans {
		return &a.during
	}
	return &a.normal
}

func find(list []*assembly, from wire.NodeID) int {
	for i, as := range list {
		if as.from == from {
			return i
		}
	}
	return -1
}

// get returns the sender's unfinished message, nil if there is none.
func (a *assemblies) get(from wire.NodeID) *assembly {
	list := *a.list()
	if i := find(list, from); i >= 0 {
		return list[i]
	}
	return nil
}

// begin starts a message of a sender that has none under way.
func (a *assemblies) begin(from wire.NodeID) *assembly {
	var as *assembly
	if n := len(a.spare); n > 0 {
		as = a.spare[n-1]
		a.spare = a.spare[:n-1]
	} else {
		as = &assembly{}
	}
	as.from, as.last, as.buf = from, 0, as.buf[:0]
	list := a.list()
	*list = append(*list, as)
	return as
}

// end takes the message out; its buffer is used again after the next Step.
func (a *assemblies) end(as *assembly) {
	for _, list := range [...]*[]*assembly{&a.normal, &a.during} {
		if i := slices.Index(*list, as); i >= 0 {
			*list = slices.Delete(*list, i, i+1)
			a.limbo = append(a.limbo, as)
		}
	}
}

// forget drops what the nodes have begun (totempg.c: app_confchg_fn).
func (a *assemblies) forget(left []wire.NodeID) {
	for _, id := range left {
		for _, list := range [...][]*assembly{a.normal, a.during} {
			if i := find(list, id); i >= 0 {
				a.end(list[i])
			}
		}
	}
}

func (a *assemblies) reclaim() {
	for i, as := range a.limbo {
		if len(a.spare) < maxSpare {
			a.spare = append(a.spare, as)
		}
		a.limbo[i] = nil
	}
	a.limbo = a.limbo[:0]
}

// message takes one packet apart and hands up the messages that are complete
// with it. It reports whether one was of the sync.
//
// A piece that continues what we do not have is dropped alone; upstream drops the
// complete messages of the packet too, though others deliver them (totempg.c:
// totempg_deliver_fn, THROW_AWAY_ACTIVE).
func (e *Engine) message(d srp.Delivery, o *Output) (sync bool) {
	p, err := wire.ParsePack(d.Payload, d.Swapped)
	if err != nil {
		o.dropped(d.From, err.Error())
		return false
	}
	before := len(o.Up)
	for i := range p.Count {
		continues, goesOn := i == 0 && p.Continuation != 0, i == p.Count-1 && p.Fragmented != 0
		piece := p.Next(i)
		var as *assembly
		if i == 0 {
			as = e.continued(d.From, p.Continuation, o)
		}
		switch {
		case continues && as == nil: // of a message whose beginning we do not have
		case !continues && !goesOn:
			o.message(d, piece)
		case !e.asm.append(&as, d.From, piece):
			o.dropped(d.From, "fragmented message larger than 1 MiB")
		case goesOn:
			as.last = p.Fragmented
		default:
			o.message(d, as.buf)
			e.asm.end(as)
		}
	}
	for _, up := range o.Up[before:] {
		sync = sync || up.Group == GroupSync
	}
	return sync
}

// continued returns the unfinished message that a packet goes on with. Another
// one that is unfinished will never be finished, and is dropped.
func (e *Engine) continued(from wire.NodeID, id uint8, o *Output) *assembly {
	as := e.asm.get(from)
	switch {
	case as == nil && id == 0:
		return nil
	case as == nil:
		o.dropped(from, "rest of a message whose beginning is not here")
		return nil
	case id == as.last:
		return as
	}
	o.dropped(from, "beginning of a message whose rest does not come")
	e.asm.end(as)
	return nil
}

// append adds a piece to a message, which it begins if need be. Too large ones
// are dropped.
func (a *assemblies) append(as **assembly, from wire.NodeID, piece []byte) bool {
	if *as == nil {
		*as = a.begin(from)
	}
	if len((*as).buf)+len(piece) > maxAssembly {
		a.end(*as)
		return false
	}
	(*as).buf = append((*as).buf, piece...)
	return true
}

// message hands up one complete message.
func (o *Output) message(d srp.Delivery, msg []byte) {
	up, reason := upcall(d, msg)
	if reason != "" {
		o.dropped(d.From, reason)
		return
	}
	o.Up = append(o.Up, up)
}

func (o *Output) dropped(from wire.NodeID, reason string) {
	o.Trace = append(o.Trace, srp.Trace{Kind: srp.TraceAssembly, Node: from, Reason: reason})
}
