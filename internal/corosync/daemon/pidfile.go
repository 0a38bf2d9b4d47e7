package daemon

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// pidFile is the file whose lock says that a corosync runs on this machine.
const pidFilePath = "/run/corosync.pid"

// errRunning tells that another process holds the lock.
var errRunning = errors.New("another instance holds the lock")

type pidFile struct {
	path string
	f    *os.File
}

// lockPIDFile takes the lock and writes our pid, mode 0640. A record lock, as
// the original takes it: either finds the other.
func lockPIDFile(path string) (*pidFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	for {
		err = unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock)
		if err != unix.EINTR {
			break
		}
	}
	if err == unix.EAGAIN || err == unix.EACCES {
		f.Close()
		return nil, errRunning
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &pidFile{path: path, f: f}, nil
}

// remove deletes the file at a clean exit.
func (p *pidFile) remove() {
	os.Remove(p.path)
	p.f.Close()
}
