// Package mar holds what all Corosync messages share: the headers of libqb
// requests and responses, fields at fixed offsets, and both byte orders. The
// wire packages of the services (cpg/wire, quorum/wire, the sync layer) are
// built on it; it knows no message.
//
// A request and every message between nodes starts with {id i32 @0, size i32
// @8}, 16 bytes; a response or event with {id i32 @0, size i32 @8, error i32
// @16}, 24 bytes. Fields lie at multiples of eight unless a layout says
// otherwise. Padding is written as zero and ignored when read: C peers leave
// garbage in it.
//
// Upstream: include/corosync/mar_gen.h, swab.h, qb/qbipc_common.h.
package mar

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/pacesync/pacesync/internal/corosync/service"
)

const (
	// ReqSize is the length of a request header, also of messages between nodes.
	ReqSize = 16
	// ResSize is the length of a response or event header.
	ResSize = 24
	// ProcessorMax is the largest number of nodes (totem.h: PROCESSOR_COUNT_MAX).
	ProcessorMax = 384
)

// ID is the id of a message between nodes: service and function in one number.
func ID(svc service.ID, fn int) int32 { return int32(svc)<<16 | int32(fn) }

// ShortError tells of a message that ends before its fields do.
type ShortError struct {
	What       string
	Have, Need int
}

func (e *ShortError) Error() string {
	return fmt.Sprintf("%s: %d bytes, need %d", e.What, e.Have, e.Need)
}

// CountError tells of a count or length field that the message cannot hold or
// that is over the limit of its kind.
type CountError struct {
	What       string
	Value, Max uint64
}

func (e *CountError) Error() string {
	return fmt.Sprintf("%s: %d is over %d", e.What, e.Value, e.Max)
}

// Need reports a message shorter than its fixed part.
func Need(what string, b []byte, n int) error {
	if len(b) < n {
		return &ShortError{what, len(b), n}
	}
	return nil
}

// Count checks that n items of the given size follow the first fixed bytes of
// b and are not more than limit. Nothing overflows whatever n is.
func Count(what string, b []byte, fixed int, n uint32, size, limit int) error {
	if uint64(n) > uint64(limit) {
		return &CountError{what, uint64(n), uint64(limit)}
	}
	if need := fixed + int(n)*size; len(b) < need {
		return &ShortError{what, len(b), need}
	}
	return nil
}

// View reads fields of a message at fixed offsets. The caller has checked the
// length.
type View struct {
	B       []byte
	Swapped bool // the sender's byte order is not ours
}

// U32 is the field at off.
func (v View) U32(off int) uint32 {
	x := binary.NativeEndian.Uint32(v.B[off:])
	if v.Swapped {
		return bits.ReverseBytes32(x)
	}
	return x
}

// I32 is the signed field at off.
func (v View) I32(off int) int32 { return int32(v.U32(off)) }

// U64 is the field at off.
func (v View) U64(off int) uint64 {
	x := binary.NativeEndian.Uint64(v.B[off:])
	if v.Swapped {
		return bits.ReverseBytes64(x)
	}
	return x
}

// Ring is the padded 16-byte ring id of library messages at off.
func (v View) Ring(off int) service.RingID {
	return service.RingID{Rep: v.U32(off), Seq: v.U64(off + 8)}
}

// PackedRing is the 12-byte ring id of totem and sync messages at off.
func (v View) PackedRing(off int) service.RingID {
	return service.RingID{Rep: v.U32(off), Seq: v.U64(off + 4)}
}

// Extend adds n zero bytes to b and returns them too, to be filled in place.
func Extend(b []byte, n int) (all, added []byte) {
	b = append(b, make([]byte, n)...)
	return b, b[len(b)-n:]
}

// PutU32 stores a field at off in our byte order.
func PutU32(b []byte, off int, x uint32) { binary.NativeEndian.PutUint32(b[off:], x) }

// PutU64 stores a field at off in our byte order.
func PutU64(b []byte, off int, x uint64) { binary.NativeEndian.PutUint64(b[off:], x) }

// PutRing stores a padded 16-byte ring id at off.
func PutRing(b []byte, off int, r service.RingID) {
	PutU32(b, off, r.Rep)
	PutU32(b, off+4, 0)
	PutU64(b, off+8, r.Seq)
}

// PutPackedRing stores a 12-byte ring id at off.
func PutPackedRing(b []byte, off int, r service.RingID) {
	PutU32(b, off, r.Rep)
	PutU64(b, off+4, r.Seq)
}

// PutReq stores a request header; size is that of the whole message.
func PutReq(b []byte, id int32, size int) {
	PutU32(b, 0, uint32(id))
	PutU32(b, 4, 0)
	PutU32(b, 8, uint32(size))
	PutU32(b, 12, 0)
}

// PutRes stores a response header; size is that of the whole message.
func PutRes(b []byte, id int32, size int, err service.Error) {
	PutReq(b, id, size)
	PutU32(b, 16, uint32(err))
	PutU32(b, 20, 0)
}

// Res is a response or event header as a client reads it.
type Res struct {
	ID   int32
	Size int32
	Err  service.Error
}

// ParseRes reads a response header.
func ParseRes(b []byte) (Res, error) {
	if err := Need("response header", b, ResSize); err != nil {
		return Res{}, err
	}
	v := View{B: b}
	return Res{v.I32(0), v.I32(8), service.Error(v.I32(16))}, nil
}

// AppendStatus appends a response that is nothing but its header.
func AppendStatus(b []byte, id int32, err service.Error) []byte {
	b, m := Extend(b, ResSize)
	PutRes(m, id, ResSize, err)
	return b
}

// AppendBare appends a request that is nothing but its header.
func AppendBare(b []byte, id int32) []byte {
	b, m := Extend(b, ReqSize)
	PutReq(m, id, ReqSize)
	return b
}

// CString is a NUL-terminated string in a fixed field; without a NUL the whole
// field counts.
func CString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}

// PutCString stores s in a fixed field, cut so that a NUL always follows.
func PutCString(b []byte, s string) {
	clear(b)
	copy(b[:len(b)-1], s)
}
