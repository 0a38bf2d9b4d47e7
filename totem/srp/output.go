package srp

import "github.com/pacesync/pacesync/totem/wire"

// Datagram is one packet to send.
type Datagram struct {
	// To is the destination; 0 is every configured node. A datagram to the node
	// itself (the token of a one-node ring) must come back as EvPacket on a later
	// turn. Copies of a To 0 datagram need not come back: the ring has already
	// handled its own copy, and drops another one.
	To   wire.NodeID
	Data []byte // valid until the next Step
}

// ViewKind is transitional or regular.
type ViewKind uint8

// The two configuration changes of extended virtual synchrony: first the
// transitional view (those who came along from the old ring), then the regular one.
const (
	ViewTransitional ViewKind = iota + 1
	ViewRegular
)

// View is one configuration change. All lists ascend.
type View struct {
	Kind    ViewKind
	Members []wire.NodeID
	Left    []wire.NodeID
	Joined  []wire.NodeID
	Ring    wire.RingID
}
