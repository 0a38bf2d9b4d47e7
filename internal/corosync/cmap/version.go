package cmap

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

const versionKey = "totem.config_version"

// Layout of the message between nodes (cmap.c: struct req_exec_cmap_mcast).
//
//	header @0, reason u8 @16, items u8 @24, unused to 48; then each item, padded to 8:
//	key {u16 length @0, text[256] @8}, type u8 @264, value length u64 @272, value @280
const (
	mcastSize   = 48
	mcastItem   = 280
	mcastKeyMax = 256
	maxItems    = 32 // cmap.c: MAX_REQ_EXEC_CMAP_MCAST_ITEMS
)

// Reasons of the message. The receiver treats both alike.
const (
	reasonSync       = 0
	reasonNewVersion = 1
)

// versionSync is the state of the guard against old configurations: a node that comes
// to others who have a higher totem.config_version ends itself.
type versionSync struct {
	trans   int
	mine    uint64
	highest uint64 // of the others and mine
	first   bool   // no sync with others so far
}

// SyncInit implements service.Syncer (cmap.c: cmap_sync_init).
func (s *Service) SyncInit(trans, members []uint32, ring service.RingID) {
	s.sync.trans = len(trans)
	s.sync.mine, _ = s.m.U64(versionKey)
	s.sync.highest = s.sync.mine
}

// SyncProcess sends our version.
func (s *Service) SyncProcess() bool { return s.sendVersion(reasonSync) == nil }

// SyncActivate compares the versions, once in the life of the daemon: at the
// first membership that is not the first.
func (s *Service) SyncActivate() {
	if s.sync.trans == 0 || !s.sync.first {
		return
	}
	s.sync.first = false
	if s.sync.mine != 0 && s.sync.highest != s.sync.mine {
		s.logf(service.LevelError, "Received config version (%d) is different than my config version (%d)! Exiting",
			s.sync.highest, s.sync.mine)
		s.host.Shutdown(0, true)
	}
}

// SyncAbort has nothing to forget: the next SyncInit starts over.
func (s *Service) SyncAbort() {}

func (s *Service) versionChanged() {
	s.sync.mine, _ = s.m.U64(versionKey)
	if s.sendVersion(reasonNewVersion) != nil {
		s.logf(service.LevelError, "Can't inform other nodes about new config version")
	}
}

func (s *Service) sendVersion(reason uint8) error {
	v, _ := s.m.Get(versionKey)
	return s.host.Mcast(appendMcast(nil, reason, versionKey, v), nil)
}

// appendMcast appends a message with one item; a missing key has type 0.
func appendMcast(b []byte, reason uint8, key string, v Value) []byte {
	size := mcastSize + (mcastItem+len(v.Raw)+7)&^7
	b, m := mar.Extend(b, size)
	mar.PutReq(m, mar.ID(service.CMAP, 0), size)
	m[16], m[24] = reason, 1
	it := m[mcastSize:]
	binary.NativeEndian.PutUint16(it, uint16(len(key)))
	copy(it[8:], key)
	it[264] = uint8(v.Type)
	mar.PutU64(it, 272, uint64(len(v.Raw)))
	copy(it[mcastItem:], v.Raw)
	return b
}

// parseVersion finds the version in a message: 0 when the sender has none.
func parseVersion(msg []byte, swapped bool) (uint64, error) {
	if err := mar.Need("cmap message", msg, mcastSize); err != nil {
		return 0, err
	}
	items := int(msg[24])
	if items > maxItems {
		return 0, &mar.CountError{What: "cmap message items", Value: uint64(items), Max: maxItems}
	}
	b := msg[mcastSize:]
	for range items {
		if err := mar.Need("cmap message item", b, mcastItem); err != nil {
			return 0, err
		}
		n := int(binary.NativeEndian.Uint16(b))
		if swapped {
			n = int(bits.ReverseBytes16(uint16(n)))
		}
		size := mar.View{B: b, Swapped: swapped}.U64(272)
		if n > mcastKeyMax || size > uint64(len(b)-mcastItem) {
			return 0, fmt.Errorf("cmap message item: key of %d and value of %d bytes in %d", n, size, len(b))
		}
		if string(b[8:8+n]) == versionKey {
			if Type(b[264]) != Uint64 || size != 8 {
				return 0, nil
			}
			return mar.View{B: b, Swapped: swapped}.U64(mcastItem), nil
		}
		b = b[min(len(b), mcastItem+(int(size)+7)&^7):]
	}
	return 0, nil
}

// deliver takes another node's version, or our own (cmap.c:
// message_handler_req_exec_cmap_mcast_reason_sync_nv).
func (s *Service) deliver(from uint32, msg []byte, swapped bool) {
	if msg[16] != reasonSync && msg[16] != reasonNewVersion {
		return
	}
	version, err := parseVersion(msg, swapped)
	if err != nil {
		s.logf(service.LevelWarning, "message from node %d dropped: %v", from, err)
		return
	}
	if from != s.host.NodeID() {
		s.sync.highest = max(s.sync.highest, version)
	}
	_ = s.m.Set(fmt.Sprintf("runtime.members.%d.config_version", from), U64(version))
}
