package daemon

import (
	"strings"

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
	d.cmap.Track(keyDumpFlightData, any, func(cmap.Change) { d.dumpState() })
	d.cmap.Track(keyForceGather, any, func(c cmap.Change) {
		if v, ok := c.New.AsString(); !ok || v == "no" {
			return
		}
		d.setKey(keyForceGather, cmap.Str("no"))
		d.log.main.Error("Forcing into GATHER state")
		d.node.ForceGather()
	})
}

// initMonitor makes the keys of the resource monitors, which are off until a
// limit is configured (mon.c).
func (d *Daemon) initMonitor() {
	const prefix = "resources.system."
	for _, name := range []string{"memory_used", "load_15min"} {
		current := cmap.I32(0)
		if strings.HasPrefix(name, "load") {
			current = cmap.F64(0)
		}
		for field, v := range map[string]cmap.Value{"current": current, "last_updated": cmap.U64(0), "state": cmap.Str("stopped")} {
			d.setKey(prefix+name+"."+field, v)
		}
		if key := prefix + name + ".poll_period"; !d.has(key) {
			d.setKey(key, cmap.U64(monitorPeriod))
		}
	}
	if !d.has("resources.watchdog_timeout") {
		d.setKey("resources.watchdog_timeout", cmap.U32(watchdogTimeout))
	}
}

// Defaults of the resources section: ms and s.
const (
	monitorPeriod   = 3000
	watchdogTimeout = 6
)

func (d *Daemon) has(key string) bool {
	_, ok := d.cmap.Get(key)
	return ok
}
