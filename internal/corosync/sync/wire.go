package sync

import (
	"encoding/binary"
	"math/bits"

	"github.com/pacesync/pacesync/internal/corosync/mar"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// Ids of the two messages. They have no service in their upper half: the
// totem group "sync" tells them from those of the services.
const (
	idBarrier      = 0
	idServiceBuild = 1
)

const (
	barrierSize      = 32
	serviceBuildSize = 552
	serviceListMax   = 128
	// serviceIDMax bounds the ids that a peer may name (service.h:
	// SERVICES_COUNT_MAX).
	serviceIDMax = 64
)

// message is a parsed sync message.
type message struct {
	build    bool // SERVICE_BUILD, else BARRIER
	ring     service.RingID
	services []service.ID
}

// appendBarrier: header, ring id @16 (12 bytes).
func appendBarrier(b []byte, ring service.RingID) []byte {
	b, m := mar.Extend(b, barrierSize)
	mar.PutReq(m, idBarrier, barrierSize)
	mar.PutPackedRing(m, 16, ring)
	return b
}

// appendServiceBuild: header, ring id @16, count @32, list i32[128] @40.
func appendServiceBuild(b []byte, ring service.RingID, list []service.ID) []byte {
	b, m := mar.Extend(b, serviceBuildSize)
	mar.PutReq(m, idServiceBuild, serviceBuildSize)
	mar.PutPackedRing(m, 16, ring)
	mar.PutU32(m, 32, uint32(len(list)))
	for i, id := range list {
		mar.PutU32(m, 40+4*i, uint32(id))
	}
	return b
}

// parse reads a sync message. The byte order is told by the size field, which
// is below 64 Ki in the right one: the layer is not told it by totem, and
// upstream never converts these messages.
func parse(b []byte) (message, error) {
	if err := mar.Need("sync message", b, barrierSize); err != nil {
		return message{}, err
	}
	v := mar.View{B: b}
	if size := binary.NativeEndian.Uint32(b[8:]); size > 0xffff && bits.ReverseBytes32(size) <= 0xffff {
		v.Swapped = true
	}
	m := message{ring: v.PackedRing(16)}
	switch id := v.U32(0); id {
	case idBarrier:
		return m, nil
	case idServiceBuild:
		m.build = true
	default:
		return message{}, &mar.CountError{What: "sync message id", Value: uint64(id), Max: idServiceBuild}
	}
	if err := mar.Need("sync service list", b, serviceBuildSize); err != nil {
		return message{}, err
	}
	n := v.U32(32)
	if err := mar.Count("sync service list", b, 40, n, 4, serviceListMax); err != nil {
		return message{}, err
	}
	for i := range int(n) {
		if id := v.U32(40 + 4*i); id < serviceIDMax {
			m.services = append(m.services, service.ID(id))
		}
	}
	return m, nil
}
