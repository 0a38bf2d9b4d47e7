package crmcluster

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pacesync/pacesync/internal/bz2"
	"github.com/pacesync/pacesync/internal/pcmk"
)

const (
	headerSize = 592
	hostSize   = 276 // an address: five words and a name
	maxName    = 256
	toAt       = 32
	fromAt     = toAt + hostSize
	sizesAt    = fromAt + hostSize

	csOK = 1
	// packFrom is the length from which a text is packed (crm.h: CRM_BZ2_THRESHOLD).
	packFrom = 128 << 10
	// maxText bounds a text after unpacking, as for local messages.
	maxText = 64 << 20
)

// ErrBadMessage: the bytes are no message of a Pacemaker peer.
var ErrBadMessage = errors.New("crmcluster: malformed message")

// Address is one end of a message.
type Address struct {
	ID   uint32 // node id; 0: not told, or any node
	PID  uint32
	Type pcmk.MsgType
	Name string // empty: any node
}

// Packet is a message as it goes over the process group.
type Packet struct {
	Number   uint32
	To, From Address
	Text     string
}

func (a Address) put(b []byte) {
	binary.LittleEndian.PutUint32(b, a.ID)
	binary.LittleEndian.PutUint32(b[4:], a.PID)
	binary.LittleEndian.PutUint32(b[12:], uint32(a.Type))
	n := copy(b[20:20+maxName-1], a.Name)
	binary.LittleEndian.PutUint32(b[16:], uint32(n))
}

// parseAddress reads an address. A name that fills its field to the last byte,
// or is longer than it says, is no name.
func parseAddress(b []byte) (Address, error) {
	a := Address{
		ID:   binary.LittleEndian.Uint32(b),
		PID:  binary.LittleEndian.Uint32(b[4:]),
		Type: pcmk.MsgType(binary.LittleEndian.Uint32(b[12:])),
	}
	n := binary.LittleEndian.Uint32(b[16:])
	if n >= maxName {
		return a, fmt.Errorf("%w: node name of %d bytes", ErrBadMessage, n)
	}
	a.Name = string(b[20 : 20+n])
	return a, nil
}

// Append adds the bytes of a packet to b, packed when the text is long and
// packing helps (cpg.c: send_cluster_text).
func (p Packet) Append(b []byte) []byte {
	var head [headerSize]byte
	plain := len(p.Text) + 1
	binary.LittleEndian.PutUint32(head[16:], csOK)
	binary.LittleEndian.PutUint32(head[24:], p.Number)
	p.To.put(head[toAt:fromAt])
	p.From.put(head[fromAt:sizesAt])
	binary.LittleEndian.PutUint32(head[sizesAt:], uint32(plain))
	payload := plain
	var packed []byte
	if plain >= packFrom {
		if z, err := bz2.Compress(append([]byte(p.Text), 0), bz2.MessageLevel); err == nil && len(z) < plain {
			packed, payload = z, len(z)
			binary.LittleEndian.PutUint32(head[28:], 1)
			binary.LittleEndian.PutUint32(head[sizesAt+4:], uint32(len(z)))
		}
	}
	binary.LittleEndian.PutUint32(head[8:], uint32(headerSize+payload))
	b = append(b, head[:]...)
	if packed != nil {
		return append(b, packed...)
	}
	return append(append(b, p.Text...), 0)
}

// ParseHead reads all but the text, and checks sizes; it is cheap, so that
// messages for other nodes cost little (cpg.c: check_message_sanity).
func ParseHead(b []byte) (Packet, error) {
	if len(b) < headerSize+1 {
		return Packet{}, fmt.Errorf("%w: %d bytes", ErrBadMessage, len(b))
	}
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	if class := u32(0); class != 0 {
		return Packet{}, fmt.Errorf("%w: class %d", ErrBadMessage, class)
	}
	if code := u32(16); code != csOK {
		return Packet{}, fmt.Errorf("%w: its sender says error %d", ErrBadMessage, code)
	}
	p := Packet{Number: u32(24)}
	var err error
	if p.To, err = parseAddress(b[toAt:fromAt]); err != nil {
		return p, err
	}
	if p.From, err = parseAddress(b[fromAt:sizesAt]); err != nil {
		return p, err
	}
	payload := u32(sizesAt)
	if u32(28) != 0 {
		payload = u32(sizesAt + 4)
	}
	if size := u32(8); uint64(size) != uint64(len(b)) || uint64(payload) != uint64(len(b)-headerSize) {
		return p, fmt.Errorf("%w: %d bytes, its header says %d with %d of text", ErrBadMessage, len(b), size, payload)
	}
	return p, nil
}

// Parse reads a packet.
func Parse(b []byte) (Packet, error) {
	p, err := ParseHead(b)
	if err != nil {
		return p, err
	}
	body, plain := b[headerSize:], binary.LittleEndian.Uint32(b[sizesAt:])
	if plain == 0 || plain > maxText {
		return p, fmt.Errorf("%w: text of %d bytes", ErrBadMessage, plain)
	}
	if binary.LittleEndian.Uint32(b[28:]) != 0 {
		if body, err = bz2.Decompress(body, int(plain)); err != nil {
			return p, errors.Join(ErrBadMessage, err)
		}
	}
	n := int(plain)
	if len(body) != n || body[n-1] != 0 || n > 1 && body[n-2] == 0 {
		return p, fmt.Errorf("%w: the text does not end at byte %d", ErrBadMessage, n)
	}
	p.Text = string(body[:n-1])
	return p, nil
}
