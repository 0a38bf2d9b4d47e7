package qbipc

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Type is how a connection moves its messages (qbipc_common.h: enum
// qb_ipc_type). The server decides, the client obeys.
type Type int32

// Connection types. POSIX and System V queues (2, 3) exist in the enum alone.
const (
	Socket Type = 0
	SHM    Type = 1
)

const (
	connRequestSize  = 24
	connResponseSize = 12328
	pathMax          = 4096
	nameMax          = 255 // the longest name libqb copies out of the reply
)

// connRequest is what a client sends first (ipc_int.h: struct
// qb_ipc_connection_request): a request header, max_msg_size u32 @16.
type connRequest struct {
	maxMsg uint32
}

func (r connRequest) append(b []byte) []byte {
	var m [connRequestSize]byte
	PutRequestHeader(m[:], msgAuthenticate, connRequestSize)
	binary.LittleEndian.PutUint32(m[16:], r.maxMsg)
	return append(b, m[:]...)
}

// parseConnRequest checks what the original checks: the id. The size field is
// checked too, no client sends another one.
func parseConnRequest(b []byte) (connRequest, error) {
	if len(b) != connRequestSize {
		return connRequest{}, fmt.Errorf("qbipc: connection request of %d bytes, want %d", len(b), connRequestSize)
	}
	id, size, _ := RequestHeader(b)
	if id != msgAuthenticate || size != connRequestSize {
		return connRequest{}, fmt.Errorf("qbipc: connection request with id %d and size %d, want %d and %d",
			id, size, msgAuthenticate, connRequestSize)
	}
	return connRequest{maxMsg: binary.LittleEndian.Uint32(b[16:])}, nil
}

// connResponse is the server's answer (ipc_int.h: struct
// qb_ipc_connection_response): response header, type i32 @24, max_msg_size u32
// @28, connection u64 @32, then three paths of 4096 bytes @40, @4136, @8232.
// With an error everything else is zero.
type connResponse struct {
	err      unix.Errno
	typ      Type
	maxMsg   uint32
	handle   uint64
	request  string
	response string
	event    string
}

func (r *connResponse) put(b *[connResponseSize]byte) {
	clear(b[:])
	PutResponseHeader(b[:], msgAuthenticate, connResponseSize, -int32(r.err))
	if r.err != 0 {
		return
	}
	binary.LittleEndian.PutUint32(b[24:], uint32(r.typ))
	binary.LittleEndian.PutUint32(b[28:], r.maxMsg)
	binary.LittleEndian.PutUint64(b[32:], r.handle)
	copy(b[40:40+pathMax-1], r.request)
	copy(b[40+pathMax:40+2*pathMax-1], r.response)
	copy(b[40+2*pathMax:40+3*pathMax-1], r.event)
}

func parseConnResponse(b []byte) (connResponse, error) {
	var r connResponse
	if len(b) != connResponseSize {
		return r, fmt.Errorf("qbipc: connection reply of %d bytes, want %d", len(b), connResponseSize)
	}
	id, size, code, _ := ResponseHeader(b)
	if id != msgAuthenticate || size != connResponseSize {
		return r, fmt.Errorf("qbipc: connection reply with id %d and size %d, want %d and %d",
			id, size, msgAuthenticate, connResponseSize)
	}
	if code != 0 {
		if code > 0 || code < -4095 {
			return r, fmt.Errorf("qbipc: connection reply with error %d, want 0 or a negative errno", code)
		}
		r.err = unix.Errno(-code)
		return r, nil
	}
	r.typ = Type(binary.LittleEndian.Uint32(b[24:]))
	r.maxMsg = binary.LittleEndian.Uint32(b[28:])
	r.handle = binary.LittleEndian.Uint64(b[32:])
	for i, dst := range []*string{&r.request, &r.response, &r.event} {
		field := b[40+i*pathMax:][:pathMax]
		end := bytes.IndexByte(field, 0)
		if end < 0 {
			return r, fmt.Errorf("qbipc: connection reply with path %d of 3 not terminated", i+1)
		}
		*dst = string(field[:end])
	}
	return r, nil
}
