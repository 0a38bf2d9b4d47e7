// Package device is Linux's watchdog devices as the watchdog service wants them
// (wd.Device), and the machine's reboot. The daemon opens one when it is configured.
//
// Upstream: the ioctls in exec/wd.c; Linux Documentation/watchdog/watchdog-api.rst.
package device

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/wd"
)

// Watchdog is an open device. Owned by the loop: its calls are short.
type Watchdog struct{ fd int }

// Open opens the device, which arms it. ErrAbsent when it cannot be written to.
func Open(path string) (wd.Device, error) {
	if err := unix.Access(path, unix.W_OK); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, wd.ErrAbsent, err)
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Watchdog{fd}, nil
}

// Identity is the device's name and whether its time-out can be set.
func (d *Watchdog) Identity() (string, bool, error) {
	info, err := unix.IoctlGetWatchdogInfo(d.fd)
	if err != nil {
		return "", false, err
	}
	return unix.ByteSliceToString(info.Identity[:]), info.Options&unix.WDIOF_SETTIMEOUT != 0, nil
}

// Timeout is the device's time-out in seconds.
func (d *Watchdog) Timeout() (uint32, error) {
	n, err := unix.IoctlGetUint32(d.fd, unix.WDIOC_GETTIMEOUT)
	return n, err
}

// SetTimeout asks for a time-out; the device may choose another.
func (d *Watchdog) SetTimeout(seconds uint32) error {
	return d.control(unix.WDIOC_SETTIMEOUT, int32(seconds))
}

// Enable switches the device on, where that is not done by opening it.
func (d *Watchdog) Enable() error { return d.control(unix.WDIOC_SETOPTIONS, unix.WDIOS_ENABLECARD) }

// KeepAlive puts the reset off by one time-out.
func (d *Watchdog) KeepAlive() error { return unix.IoctlWatchdogKeepalive(d.fd) }

// control is a request whose argument is an int.
func (d *Watchdog) control(req uintptr, n int32) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(d.fd), req, uintptr(unsafe.Pointer(&n)))
	if errno != 0 {
		return errno
	}
	return nil
}

// Release disarms the device. The descriptor stays open until the process ends,
// as the original's does: nothing else may take the device before.
func (d *Watchdog) Release() error {
	_, err := unix.Write(d.fd, []byte{'V'})
	return err
}

// Reboot restarts the machine at once; disks are not synced, as in the original.
func Reboot() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) }

// PowerOff turns the machine off at once.
func PowerOff() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) }
