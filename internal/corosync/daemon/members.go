package daemon

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// noteMembers keeps runtime.members.* (main.c: member_object_joined,
// member_object_left). The keys of a node that left stay.
func (d *Daemon) noteMembers(left, joined []uint32) {
	for _, id := range left {
		d.setKey(memberKey(id, "status"), cmap.Str("left"))
		d.log.main.Debug("Member left: %s", d.addresses(id))
	}
	for _, id := range joined {
		count := memberKey(id, "join_count")
		if n, ok := d.cmap.U32(count); ok {
			d.setKey(count, cmap.U32(n+1))
		} else {
			d.setKey(memberKey(id, "ip"), cmap.Str(d.addresses(id)))
			d.setKey(count, cmap.U32(1))
		}
		d.setKey(memberKey(id, "status"), cmap.Str("joined"))
		d.log.main.Debug("Member joined: %s", d.addresses(id))
	}
}

func memberKey(id uint32, field string) string {
	return "runtime.members." + strconv.FormatUint(uint64(id), 10) + "." + field
}

// setKey sets a key of ours; one that the map refuses is a mistake in this program.
func (d *Daemon) setKey(key string, v cmap.Value) {
	if err := d.cmap.Set(key, v); err != nil {
		d.log.main.Error("cannot set %s in the configuration map: %v", key, err)
	}
}

// addresses prints a node's addresses, one per link, as "r(0) ip(A) r(1) ip(B) "
// (totempg.c: totempg_ifaces_print), "" for a node that is not in the nodelist;
// corosync-notifyd parses it.
func (d *Daemon) addresses(id uint32) string {
	var b strings.Builder
	for i, a := range d.linkAddrs(id) {
		fmt.Fprintf(&b, "r(%d) ip(%s) ", i, a)
	}
	return b.String()
}
