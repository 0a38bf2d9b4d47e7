package daemonkit

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// Longest lines of each target (logging.c: QB_LOG_CONF_MAX_LINE_LEN).
const (
	maxSyslog = 256
	maxFile   = 800
)

// shorten ends a line that is too long in dots (QB_LOG_CONF_ELLIPSIS).
func shorten(s string, limit int) string {
	if len(s) < limit {
		return s
	}
	return s[:limit-4] + "..."
}

// detail is what follows the place of origin: "(function) \tlevel: text | …".
func (l line) detail() string {
	_, name := priority(l.level)
	return "(" + l.function + ") \t" + name + ": " + l.text + l.extra
}

// stream is standard error.
type stream struct {
	mu    sync.Mutex
	w     io.Writer
	level slog.Level
}

func (s *stream) least() slog.Level { return s.level }

func (s *stream) write(l line) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.w, l.detail())
}

// queueLen bounds the lines that wait for a slow disk; a loop never waits for
// its log. What finds no room is counted, and the count logged.
const queueLen = 4096

// file is a log file, written by a goroutine of its own.
type file struct {
	level   slog.Level
	f       *os.File
	prefix  string // host, program and process
	lines   chan any
	dropped atomic.Uint64
	full    fullDisk // of the goroutine
}

// fullDisk is what a file lacks since a write failed: lines, and the rest of one
// of which there was room for the beginning.
type fullDisk struct {
	lost uint64
	err  error
	torn bool
}

// openFile opens a log for appending. As root it sees to it that the daemons of
// other users can write it too (logging.c: set_logfile_permissions).
func openFile(name, program string, level slog.Level) (*file, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o660)
	if err != nil {
		return nil, err
	}
	if os.Geteuid() == 0 {
		shareFile(f)
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	s := &file{level: level, f: f, prefix: fmt.Sprintf(" %s %-20s[%d] ", host, program, os.Getpid()), lines: make(chan any, queueLen)}
	go s.run()
	return s, nil
}

// shareFile gives a log to the daemons' group. What fails here only costs
// somebody else's lines, so nothing is made of it.
func shareFile(f *os.File) {
	uid, gid, err := pcmk.DaemonUser()
	if err != nil {
		return
	}
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) == nil && (st.Gid != gid || st.Mode&0o070 != 0o060) {
		_ = f.Chown(int(uid), int(gid))
	}
	mode := os.FileMode(0o660)
	if n, err := strconv.ParseUint(os.Getenv("PCMK_logfile_mode"), 8, 32); err == nil {
		mode = os.FileMode(n) & os.ModePerm
	}
	if mode != 0 {
		_ = f.Chmod(mode)
	}
}

func (s *file) least() slog.Level { return s.level }

func (s *file) write(l line) {
	select {
	case s.lines <- l:
	default:
		s.dropped.Add(1)
	}
}

func (s *file) run() {
	for x := range s.lines {
		switch x := x.(type) {
		case line:
			s.put(x)
			if n := s.dropped.Swap(0); n > 0 {
				s.put(line{time: time.Now(), level: slog.LevelWarn, function: "file.run", text: fmt.Sprintf("%d log lines were lost: the disk is too slow", n)})
			}
		case chan struct{}:
			close(x)
		}
	}
}

// put writes a line. A full disk must not stop the daemon: once there is room
// again, the log says what it lacks, on a line of its own.
func (s *file) put(l line) {
	if s.full.lost > 0 {
		text := fmt.Sprintf("%d log lines were lost: %v", s.full.lost, s.full.err)
		if !s.append(line{time: l.time, level: slog.LevelWarn, function: "file.put", text: text}) {
			s.full.lost++
			return
		}
		s.full = fullDisk{}
	}
	if !s.append(l) {
		s.full.lost++
	}
}

func (s *file) append(l line) bool {
	text := l.time.Format("Jan 02 15:04:05.000") + s.prefix + shorten(l.detail(), maxFile) + "\n"
	if s.full.torn {
		text = "\n" + text
	}
	n, err := s.f.WriteString(text)
	if err == nil {
		s.full.torn = false
		return true
	}
	s.full.err = err
	switch {
	case n == 0:
	case n == 1 && s.full.torn:
		s.full.torn = false // the end of the line that was cut
	default:
		s.full.torn = true
	}
	return false
}

// flushLimit bounds the wait for a hung disk at the end.
const flushLimit = 2 * time.Second

func (s *file) flush() {
	done := make(chan struct{})
	limit := time.NewTimer(flushLimit)
	defer limit.Stop()
	select {
	case s.lines <- done:
	case <-limit.C:
		return
	}
	select {
	case <-done:
	case <-limit.C:
	}
}

// syslog is the system's log, by its datagram socket. A full socket drops.
type syslog struct {
	level    slog.Level
	facility int
	tag      string
	mu       sync.Mutex
	fd       int
}

func newSyslog(facility, program string, level slog.Level) *syslog {
	return &syslog{level: level, facility: facilityNumber(facility), tag: program, fd: -1}
}

// facilityNumber is syslog.h's number of a facility; daemon for unknown names.
func facilityNumber(name string) int {
	switch name {
	case "user":
		return 1
	case "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7":
		return 16 + int(name[5]-'0')
	}
	return 3
}

func (s *syslog) least() slog.Level { return s.level }

// write sends a line as syslog(3) does; the text after the bar stays out
// (logging.c: set_format_string).
func (s *syslog) write(l line) {
	p, name := priority(l.level)
	text := fmt.Sprintf("<%d>%s %s[%d]: %s", s.facility<<3|min(p, 7), l.time.Format(time.Stamp), s.tag, os.Getpid(),
		shorten(" "+name+": "+l.text, maxSyslog))
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 2 { // the log daemon may have been restarted
		if s.fd < 0 && !s.connect() {
			return
		}
		err := unix.Sendto(s.fd, []byte(text), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
		if err == nil || err == unix.EAGAIN || err == unix.ENOBUFS {
			return
		}
		unix.Close(s.fd)
		s.fd = -1
	}
}

func (s *syslog) connect() bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return false
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: "/dev/log"}); err != nil {
		unix.Close(fd)
		return false
	}
	s.fd = fd
	return true
}
