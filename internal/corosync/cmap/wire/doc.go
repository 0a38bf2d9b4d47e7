// Package wire holds the messages between clients of the configuration map and
// the daemon (service 0, socket "cmap"). The daemon's engine parses requests
// and appends replies and events; the client library does the reverse. Nothing
// here goes between nodes. Types and values are plain bytes: what they mean is
// package cmap's business.
//
// Slices in parsed values point into the message and live as long as it.
//
// Key: length u16 @0, bytes [256] @8, 264 in all.
//
//	request                 id  size    fields
//	SET                      0  296+n   key @16, len u64 @280, type u8 @288, value @296
//	DELETE                   1  280     key @16
//	GET                      2  288     key @16, room u64 @280
//	ADJUST_INT               3  288     key @16, step i32 @280
//	ITER_INIT                4  280     prefix @16
//	ITER_NEXT, ITER_FINALIZE 5,6 24     handle u64 @16
//	TRACK_ADD                7  296     key @16, flags i32 @280, instance u64 @288
//	TRACK_DELETE             8  24      handle u64 @16
//	SET_CURRENT_MAP          9  24      map i32 @16
//
//	reply                   id  size    fields
//	SET, DELETE, ADJUST_INT 0,1,3 24
//	GET                      2  40+n    len u64 @24, type u8 @32, value @40; n is the room asked for
//	ITER_INIT                4  32      handle u64 @24
//	ITER_NEXT                5  304     key @24, len u64 @288, type u8 @296
//	ITER_FINALIZE            6  24
//	TRACK_ADD                7  32      handle u64 @24
//	TRACK_DELETE             8  32      instance u64 @24
//	SET_CURRENT_MAP         10  24
//	event NOTIFY             9  336+n+m instance u64 @24, key @32, event i32 @296, new type u8 @304,
//	                                    old type u8 @312, new len u64 @320, old len u64 @328, new @336, old
//
// Upstream: include/corosync/ipc_cmap.h, mar_gen.h (mar_name_t).
package wire

import (
	"encoding/binary"

	"github.com/pacesync/pacesync/internal/corosync/mar"
)

const (
	// KeySize is the room for a key's bytes; the longest key that the client
	// library sends has one byte less (corotypes.h: CS_MAX_NAME_LENGTH).
	KeySize = 256
	nameLen = 8 + KeySize
)

func putName(b []byte, off int, key string) {
	mar.PutU64(b, off, 0)
	binary.NativeEndian.PutUint16(b[off:], uint16(len(key)))
	copy(b[off+8:off+nameLen], key)
}

// getName reads a key. What follows it in the field is garbage to C.
func getName(what string, b []byte, off int) (string, error) {
	n := int(binary.NativeEndian.Uint16(b[off:]))
	if n > KeySize {
		return "", &mar.CountError{What: what + " key length", Value: uint64(n), Max: KeySize}
	}
	return string(b[off+8 : off+8+n]), nil
}

// span cuts n bytes at off out of b.
func span(what string, b []byte, off int, n uint64) ([]byte, error) {
	if n > uint64(len(b)-off) {
		return nil, &mar.CountError{What: what + " length", Value: n, Max: uint64(len(b) - off)}
	}
	return b[off : off+int(n) : off+int(n)], nil
}
