// Package logsys is Corosync's logging: subsystems with their own levels,
// lines on standard error, in files and in syslog, in the original's formats.
//
// The daemon owns one System; services get Loggers of it. Logging never blocks
// the caller: records go through a bounded queue to one writer goroutine, and
// what does not fit is counted and told by a line of its own.
//
// Upstream: exec/logsys.c, exec/logconfig.c, libqb's lib/log*.c.
package logsys

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pacesync/pacesync/internal/corosync/config"
	"github.com/pacesync/pacesync/internal/corosync/service"
)

// queueLen bounds the records on their way to the writer: some seconds of a
// debug log, about 1 MiB of text.
const queueLen = 4096

// flushTime is how long Close waits for a disk that hangs.
const flushTime = 3 * time.Second

// Options of a System; the zero value is that of the daemon.
type Options struct {
	Name   string // program name in lines; "corosync"
	Stderr io.Writer
	// DevLog is the socket of syslog; "/dev/log".
	DevLog string
	// Now is the clock; time.Now.
	Now func() time.Time
	// PID and Host of file and syslog lines; of the process.
	PID  int
	Host string
	// Flight is the memory of the flight recorder (blackbox.NewRing); none: there
	// is no recorder.
	Flight []byte
}

// System is the logging of one daemon. Safe for concurrent use.
type System struct {
	opt     Options
	queue   chan record
	lost    atomic.Uint64
	done    chan struct{} // closed when the writer has ended
	mu      sync.Mutex
	loggers []*Logger
	current *config.Logging // nil before Apply
	closed  atomic.Bool
	flight  flight
	places  places
	// placed: lines name their place in the source.
	placed atomic.Bool
}

// record is one line, or a task of the writer.
type record struct {
	when   time.Time
	level  service.Level
	subsys string
	text   string
	place  *place // nil unless it is written
	to     dest
	task   func(*writer)
}

// New starts a System. Until Apply it writes nothing, like the original before
// it has read its configuration.
func New(opt Options) *System {
	if opt.Name == "" {
		opt.Name = "corosync"
	}
	if opt.Stderr == nil {
		opt.Stderr = os.Stderr
	}
	if opt.DevLog == "" {
		opt.DevLog = "/dev/log"
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.PID == 0 {
		opt.PID = os.Getpid()
	}
	if opt.Host == "" {
		opt.Host, _ = os.Hostname()
	}
	s := &System{opt: opt, queue: make(chan record, queueLen), done: make(chan struct{})}
	go newWriter(s).run()
	return s
}

// Logger writes the lines of one subsystem. Safe for concurrent use.
type Logger struct {
	sys  *System
	name string
	tag  uint32 // in flight data
	// route is what the levels of this subsystem go to; replaced as a whole.
	route atomic.Pointer[route]
}

// dest is a set of places.
type dest struct {
	stderr, syslog bool
	file           string // path; empty: no file
}

// route tells for a subsystem which levels go where: a level goes where its
// number is not over the limit; -1 is nowhere.
type route struct {
	stderr, syslog, file int
	path                 string
	max                  int // the largest of the three
}

// Subsys returns the logger of a subsystem, the same for the same name.
func (s *System) Subsys(name string) *Logger {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loggers {
		if l.name == name {
			return l
		}
	}
	l := &Logger{sys: s, name: name, tag: tagOf(name, len(s.loggers))}
	l.route.Store(routeOf(s.current, name))
	s.loggers = append(s.loggers, l)
	return l
}

func routeOf(c *config.Logging, name string) *route {
	if c == nil {
		return &route{-1, -1, -1, "", -1}
	}
	t := c.Main
	if i := slices.IndexFunc(c.Subsys, func(x config.LogSubsys) bool { return x.Name == name }); i >= 0 {
		t = c.Subsys[i].LogTarget
	}
	r := &route{stderr: -1, syslog: -1, file: -1, path: t.LogFile}
	if t.Stderr {
		r.stderr = int(t.FileLevel)
	}
	if t.Syslog {
		r.syslog = int(t.SyslogLevel)
	}
	if t.File && t.LogFile != "" {
		r.file = int(t.FileLevel)
	}
	r.max = max(r.stderr, r.syslog, r.file)
	return r
}

// Enabled reports whether a line of the level would go anywhere, if only into the
// flight recorder.
func (l *Logger) Enabled(level service.Level) bool {
	return l.Routed(level) || l.sys.flight.on.Load()
}

// Routed reports whether a line of the level would go to a file, syslog or
// standard error. Lines that a stranger can cause at will ask this before their
// text is made: they would push all others out of the recorder.
func (l *Logger) Routed(level service.Level) bool { return int(level) <= l.route.Load().max }

// Record puts a line into the flight recorder and nowhere else.
func (l *Logger) Record(level service.Level, text string) {
	if l.sys.flight.on.Load() {
		l.sys.flight.put(l.sys.opt.Now(), l.tag, level, l.sys.places.caller(), text)
	}
}

// Log writes one finished line; it is a service.Log.
func (l *Logger) Log(level service.Level, text string) {
	r, recorded := l.route.Load(), l.sys.flight.on.Load()
	routed := int(level) <= r.max
	if !routed && !recorded {
		return
	}
	now := l.sys.opt.Now()
	var at *place
	if recorded || l.sys.placed.Load() {
		at = l.sys.places.caller()
	}
	if recorded {
		l.sys.flight.put(now, l.tag, level, at, text)
	}
	if !routed {
		return
	}
	d := dest{stderr: int(level) <= r.stderr, syslog: int(level) <= r.syslog}
	if int(level) <= r.file {
		d.file = r.path
	}
	l.sys.put(record{when: now, level: level, subsys: l.name, text: text, place: at, to: d})
}

// Printf formats and writes one line; nothing is formatted when the level is off.
func (l *Logger) Printf(level service.Level, format string, args ...any) {
	if l.Enabled(level) {
		l.Log(level, fmt.Sprintf(format, args...))
	}
}

func (l *Logger) Crit(format string, args ...any)    { l.Printf(service.LevelCrit, format, args...) }
func (l *Logger) Error(format string, args ...any)   { l.Printf(service.LevelError, format, args...) }
func (l *Logger) Warning(format string, args ...any) { l.Printf(service.LevelWarning, format, args...) }
func (l *Logger) Notice(format string, args ...any)  { l.Printf(service.LevelNotice, format, args...) }
func (l *Logger) Info(format string, args ...any)    { l.Printf(service.LevelInfo, format, args...) }
func (l *Logger) Debug(format string, args ...any)   { l.Printf(service.LevelDebug, format, args...) }
func (l *Logger) Trace(format string, args ...any)   { l.Printf(service.LevelTrace, format, args...) }

// put queues a record or counts it as lost.
func (s *System) put(r record) {
	if s.closed.Load() {
		return
	}
	select {
	case s.queue <- r:
	default:
		s.lost.Add(1)
	}
}

// Lost is the number of lines that did not fit into the queue so far and that
// no line has told of yet.
func (s *System) Lost() uint64 { return s.lost.Load() }

// Apply makes settings effective. Log files that are new are opened first; one
// that cannot be opened is an *config.Error with status 7, and nothing changes.
// Apply waits for the disk: a running daemon calls ApplyLater.
func (s *System) Apply(c *config.Logging) error {
	result := make(chan error, 1)
	s.queue <- record{task: func(w *writer) { result <- w.apply(c) }}
	if err := <-result; err != nil {
		return err
	}
	s.route(c)
	return nil
}

// ApplyLater is Apply for the loop: it returns at once, and done is called on
// another goroutine.
func (s *System) ApplyLater(c *config.Logging, done func(error)) {
	s.later(func(w *writer) error { return w.apply(c) }, func(err error) {
		if err == nil {
			s.route(c)
		}
		done(err)
	})
}

// Reopen opens all log files anew, after they were moved away. done is called
// on another goroutine with the first failure; a file that cannot be opened
// keeps being written where it is.
func (s *System) Reopen(done func(error)) { s.later((*writer).reopen, done) }

// later runs a task on the writer. The queue may be full and the disk hang: the
// task waits on a goroutine of its own then.
func (s *System) later(task func(*writer) error, done func(error)) {
	r := record{task: func(w *writer) { done(task(w)) }}
	select {
	case s.queue <- r:
	default:
		go func() { s.queue <- r }()
	}
}

func (s *System) route(c *config.Logging) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = c
	s.placed.Store(c.FileLine || c.FunctionName)
	s.flight.enable(c.Blackbox, s.opt.Flight)
	for _, l := range s.loggers {
		l.route.Store(routeOf(c, l.name))
	}
}

// Close writes what is queued and ends the System; it waits at most flushTime.
// Later lines are dropped. It reports whether everything was written.
func (s *System) Close() bool {
	if s.closed.Swap(true) {
		<-s.done
		return true
	}
	limit := time.NewTimer(flushTime)
	defer limit.Stop()
	select {
	case s.queue <- record{task: func(w *writer) { w.ended = true }}:
	case <-limit.C:
		return false
	}
	select {
	case <-s.done:
		return true
	case <-limit.C:
		return false
	}
}
