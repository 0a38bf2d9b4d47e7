package totemtest

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math"
	"time"

	"github.com/pacesync/pacesync/totem/wire"
	"github.com/pacesync/pacesync/totem/wire/wiretest"
)

// The ledger reads what leaves the nodes, with a decoder of its own, so that
// an error shared by the core's encoder and decoder does not hide itself. It
// knows just enough of the format: header, mcast, commit token, packing.

// Wire types (docs of totem/wire; totemsrp.c: enum message_type).
const (
	typeToken = iota
	typeMcast
	typeMerge
	typeJoin
	typeCommit
	typeHoldCancel
	wireTypes
)

var typeNames = [wireTypes]string{"token", "mcast", "merge", "join", "commit", "hold-cancel"}

const (
	mcastHeader  = 45
	encapsulated = 1
	joinHeader   = 33
)

var le = binary.LittleEndian

// ledger follows the wire of one run.
type ledger struct {
	h        *History
	pool     []byte // message bodies
	seqStart uint32
	big      map[wire.NodeID]bool // nodes of the other byte order
	streams  []stream             // by ProcID and lane
	hash     maphash.Seed
	moved    uint64 // counts packets of messages: whether anything goes on
}

// stream is one sender's messages of one lane as they leave.
type stream struct {
	half     []byte // the begun message
	fragment byte   // its number in the last packet, 0: none
	ring     int32  // of the last packet
	first    Pos
	queue    []MsgID // submitted and not seen to its end
}

func (l *ledger) stream(p ProcID, lane Lane) *stream {
	for len(l.streams) <= int(p)*int(lanes)+int(lane) {
		l.streams = append(l.streams, stream{})
	}
	return &l.streams[int(p)*int(lanes)+int(lane)]
}

func getRing(b []byte) wire.RingID {
	return wire.RingID{Rep: wire.NodeID(le.Uint32(b)), Seq: le.Uint64(b[4:])}
}

// sent is told of every datagram that leaves a node. waiting says that the
// process is between a transitional view and the end of its sync.
func (l *ledger) sent(p ProcID, now time.Duration, data []byte, waiting bool, stored uint64) {
	h := l.h
	if h.Lax {
		l.moved++
		return
	}
	if len(data) >= mcastHeader && le.Uint16(data) == 0x70c0 && data[2] == 3 && data[3] == typeMcast {
		l.repeated(p, now, data)
		return
	}
	if len(data) < 13 || le.Uint16(data) != 0xc070 || data[2] != 3 || data[3] >= wireTypes {
		h.fail("well-formed packets", now, "%s sends % x", h.proc(p), data[:min(len(data), 20)])
		return
	}
	switch data[3] {
	case typeMcast:
		if len(data) < mcastHeader {
			h.fail("well-formed packets", now, "%s sends a mcast of %d bytes", h.proc(p), len(data))
			return
		}
		l.mcast(p, now, data, waiting)
	case typeCommit:
		if len(data) < 41 {
			h.fail("well-formed packets", now, "%s sends a commit token of %d bytes", h.proc(p), len(data))
			return
		}
		if ring := getRing(data[17:]); ring.Seq > stored {
			h.fail("ring id stored first", now, "%s sends a commit token of ring %v with %d in its file", h.proc(p), ring, stored)
		}
	}
}

// mcast enters a packet: the first sight of a ring's number fixes its content,
// every later one must be the same bytes.
func (l *ledger) mcast(p ProcID, now time.Duration, data []byte, waiting bool) {
	h := l.h
	from, node := wire.NodeID(le.Uint32(data[13:])), h.Procs[p].Node
	id, n := getRing(data[25:]), le.Uint32(data[17:])-l.seqStart
	ring := h.ring(id)
	r := &h.Rings[ring]
	sum := maphash.Bytes(l.hash, data)
	if n >= 1 && int64(n) <= int64(len(r.Packets)) {
		if r.Packets[n-1] != sum {
			h.fail("one packet per number", now, "%s sends another packet as ring %v seq %d (from %d, %d bytes)", h.proc(p), id, n, from, len(data))
		}
		return
	}
	switch {
	case from != node:
		h.fail("only what was sent is repeated", now, "%s repeats ring %v seq %d of node %d, which never sent it", h.proc(p), id, n, from)
		return
	case int64(n) != int64(len(r.Packets))+1:
		h.fail("numbers without a hole", now, "%s sends ring %v seq %d after %d", h.proc(p), id, n, len(r.Packets))
		return
	}
	r.Packets = append(r.Packets, sum)
	l.moved++
	r.Begun, r.Turned = append(r.Begun, 0), append(r.Turned, 0)
	if data[4] == encapsulated {
		l.inner(p, now, data[mcastHeader:])
	} else {
		lane := LaneNormal
		if waiting {
			lane = LaneTrans
		}
		l.packed(p, now, lane, Pos{Ring: ring, Seq: n}, data[mcastHeader:])
	}
	if l.big[node] {
		r = &h.Rings[ring] // there may be more of them by now
		r.Turned[n-1] = maphash.Bytes(l.hash, wiretest.Packet(data, uint32(node), l.begun))
	}
}

// repeated judges a packet of a node of the other byte order that another node
// sends again.
func (l *ledger) repeated(p ProcID, now time.Duration, data []byte) {
	if !l.turned(data) {
		l.h.fail("one packet per number", now, "%s repeats a packet of the other byte order that nobody sent: % x", l.h.proc(p), data[:mcastHeader])
	}
}

// turned tells whether a node of the other byte order sent these bytes.
func (l *ledger) turned(data []byte) bool {
	be := binary.BigEndian
	id := wire.RingID{Rep: wire.NodeID(be.Uint32(data[25:])), Seq: be.Uint64(data[29:])}
	n, r := be.Uint32(data[17:])-l.seqStart, &l.h.Rings[l.h.ring(id)]
	return n >= 1 && int64(n) <= int64(len(r.Turned)) && r.Turned[n-1] == maphash.Bytes(l.hash, data)
}

// inner judges a packet of an old ring that is sent again during recovery.
func (l *ledger) inner(p ProcID, now time.Duration, data []byte) {
	h := l.h
	if len(data) < mcastHeader {
		h.fail("well-formed packets", now, "%s recovers a packet of %d bytes", h.proc(p), len(data))
		return
	}
	if le.Uint16(data) == 0x70c0 && l.turned(data) {
		return
	}
	id, n := getRing(data[25:]), le.Uint32(data[17:])-l.seqStart
	r := &h.Rings[h.ring(id)]
	if n < 1 || int64(n) > int64(len(r.Packets)) || r.Packets[n-1] != maphash.Bytes(l.hash, data) {
		h.fail("recovered as it was sent", now, "%s recovers ring %v seq %d with other bytes than were sent", h.proc(p), id, n)
	}
}

// packed takes the messages out of a packet's payload and compares them with
// what the sender's application submitted.
func (l *ledger) packed(p ProcID, now time.Duration, lane Lane, at Pos, data []byte) {
	h := l.h
	if len(data) < 8 {
		h.fail("well-formed packets", now, "%s sends a payload of %d bytes", h.proc(p), len(data))
		return
	}
	fragmented, continuation, count := data[4], data[5], int(le.Uint16(data[6:]))
	lengths := data[8:]
	if len(lengths) < 2*count {
		h.fail("well-formed packets", now, "%s packs %d messages into %d bytes", h.proc(p), count, len(data))
		return
	}
	body := lengths[2*count:]
	st := l.stream(p, lane)
	restarted := st.fragment != 0 && at.Ring != st.ring && continuation != st.fragment
	st.ring = at.Ring
	if restarted {
		// Begun in an old ring, sent again from its start. A piece that continues
		// nothing makes receivers forget the beginning.
		st.half, st.fragment = st.half[:0], 0
	} else if continuation != st.fragment {
		h.fail("fragments in a row", now, "%s continues fragment %d in %s seq %d, its last was %d", h.proc(p), continuation, h.ringName(at.Ring), at.Seq, st.fragment)
	}
	if continuation == 0 {
		st.half = st.half[:0]
	}
	h.Rings[at.Ring].Begun[at.Seq-1] = begun(st, restarted)
	for i := range count {
		n := int(le.Uint16(lengths[2*i:]))
		if n > len(body) {
			h.fail("well-formed packets", now, "%s packs more than the packet holds", h.proc(p))
			return
		}
		if restarted && i == 0 && continuation != 0 {
			body = body[n:]
			continue
		}
		if len(st.half) == 0 && (i > 0 || continuation == 0) {
			st.first = at
		}
		st.half = append(st.half, body[:n]...)
		body = body[n:]
		if i == count-1 && fragmented != 0 {
			break
		}
		at.Index = uint16(i)
		l.complete(p, now, lane, at, st)
		st.half = st.half[:0]
	}
	if len(body) != 0 {
		h.fail("well-formed packets", now, "%s leaves %d bytes after the last message", h.proc(p), len(body))
	}
	st.fragment = fragmented
}

// begun is how many bytes a message that goes on has behind it; a piece that
// nobody can use is no message.
func begun(st *stream, restarted bool) uint8 {
	if restarted {
		return math.MaxUint8
	}
	return uint8(min(len(st.half), math.MaxUint8))
}

// begun answers for a packet that was seen.
func (l *ledger) begun(n wiretest.Number) int {
	r := &l.h.Rings[l.h.ring(wire.RingID{Rep: wire.NodeID(n.Rep), Seq: n.RingSeq})]
	return int(r.Begun[n.Seq-l.seqStart-1])
}

// submitted notes what a process's application gave to its core.
func (l *ledger) submitted(p ProcID, id MsgID) {
	st := l.stream(p, l.h.Msgs[id].Lane)
	st.queue = append(st.queue, id)
}

// transAck notes the end of a sync: what is left in the overtaking lane goes
// behind what waits in the other.
func (l *ledger) transAck(p ProcID) {
	l.stream(p, LaneTrans) // grow first, so that both pointers stay good
	normal, trans := l.stream(p, LaneNormal), l.stream(p, LaneTrans)
	normal.queue = append(normal.queue, trans.queue...)
	trans.queue = nil
}

// groupHeader is what stands before every message: one group and its name.
func groupHeader(sync bool) []byte {
	if sync {
		return []byte{1, 0, 4, 0, 's', 'y', 'n', 'c'}
	}
	return []byte{1, 0, 1, 0, 'a'}
}

// complete judges one whole message against the next one submitted.
func (l *ledger) complete(p ProcID, now time.Duration, lane Lane, at Pos, st *stream) {
	h := l.h
	if len(st.queue) == 0 {
		h.fail("sent as submitted", now, "%s sends a message of lane %d that nobody submitted, %d bytes in %s seq %d", h.proc(p), lane, len(st.half), h.ringName(at.Ring), at.Seq)
		return
	}
	id := st.queue[0]
	head := groupHeader(h.Msgs[id].Sync)
	if !bytes.HasPrefix(st.half, head) || !l.equal(id, st.half[len(head):]) {
		h.fail("sent as submitted", now, "%s should send %s next, it sends %d bytes % x", h.proc(p), h.msg(id), len(st.half), st.half[:min(32, len(st.half))])
		return
	}
	st.queue = st.queue[1:]
	h.Msgs[id].First, h.Msgs[id].Last = st.first, at
	r := &h.Rings[at.Ring]
	r.Msgs = append(r.Msgs, id)
}
