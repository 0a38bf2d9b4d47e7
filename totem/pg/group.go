package pg

import (
	"encoding/binary"

	"github.com/pacesync/pacesync/totem/srp"
)

// maxGroupHeader is the length of the header with the longer group name.
const maxGroupHeader = 2 + 2 + len(GroupSync)

// maxGroups is how many groups a received message may name (totempg.c:
// MAX_GROUPS_PER_MSG).
const maxGroups = 32

// appendGroup writes what every message starts with: the number of groups, the
// length of each name, the names (totempg.c: totempg_groups_mcast_joined).
func appendGroup(b []byte, g Group) ([]byte, error) {
	if g != GroupService && g != GroupSync {
		return nil, ErrNoGroup
	}
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(g)))
	return append(b, g...), nil
}

// upcall takes the group header off a message; the reason is not empty if the
// message is for nobody here.
func upcall(d srp.Delivery, msg []byte) (up Upcall, reason string) {
	u16 := binary.LittleEndian.Uint16
	if d.Swapped {
		u16 = binary.BigEndian.Uint16
	}
	if len(msg) < 2 {
		return up, "message without a group header"
	}
	n := int(u16(msg))
	names := 2 + 2*n
	if n > maxGroups || len(msg) < names {
		return up, "group header with too many groups"
	}
	at := names
	for i := range n {
		l := int(u16(msg[2+2*i:]))
		if len(msg) < at+l {
			return up, "group header longer than the message"
		}
		switch Group(msg[at : at+l]) {
		case GroupService:
			up.Group = GroupService
		case GroupSync:
			up.Group = GroupSync
		}
		at += l
	}
	if up.Group == "" {
		return up, "message of an unknown group"
	}
	up.From, up.Data, up.Swapped = d.From, msg[at:len(msg):len(msg)], d.Swapped
	return up, ""
}
