package wire

import (
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Library requests of the quorum service (ipc_quorum.h: enum
// req_quorum_types). GETQUORATE, TRACKSTOP and GETTYPE are bare headers
// (mar.AppendBare).
const (
	ReqGetQuorate   = 0
	ReqTrackStart   = 1
	ReqTrackStop    = 2
	ReqGetType      = 3
	ReqModelGetType = 4
)

// Replies and events. TRACKSTART and TRACKSTOP are answered with a bare header
// (mar.AppendStatus).
const (
	ResGetQuorate   = 0
	ResTrackStart   = 1
	ResTrackStop    = 2
	EventNotifyV0   = 3
	ResGetType      = 4
	ResModelGetType = 5
	EventQuorumV1   = 6
	EventNodeListV1 = 7
)

// Sizes of requests, replies and fixed parts of events. The lists of events
// start four bytes before the end of the fixed part; the size counts from the
// end, so the last four bytes of an event are unused.
const (
	TrackStartReqSize   = 24
	MinTrackStartReq    = 20
	ModelGetTypeReqSize = 24
	QuorateResSize      = 32
	TypeResSize         = 32
	NotifyV0Size        = 48
	QuorumV1Size        = 56
	NodeListV1Size      = 64
)

// Track flags (corotypes.h: CS_TRACK_*), also of votequorum and cfg.
const (
	TrackCurrent     = 1
	TrackChanges     = 2
	TrackChangesOnly = 4
)

// Models of a quorum client (ipc_quorum.h: enum lib_quorum_model).
const (
	ModelV0 = 0
	ModelV1 = 1
)

// Types of quorum (quorum.h): without a provider the service is always quorate.
const (
	TypeFree = 0
	TypeSet  = 1
)

// AppendTrackStartReq appends the request (flags @16).
func AppendTrackStartReq(b []byte, flags uint32) []byte {
	b, m := mar.Extend(b, TrackStartReqSize)
	mar.PutReq(m, ReqTrackStart, TrackStartReqSize)
	mar.PutU32(m, 16, flags)
	return b
}

// ParseTrackStartReq reads the flags.
func ParseTrackStartReq(b []byte) (flags uint32, err error) {
	if err := mar.Need("quorum trackstart request", b, MinTrackStartReq); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U32(16), nil
}

// AppendModelGetTypeReq appends the request (model @16).
func AppendModelGetTypeReq(b []byte, model uint32) []byte {
	b, m := mar.Extend(b, ModelGetTypeReqSize)
	mar.PutReq(m, ReqModelGetType, ModelGetTypeReqSize)
	mar.PutU32(m, 16, model)
	return b
}

// ParseModelGetTypeReq reads the model.
func ParseModelGetTypeReq(b []byte) (model uint32, err error) {
	if err := mar.Need("quorum model request", b, 20); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U32(16), nil
}

// AppendQuorateRes appends the answer to GETQUORATE (quorate @24).
func AppendQuorateRes(b []byte, quorate bool) []byte {
	return appendU32Res(b, ResGetQuorate, bit(quorate), service.OK)
}

// AppendTypeRes appends the answer to GETTYPE or MODEL_GETTYPE (type @24); id
// is ResGetType or ResModelGetType.
func AppendTypeRes(b []byte, id int32, typ uint32, status service.Error) []byte {
	return appendU32Res(b, id, typ, status)
}

func appendU32Res(b []byte, id int32, x uint32, status service.Error) []byte {
	b, m := mar.Extend(b, QuorateResSize)
	mar.PutRes(m, id, QuorateResSize, status)
	mar.PutU32(m, 24, x)
	return b
}

// ParseU32Res reads the number that answers GETQUORATE, GETTYPE or
// MODEL_GETTYPE.
func ParseU32Res(b []byte) (uint32, error) {
	if err := mar.Need("quorum reply", b, 28); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U32(24), nil
}

func bit(x bool) uint32 {
	if x {
		return 1
	}
	return 0
}

// Notify tells whether the partition is quorate and who is in it. Model 0
// clients get ring sequence and members (quorate @24, seq @32, count @40, ids
// @44), model 1 clients the whole ring id (quorate @24, ring id @32, count
// @48, ids @52).
type Notify struct {
	Quorate bool
	Ring    service.RingID // Rep is 0 in a parsed model 0 event
	Members []uint32
}

// AppendV0 appends the event for model 0.
func (n *Notify) AppendV0(b []byte) []byte {
	b, m := mar.Extend(b, NotifyV0Size+4*len(n.Members))
	mar.PutRes(m, EventNotifyV0, len(m), service.OK)
	mar.PutU32(m, 24, bit(n.Quorate))
	mar.PutU64(m, 32, n.Ring.Seq)
	mar.PutU32(m, 40, uint32(len(n.Members)))
	putList(m, 44, n.Members)
	return b
}

// AppendV1 appends the event for model 1.
func (n *Notify) AppendV1(b []byte) []byte {
	b, m := mar.Extend(b, QuorumV1Size+4*len(n.Members))
	mar.PutRes(m, EventQuorumV1, len(m), service.OK)
	mar.PutU32(m, 24, bit(n.Quorate))
	mar.PutRing(m, 32, n.Ring)
	mar.PutU32(m, 48, uint32(len(n.Members)))
	putList(m, 52, n.Members)
	return b
}

func putList(m []byte, off int, list []uint32) {
	for i, n := range list {
		mar.PutU32(m, off+4*i, n)
	}
}

func getList(v mar.View, off int, n uint32) ([]uint32, error) {
	if err := mar.Count("node list", v.B, off, n, 4, len(v.B)); err != nil {
		return nil, err
	}
	list := make([]uint32, n)
	for i := range list {
		list[i] = v.U32(off + 4*i)
	}
	return list, nil
}

// ParseNotifyV0 reads the model 0 event.
func ParseNotifyV0(b []byte) (Notify, error) {
	if err := mar.Need("quorum notification", b, NotifyV0Size); err != nil {
		return Notify{}, err
	}
	v := mar.View{B: b}
	list, err := getList(v, 44, v.U32(40))
	return Notify{v.U32(24) != 0, service.RingID{Seq: v.U64(32)}, list}, err
}

// ParseNotifyV1 reads the model 1 event.
func ParseNotifyV1(b []byte) (Notify, error) {
	if err := mar.Need("quorum notification", b, QuorumV1Size); err != nil {
		return Notify{}, err
	}
	v := mar.View{B: b}
	list, err := getList(v, 52, v.U32(48))
	return Notify{v.U32(24) != 0, v.Ring(32), list}, err
}

// NodeList tells model 1 clients of a new ring: ring id @24, counts of members
// @40, joined @48, left @56, then the lists from @60 in this order.
type NodeList struct {
	Ring                  service.RingID
	Members, Joined, Left []uint32
}

// Append appends the event.
func (l *NodeList) Append(b []byte) []byte {
	b, m := mar.Extend(b, NodeListV1Size+4*(len(l.Members)+len(l.Joined)+len(l.Left)))
	mar.PutRes(m, EventNodeListV1, len(m), service.OK)
	mar.PutRing(m, 24, l.Ring)
	mar.PutU32(m, 40, uint32(len(l.Members)))
	mar.PutU32(m, 48, uint32(len(l.Joined)))
	mar.PutU32(m, 56, uint32(len(l.Left)))
	off := 60
	for _, list := range [3][]uint32{l.Members, l.Joined, l.Left} {
		putList(m, off, list)
		off += 4 * len(list)
	}
	return b
}

// ParseNodeList reads the event.
func ParseNodeList(b []byte) (NodeList, error) {
	if err := mar.Need("quorum nodelist", b, NodeListV1Size); err != nil {
		return NodeList{}, err
	}
	v := mar.View{B: b}
	l := NodeList{Ring: v.Ring(24)}
	off := 60
	for i, list := range [3]*[]uint32{&l.Members, &l.Joined, &l.Left} {
		n := v.U32(40 + 8*i)
		var err error
		if *list, err = getList(v, off, n); err != nil {
			return NodeList{}, err
		}
		off += 4 * int(n)
	}
	return l, nil
}
