package wire

import (
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Sizes of the fixed parts of events. Events are appended by the daemon and
// parsed by the client.
const (
	ConfchgSize        = 184
	DeliverSize        = 184
	TotemConfchgSize   = 48
	totemConfchgList   = 44 // the list starts inside the padding of the structure
	PartialDeliverSize = 200
)

// Confchg tells members of a group how its membership changed: name @24,
// counts of members @160, joined @168, left @176, then the lists in the order
// members, left, joined.
type Confchg struct {
	Group                 Name
	Members, Left, Joined []Address
}

// Append appends the event.
func (c *Confchg) Append(b []byte) []byte {
	size := ConfchgSize + addressSize*(len(c.Members)+len(c.Left)+len(c.Joined))
	b, m := mar.Extend(b, size)
	mar.PutRes(m, EventConfchg, size, service.OK)
	putName(m, 24, &c.Group)
	mar.PutU32(m, 160, uint32(len(c.Members)))
	mar.PutU32(m, 168, uint32(len(c.Joined)))
	mar.PutU32(m, 176, uint32(len(c.Left)))
	off := ConfchgSize
	for _, list := range [3][]Address{c.Members, c.Left, c.Joined} {
		for _, a := range list {
			putAddress(m, off, a)
			off += addressSize
		}
	}
	return b
}

// ParseConfchg reads the event.
func ParseConfchg(b []byte) (Confchg, error) {
	if err := mar.Need("cpg confchg", b, ConfchgSize); err != nil {
		return Confchg{}, err
	}
	v := mar.View{B: b}
	var c Confchg
	var err error
	if c.Group, err = getName(v, 24); err != nil {
		return Confchg{}, err
	}
	nm, nj, nl := v.U32(160), v.U32(168), v.U32(176)
	off := ConfchgSize
	for _, l := range [3]struct {
		list *[]Address
		n    uint32
	}{{&c.Members, nm}, {&c.Left, nl}, {&c.Joined, nj}} {
		if *l.list, err = getAddresses(v, off, l.n); err != nil {
			return Confchg{}, err
		}
		off += addressSize * int(l.n)
	}
	return c, nil
}

// Deliver is a message of the group: name @24, msglen @160, nodeid @168, pid
// @176, data @184.
type Deliver struct {
	Group     Name
	Node, PID uint32
	Data      []byte
}

// PutHeader fills the DeliverSize bytes that precede the data.
func (d *Deliver) PutHeader(h *[DeliverSize]byte) {
	mar.PutRes(h[:], EventDeliver, DeliverSize+len(d.Data), service.OK)
	putName(h[:], 24, &d.Group)
	mar.PutU64(h[:], 160, 0)
	mar.PutU64(h[:], 168, 0)
	mar.PutU64(h[:], 176, 0)
	mar.PutU32(h[:], 160, uint32(len(d.Data)))
	mar.PutU32(h[:], 168, d.Node)
	mar.PutU32(h[:], 176, d.PID)
}

// ParseDeliver reads the event.
func ParseDeliver(b []byte) (Deliver, error) {
	if err := mar.Need("cpg deliver", b, DeliverSize); err != nil {
		return Deliver{}, err
	}
	v := mar.View{B: b}
	n := v.U32(160)
	if err := mar.Count("cpg deliver length", b, DeliverSize, n, 1, len(b)); err != nil {
		return Deliver{}, err
	}
	g, err := getName(v, 24)
	if err != nil {
		return Deliver{}, err
	}
	return Deliver{g, v.U32(168), v.U32(176), b[DeliverSize : DeliverSize+n]}, nil
}

// TotemConfchg tells every client of a new ring: ring id @24, count @40, node
// ids from @44. The size counts from 48, so four bytes at the end are unused.
type TotemConfchg struct {
	Ring    service.RingID
	Members []uint32
}

// Append appends the event.
func (c *TotemConfchg) Append(b []byte) []byte {
	size := TotemConfchgSize + 4*len(c.Members)
	b, m := mar.Extend(b, size)
	mar.PutRes(m, EventTotemConfchg, size, service.OK)
	mar.PutRing(m, 24, c.Ring)
	mar.PutU32(m, 40, uint32(len(c.Members)))
	for i, n := range c.Members {
		mar.PutU32(m, totemConfchgList+4*i, n)
	}
	return b
}

// ParseTotemConfchg reads the event.
func ParseTotemConfchg(b []byte) (TotemConfchg, error) {
	if err := mar.Need("cpg totem confchg", b, TotemConfchgSize); err != nil {
		return TotemConfchg{}, err
	}
	v := mar.View{B: b}
	n := v.U32(40)
	if err := mar.Count("cpg totem members", b, totemConfchgList, n, 4, len(b)); err != nil {
		return TotemConfchg{}, err
	}
	c := TotemConfchg{Ring: v.Ring(24), Members: make([]uint32, n)}
	for i := range c.Members {
		c.Members[i] = v.U32(totemConfchgList + 4*i)
	}
	return c, nil
}

// PartialDeliver is a piece of a message over the atomic size: name @24,
// total length @160, fraglen @168, nodeid @176, pid @184, type @192, data @200.
type PartialDeliver struct {
	Group     Name
	Total     uint32
	Node, PID uint32
	Part      Part
	Data      []byte
}

// PutHeader fills the PartialDeliverSize bytes that precede the data.
func (d *PartialDeliver) PutHeader(h *[PartialDeliverSize]byte) {
	clear(h[:])
	mar.PutRes(h[:], EventPartial, PartialDeliverSize+len(d.Data), service.OK)
	putName(h[:], 24, &d.Group)
	mar.PutU32(h[:], 160, d.Total)
	mar.PutU32(h[:], 168, uint32(len(d.Data)))
	mar.PutU32(h[:], 176, d.Node)
	mar.PutU32(h[:], 184, d.PID)
	mar.PutU32(h[:], 192, uint32(d.Part))
}

// ParsePartialDeliver reads the event.
func ParsePartialDeliver(b []byte) (PartialDeliver, error) {
	if err := mar.Need("cpg partial deliver", b, PartialDeliverSize); err != nil {
		return PartialDeliver{}, err
	}
	v := mar.View{B: b}
	n := v.U32(168)
	if err := mar.Count("cpg fragment length", b, PartialDeliverSize, n, 1, len(b)); err != nil {
		return PartialDeliver{}, err
	}
	g, err := getName(v, 24)
	if err != nil {
		return PartialDeliver{}, err
	}
	return PartialDeliver{
		Group: g, Total: v.U32(160), Node: v.U32(176), PID: v.U32(184), Part: Part(v.U32(192)),
		Data: b[PartialDeliverSize : PartialDeliverSize+n],
	}, nil
}
