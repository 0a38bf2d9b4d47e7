package logsys

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/service"
	"github.com/pacesync/pacesync/internal/libc"
)

// maxLine is the longest line, as in the original (qblog.h: QB_LOG_MAX_LEN).
const maxLine = 511

// writer is the goroutine that writes. It owns the files and the socket.
type writer struct {
	s     *System
	stamp config.Timestamp
	// fileLine and function: lines name their place in the source.
	fileLine, function bool
	fac                int
	files              []*logFile
	sock               syslogSocket
	line               []byte // reused
	ended              bool
}

type logFile struct {
	path string
	f    *os.File
}

func newWriter(s *System) *writer {
	return &writer{s: s, fac: 24, sock: syslogSocket{path: s.opt.DevLog, fd: -1}}
}

func (w *writer) run() {
	defer close(w.s.done)
	for !w.ended {
		r := <-w.s.queue
		if n := w.s.lost.Swap(0); n > 0 {
			w.tellLost(n)
		}
		w.handle(&r)
	}
	w.closeFiles()
}

func (w *writer) handle(r *record) {
	if r.task != nil {
		r.task(w)
		return
	}
	w.write(r)
}

// tellLost says how many lines are missing at this point of the log.
func (w *writer) tellLost(n uint64) {
	l := w.s.Subsys("QB")
	r := l.route.Load()
	w.write(&record{
		when: w.s.opt.Now(), level: service.LevelError, subsys: "QB",
		text: fmt.Sprintf("%d log messages lost: they came faster than they could be written", n),
		to: dest{stderr: int(service.LevelError) <= r.stderr, syslog: int(service.LevelError) <= r.syslog,
			file: r.fileFor(service.LevelError)},
	})
}

func (r *route) fileFor(l service.Level) string {
	if int(l) <= r.file {
		return r.path
	}
	return ""
}

func (w *writer) write(r *record) {
	if r.to.stderr {
		w.line = finish(w.appendStderr(w.line[:0], r))
		_, _ = w.s.opt.Stderr.Write(w.line)
	}
	if f := w.file(r.to.file); f != nil {
		w.line = finish(w.appendFile(w.line[:0], r))
		_, _ = f.f.Write(w.line)
	}
	if r.to.syslog {
		w.sock.send(w, r)
	}
}

// finish cuts a line to its limit and ends it.
func finish(b []byte) []byte {
	b = b[:min(len(b), maxLine)]
	if len(b) > 0 && b[len(b)-1] == '\n' {
		b = b[:len(b)-1]
	}
	return append(b, '\n')
}

// appendStderr makes a line of standard error: "%T %7p [%6g] %b".
func (w *writer) appendStderr(b []byte, r *record) []byte {
	if w.stamp != config.TimeNone {
		b = append(appendTime(b, r.when, w.stamp), ' ')
	}
	return w.appendBody(appendPadded(b, levelName(r.level), 7), r)
}

// appendFile makes a line of a log file: "%T [%P] %H %N %7p [%6g] %b". Without
// the time the original leaves out the blank after the program's name, too.
func (w *writer) appendFile(b []byte, r *record) []byte {
	if w.stamp != config.TimeNone {
		b = append(appendTime(b, r.when, w.stamp), ' ')
	}
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(w.s.opt.PID), 10)
	b = append(b, "] "...)
	b = append(b, w.s.opt.Host...)
	b = append(b, ' ')
	b = append(b, w.s.opt.Name...)
	if w.stamp != config.TimeNone {
		b = append(b, ' ')
	}
	return w.appendBody(appendPadded(b, levelName(r.level), 7), r)
}

// appendBody appends " [SUBSYS] text", with the place in the source between them
// if it is wanted (logconfig.c: corosync_main_config_format_set).
func (w *writer) appendBody(b []byte, r *record) []byte {
	b = append(b, " ["...)
	b = appendPadded(b, r.subsys, 6)
	b = append(b, "] "...)
	if p := r.place; p != nil && (w.fileLine || w.function) {
		if w.fileLine {
			b = append(append(b, p.file...), ':')
		}
		if w.function {
			b = append(b, p.function...)
		}
		if w.fileLine {
			if w.function {
				b = append(b, ':')
			}
			b = strconv.AppendUint(b, uint64(p.line), 10)
		}
		b = append(b, ' ')
	}
	return append(b, strings.TrimSuffix(r.text, "\n")...)
}

// appendPadded appends s in exactly n characters.
func appendPadded(b []byte, s string, n int) []byte {
	b = append(b, s[:min(len(s), n)]...)
	for i := len(s); i < n; i++ {
		b = append(b, ' ')
	}
	return b
}

func appendTime(b []byte, t time.Time, form config.Timestamp) []byte {
	if form == config.TimeHires {
		return t.AppendFormat(b, "Jan 02 15:04:05.000")
	}
	return t.AppendFormat(b, "Jan 02 15:04:05")
}

// levelName is the name of a level in lines (libqb lib/log_format.c:
// prioritynames).
func levelName(l service.Level) string {
	names := [...]string{"emerg", "alert", "crit", "error", "warning", "notice", "info", "debug", "trace"}
	return names[min(int(l), len(names)-1)]
}

func (w *writer) file(path string) *logFile {
	if path == "" {
		return nil
	}
	for _, f := range w.files {
		if f.path == path {
			return f
		}
	}
	return nil
}

func openLog(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o666)
}

// apply opens the files that settings name and closes those they do not.
func (w *writer) apply(c *config.Logging) error {
	var opened []*logFile
	for _, path := range paths(c) {
		if w.file(path) != nil {
			continue
		}
		f, err := openLog(path)
		if err != nil {
			for _, o := range opened {
				_ = o.f.Close()
			}
			return openError(path, err)
		}
		opened = append(opened, &logFile{path: path, f: f})
	}
	keep := opened
	for _, f := range w.files {
		if contains(paths(c), f.path) {
			keep = append(keep, f)
		} else {
			_ = f.f.Close()
		}
	}
	w.files, w.stamp, w.fac = keep, c.Timestamp, c.Facility
	w.fileLine, w.function = c.FileLine, c.FunctionName
	return nil
}

// paths are the files that settings name, each once.
func paths(c *config.Logging) []string {
	var out []string
	add := func(t *config.LogTarget) {
		if t.LogFile != "" && !contains(out, t.LogFile) {
			out = append(out, t.LogFile)
		}
	}
	add(&c.Main)
	for i := range c.Subsys {
		add(&c.Subsys[i].LogTarget)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func openError(path string, err error) error {
	var errno syscall.Errno
	errors.As(err, &errno)
	return &config.Error{
		Text:   fmt.Sprintf("parse error in config: Can't open logfile '%s' for reason: %s (%d).", path, libc.Strerror(err), int(errno)),
		Status: config.StatusLogging,
	}
}

// reopen opens every file anew; the old one stays where that fails.
func (w *writer) reopen() error {
	var first error
	for _, lf := range w.files {
		f, err := openLog(lf.path)
		if err != nil {
			if first == nil {
				first = err
			}
			continue
		}
		_ = lf.f.Close()
		lf.f = f
	}
	return first
}

func (w *writer) closeFiles() {
	for _, f := range w.files {
		_ = f.f.Close()
	}
	w.sock.close()
}
