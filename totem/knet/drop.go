package knet

import "fmt"

// Drop is why a packet was dropped.
type Drop uint8

// The reasons; those of packets that came first, then those of what was to go out.
const (
	DropSealed     Drop = iota // does not authenticate, or is in clear where that is not allowed
	DropMalformed              // too short, another version, an unknown type
	DropLocal                  // came in at another address than the link's
	DropHost                   // sender is not configured
	DropLink                   // link number that the sender does not have
	DropAddress                // control packet from an address that is not the link's
	DropSource                 // data from an address that is none of the sender's
	DropEarly                  // data of a host that is not reachable yet
	DropDuplicate              // data that was delivered already
	DropFragment               // impossible, repeated or outdated fragment
	DropIncomplete             // a datagram of which not all fragments came in time
	DropDecompress             // data that could not be decompressed
	DropChannel                // data for a channel that nobody has
	DropNoHost                 // no host that it is for can be reached
	DropSize                   // datagram of a length that cannot be sent
	DropSeal                   // could not be sealed
	DropReasons    int  = iota
)

var _ = [1]struct{}{}[DropSeal+1-Drop(DropReasons)] // the last reason is just below DropReasons

// Level is the original's level of a drop.
func (d Drop) Level() Level {
	switch d {
	case DropSealed, DropDecompress:
		return LevelError
	case DropLink, DropAddress, DropFragment, DropLocal:
		return LevelWarning
	}
	return LevelDebug
}

// text is the log line.
func (d Drop) text(ev *Event) string {
	switch d {
	case DropSealed:
		return fmt.Sprintf("rx: Unable to decrypt packet from %v (size %d)!", ev.Addr, ev.N)
	case DropMalformed:
		return fmt.Sprintf("rx: Packet from %v is too short, of another version or of an unknown type (size %d)", ev.Addr, ev.N)
	case DropLocal:
		return fmt.Sprintf("rx: Packet rejected from %v: it came in at another address than that of link %d", ev.Addr, ev.Link)
	case DropHost:
		return "rx: Unable to find source host for this packet"
	case DropLink:
		return fmt.Sprintf("rx: Invalid link_id in packet: %d", ev.Link)
	case DropAddress:
		return fmt.Sprintf("rx: Packet rejected from %v", ev.Addr)
	case DropSource:
		return "rx: Unable to determine source link for data packet. Discarding packet."
	case DropEarly:
		return fmt.Sprintf("rx: Source host %d not reachable yet. Discarding packet.", ev.Host)
	case DropDuplicate:
		return "rx: Packet has already been delivered"
	case DropFragment:
		return fmt.Sprintf("rx: Invalid fragment %d of %d from host %d", ev.N, ev.M, ev.Host)
	case DropIncomplete:
		return fmt.Sprintf("rx: Incomplete packet of host %d given up", ev.Host)
	case DropDecompress:
		return fmt.Sprintf("compress: Unable to decompress packet of host %d (model %d)", ev.Host, ev.N)
	case DropChannel:
		return fmt.Sprintf("rx: received packet for channel %d but there is no local sock connected", ev.N)
	case DropNoHost:
		return fmt.Sprintf("tx: no host that the packet is for is reachable: %d", ev.Host)
	case DropSize:
		return fmt.Sprintf("tx: packet of %d bytes cannot be sent", ev.N)
	case DropSeal:
		return "tx: Unable to encrypt packet"
	}
	return fmt.Sprintf("rx: dropped: reason %d", d)
}
