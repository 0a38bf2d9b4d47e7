package daemon

import (
	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/mon"
	"github.com/pacesync/pacesync/internal/corosync/mon/procfs"
	"github.com/pacesync/pacesync/internal/corosync/pload"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/corosync/wd"
	"github.com/pacesync/pacesync/internal/corosync/wd/device"
)

// minorEngines are the three services without a library socket, in their order.
func (d *Daemon) minorEngines(h service.Host) []*service.Engine {
	return []*service.Engine{
		pload.New(h, pload.Options{Map: d.cmap, Log: d.logs.Subsys("PLOAD").Log, EachTurn: d.loop.EachTurn}).Engine(),
		mon.New(h, mon.Options{
			Map: d.cmap, Log: d.logs.Subsys("MON").Log, Source: procfs.Source{Root: "/proc"}, Monotonic: monotonic,
		}).Engine(),
		wd.New(h, wd.Options{
			Map: d.cmap, Log: d.logs.Subsys("WD").Log, Open: device.Open, Monotonic: monotonic,
			Reboot: device.Reboot, PowerOff: device.PowerOff,
		}).Engine(),
	}
}

// monotonic is CLOCK_MONOTONIC in ns, which clients read, too (corotypes.h:
// cs_timestamp_get).
func monotonic() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // cannot fail on Linux
	}
	return uint64(ts.Nano())
}
