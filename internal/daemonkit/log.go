package daemonkit

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/pacesync/pacesync/internal/pcmk"
)

// Levels beside those of slog, named as in syslog.
const (
	LevelTrace  = slog.Level(-8)
	LevelNotice = slog.Level(2)
	LevelCrit   = slog.Level(10)
	LevelEmerg  = slog.Level(14)
)

// Logger is a slog.Logger with the levels of syslog. Attributes of a line
// appear as name=value behind a bar, and in files alone: users read the text,
// developers the rest (the original's CRM_XS).
type Logger struct {
	*slog.Logger
	sinks []sink
}

// DiscardLog is a logger for tests.
func DiscardLog() *Logger { return &Logger{Logger: slog.New(slog.DiscardHandler)} }

// Notice logs what an administrator should see.
func (l *Logger) Notice(msg string, args ...any) { l.at(LevelNotice, msg, args) }

// Crit logs what keeps the daemon from its work.
func (l *Logger) Crit(msg string, args ...any) { l.at(LevelCrit, msg, args) }

// Emerg logs what ends the node.
func (l *Logger) Emerg(msg string, args ...any) { l.at(LevelEmerg, msg, args) }

// Trace logs what a developer wants to see.
func (l *Logger) Trace(msg string, args ...any) { l.at(LevelTrace, msg, args) }

// Syslog logs at a level of syslog's numbers, 8 for tracing: those that the pure cores give.
func (l *Logger) Syslog(priority int, msg string, args ...any) { l.at(Priority(priority), msg, args) }

// Priority is the level of a number of syslog's, 8 for tracing.
func Priority(n int) slog.Level {
	switch {
	case n <= 1:
		return LevelEmerg
	case n == 2:
		return LevelCrit
	case n == 3:
		return slog.LevelError
	case n == 4:
		return slog.LevelWarn
	case n == 5:
		return LevelNotice
	case n == 6:
		return slog.LevelInfo
	case n == 7:
		return slog.LevelDebug
	}
	return LevelTrace
}

// at logs in the name of the function that called the caller.
func (l *Logger) at(level slog.Level, msg string, args []any) {
	ctx := context.Background()
	if !l.Enabled(ctx, level) {
		return
	}
	var pc [1]uintptr
	runtime.Callers(3, pc[:])
	r := slog.NewRecord(time.Now(), level, msg, pc[0])
	r.Add(args...)
	_ = l.Handler().Handle(ctx, r) // our handler has no errors
}

// Flush waits until what was logged is written.
func (l *Logger) Flush() {
	for _, s := range l.sinks {
		if f, ok := s.(interface{ flush() }); ok {
			f.flush()
		}
	}
}

// priority is syslog's number of a level, and its name (libqb:
// qb_log_priority2str).
func priority(level slog.Level) (int, string) {
	switch {
	case level >= LevelEmerg:
		return 0, "emerg"
	case level >= LevelCrit:
		return 2, "crit"
	case level >= slog.LevelError:
		return 3, "error"
	case level >= slog.LevelWarn:
		return 4, "warning"
	case level >= LevelNotice:
		return 5, "notice"
	case level >= slog.LevelInfo:
		return 6, "info"
	case level >= slog.LevelDebug:
		return 7, "debug"
	}
	return 8, "trace"
}

// levelOfName is the level of a name in PCMK_logpriority (logging.c:
// crm_priority2int).
func levelOfName(name string) (slog.Level, bool) {
	switch name {
	case "emerg", "alert":
		return LevelEmerg, true
	case "crit":
		return LevelCrit, true
	case "error":
		return slog.LevelError, true
	case "warning":
		return slog.LevelWarn, true
	case "notice":
		return LevelNotice, true
	case "info":
		return slog.LevelInfo, true
	case "debug":
		return slog.LevelDebug, true
	}
	return 0, false
}

// line is one log line, ready for any sink.
type line struct {
	time     time.Time
	level    slog.Level
	function string
	text     string // without what is behind the bar
	extra    string // " | name=value", or empty
}

// sink is one place that lines go to.
type sink interface {
	least() slog.Level
	write(l line)
}

// handler spreads lines over the sinks. It is safe for concurrent use.
type handler struct {
	sinks []sink
	floor slog.Level
	attrs string // of With, behind the bar
}

func (h *handler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.floor }

func (h *handler) Handle(_ context.Context, r slog.Record) error {
	extra := h.attrs
	r.Attrs(func(a slog.Attr) bool {
		extra = appendAttr(extra, a)
		return true
	})
	l := line{time: r.Time, level: r.Level, function: function(r.PC), text: r.Message, extra: extra}
	for _, s := range h.sinks {
		if r.Level >= s.least() {
			s.write(l)
		}
	}
	return nil
}

func appendAttr(extra string, a slog.Attr) string {
	if extra == "" {
		extra = " |"
	}
	return extra + " " + a.Key + "=" + a.Value.String()
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		c.attrs = appendAttr(c.attrs, a)
	}
	return &c
}

func (h *handler) WithGroup(string) slog.Handler { return h }

// function is the short name of the function at pc.
func function(pc uintptr) string {
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	name := f.Function[strings.LastIndexByte(f.Function, '/')+1:]
	if _, after, ok := strings.Cut(name, "."); ok {
		name = after
	}
	return name
}

// daemonLog makes a daemon's log: syslog, a file, standard error, as the
// environment says.
func daemonLog(o Options) *Logger {
	level := slog.LevelInfo
	if pcmk.EnvEnabled(o.Program, pcmk.EnvDebug) {
		level = slog.LevelDebug
	}
	// The first -V turns standard error on, each further one adds a level.
	for i := 1; i < o.Verbose; i++ {
		level = lowerLevel(level)
	}
	var sinks []sink
	facility := pcmk.Env(pcmk.EnvLogFacility)
	if facility == "" {
		facility = "daemon"
		pcmk.SetEnv(pcmk.EnvLogFacility, facility)
	}
	if !strings.EqualFold(facility, "none") {
		least, ok := levelOfName(pcmk.Env(pcmk.EnvLogPriority))
		if !ok {
			least = LevelNotice
		}
		sinks = append(sinks, newSyslog(facility, o.Program, max(least, level)))
	}
	if o.Verbose > 0 || pcmk.EnvEnabled(o.Program, pcmk.EnvStderr) {
		w := o.Stderr
		if w == nil {
			w = os.Stderr
		}
		sinks = append(sinks, &stream{w: w, level: level})
	}
	files := o.LogFiles
	name := pcmk.Env(pcmk.EnvLogFile)
	if name == "" {
		name = pcmk.LogFile
	}
	if !strings.EqualFold(name, "none") && name != "/dev/null" {
		files = append([]string{name}, files...)
	}
	var failed []string
	var opened []string
	for _, name := range files {
		f, err := openFile(name, o.Program, level)
		if err != nil {
			failed = append(failed, fmt.Sprintf("Logging to '%s' is disabled: %v", name, err))
			continue
		}
		opened = append(opened, name)
		sinks = append(sinks, f)
		if name == pcmk.LogFile && pcmk.Env(pcmk.EnvLogFile) == "" {
			pcmk.SetEnv(pcmk.EnvLogFile, name) // some agents log only with it
		}
	}
	l := newLogger(sinks)
	for _, text := range failed {
		l.Warn(text)
	}
	for _, name := range opened {
		l.Notice("Additional logging available in " + name)
	}
	return l
}

// ToolLog is the log of a command-line tool: errors and worse, to standard
// error and only with -V; each further -V adds a level (logging.c:
// pcmk__cli_init_logging).
func ToolLog(stderr io.Writer, program string, verbose int) *Logger {
	level := slog.LevelError
	var sinks []sink
	for i := 1; i < verbose; i++ {
		level = lowerLevel(level)
	}
	if verbose > 0 || pcmk.EnvEnabled(program, pcmk.EnvStderr) {
		sinks = append(sinks, &stream{w: stderr, level: level})
	}
	if name := pcmk.Env(pcmk.EnvLogFile); name != "" && !strings.EqualFold(name, "none") && name != "/dev/null" {
		if f, err := openFile(name, program, level); err == nil {
			sinks = append(sinks, f)
		}
	}
	return newLogger(sinks)
}

func newLogger(sinks []sink) *Logger {
	floor := slog.Level(100)
	for _, s := range sinks {
		floor = min(floor, s.least())
	}
	return &Logger{slog.New(&handler{sinks: sinks, floor: floor}), sinks}
}

// lowerLevel is the next level that says more.
func lowerLevel(l slog.Level) slog.Level {
	switch {
	case l > LevelCrit:
		return LevelCrit
	case l > slog.LevelError:
		return slog.LevelError
	case l > slog.LevelWarn:
		return slog.LevelWarn
	case l > LevelNotice:
		return LevelNotice
	case l > slog.LevelInfo:
		return slog.LevelInfo
	case l > slog.LevelDebug:
		return slog.LevelDebug
	}
	return LevelTrace
}
