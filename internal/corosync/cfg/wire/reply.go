package wire

import (
	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Replies and the event (ipc_cfg.h: enum res_lib_cfg_types). Those without
// fields are mar.AppendStatus.
const (
	ResRingStatusGet   = 0
	ResRingReenable    = 1
	ResTrackStart      = 2
	ResTrackStop       = 3
	ResKillNode        = 8
	ResTryShutdown     = 9
	EventTestShutdown  = 10
	ResGetNodeAddrs    = 11
	ResLocalGet        = 12
	ResReplyToShutdown = 13
	ResReloadConfig    = 14
	ResReopenLogFiles  = 15
	ResNodeStatusGet   = 16
)

// Sizes of replies and the event.
const (
	RingStatusResSize = 2080 + MaxRings*ringStateSize
	NumberResSize     = 32 // LOCAL_GET, TEST_SHUTDOWN, a refused NODE_STATUS_GET
	NodeAddrsResSize  = 32 // and 16 for each address
	NodeStatusResSize = 40 + MaxLinks*linkSize
	linkSize          = 8 + 2*hostSize
)

// Ring is one link as RING_STATUS_GET shows it.
type Ring struct{ Name, State string }

// AppendRingStatusRes appends the links, at most MaxRings.
func AppendRingStatusRes(b []byte, rings []Ring, status service.Error) []byte {
	rings = rings[:min(len(rings), MaxRings)]
	b, m := mar.Extend(b, RingStatusResSize)
	mar.PutRes(m, ResRingStatusGet, RingStatusResSize, status)
	mar.PutU32(m, 24, uint32(len(rings)))
	for i, r := range rings {
		mar.PutCString(m[32+i*ringNameSize:][:ringNameSize], r.Name)
		mar.PutCString(m[2080+i*ringStateSize:][:ringStateSize], r.State)
	}
	return b
}

// ParseRingStatusRes reads the links.
func ParseRingStatusRes(b []byte) ([]Ring, error) {
	if err := mar.Need("cfg ring status reply", b, RingStatusResSize); err != nil {
		return nil, err
	}
	n := mar.View{B: b}.U32(24)
	if n > MaxRings {
		return nil, &mar.CountError{What: "cfg ring count", Value: uint64(n), Max: MaxRings}
	}
	rings := make([]Ring, n)
	for i := range rings {
		rings[i] = Ring{mar.CString(b[32+i*ringNameSize:][:ringNameSize]), mar.CString(b[2080+i*ringStateSize:][:ringStateSize])}
	}
	return rings, nil
}

// NodeAddrs are a node's addresses. Family is that of the first link (2 IPv4,
// 10 IPv6) and holds for all; an IPv4 address is the first 4 bytes of its slot.
type NodeAddrs struct {
	Family uint32
	Addrs  [][16]byte
}

// Append appends the reply.
func (r *NodeAddrs) Append(b []byte, status service.Error) []byte {
	size := NodeAddrsResSize + addrSize*len(r.Addrs)
	b, m := mar.Extend(b, size)
	mar.PutRes(m, ResGetNodeAddrs, size, status)
	mar.PutU32(m, 24, r.Family)
	mar.PutU32(m, 28, uint32(len(r.Addrs)))
	for i := range r.Addrs {
		copy(m[NodeAddrsResSize+i*addrSize:], r.Addrs[i][:])
	}
	return b
}

// ParseNodeAddrsRes reads the reply.
func ParseNodeAddrsRes(b []byte) (NodeAddrs, error) {
	if err := mar.Need("cfg node addresses reply", b, NodeAddrsResSize); err != nil {
		return NodeAddrs{}, err
	}
	v := mar.View{B: b}
	n := v.U32(28)
	if err := mar.Count("cfg node addresses", b, NodeAddrsResSize, n, addrSize, MaxRings); err != nil {
		return NodeAddrs{}, err
	}
	r := NodeAddrs{Family: v.U32(24), Addrs: make([][16]byte, n)}
	for i := range r.Addrs {
		r.Addrs[i] = [16]byte(b[NodeAddrsResSize+i*addrSize:])
	}
	return r, nil
}

// AppendLocalGetRes appends the local node id.
func AppendLocalGetRes(b []byte, node uint32) []byte {
	return appendNumberRes(b, ResLocalGet, node)
}

// AppendTestShutdown appends the event that asks a tracker for its vote.
func AppendTestShutdown(b []byte, flags ShutdownFlags) []byte {
	return appendNumberRes(b, EventTestShutdown, uint32(flags))
}

func appendNumberRes(b []byte, id int32, n uint32) []byte {
	b, m := mar.Extend(b, NumberResSize)
	mar.PutRes(m, id, NumberResSize, service.OK)
	mar.PutU32(m, 24, n)
	return b
}

// ParseNumberRes reads the node of LOCAL_GET and the flags of TEST_SHUTDOWN.
func ParseNumberRes(b []byte) (uint32, error) {
	if err := mar.Need("cfg reply", b, 28); err != nil {
		return 0, err
	}
	return mar.View{B: b}.U32(24), nil
}

// Link is the state of one link to a node, as this node sees it: enabled @0,
// connected @1, dynconnected @2, mtu u32 @4, source [256] @8, destination
// [256] @264, 520 bytes.
type Link struct {
	Enabled, Connected, DynConnected bool
	MTU                              uint32
	Source, Destination              string
}

// NodeStatus is the state of a node: version @24, node @28, reachable u8 @32,
// remote @33, external @34, onwire min @35, max @36, current @37, links @40.
type NodeStatus struct {
	Version                         uint32
	Node                            uint32
	Reachable, Remote, External     bool
	OnwireMin, OnwireMax, OnwireVer uint8
	Links                           [MaxLinks]Link
}

// Append appends the reply in version 1.
func (s *NodeStatus) Append(b []byte, status service.Error) []byte {
	b, m := mar.Extend(b, NodeStatusResSize)
	mar.PutRes(m, ResNodeStatusGet, NodeStatusResSize, status)
	mar.PutU32(m, 24, s.Version)
	mar.PutU32(m, 28, s.Node)
	m[32], m[33], m[34] = flag(s.Reachable), flag(s.Remote), flag(s.External)
	m[35], m[36], m[37] = s.OnwireMin, s.OnwireMax, s.OnwireVer
	for i := range s.Links {
		l, p := &s.Links[i], m[40+i*linkSize:]
		p[0], p[1], p[2] = flag(l.Enabled), flag(l.Connected), flag(l.DynConnected)
		mar.PutU32(p, 4, l.MTU)
		mar.PutCString(p[8:8+hostSize], l.Source)
		mar.PutCString(p[8+hostSize:8+2*hostSize], l.Destination)
	}
	return b
}

// AppendNodeStatusRefusal appends the short answer to an unknown version.
func AppendNodeStatusRefusal(b []byte, version uint32, status service.Error) []byte {
	b, m := mar.Extend(b, NumberResSize)
	mar.PutRes(m, ResNodeStatusGet, NumberResSize, status)
	mar.PutU32(m, 24, version)
	return b
}

// ParseNodeStatusRes reads the reply; the caller has looked at the error.
func ParseNodeStatusRes(b []byte) (NodeStatus, error) {
	if err := mar.Need("cfg node status reply", b, NodeStatusResSize); err != nil {
		return NodeStatus{}, err
	}
	v := mar.View{B: b}
	s := NodeStatus{
		Version: v.U32(24), Node: v.U32(28), Reachable: b[32] != 0, Remote: b[33] != 0, External: b[34] != 0,
		OnwireMin: b[35], OnwireMax: b[36], OnwireVer: b[37],
	}
	for i := range s.Links {
		p := b[40+i*linkSize:][:linkSize]
		s.Links[i] = Link{
			Enabled: p[0] != 0, Connected: p[1] != 0, DynConnected: p[2] != 0, MTU: mar.View{B: p}.U32(4),
			Source: mar.CString(p[8 : 8+hostSize]), Destination: mar.CString(p[8+hostSize:]),
		}
	}
	return s, nil
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}
