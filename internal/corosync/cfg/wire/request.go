package wire

import (
	"encoding/binary"

	"github.com/pacesync/pacesync/internal/corosync/mar"
)

// Library requests (ipc_cfg.h: enum req_lib_cfg_types). Those without fields
// are written by mar.AppendBare.
const (
	ReqRingStatusGet   = 0
	ReqRingReenable    = 1
	ReqKillNode        = 2
	ReqTryShutdown     = 3
	ReqReplyToShutdown = 4
	ReqGetNodeAddrs    = 5
	ReqLocalGet        = 6
	ReqReloadConfig    = 7
	ReqReopenLogFiles  = 8
	ReqNodeStatusGet   = 9
	ReqTrackStart      = 10
	ReqTrackStop       = 11
)

// Sizes of library requests that have fields.
const (
	KillReqSize       = 288
	NumberReqSize     = 24 // TRY_SHUTDOWN, REPLY_TO_SHUTDOWN, GET_NODE_ADDRS
	NodeStatusReqSize = 32
	TrackReqSize      = 24
)

// KillReq asks that a node's daemon end itself.
type KillReq struct {
	Node   uint32
	Reason string // for the victim's log; cut to what fits with a NUL
}

// Append appends the request.
func (r *KillReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, KillReqSize)
	mar.PutReq(m, ReqKillNode, KillReqSize)
	mar.PutU32(m, 16, r.Node)
	text := m[26 : 26+ReasonSize]
	mar.PutCString(text, r.Reason)
	// The length counts the NUL, as libcfg's does.
	binary.NativeEndian.PutUint16(m[24:], uint16(min(len(r.Reason), ReasonSize-1)+1))
	return b
}

// ParseKillReq reads the request.
func ParseKillReq(b []byte) (KillReq, error) {
	if err := mar.Need("cfg kill request", b, KillReqSize); err != nil {
		return KillReq{}, err
	}
	n := int(binary.NativeEndian.Uint16(b[24:]))
	if n > ReasonSize {
		return KillReq{}, &mar.CountError{What: "cfg kill reason length", Value: uint64(n), Max: ReasonSize}
	}
	return KillReq{mar.View{B: b}.U32(16), mar.CString(b[26 : 26+n])}, nil
}

// ShutdownFlags say how a shutdown is asked for.
type ShutdownFlags uint32

// Flags (cfg.h: corosync_cfg_shutdown_flags_t).
const (
	ShutdownRequest    ShutdownFlags = 0 // trackers may veto
	ShutdownRegardless ShutdownFlags = 1 // trackers are told, their answer does not count
	ShutdownImmediate  ShutdownFlags = 2 // nobody is asked
)

// ShutdownAnswer is a tracker's vote.
type ShutdownAnswer uint32

// Answers (cfg.h: corosync_cfg_shutdown_reply_flags_t).
const (
	ShutdownNo  ShutdownAnswer = 0
	ShutdownYes ShutdownAnswer = 1
)

// AppendTryShutdownReq asks the daemon to leave the ring and end.
func AppendTryShutdownReq(b []byte, flags ShutdownFlags) []byte {
	return appendNumberReq(b, ReqTryShutdown, uint32(flags))
}

// AppendReplyToShutdownReq votes on a shutdown.
func AppendReplyToShutdownReq(b []byte, answer ShutdownAnswer) []byte {
	return appendNumberReq(b, ReqReplyToShutdown, uint32(answer))
}

// AppendGetNodeAddrsReq asks for a node's addresses.
func AppendGetNodeAddrsReq(b []byte, node uint32) []byte {
	return appendNumberReq(b, ReqGetNodeAddrs, node)
}

func appendNumberReq(b []byte, id int32, n uint32) []byte {
	b, m := mar.Extend(b, NumberReqSize)
	mar.PutReq(m, id, NumberReqSize)
	mar.PutU32(m, 16, n)
	return b
}

// ParseNumberReq reads the flags of TRY_SHUTDOWN, the answer of
// REPLY_TO_SHUTDOWN and the node of GET_NODE_ADDRS. 20 bytes are enough.
func ParseNumberReq(b []byte) (uint32, error) {
	if err := mar.Need("cfg request", b, 20); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U32(16), nil
}

// NodeStatusReq asks for the state of the links to a node.
type NodeStatusReq struct{ Node, Version uint32 }

// Append appends the request.
func (r *NodeStatusReq) Append(b []byte) []byte {
	b, m := mar.Extend(b, NodeStatusReqSize)
	mar.PutReq(m, ReqNodeStatusGet, NodeStatusReqSize)
	mar.PutU32(m, 16, r.Node)
	mar.PutU32(m, 24, r.Version)
	return b
}

// ParseNodeStatusReq reads the request.
func ParseNodeStatusReq(b []byte) (NodeStatusReq, error) {
	if err := mar.Need("cfg node status request", b, NodeStatusReqSize); err != nil {
		return NodeStatusReq{}, err
	}
	v := mar.View{B: b}
	return NodeStatusReq{v.U32(16), v.U32(24)}, nil
}

// AppendTrackStartReq asks to be asked before a shutdown.
func AppendTrackStartReq(b []byte, flags uint8) []byte {
	b, m := mar.Extend(b, TrackReqSize)
	mar.PutReq(m, ReqTrackStart, TrackReqSize)
	m[16] = flags
	return b
}

// ParseTrackStartReq reads the flags, which the daemon ignores.
func ParseTrackStartReq(b []byte) (uint8, error) {
	if err := mar.Need("cfg track request", b, 17); err != nil {
		return 0, err
	}
	return b[16], nil
}
