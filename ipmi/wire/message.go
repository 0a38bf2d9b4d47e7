package wire

import "fmt"

// NetFn is the function group of a command; its answer has the next odd number (§5.1).
type NetFn uint8

// The groups that fencing needs.
const (
	NetFnChassis NetFn = 0x00
	NetFnApp     NetFn = 0x06
)

// Response is the group of the answer.
func (f NetFn) Response() NetFn { return f | 1 }

// Slave addresses (§5.5): the BMC, and a remote program.
const (
	AddrBMC    = 0x20
	AddrRemote = 0x81
)

// Message is one IPMI message (§13.8). In answers Data starts with the completion code.
type Message struct {
	To, ToLUN     uint8
	NetFn         NetFn
	From, FromLUN uint8
	Seq           uint8 // 6 bits; an answer repeats it
	Cmd           Cmd
	Data          []byte
}

const messageMin = 7

// MaxData keeps a message within the one length byte of 1.5.
const MaxData = 255 - messageMin

// sum is the checksum that brings a run of bytes to zero (§13.8).
func sum(b []byte) (s byte) {
	for _, c := range b {
		s -= c
	}
	return s
}

// ParseMessage reads a message and checks both sums. Data aliases b.
func ParseMessage(b []byte) (Message, error) {
	if len(b) < messageMin {
		return Message{}, fmt.Errorf("ipmi: message of %d bytes, want at least %d", len(b), messageMin)
	}
	if sum(b[:3]) != 0 || sum(b[3:]) != 0 {
		return Message{}, fmt.Errorf("ipmi: message with a wrong checksum")
	}
	return Message{
		To: b[0], NetFn: NetFn(b[1] >> 2), ToLUN: b[1] & 3,
		From: b[3], Seq: b[4] >> 2, FromLUN: b[4] & 3,
		Cmd: Cmd(b[5]), Data: b[6 : len(b)-1],
	}, nil
}

// Append writes the message.
func (m Message) Append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, m.To, byte(m.NetFn)<<2|m.ToLUN&3)
	dst = append(dst, sum(dst[at:]))
	at = len(dst)
	dst = append(dst, m.From, m.Seq<<2|m.FromLUN&3, byte(m.Cmd))
	dst = append(dst, m.Data...)
	return append(dst, sum(dst[at:]))
}

// Request is a message of a remote program to the BMC.
func Request(f NetFn, cmd Cmd, seq uint8, data []byte) Message {
	return Message{To: AddrBMC, NetFn: f, From: AddrRemote, Seq: seq & 0x3f, Cmd: cmd, Data: data}
}

// Answer is the message that answers m with a completion code and data.
func (m Message) Answer(c Completion, data []byte) Message {
	return Message{
		To: m.From, ToLUN: m.FromLUN, NetFn: m.NetFn.Response(), From: m.To, FromLUN: m.ToLUN,
		Seq: m.Seq, Cmd: m.Cmd, Data: append([]byte{byte(c)}, data...),
	}
}
