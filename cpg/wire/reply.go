package wire

import (
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Replies and events (ipc_cpg.h: enum res_cpg_types). Join, leave, finalize,
// iteration end, zero-copy and partial send are answered with a bare header
// (mar.AppendStatus).
const (
	ResJoin           = 0
	ResLeave          = 1
	ResMcast          = 2
	ResMembership     = 3
	EventConfchg      = 4
	EventDeliver      = 5
	ResLocalGet       = 7
	ResIterInit       = 9
	ResIterNext       = 10
	ResIterFinalize   = 11
	ResFinalize       = 12
	EventTotemConfchg = 13
	// ResZC answers ZC_ALLOC and ZC_FREE (the enum names 14 and 15, which up to
	// 3.1.9 nobody sends); ZC_EXECUTE is answered with ResMcast.
	ResZC             = 0
	EventPartial      = 17
	ResPartialMcast   = 18
	MembershipResSize = 32 + addressSize*mar.ProcessorMax
	LocalGetResSize   = 32
	IterInitResSize   = 32
	IterNextResSize   = 168
)

const addressSize = 24

// Address is a process in a list of members.
type Address struct {
	Node, PID uint32
	Reason    Reason
}

func putAddress(b []byte, off int, a Address) {
	mar.PutU32(b, off, a.Node)
	mar.PutU32(b, off+8, a.PID)
	mar.PutU32(b, off+16, uint32(a.Reason))
}

func getAddress(v mar.View, off int) Address {
	return Address{v.U32(off), v.U32(off + 8), Reason(v.U32(off + 16))}
}

// AppendMembershipRes appends the answer to MembershipReq, always of
// MembershipResSize bytes (count @24, members @32); members over
// mar.ProcessorMax are cut.
func AppendMembershipRes(b []byte, members []Address, status service.Error) []byte {
	members = members[:min(len(members), mar.ProcessorMax)]
	b, m := mar.Extend(b, MembershipResSize)
	mar.PutRes(m, ResMembership, MembershipResSize, status)
	mar.PutU32(m, 24, uint32(len(members)))
	for i, a := range members {
		putAddress(m, 32+i*addressSize, a)
	}
	return b
}

// ParseMembershipRes reads the answer; the caller has looked at the error.
func ParseMembershipRes(b []byte) ([]Address, error) {
	if err := mar.Need("cpg membership reply", b, 32); err != nil {
		return nil, err
	}
	v := mar.View{B: b}
	return getAddresses(v, 32, v.U32(24))
}

func getAddresses(v mar.View, off int, n uint32) ([]Address, error) {
	if err := mar.Count("cpg address list", v.B, off, n, addressSize, len(v.B)); err != nil {
		return nil, err
	}
	list := make([]Address, n)
	for i := range list {
		list[i] = getAddress(v, off+i*addressSize)
	}
	return list, nil
}

// AppendLocalGetRes appends the local node id (@24).
func AppendLocalGetRes(b []byte, node uint32) []byte {
	b, m := mar.Extend(b, LocalGetResSize)
	mar.PutRes(m, ResLocalGet, LocalGetResSize, service.OK)
	mar.PutU32(m, 24, node)
	return b
}

// ParseLocalGetRes reads the local node id.
func ParseLocalGetRes(b []byte) (uint32, error) {
	if err := mar.Need("cpg local node reply", b, LocalGetResSize); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U32(24), nil
}

// AppendIterInitRes appends an iteration's handle (@24).
func AppendIterInitRes(b []byte, handle uint64, status service.Error) []byte {
	b, m := mar.Extend(b, IterInitResSize)
	mar.PutRes(m, ResIterInit, IterInitResSize, status)
	mar.PutU64(m, 24, handle)
	return b
}

// ParseIterInitRes reads an iteration's handle.
func ParseIterInitRes(b []byte) (uint64, error) {
	if err := mar.Need("cpg iteration reply", b, IterInitResSize); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U64(24), nil
}

// Item is what an iteration visits: a group name, and a process unless only
// names were asked for.
type Item struct {
	Group     Name
	Node, PID uint32
}

// AppendIterNextRes appends an item (name @24, nodeid @160, pid @164), or the
// zero item with ErrNoSections at the end.
func AppendIterNextRes(b []byte, it *Item, status service.Error) []byte {
	b, m := mar.Extend(b, IterNextResSize)
	mar.PutRes(m, ResIterNext, IterNextResSize, status)
	putName(m, 24, &it.Group)
	mar.PutU32(m, 160, it.Node)
	mar.PutU32(m, 164, it.PID)
	return b
}

// ParseIterNextRes reads an item.
func ParseIterNextRes(b []byte) (Item, error) {
	if err := mar.Need("cpg iteration item", b, IterNextResSize); err != nil {
		return Item{}, err
	}
	v := mar.View{B: b}
	g, err := getName(v, 24)
	return Item{g, v.U32(160), v.U32(164)}, err
}
