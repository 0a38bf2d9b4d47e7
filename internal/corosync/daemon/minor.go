package daemon

import "github.com/pacesync/pacesync/internal/corosync/service"

// The three services without a library socket. Their names are in cmap, where
// tools list them; what they do is told in docs/compatibility.md.
func minorEngines() (pload, mon, watchdog *service.Engine) {
	pload = &service.Engine{ID: service.Pload, Name: "corosync_pload", Title: "corosync profile loading service", Short: "pload", Priority: 1, AllowInquorate: true}
	mon = &service.Engine{ID: service.Mon, Name: "corosync_mon", Title: "corosync resource monitoring service", Short: "mon", Priority: 1, AllowInquorate: true}
	watchdog = &service.Engine{ID: service.Watchdog, Name: "corosync_wd", Title: "corosync watchdog service", Short: "wd", Priority: 1, AllowInquorate: true}
	// Load generation between nodes: nothing starts it here, and messages of a
	// node that does are load, to be received and forgotten (pload.c).
	ignore := func(uint32, []byte, bool) {}
	pload.Exec = []service.ExecFn{{Name: "start", Deliver: ignore}, {Name: "mcast", Deliver: ignore}}
	return pload, mon, watchdog
}
