package daemonkit

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// LocateSBD is the process id of sbd, 0 when it does not run (watchdog.c:
// pcmk__locate_sbd).
func LocateSBD() int {
	if b, err := os.ReadFile("/run/sbd.pid"); err == nil {
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err == nil && pid > 1 {
			if exe, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe"); err == nil && filepath.Base(exe) == "sbd" {
				return pid
			}
		}
	}
	return processByName("sbd")
}

// SBDTimeout is SBD_WATCHDOG_TIMEOUT, 0 without (watchdog.c:
// pcmk__get_sbd_timeout): a number of seconds, or with a unit.
func SBDTimeout() time.Duration {
	d, _ := Duration(os.Getenv("SBD_WATCHDOG_TIMEOUT"))
	return d
}

// SBDSyncStartup tells whether daemons are started only when sbd says so
// (SBD_SYNC_RESOURCE_STARTUP; watchdog.c: pcmk__get_sbd_sync_resource_startup).
func SBDSyncStartup() bool {
	switch strings.ToLower(os.Getenv("SBD_SYNC_RESOURCE_STARTUP")) {
	case "true", "on", "yes", "y", "1":
		return true
	}
	return false
}

// Duration reads a time as Pacemaker does (utils.c: crm_get_msec): a number, of
// seconds or with a unit of us, ms, s, sec, m, min, h or hr; ok is false for
// anything else. Spaces around the number do not matter.
func Duration(s string) (d time.Duration, ok bool) {
	s = strings.TrimLeft(s, " \t\n\r\f\v")
	digits := strings.TrimLeft(s, "+-")
	end := len(s) - len(digits)
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(s[:end], 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	unit := time.Second
	// The original compares as many letters as the unit has, so "msec" and
	// "minutes" are units too.
	switch u := strings.ToLower(strings.TrimLeft(s[end:], " \t\n\r\f\v")); {
	case strings.HasPrefix(u, "ms"):
		unit = time.Millisecond
	case strings.HasPrefix(u, "us"):
		unit = time.Microsecond
	case strings.HasPrefix(u, "s"):
	case strings.HasPrefix(u, "m"):
		unit = time.Minute
	case strings.HasPrefix(u, "h"):
		unit = time.Hour
	case u != "":
		return 0, false
	}
	if n > int64(maxDuration/unit) {
		return maxDuration, true
	}
	return time.Duration(n) * unit, true
}

// maxDuration is beyond any time that a cluster waits for.
const maxDuration = 100 * 365 * 24 * time.Hour
