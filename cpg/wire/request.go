package wire

import (
	"github.com/pacesync/pacesync/internal/corosync/mar"
)

// Library requests (ipc_cpg.h: enum req_cpg_types).
const (
	ReqJoin         = 0
	ReqLeave        = 1
	ReqMcast        = 2 // no reply
	ReqMembership   = 3
	ReqLocalGet     = 4 // header only
	ReqIterInit     = 5
	ReqIterNext     = 6
	ReqIterFinalize = 7
	ReqFinalize     = 8 // header only
	ReqZCAlloc      = 9
	ReqZCFree       = 10
	ReqZCExecute    = 11
	ReqPartialMcast = 12
)

// Smallest sizes of library requests.
const (
	JoinReqSize         = 168
	LeaveReqSize        = 160
	McastReqSize        = 40
	MembershipReqSize   = 152
	IterInitReqSize     = 160
	IterHandleReqSize   = 24
	ZCAllocReqSize      = 24 + ZCPathSize
	ZCFreeReqSize       = 32
	ZCExecuteReqSize    = 24
	PartialMcastReqSize = 56
	// ZCPathSize is the length of the path field of a zero-copy request.
	ZCPathSize = 128
	// ZCHeaderSize is the head of a zero-copy file: {map_size i32 @0, handle u64
	// @8}. A McastReq follows, which the client writes.
	ZCHeaderSize = 16
	// ZCHandleOffset is where the daemon writes the buffer's handle.
	ZCHandleOffset = 8
	// ZCOverhead is what a zero-copy file holds before the data.
	ZCOverhead = ZCHeaderSize + McastReqSize
)

// FlagInitialTotemConf in JoinReq asks for a totem membership event right
// after the join (cpg.h: CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF).
const FlagInitialTotemConf = 1

// JoinReq asks to join a group. Client appends, daemon parses, as with every
// request here.
type JoinReq struct {
	Group Name
	PID   uint32 // as the client sees itself: pid namespaces differ
	Flags uint32
}

// Append appends the request.
func (r *JoinReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, JoinReqSize)
	mar.PutReq(m, ReqJoin, JoinReqSize)
	putName(m, 16, &r.Group)
	mar.PutU32(m, 152, r.PID)
	mar.PutU32(m, 160, r.Flags)
	return b
}

// ParseJoinReq reads a join request. A name over MaxName is an error of type
// *mar.CountError: the daemon answers it with CS_ERR_NAME_TOO_LONG.
func ParseJoinReq(b []byte) (JoinReq, error) {
	if err := mar.Need("cpg join request", b, JoinReqSize); err != nil {
		return JoinReq{}, err
	}
	v := mar.View{B: b}
	g, err := getName(v, 16)
	return JoinReq{g, v.U32(152), v.U32(160)}, err
}

// LeaveReq asks to leave a group.
type LeaveReq struct {
	Group Name
	PID   uint32
}

// Append appends the request.
func (r *LeaveReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, LeaveReqSize)
	mar.PutReq(m, ReqLeave, LeaveReqSize)
	putName(m, 16, &r.Group)
	mar.PutU32(m, 152, r.PID)
	return b
}

// ParseLeaveReq reads a leave request.
func ParseLeaveReq(b []byte) (LeaveReq, error) {
	if err := mar.Need("cpg leave request", b, LeaveReqSize); err != nil {
		return LeaveReq{}, err
	}
	v := mar.View{B: b}
	g, err := getName(v, 16)
	return LeaveReq{g, v.U32(152)}, err
}

// McastReq multicasts to the joined group. Its header has the length of a
// response header. Unanswered.
type McastReq struct {
	Guarantee uint32
	Data      []byte
}

// PutHeader fills the McastReqSize bytes that precede the data.
func (r *McastReq) PutHeader(h *[McastReqSize]byte) {
	clear(h[:])
	mar.PutReq(h[:], ReqMcast, McastReqSize+len(r.Data))
	mar.PutU32(h[:], 24, r.Guarantee)
	mar.PutU32(h[:], 32, uint32(len(r.Data)))
}

// McastReqLen is the length of the data that a header announces.
func McastReqLen(h *[McastReqSize]byte) uint32 { return mar.View{B: h[:]}.U32(32) }

// ParseMcastReq reads a multicast request.
func ParseMcastReq(b []byte) (McastReq, error) {
	if err := mar.Need("cpg mcast request", b, McastReqSize); err != nil {
		return McastReq{}, err
	}
	v := mar.View{B: b}
	n := McastReqLen((*[McastReqSize]byte)(b))
	if err := mar.Count("cpg mcast request length", b, McastReqSize, n, 1, len(b)); err != nil {
		return McastReq{}, err
	}
	return McastReq{v.U32(24), b[McastReqSize : McastReqSize+n]}, nil
}

// PartialMcastReq multicasts a piece of a message over the atomic size.
type PartialMcastReq struct {
	Guarantee uint32
	Total     uint32
	Part      Part
	Data      []byte
}

// PutHeader fills the PartialMcastReqSize bytes that precede the data.
func (r *PartialMcastReq) PutHeader(h *[PartialMcastReqSize]byte) {
	clear(h[:])
	mar.PutReq(h[:], ReqPartialMcast, PartialMcastReqSize+len(r.Data))
	mar.PutU32(h[:], 24, r.Guarantee)
	mar.PutU32(h[:], 32, r.Total)
	mar.PutU32(h[:], 40, uint32(len(r.Data)))
	mar.PutU32(h[:], 48, uint32(r.Part))
}

// ParsePartialMcastReq reads a partial multicast request.
func ParsePartialMcastReq(b []byte) (PartialMcastReq, error) {
	if err := mar.Need("cpg partial mcast request", b, PartialMcastReqSize); err != nil {
		return PartialMcastReq{}, err
	}
	v := mar.View{B: b}
	n := v.U32(40)
	if err := mar.Count("cpg fragment request length", b, PartialMcastReqSize, n, 1, len(b)); err != nil {
		return PartialMcastReq{}, err
	}
	return PartialMcastReq{v.U32(24), v.U32(32), Part(v.U32(48)), b[PartialMcastReqSize : PartialMcastReqSize+n]}, nil
}

// MembershipReq asks for the members of a group, joined or not.
type MembershipReq struct{ Group Name }

// Append appends the request.
func (r *MembershipReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, MembershipReqSize)
	mar.PutReq(m, ReqMembership, MembershipReqSize)
	putName(m, 16, &r.Group)
	return b
}

// ParseMembershipReq reads a membership request.
func ParseMembershipReq(b []byte) (MembershipReq, error) {
	if err := mar.Need("cpg membership request", b, MembershipReqSize); err != nil {
		return MembershipReq{}, err
	}
	g, err := getName(mar.View{B: b}, 16)
	return MembershipReq{g}, err
}

// IterType says what an iteration visits.
type IterType uint32

// Iteration types (cpg.h: cpg_iteration_type_t). Any other value acts as
// IterAll, as upstream.
const (
	IterNames    IterType = 1
	IterOneGroup IterType = 2
	IterAll      IterType = 3
)

// IterInitReq starts an iteration over all known processes.
type IterInitReq struct {
	Group Name
	Type  IterType
}

// Append appends the request.
func (r *IterInitReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, IterInitReqSize)
	mar.PutReq(m, ReqIterInit, IterInitReqSize)
	putName(m, 16, &r.Group)
	mar.PutU32(m, 152, uint32(r.Type))
	return b
}

// ParseIterInitReq reads the request. The name counts for IterOneGroup only:
// C clients leave garbage in it otherwise.
func ParseIterInitReq(b []byte) (IterInitReq, error) {
	if err := mar.Need("cpg iteration request", b, IterInitReqSize); err != nil {
		return IterInitReq{}, err
	}
	v := mar.View{B: b}
	r := IterInitReq{Type: IterType(v.U32(152))}
	if r.Type != IterOneGroup {
		return r, nil
	}
	var err error
	r.Group, err = getName(v, 16)
	return r, err
}

// AppendIterNextReq asks for the next item of an iteration.
func AppendIterNextReq(b []byte, handle uint64) []byte { return appendU64Req(b, ReqIterNext, handle) }

// AppendIterFinalizeReq ends an iteration.
func AppendIterFinalizeReq(b []byte, handle uint64) []byte {
	return appendU64Req(b, ReqIterFinalize, handle)
}

func appendU64Req(b []byte, id int32, x uint64) []byte {
	b, m := mar.Extend(b, IterHandleReqSize)
	mar.PutReq(m, id, IterHandleReqSize)
	mar.PutU64(m, 16, x)
	return b
}

// ParseIterHandleReq reads the handle of ITER_NEXT and ITER_FIN.
func ParseIterHandleReq(b []byte) (uint64, error) {
	if err := mar.Need("cpg iteration request", b, IterHandleReqSize); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U64(16), nil
}

// ZCAllocReq offers a file of shared memory for zero-copy multicasts
// (ipc_cpg.h: mar_req_coroipcc_zc_alloc_t).
type ZCAllocReq struct {
	MapSize uint64
	Path    string
}

// Append appends the request; a path that is too long is cut.
func (r *ZCAllocReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, ZCAllocReqSize)
	mar.PutReq(m, ReqZCAlloc, ZCAllocReqSize)
	mar.PutU64(m, 16, r.MapSize)
	mar.PutCString(m[24:24+ZCPathSize], r.Path)
	return b
}

// ParseZCAllocReq reads the request.
func ParseZCAllocReq(b []byte) (ZCAllocReq, error) {
	if err := mar.Need("cpg zero-copy request", b, ZCAllocReqSize); err != nil {
		return ZCAllocReq{}, err
	}
	return ZCAllocReq{mar.View{B: b}.U64(16), mar.CString(b[24 : 24+ZCPathSize])}, nil
}

// AppendZCFreeReq gives a buffer back.
func AppendZCFreeReq(b []byte, mapSize, handle uint64) []byte {
	b, m := mar.Extend(b, ZCFreeReqSize)
	mar.PutReq(m, ReqZCFree, ZCFreeReqSize)
	mar.PutU64(m, 16, mapSize)
	mar.PutU64(m, 24, handle)
	return b
}

// ParseZCFreeReq reads the handle of the buffer.
func ParseZCFreeReq(b []byte) (uint64, error) {
	if err := mar.Need("cpg zero-copy request", b, ZCFreeReqSize); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U64(24), nil
}

// AppendZCExecuteReq multicasts what a buffer holds.
func AppendZCExecuteReq(b []byte, handle uint64) []byte {
	return appendU64Req(b, ReqZCExecute, handle)
}

// ParseZCExecuteReq reads the handle of the buffer.
func ParseZCExecuteReq(b []byte) (uint64, error) {
	if err := mar.Need("cpg zero-copy request", b, ZCExecuteReqSize); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U64(16), nil
}
