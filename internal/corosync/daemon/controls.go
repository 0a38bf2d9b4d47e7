package daemon

import (
	"github.com/pacesync/pacesync/internal/corosync/cmap"
)

// Keys by which tools make the daemon do something (cmap_keys(7)).
const (
	keyDumpFlightData = "runtime.blackbox.dump_flight_data"
	keyDumpState      = "runtime.blackbox.dump_state"
	keyForceGather    = "runtime.force_gather"
)

// initControls makes the keys and watches them (main.c:
// corosync_fplay_control_init, corosync_force_gather_init).
func (d *Daemon) initControls() {
	for _, key := range []string{keyDumpFlightData, keyDumpState, keyForceGather} {
		d.setKey(key, cmap.Str("no"))
	}
	any := cmap.Added | cmap.Modified | cmap.Deleted
	d.cmap.Track(keyDumpState, any, func(cmap.Change) { d.dumpState() })
	d.cmap.Track(keyDumpFlightData, any, func(cmap.Change) { d.dumpFlight() })
	d.cmap.Track(keyForceGather, any, func(c cmap.Change) {
		if v, ok := c.New.AsString(); !ok || v == "no" {
			return
		}
		d.setKey(keyForceGather, cmap.Str("no"))
		d.log.main.Error("Forcing into GATHER state")
		d.node.ForceGather()
	})
}
