package crmipc

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/bz2"
	"github.com/pacesync/pacesync/internal/qbipc"
)

// HeaderSize is the length of a message's header.
const HeaderSize = 40

// protocol is the version of the header that we write; a higher one is refused.
const protocol = 1

// MaxText bounds the text of a message after unpacking: a CIB of this size is
// far beyond what the schemas and the scheduler can work with.
const MaxText = 64 << 20

// Flags of a message (ipc.h: enum crm_ipc_flags).
type Flags uint32

// Known flags.
const (
	Compressed   Flags = 0x1
	Proxied      Flags = 0x100 // the client is the end of a proxy connection: answers go as events
	WantReply    Flags = 0x200 // crm_ipc_client_response
	ServerEvent  Flags = 0x10000
	ServerFree   Flags = 0x20000 // a memory flag of the original's, seen on the wire
	RelayedReply Flags = 0x40000 // crm_ipc_proxied_relay_response
)

// Header is what precedes a message's payload.
type Header struct {
	ID     uint32
	Plain  uint32 // length of the text with its NUL
	Packed uint32 // length of the packed payload, 0 for a plain one
	Flags  Flags
}

var (
	// ErrTooLong: the message does not fit the connection even when packed; the
	// remedy is a higher PCMK_ipc_buffer.
	ErrTooLong = fmt.Errorf("crmipc: message too long for the connection: %w", unix.EMSGSIZE)
	// ErrBadMessage: the bytes are no message.
	ErrBadMessage = fmt.Errorf("crmipc: malformed message: %w", unix.EBADMSG)
)

func (h Header) put(b *[HeaderSize]byte, payload int) {
	*b = [HeaderSize]byte{}
	qbipc.PutResponseHeader(b[:], int32(h.ID), HeaderSize+payload, 0)
	binary.LittleEndian.PutUint32(b[24:], h.Plain)
	binary.LittleEndian.PutUint32(b[28:], h.Packed)
	binary.LittleEndian.PutUint32(b[32:], uint32(h.Flags))
	b[36] = protocol
}

// payload is the body of a message made once and sent to any number of clients.
type payload struct {
	plain, packed uint32
	body          []byte
}

// pack makes the payload of a text, which ends in a NUL: plain when it is short
// enough with its header, else compressed, which must come out at max at most
// (ipc_server.c: pcmk__ipc_prepare_iov).
func pack(text []byte, short, longest int) (payload, error) {
	p := payload{plain: uint32(len(text)), body: text}
	if HeaderSize+len(text) < short {
		return p, nil
	}
	body, err := bz2.Compress(text, bz2.MessageLevel)
	if err != nil {
		return p, err
	}
	if HeaderSize+len(body) > longest {
		return p, fmt.Errorf("%w: %d bytes, %d packed, limit %d", ErrTooLong, len(text), len(body), longest)
	}
	return payload{p.plain, uint32(len(body)), body}, nil
}

// header makes the header for one sending of a payload.
func (p payload) header(id uint32, flags Flags) Header {
	if p.packed > 0 {
		flags |= Compressed
	}
	return Header{ID: id, Plain: p.plain, Packed: p.packed, Flags: flags}
}

// Decode reads a message: its header and its text without the NUL. The text is
// a copy. An error wraps ErrBadMessage.
func Decode(msg []byte) (Header, string, error) {
	var h Header
	id, size, ok := qbipc.RequestHeader(msg)
	if !ok || len(msg) < HeaderSize || int(size) != len(msg) {
		return h, "", fmt.Errorf("%w: %d bytes, header says %d", ErrBadMessage, len(msg), size)
	}
	h.ID = uint32(id)
	h.Plain = binary.LittleEndian.Uint32(msg[24:])
	h.Packed = binary.LittleEndian.Uint32(msg[28:])
	h.Flags = Flags(binary.LittleEndian.Uint32(msg[32:]))
	if v := msg[36]; v > protocol {
		return h, "", fmt.Errorf("%w: version %d, only versions up to %d are known", ErrBadMessage, v, protocol)
	}
	body := msg[HeaderSize:]
	if h.Plain == 0 || h.Plain > MaxText {
		return h, "", fmt.Errorf("%w: text of %d bytes", ErrBadMessage, h.Plain)
	}
	if h.Packed > 0 {
		if int64(h.Packed) > int64(len(body)) {
			return h, "", fmt.Errorf("%w: %d packed bytes of %d", ErrBadMessage, len(body), h.Packed)
		}
		plain, err := bz2.Decompress(body[:h.Packed], int(h.Plain))
		if err != nil {
			return h, "", errors.Join(ErrBadMessage, err)
		}
		body = plain
	}
	if int64(h.Plain) > int64(len(body)) || body[h.Plain-1] != 0 {
		return h, "", fmt.Errorf("%w: the text does not end where the header says", ErrBadMessage)
	}
	return h, string(body[:h.Plain-1]), nil
}
