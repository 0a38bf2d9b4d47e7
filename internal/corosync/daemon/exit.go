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
	exitKilled       = 255
)

// Status is an exit status with its meaning, for the manual.
type Status struct {
	Code int
	Text string
}

// Statuses lists what the daemon ends with. The original has a few more, for
// failures that cannot happen here.
func Statuses() []Status {
	return []Status{
		{exitOK, "told to end, by a signal or corosync-cfgtool -H; with -t: the configuration is right"},
		{exitUsage, "the command line is wrong"},
		{exitFork, "it could not go into the background"},
		{exitLogConfig, "the logging section is wrong, or a log file cannot be opened"},
		{exitMainConfig, "the configuration cannot be read or is refused"},
		{exitFatal, "sockets, the interface or memory could not be had, or the loop failed"},
		{exitNoStateDir, "the state directory is not there"},
		{exitPIDFile, "the lock file /run/corosync.pid cannot be written"},
		{exitRunning, "another corosync runs"},
		{exitDevNull, "/dev/null cannot be opened"},
		{exitService, "a service refuses its part of the configuration, mostly quorum"},
		{exitRingID, "the ring id file cannot be read or written"},
		{exitPload, "the end of a pload run"},
		{exitKilled, "killed by corosync-cfgtool -k"},
	}
}
