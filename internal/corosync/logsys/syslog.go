package logsys

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// syslogSocket is the connection to the system's log daemon. A line that it does
// not take is dropped, as libc's syslog drops it. Owned by the writer.
type syslogSocket struct {
	path string
	fd   int
}

// send writes a line in the form of libc: "<PRI>Jan  2 15:04:05 NAME[PID]: TEXT".
// The text has neither time nor level. Debug lines go out as info, trace lines
// as debug (libqb lib/log_syslog.c with a priority bump of -1).
func (s *syslogSocket) send(w *writer, r *record) {
	level := r.level
	if level > service.LevelInfo {
		level--
	}
	if level > service.LevelDebug {
		return
	}
	b := append(w.line[:0], '<')
	b = strconv.AppendInt(b, int64(w.fac|int(level)), 10)
	b = append(b, '>')
	b = r.when.AppendFormat(b, "Jan _2 15:04:05 ")
	b = append(b, w.s.opt.Name...)
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(w.s.opt.PID), 10)
	b = append(b, "]: "...)
	head := len(b)
	if w.stamp != config.TimeNone {
		b = append(b, ' ') // what is left of "%T %7p [%6g] %b"
	}
	b = w.appendBody(b, r)
	w.line = b[:min(len(b), head+maxLine)]
	if s.fd < 0 && !s.connect() {
		return
	}
	err := s.write(w.line)
	if err != nil && err != unix.EAGAIN { // the log daemon was started anew
		s.close()
		if s.connect() {
			err = s.write(w.line)
		}
	}
	if err == unix.EAGAIN {
		w.s.lost.Add(1)
	}
}

// syslogWait is how long a log daemon that hangs may hold up the other
// destinations of a line, in ms.
const syslogWait = 100

func (s *syslogSocket) write(b []byte) error {
	waited := false
	for {
		err := unix.Send(s.fd, b, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN && !waited:
			waited = true
			_, _ = unix.Poll([]unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLOUT}}, syslogWait)
		default:
			return err
		}
	}
}

func (s *syslogSocket) connect() bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: s.path}); err != nil {
		_ = unix.Close(fd)
		return false
	}
	s.fd = fd
	return true
}

func (s *syslogSocket) close() {
	if s.fd >= 0 {
		_ = unix.Close(s.fd)
		s.fd = -1
	}
}
