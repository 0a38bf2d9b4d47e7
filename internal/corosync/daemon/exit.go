package daemon

// Exit statuses of the daemon (exec/util.h: enum e_corosync_done; corosync(8)).
const (
	exitOK           = 0
	exitUsage        = 1
	exitFork         = 4
	exitLogConfig    = 7
	exitMainConfig   = 8
	exitLogSetup     = 9
	exitIcmap        = 12
	exitInitServices = 13
	exitFatal        = 15
	exitNoStateDir   = 16
	exitPIDFile      = 17
	exitRunning      = 18
	exitDevNull      = 19
	exitService      = 20
	exitRingID       = 21
	exitStats        = 22
	exitPload        = 99
)
