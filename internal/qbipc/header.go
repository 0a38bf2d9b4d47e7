package qbipc

import "encoding/binary"

// Sizes of the headers that every message starts with (qbipc_common.h: struct
// qb_ipc_request_header, qb_ipc_response_header). Fields are 8-byte aligned:
// id i32 @0, size i32 @8 and, in responses and events, error i32 @16.
const (
	RequestHeaderSize  = 16
	ResponseHeaderSize = 24
)

// Message ids below zero are libqb's own (ipc_int.h: QB_IPC_MSG_*).
const (
	msgAuthenticate = -1
	msgDisconnect   = -3
)

// RequestHeader returns the id and size that b starts with; ok is false when b
// is too short to hold a request header.
func RequestHeader(b []byte) (id, size int32, ok bool) {
	if len(b) < RequestHeaderSize {
		return 0, 0, false
	}
	return int32(binary.LittleEndian.Uint32(b)), int32(binary.LittleEndian.Uint32(b[8:])), true
}

// ResponseHeader returns the id, size and error that b starts with; ok is false
// when b is too short to hold a response header.
func ResponseHeader(b []byte) (id, size, code int32, ok bool) {
	if len(b) < ResponseHeaderSize {
		return 0, 0, 0, false
	}
	id, size, _ = RequestHeader(b)
	return id, size, int32(binary.LittleEndian.Uint32(b[16:])), true
}

// PutRequestHeader writes a request header over b[:16], padding included.
func PutRequestHeader(b []byte, id int32, size int) {
	binary.LittleEndian.PutUint64(b, uint64(uint32(id)))
	binary.LittleEndian.PutUint64(b[8:], uint64(uint32(size)))
}

// PutResponseHeader writes a response header over b[:24], padding included.
func PutResponseHeader(b []byte, id int32, size int, code int32) {
	PutRequestHeader(b, id, size)
	binary.LittleEndian.PutUint64(b[16:], uint64(uint32(code)))
}
