package qbipc

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socketDir is where file-system sockets are, fixed when libqb is built:
// Debian's is built with /tmp, others with /run or /var/run. A package for such
// a distribution sets it with the linker's -X.
var socketDir = "/tmp"

const (
	forceSocketsFile = "/etc/libqb/force-filesystem-sockets"
	sunPathLen       = 108
)

// filesystemSockets tells whether the machine's sockets are files (libqb ipc_socket.c: use_filesystem_sockets).
func filesystemSockets() bool {
	_, err := os.Stat(forceSocketsFile)
	return err == nil
}

// sockaddr fills in a whole struct sockaddr_un. Abstract names are padded with
// NULs to the end, and the padding is part of the name: the address length is
// always 110. Go's own socket types send the short form, which names another
// socket.
func sockaddr(name string, files bool) (*unix.RawSockaddrUnix, error) {
	sa := &unix.RawSockaddrUnix{Family: unix.AF_UNIX}
	at := 1
	if files {
		if name == "" || name[0] != '/' {
			name = socketDir + "/" + name
		}
		at = 0
	}
	// libqb's snprintf keeps one byte free at the end, and one at the start of
	// an abstract name. It cuts longer names; we refuse them.
	if name == "" || len(name) >= sunPathLen-at {
		return nil, fmt.Errorf("socket name %q of %d bytes: want 1 to %d: %w", name, len(name), sunPathLen-at-1, unix.ENAMETOOLONG)
	}
	for i := range len(name) {
		sa.Path[at+i] = int8(name[i])
	}
	return sa, nil
}

func bindRaw(fd int, sa *unix.RawSockaddrUnix) error {
	return addrCall(unix.SYS_BIND, fd, sa)
}

func connectRaw(fd int, sa *unix.RawSockaddrUnix) error {
	return addrCall(unix.SYS_CONNECT, fd, sa)
}

func addrCall(call uintptr, fd int, sa *unix.RawSockaddrUnix) error {
	for {
		_, _, e := unix.Syscall(call, uintptr(fd), uintptr(unsafe.Pointer(sa)), unix.SizeofSockaddrUnix)
		if e == 0 {
			return nil
		}
		if e != unix.EINTR {
			return e
		}
	}
}

// readBell and ringBell read and send bytes of the stream beside the shared memory, one
// for each message. Neither blocks, so they are raw system calls: the runtime has no part in them.
func readBell(fd int, b []byte) (int, error) {
	return bellCall(unix.SYS_RECVFROM, fd, b, unix.MSG_DONTWAIT)
}

func ringBell(fd int, b []byte) (int, error) {
	return bellCall(unix.SYS_SENDTO, fd, b, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
}

func bellCall(call uintptr, fd int, b []byte, flags uintptr) (int, error) {
	n, _, e := unix.RawSyscall6(call, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// credentials are the peer's ids as the kernel saw them when it sent.
type credentials struct {
	pid      int32
	uid, gid uint32
}

// findCredentials returns the SCM_CREDENTIALS in a control message.
func findCredentials(oob []byte) (credentials, bool) {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return credentials{}, false
	}
	for _, m := range msgs {
		if cred, err := unix.ParseUnixCredentials(&m); err == nil {
			return credentials{cred.Pid, cred.Uid, cred.Gid}, true
		}
	}
	return credentials{}, false
}

// retry repeats a system call that a signal interrupted.
func retry(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
