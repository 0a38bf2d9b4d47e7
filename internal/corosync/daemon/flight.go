package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// flightSize is the memory of the flight recorder, some 15,000 lines. The original
// has 8 MiB, most of it function entries and lines of libqb, which we have not.
const flightSize = 2 << 20

// flightWait bounds how long the loop waits for flight data to be written: who
// asked for it by a cmap key reads the file next. A disk that hangs must not cost
// the token.
const flightWait = 200 * time.Millisecond

// flightMemory is outside the collector's heap: it would count it as work.
func flightMemory() []byte {
	mem, err := unix.Mmap(-1, 0, flightSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil // no recorder; there are worse problems
	}
	return mem
}

// dumpFlight writes the flight recorder to a file in the state directory, for the
// key runtime.blackbox.dump_flight_data (main.c: corosync_blackbox_write_to_file).
func (d *Daemon) dumpFlight() {
	data, ok := d.logs.FlightData()
	if !ok {
		d.flightDone(unix.ENOENT) // as the original says when logging.blackbox is off
		return
	}
	done := make(chan error, 1)
	dir := d.cfg.System.StateDir
	go func() { done <- storeFlight(dir, data, time.Now()) }()
	wait := time.NewTimer(min(flightWait, d.token()/4))
	defer wait.Stop()
	select {
	case err := <-done:
		d.flightDone(err)
	case <-wait.C:
		go func() { d.flightDone(<-done) }()
	}
}

func (d *Daemon) flightDone(err error) {
	if err != nil {
		d.log.main.Error("%v", refused("Can't store blackbox file", err))
	}
}

// storeFlight writes fdata-TIME-PID and makes fdata a link to it.
func storeFlight(dir string, data []byte, now time.Time) error {
	path := filepath.Join(dir, fmt.Sprintf("fdata-%s-%d", now.Format("2006-01-02T15:04:05"), os.Getpid()))
	if err := os.WriteFile(path, data, 0o700); err != nil {
		return err
	}
	link := filepath.Join(dir, "fdata")
	fresh := path + ".link"
	if err := os.Symlink(path, fresh); err != nil {
		return err
	}
	return os.Rename(fresh, link)
}

// crashed ends a daemon whose loop has panicked: the log and the flight recorder
// tell why, then the panic goes on. Peers see a node that has failed.
func (d *Daemon) crashed() {
	r := recover()
	if r == nil {
		return
	}
	d.log.main.Crit("the daemon has a defect and ends: %v", r)
	for line := range strings.Lines(string(debug.Stack())) {
		d.log.main.Crit("%s", strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    "))
	}
	d.storeAtEnd()
	panic(r)
}

// storeAtEnd writes flight data and what is queued for the log, and waits for it.
// It may run beside a loop that hangs.
func (d *Daemon) storeAtEnd() {
	if data, ok := d.logs.FlightData(); ok {
		d.flightDone(storeFlight(d.cfg.System.StateDir, data, time.Now()))
	}
	d.logs.Close()
}

// die ends the process by a signal that the Go runtime would turn into an exit
// status of its own.
func die(sig unix.Signal) {
	var byDefault [4]uintptr // struct sigaction: SIG_DFL, no flags, no mask
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	// To this thread: the kernel would let another one take a signal of the process,
	// by and by.
	runtime.LockOSThread()
	_ = unix.Tgkill(os.Getpid(), unix.Gettid(), sig)
	os.Exit(exitFatal) // not reached unless the signal is blocked
}
