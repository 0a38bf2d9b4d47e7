package cfg

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/pacesync/pacesync/internal/corosync/cfg/wire"
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Messages between nodes (cfg.c: enum cfg_message_req_types).
//
//	RINGREENABLE     0   32  unused
//	KILLNODE         1  288  node u32 @16, reason {u16 length @24, text[256] @26}
//	SHUTDOWN         2   16
//	RELOAD_CONFIG    3   32  source {node u32 @16, client u64 @24}
//	CRYPTO_RECONFIG  4   24  phase u32 @16
const (
	execRingReenable = 0
	execKillNode     = 1
	execShutdown     = 2
	execReload       = 3
	execCrypto       = 4

	killSize   = 288
	reloadSize = 32
	cryptoSize = 24
)

// killNode asks all to see a member of the ring off.
func (s *Service) killNode(c service.Conn, msg []byte) {
	req, err := wire.ParseKillReq(msg)
	status := service.OK
	joined, _ := s.m.Str(fmt.Sprintf("runtime.members.%d.status", req.Node))
	switch {
	case err != nil:
		status = service.ErrInvalidParam
	case joined != "joined":
		status = service.ErrNotExist
	default:
		status = code(s.host.Mcast(appendKill(nil, req.Node, req.Reason), nil))
	}
	s.reply(c, wire.ResKillNode, status)
}

func appendKill(b []byte, node uint32, reason string) []byte {
	b, m := mar.Extend(b, killSize)
	mar.PutReq(m, mar.ID(service.CFG, execKillNode), killSize)
	mar.PutU32(m, 16, node)
	mar.PutCString(m[26:26+wire.ReasonSize], reason)
	binary.NativeEndian.PutUint16(m[24:], uint16(min(len(reason), wire.ReasonSize-1)+1))
	return b
}

// deliverKill ends this node at once, without leaving, when it is the one meant.
func (s *Service) deliverKill(from uint32, msg []byte, swapped bool) {
	node := mar.View{B: msg, Swapped: swapped}.U32(16)
	n := binary.NativeEndian.Uint16(msg[24:])
	if swapped {
		n = bits.ReverseBytes16(n)
	}
	s.logf(service.LevelDebug, "request to kill node %d (us=%d)", node, s.host.NodeID())
	if node != s.host.NodeID() {
		return
	}
	reason := mar.CString(msg[26 : 26+min(int(n), wire.ReasonSize)])
	s.logf(service.LevelNotice, "Killed by node %d : %s", from, reason)
	s.host.Shutdown(-1, false)
}

// sendShutdown tells all nodes, ourselves included, that we go.
func (s *Service) sendShutdown() error {
	return s.host.Mcast(mar.AppendBare(nil, mar.ID(service.CFG, execShutdown)), nil)
}

func (s *Service) deliverShutdown(from uint32, _ []byte, _ bool) {
	s.logf(service.LevelNotice, "Node %d was shut down by sysadmin", from)
	if from == s.host.NodeID() {
		s.host.Shutdown(0, true)
	}
}
