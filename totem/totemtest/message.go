package totemtest

import (
	"bytes"

	"github.com/pacesync/pacesync/internal/sim"
	"github.com/pacesync/pacesync/totem/wire"
)

// Messages carry their name, so that a delivery can be told from any other and
// compared byte for byte with what was submitted. Those shorter than the name
// are numbered by node instead; there are few of them, so the number is unique.

const (
	nameSize = 16              // life u16, lane u8, 0, number u32, size u32, offset u32
	poolSize = 2 * maxBodySize // bodies are pieces of one pool of random bytes
	// maxBodySize is the largest message: the group header counts into the 1 MiB.
	maxBodySize = 1024*1024 - 16
	maxTiny1    = 256 // one-byte messages of a node in one run
	maxTiny2    = 65536
)

// newPool makes the random bytes that all messages of all runs are cut from.
func newPool() []byte {
	r := sim.NewRand(42, 42)
	pool := make([]byte, poolSize)
	for i := 0; i+8 <= len(pool); i += 8 {
		le.PutUint64(pool[i:], r.Uint64())
	}
	return pool
}

// bodyOffset is where in the pool a message's bytes start.
func bodyOffset(node wire.NodeID, life int, lane Lane, n int32) int {
	h := sim.NewHash()
	h.Add(uint64(node)<<32 | uint64(life)<<8 | uint64(lane))
	h.Add(uint64(n))
	return int(uint64(h) % maxBodySize)
}

// tiny remembers a node's messages that are too short for a name.
type tiny struct {
	one []MsgID // by their only byte
	two []MsgID // by their first two bytes
}

// build returns the two parts of message id, as header and body.
func (l *ledger) build(id MsgID, buf []byte) (head, body []byte) {
	m := &l.h.Msgs[id]
	p := &l.h.Procs[m.From]
	off := bodyOffset(p.Node, p.Life, m.Lane, m.N)
	switch {
	case m.Size == 1:
		return append(buf[:0], byte(m.Tiny)), nil
	case m.Size < nameSize:
		return le.AppendUint16(buf[:0], m.Tiny), l.pool[off : off+int(m.Size)-2]
	}
	buf = le.AppendUint16(buf[:0], uint16(p.Life))
	buf = append(buf, byte(m.Lane), 0)
	buf = le.AppendUint32(buf, uint32(m.N))
	buf = le.AppendUint32(buf, uint32(m.Size))
	buf = le.AppendUint32(buf, uint32(off))
	return buf, l.pool[off : off+int(m.Size)-nameSize]
}

// equal tells whether data is message id, whole and unchanged.
func (l *ledger) equal(id MsgID, data []byte) bool {
	m := &l.h.Msgs[id]
	if len(data) != int(m.Size) {
		return false
	}
	p := &l.h.Procs[m.From]
	off := bodyOffset(p.Node, p.Life, m.Lane, m.N)
	switch {
	case m.Size == 1:
		return data[0] == byte(m.Tiny)
	case m.Size < nameSize:
		return le.Uint16(data) == uint16(m.Tiny) && bytes.Equal(data[2:], l.pool[off:off+int(m.Size)-2])
	}
	return int(le.Uint16(data)) == p.Life && data[2] == byte(m.Lane) && data[3] == 0 && le.Uint32(data[4:]) == uint32(m.N) &&
		le.Uint32(data[8:]) == uint32(m.Size) && int(le.Uint32(data[12:])) == off &&
		bytes.Equal(data[nameSize:], l.pool[off:off+int(m.Size)-nameSize])
}

// recognise finds the message that data is, delivered as coming from node;
// noMsg when there is none with these bytes.
func (l *ledger) recognise(lives []ProcID, t *tiny, sync bool, data []byte) MsgID {
	id := noMsg
	switch {
	case len(data) == 0:
	case len(data) == 1:
		if int(data[0]) < len(t.one) {
			id = t.one[data[0]]
		}
	case len(data) < nameSize:
		if n := int(le.Uint16(data)); n < len(t.two) {
			id = t.two[n]
		}
	default:
		life, n := int(le.Uint16(data)), le.Uint32(data[4:])
		if life < len(lives) && data[2] < byte(lanes) {
			if sent := l.h.Procs[lives[life]].Sent[data[2]]; int64(n) < int64(len(sent)) {
				id = sent[n]
			}
		}
	}
	if id == noMsg || l.h.Msgs[id].Sync != sync || !l.equal(id, data) {
		return noMsg
	}
	return id
}
