package wire

import (
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Library requests of votequorum (ipc_votequorum.h: enum req_votequorum_types).
const (
	VoteReqGetInfo           = 0
	VoteReqSetExpected       = 1
	VoteReqSetVotes          = 2
	VoteReqTrackStart        = 3
	VoteReqTrackStop         = 4 // header only
	VoteReqQdeviceRegister   = 5
	VoteReqQdeviceUnregister = 6
	VoteReqQdeviceUpdate     = 7
	VoteReqQdevicePoll       = 8
	VoteReqQdeviceMasterWins = 9
)

// Replies and events. All requests but GETINFO are answered with a bare header
// of id VoteResStatus (mar.AppendStatus).
const (
	VoteResStatus     = 0
	VoteResGetInfo    = 1
	VoteEventQuorum   = 3
	VoteEventExpected = 4
	VoteEventNodeList = 5
)

// Sizes as sent; Min… is what is read.
const (
	VoteGetInfoReqSize     = 24
	VoteSetExpectedReqSize = 24
	VoteSetVotesReqSize    = 24
	VoteTrackStartReqSize  = 32
	QdeviceNameReqSize     = 272
	QdeviceUpdateReqSize   = 528
	QdevicePollReqSize     = 296
	QdeviceMasterReqSize   = 280
	MinVoteU32Req          = 20
	MinVoteTrackStartReq   = 28
	MinQdeviceNameReq      = 16 + MaxQdeviceName
	MinQdeviceUpdateReq    = 16 + 2*MaxQdeviceName
	MinQdeviceMasterReq    = 276
	VoteGetInfoResSize     = 320
	VoteQuorumEventSize    = 48
	VoteExpectedEventSize  = 40
	VoteNodeListEventSize  = 56
)

// AppendVoteGetInfoReq asks for a node's info; 0 is the local node.
func AppendVoteGetInfoReq(b []byte, node uint32) []byte {
	return appendU32Req(b, VoteReqGetInfo, node)
}

// AppendVoteSetExpectedReq asks for other expected votes.
func AppendVoteSetExpectedReq(b []byte, expected uint32) []byte {
	return appendU32Req(b, VoteReqSetExpected, expected)
}

func appendU32Req(b []byte, id int32, x uint32) []byte {
	b, m := mar.Extend(b, 24)
	mar.PutReq(m, id, 24)
	mar.PutU32(m, 16, x)
	return b
}

// ParseVoteU32Req reads the number (@16) of GETINFO or SETEXPECTED.
func ParseVoteU32Req(b []byte) (uint32, error) {
	if err := mar.Need("votequorum request", b, MinVoteU32Req); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U32(16), nil
}

// VoteSetVotesReq asks for other votes of a node (votes @16, nodeid @20).
type VoteSetVotesReq struct{ Votes, Node uint32 }

// Append appends the request.
func (r *VoteSetVotesReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, VoteSetVotesReqSize)
	mar.PutReq(m, VoteReqSetVotes, VoteSetVotesReqSize)
	mar.PutU32(m, 16, r.Votes)
	mar.PutU32(m, 20, r.Node)
	return b
}

// ParseVoteSetVotesReq reads the request.
func ParseVoteSetVotesReq(b []byte) (VoteSetVotesReq, error) {
	if err := mar.Need("votequorum setvotes request", b, VoteSetVotesReqSize); err != nil {
		return VoteSetVotesReq{}, err
	}
	v := mar.View{B: b}
	return VoteSetVotesReq{v.U32(16), v.U32(20)}, nil
}

// VoteTrackStartReq asks for events (context u64 @16, flags @24).
type VoteTrackStartReq struct {
	Context uint64
	Flags   uint32
}

// Append appends the request.
func (r *VoteTrackStartReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, VoteTrackStartReqSize)
	mar.PutReq(m, VoteReqTrackStart, VoteTrackStartReqSize)
	mar.PutU64(m, 16, r.Context)
	mar.PutU32(m, 24, r.Flags)
	return b
}

// ParseVoteTrackStartReq reads the request.
func ParseVoteTrackStartReq(b []byte) (VoteTrackStartReq, error) {
	if err := mar.Need("votequorum trackstart request", b, MinVoteTrackStartReq); err != nil {
		return VoteTrackStartReq{}, err
	}
	v := mar.View{B: b}
	return VoteTrackStartReq{v.U64(16), v.U32(24)}, nil
}

// AppendQdeviceNameReq appends a registration or its end; id is
// VoteReqQdeviceRegister or VoteReqQdeviceUnregister (name @16).
func AppendQdeviceNameReq(b []byte, id int32, name string) []byte {
	b, m := mar.Extend(b, QdeviceNameReqSize)
	mar.PutReq(m, id, QdeviceNameReqSize)
	mar.PutCString(m[16:16+MaxQdeviceName], name)
	return b
}

// ParseQdeviceNameReq reads the name of a registration or its end.
func ParseQdeviceNameReq(b []byte) (string, error) {
	if err := mar.Need("votequorum qdevice request", b, MinQdeviceNameReq); err != nil {
		return "", err
	}
	return qdeviceName(b[16:])
}

// QdeviceUpdateReq renames the device (old @16, new @271).
type QdeviceUpdateReq struct{ Old, New string }

// Append appends the request.
func (r *QdeviceUpdateReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, QdeviceUpdateReqSize)
	mar.PutReq(m, VoteReqQdeviceUpdate, QdeviceUpdateReqSize)
	mar.PutCString(m[16:271], r.Old)
	mar.PutCString(m[271:271+MaxQdeviceName], r.New)
	return b
}

// ParseQdeviceUpdateReq reads the request.
func ParseQdeviceUpdateReq(b []byte) (QdeviceUpdateReq, error) {
	if err := mar.Need("votequorum qdevice update request", b, MinQdeviceUpdateReq); err != nil {
		return QdeviceUpdateReq{}, err
	}
	old, err := qdeviceName(b[16:])
	if err != nil {
		return QdeviceUpdateReq{}, err
	}
	name, err := qdeviceName(b[271:])
	return QdeviceUpdateReq{old, name}, err
}

// QdevicePollReq is the device's sign of life and its vote for a ring (name
// @16, cast_vote i32 @272, ring id @280).
type QdevicePollReq struct {
	Name string
	Cast bool
	Ring service.RingID
}

// Append appends the request.
func (r *QdevicePollReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, QdevicePollReqSize)
	mar.PutReq(m, VoteReqQdevicePoll, QdevicePollReqSize)
	mar.PutCString(m[16:271], r.Name)
	mar.PutU32(m, 272, bit(r.Cast))
	mar.PutRing(m, 280, r.Ring)
	return b
}

// ParseQdevicePollReq reads the request.
func ParseQdevicePollReq(b []byte) (QdevicePollReq, error) {
	if err := mar.Need("votequorum qdevice poll request", b, QdevicePollReqSize); err != nil {
		return QdevicePollReq{}, err
	}
	v := mar.View{B: b}
	name, err := qdeviceName(b[16:])
	return QdevicePollReq{name, v.U32(272) != 0, v.Ring(280)}, err
}

// QdeviceMasterWinsReq says whether the partition with the device's vote is
// quorate whatever the votes (name @16, allow @272).
type QdeviceMasterWinsReq struct {
	Name  string
	Allow bool
}

// Append appends the request.
func (r *QdeviceMasterWinsReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, QdeviceMasterReqSize)
	mar.PutReq(m, VoteReqQdeviceMasterWins, QdeviceMasterReqSize)
	mar.PutCString(m[16:271], r.Name)
	mar.PutU32(m, 272, bit(r.Allow))
	return b
}

// ParseQdeviceMasterWinsReq reads the request.
func ParseQdeviceMasterWinsReq(b []byte) (QdeviceMasterWinsReq, error) {
	if err := mar.Need("votequorum master-wins request", b, MinQdeviceMasterReq); err != nil {
		return QdeviceMasterWinsReq{}, err
	}
	name, err := qdeviceName(b[16:])
	return QdeviceMasterWinsReq{name, mar.View{B: b}.U32(272) != 0}, err
}

// InfoFlags describe the cluster's and a node's quorum settings to a client
// (ipc_votequorum.h: VOTEQUORUM_INFO_*).
type InfoFlags uint32

const (
	InfoTwoNode           InfoFlags = 1
	InfoQuorate           InfoFlags = 2
	InfoWaitForAll        InfoFlags = 4
	InfoLastManStanding   InfoFlags = 8
	InfoAutoTieBreaker    InfoFlags = 16
	InfoAllowDownscale    InfoFlags = 32
	InfoQdeviceRegistered InfoFlags = 64
	InfoQdeviceAlive      InfoFlags = 128
	InfoQdeviceCastVote   InfoFlags = 256
	InfoQdeviceMasterWins InfoFlags = 512
)

// NodeState is a node's standing (ipc_votequorum.h: VOTEQUORUM_NODESTATE_*).
type NodeState uint32

const (
	StateMember  NodeState = 1
	StateDead    NodeState = 2
	StateLeaving NodeState = 3
)

func (s NodeState) String() string {
	switch s {
	case StateMember:
		return "member"
	case StateDead:
		return "dead"
	case StateLeaving:
		return "leaving"
	}
	return "unknown"
}

// VoteInfo answers GETINFO: nine numbers from @24, name [255] @60.
type VoteInfo struct {
	Node            uint32
	State           NodeState
	Votes           uint32
	Expected        uint32
	HighestExpected uint32
	TotalVotes      uint32
	Quorum          uint32
	Flags           InfoFlags
	QdeviceVotes    uint32
	QdeviceName     string
}

// Append appends the reply. With a status other than OK the fields are zero.
func (i *VoteInfo) Append(b []byte, status service.Error) []byte {
	b, m := mar.Extend(b, VoteGetInfoResSize)
	mar.PutRes(m, VoteResGetInfo, VoteGetInfoResSize, status)
	if status != service.OK {
		return b
	}
	for k, x := range [9]uint32{
		i.Node, uint32(i.State), i.Votes, i.Expected, i.HighestExpected,
		i.TotalVotes, i.Quorum, uint32(i.Flags), i.QdeviceVotes,
	} {
		mar.PutU32(m, 24+4*k, x)
	}
	mar.PutCString(m[60:60+MaxQdeviceName], i.QdeviceName)
	return b
}

// ParseVoteInfo reads the reply.
func ParseVoteInfo(b []byte) (VoteInfo, error) {
	if err := mar.Need("votequorum info reply", b, 60+MaxQdeviceName); err != nil {
		return VoteInfo{}, err
	}
	v := mar.View{B: b}
	return VoteInfo{
		Node: v.U32(24), State: NodeState(v.U32(28)), Votes: v.U32(32), Expected: v.U32(36),
		HighestExpected: v.U32(40), TotalVotes: v.U32(44), Quorum: v.U32(48),
		Flags: InfoFlags(v.U32(52)), QdeviceVotes: v.U32(56), QdeviceName: mar.CString(b[60 : 60+MaxQdeviceName]),
	}, nil
}

// VoteNode is a node in a quorum event, node 0 being the device.
type VoteNode struct {
	Node  uint32
	State NodeState
}

// VoteQuorum tells of quorum and of all nodes known since the start (quorate
// @24, context @32, count @40, {nodeid, state} from @48).
type VoteQuorum struct {
	Quorate bool
	Context uint64
	Nodes   []VoteNode
}

// Append appends the event.
func (q *VoteQuorum) Append(b []byte) []byte {
	b, m := mar.Extend(b, VoteQuorumEventSize+8*len(q.Nodes))
	mar.PutRes(m, VoteEventQuorum, len(m), service.OK)
	mar.PutU32(m, 24, bit(q.Quorate))
	mar.PutU64(m, 32, q.Context)
	mar.PutU32(m, 40, uint32(len(q.Nodes)))
	for i, n := range q.Nodes {
		mar.PutU32(m, 48+8*i, n.Node)
		mar.PutU32(m, 52+8*i, uint32(n.State))
	}
	return b
}

// ParseVoteQuorum reads the event.
func ParseVoteQuorum(b []byte) (VoteQuorum, error) {
	if err := mar.Need("votequorum event", b, VoteQuorumEventSize); err != nil {
		return VoteQuorum{}, err
	}
	v := mar.View{B: b}
	n := v.U32(40)
	if err := mar.Count("votequorum nodes", b, VoteQuorumEventSize, n, 8, len(b)); err != nil {
		return VoteQuorum{}, err
	}
	q := VoteQuorum{v.U32(24) != 0, v.U64(32), make([]VoteNode, n)}
	for i := range q.Nodes {
		q.Nodes[i] = VoteNode{v.U32(48 + 8*i), NodeState(v.U32(52 + 8*i))}
	}
	return q, nil
}

// VoteExpected tells of changed expected votes (context @24, expected @32).
type VoteExpected struct {
	Context  uint64
	Expected uint32
}

// Append appends the event.
func (e *VoteExpected) Append(b []byte) []byte {
	b, m := mar.Extend(b, VoteExpectedEventSize)
	mar.PutRes(m, VoteEventExpected, VoteExpectedEventSize, service.OK)
	mar.PutU64(m, 24, e.Context)
	mar.PutU32(m, 32, e.Expected)
	return b
}

// ParseVoteExpected reads the event.
func ParseVoteExpected(b []byte) (VoteExpected, error) {
	if err := mar.Need("votequorum expected votes event", b, VoteExpectedEventSize); err != nil {
		return VoteExpected{}, err
	}
	v := mar.View{B: b}
	return VoteExpected{v.U64(24), v.U32(32)}, nil
}

// VoteNodeList tells of a new ring (context @24, ring id @32, count @48, ids
// from @56).
type VoteNodeList struct {
	Context uint64
	Ring    service.RingID
	Members []uint32
}

// Append appends the event.
func (l *VoteNodeList) Append(b []byte) []byte {
	b, m := mar.Extend(b, VoteNodeListEventSize+4*len(l.Members))
	mar.PutRes(m, VoteEventNodeList, len(m), service.OK)
	mar.PutU64(m, 24, l.Context)
	mar.PutRing(m, 32, l.Ring)
	mar.PutU32(m, 48, uint32(len(l.Members)))
	putList(m, 56, l.Members)
	return b
}

// ParseVoteNodeList reads the event.
func ParseVoteNodeList(b []byte) (VoteNodeList, error) {
	if err := mar.Need("votequorum nodelist event", b, VoteNodeListEventSize); err != nil {
		return VoteNodeList{}, err
	}
	v := mar.View{B: b}
	list, err := getList(v, 56, v.U32(48))
	return VoteNodeList{v.U64(24), v.Ring(32), list}, err
}
